//! Whether the router still knows its mappings, by the seconds that it has counted since it forgot
//! them (RFC 6886, section 3.6; RFC 6887, section 8.5).

use std::time::{Duration, Instant};

/// The last epoch of a router.
#[derive(Debug, Default)]
pub(crate) struct RouterEpoch {
    last: Option<(u32, Instant)>,
}

impl RouterEpoch {
    /// Takes the epoch of an answer; true if the router has forgotten its mappings since the last
    /// one.
    pub(crate) fn on_answer(&mut self, epoch: u32, now: Instant) -> bool {
        let Some((last, at)) = self.last.replace((epoch, now)) else {
            return false;
        };
        // A router of NAT-PMP may be slower than this clock by an eighth; a second of the answer's
        // way, and one of rounding.
        let passed = now.saturating_duration_since(at);
        let least = passed * 7 / 8;
        let counted = Duration::from_secs(epoch.saturating_sub(last).into());
        epoch.saturating_add(1) < last || counted + TOLERANCE < least
    }
}

const TOLERANCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_that_counts_too_little_has_restarted() {
        let start = Instant::now();
        let mut epoch = RouterEpoch::default();
        let mut check = |seconds: u64, counted: u32, expected: bool| {
            let now = start + Duration::from_secs(seconds);
            assert_eq!(
                epoch.on_answer(counted, now),
                expected,
                "{seconds} {counted}"
            );
        };
        check(0, 1000, false);
        check(100, 1100, false);
        // Late, or in another order.
        check(101, 1099, false);
        check(201, 1185, false);
        check(301, 1270, true);
        check(302, 5, true);
        check(303, 6, false);
        check(1000, u32::MAX, false);
        check(1001, 0, true);
    }
}
