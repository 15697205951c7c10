//! When a router is asked again.

use std::time::Duration;

/// The time until the next round. An outage is often short, so the first retry comes soon.
pub(super) fn retry_pause(failures: u32) -> Duration {
    crate::nat::retry::retry_pause(failures, PAUSE_MAX)
}

/// Between two rounds without an answer.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// A router that forwards for no time must not be asked all the time.
pub(super) const RENEWAL_PAUSE_MIN: Duration = Duration::from_secs(1);
