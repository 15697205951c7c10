//! When a router is asked again.

use std::time::Duration;

/// The time until the next round. An outage is often short, so the first retry comes soon.
pub(super) fn retry_pause(failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures);
    PAUSE_FIRST.saturating_mul(doubled).min(PAUSE_MAX)
}

/// Between two rounds without an answer.
const PAUSE_FIRST: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// A router that forwards for no time must not be asked all the time.
pub(super) const RENEWAL_PAUSE_MIN: Duration = Duration::from_secs(1);
