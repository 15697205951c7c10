//! Rates of transfers, over any sequence of pauses and of sizes that a socket takes.

use std::num::NonZeroU64;
use std::time::Duration;

use ftp_proto::rate::{Allowance, RateLimit};
use proptest::prelude::*;

proptest! {
    /// Never faster than the rate, but for what a quarter of a second holds; and never stuck.
    #[test]
    fn no_schedule_beats_the_rate(
        rate in prop_oneof![1..100u64, 1000..100_000_000u64, Just(u64::MAX)],
        steps in prop::collection::vec((0..2_000_000u64, 1..1_000_000usize, 0.0..=1.0f64), 1..200),
    ) {
        let bytes_per_second = NonZeroU64::new(rate).expect("not 0");
        let mut limit = RateLimit::new(bytes_per_second, Duration::ZERO);
        let (mut now, mut moved) = (Duration::ZERO, 0_u128);
        for (pause, wanted, taken) in steps {
            now += Duration::from_micros(pause);
            let granted = match limit.allowance(now, wanted) {
                Allowance::Bytes(bytes) => bytes,
                Allowance::Wait(wait) => {
                    prop_assert!(!wait.is_zero());
                    now += wait;
                    match limit.allowance(now, wanted) {
                        Allowance::Bytes(bytes) => bytes,
                        Allowance::Wait(more) => panic!("waited {wait:?}, and {more:?} more"),
                    }
                }
            };
            prop_assert!((1..=wanted).contains(&granted));
            // The socket takes some of it.
            let bytes = ((granted as f64 * taken) as usize).max(1).min(granted);
            limit.spend(bytes);
            moved += bytes as u128;
            let earned = u128::from(rate) * now.as_nanos() / 1_000_000_000;
            prop_assert!(moved <= earned + u128::from(rate.div_ceil(4)), "{moved} in {now:?}");
        }
    }
}
