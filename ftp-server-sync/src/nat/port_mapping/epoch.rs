//! Whether the router still knows its mappings, by the seconds that it has counted since it forgot
//! them.

use std::time::{Duration, Instant};

/// The last epoch of a router.
#[derive(Debug)]
pub(crate) struct RouterEpoch {
    rule: EpochRule,
    last: Option<(u32, Instant)>,
    /// Pauses over which the router has counted nothing at all.
    stuck: u32,
}

/// How far the router's clock may differ from this machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EpochRule {
    /// It may be slower by an eighth (RFC 6886, section 3.6).
    NatPmp,
    /// It may be slower or faster by a sixteenth (RFC 6887, section 8.5). One that has counted too
    /// much was set, or another router answers.
    Pcp,
}

impl RouterEpoch {
    pub(crate) fn new(rule: EpochRule) -> Self {
        Self {
            rule,
            last: None,
            stuck: 0,
        }
    }

    /// Takes the epoch of an answer; true if the router has forgotten its mappings since the last
    /// one. `now` is of a clock that runs while this machine is suspended.
    pub(crate) fn on_answer(&mut self, epoch: u32, now: Instant) -> bool {
        let Some((last, at)) = self.last.replace((epoch, now)) else {
            return false;
        };
        let passed = now.saturating_duration_since(at);
        let counted = Duration::from_secs(epoch.saturating_sub(last).into());
        // Answers may overtake each other by a second.
        let is_backwards = epoch.saturating_add(1) < last;
        let restarted = is_backwards
            || match self.rule {
                EpochRule::NatPmp => counted + TOLERANCE < passed * 7 / 8,
                EpochRule::Pcp => {
                    counted + TOLERANCE < passed * 15 / 16 || passed + TOLERANCE < counted * 15 / 16
                }
            };
        if epoch != last {
            self.stuck = 0;
        } else if restarted {
            self.stuck = self.stuck.saturating_add(1);
        }
        restarted && !self.is_stuck()
    }

    /// Whether the router counts nothing: its epoch does not say that it has forgotten anything.
    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck >= STUCK_MIN
    }
}

/// A second of the answer's way, and one of rounding.
const TOLERANCE: Duration = Duration::from_secs(2);
/// One pause without a second could be a restart.
const STUCK_MIN: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rule: EpochRule, answers: &[(u64, u32, bool)]) {
        let start = Instant::now();
        let mut router = RouterEpoch::new(rule);
        for (seconds, counted, expected) in answers {
            let now = start + Duration::from_secs(*seconds);
            let restarted = router.on_answer(*counted, now);
            assert_eq!(restarted, *expected, "{rule:?}: {counted} at {seconds} s");
        }
    }

    #[test]
    fn a_router_that_counts_too_little_has_restarted() {
        let answers = [
            (0, 1000, false),
            (100, 1100, false),
            // Late, or in another order.
            (101, 1099, false),
            (201, 1185, false),
            (301, 1270, true),
            (302, 5, true),
            (303, 6, false),
            // Too much: another router, perhaps, which NAT-PMP does not ask for.
            (1000, u32::MAX, false),
            (1001, 0, true),
        ];
        check(EpochRule::NatPmp, &answers);
    }

    /// Some routers always say the same, and must not be asked for everything twice each time.
    #[test]
    fn an_epoch_that_stands_still_says_nothing() {
        for rule in [EpochRule::NatPmp, EpochRule::Pcp] {
            let answers = [
                (0, 9, false),
                (1, 9, false),
                (1000, 9, true),
                (1001, 9, false),
                (2000, 9, false),
                (3000, 9, false),
                // It counts, and has restarted.
                (3001, 1000, rule == EpochRule::Pcp),
                (3002, 9, true),
                (4002, 9, true),
            ];
            check(rule, &answers);
        }
    }

    /// The tolerance of PCP is a sixteenth and two seconds, in both directions.
    #[test]
    fn a_router_with_pcp_may_count_neither_too_little_nor_too_much() {
        let answers = [
            (0, 1000, false),
            (1600, 1000 + 1498, false),
            (3200, 2498 + 1497, true),
            (4800, 3995 + 1708, false),
            (6400, 5703 + 1709, true),
            (6401, 7411, false),
            (6402, 7409, true),
            (6403, u32::MAX, true),
            (6404, 0, true),
        ];
        check(EpochRule::Pcp, &answers);
    }
}
