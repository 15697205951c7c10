//! When something outside of this machine is asked again that has not answered.

use std::time::Duration;

/// The pause after this number of failures. An outage is often short, so the first retry comes
/// soon. What stays away must not be asked all the time, so the pauses grow, up to `longest`.
pub(super) fn retry_pause(failures: u32, longest: Duration) -> Duration {
    let doubled = 2_u32.saturating_pow(failures);
    PAUSE_FIRST.saturating_mul(doubled).min(longest)
}

const PAUSE_FIRST: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let longest = Duration::from_secs(60);
        for (failures, seconds) in [(0, 5), (1, 10), (3, 40), (4, 60), (40, 60), (u32::MAX, 60)] {
            let pause = retry_pause(failures, longest);
            assert_eq!(pause, Duration::from_secs(seconds), "{failures}");
        }
    }
}
