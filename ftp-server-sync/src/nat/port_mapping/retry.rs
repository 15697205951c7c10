//! When a router is asked again.

use std::time::Duration;

use crate::nat::retry;

/// The time until the next round.
pub(super) fn retry_pause(failures: u32) -> Duration {
    retry::retry_pause(failures, PAUSE_MAX)
}

/// Between two rounds without an answer.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// A router that forwards for no time must not be asked all the time.
pub(super) const RENEWAL_PAUSE_MIN: Duration = Duration::from_secs(1);
