//! How many bytes a transfer may move now to stay below a rate: a token bucket without a clock.
//!
//! The driver passes the current time, counted from any start that it chooses; the driver waits and
//! moves bytes.

use core::num::NonZeroU64;
use core::time::Duration;

/// A bucket that fills at a rate and that transferred bytes empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    bytes_per_second: NonZeroU64,
    /// Bytes that may move at once.
    level: u64,
    /// The part of the next byte that is available, in billionths.
    fraction: u32,
    filled_at: Duration,
}

/// What a transfer may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// Move at most this number of bytes; it is at least one.
    Bytes(usize),
    /// Wait for this time.
    Wait(Duration),
}

impl RateLimit {
    /// A limit that starts `now`. The bytes of a quarter of a second may move at once.
    #[must_use]
    pub fn new(bytes_per_second: NonZeroU64, now: Duration) -> Self {
        let mut limit = Self {
            bytes_per_second,
            level: 0,
            fraction: 0,
            filled_at: now,
        };
        limit.level = limit.capacity();
        limit
    }

    /// How many of the `wanted` bytes may move now. It is never a small part of a fast rate: a
    /// short wait costs less than many system calls.
    pub fn allowance(&mut self, now: Duration, wanted: usize) -> Allowance {
        self.fill(now);
        let wanted = u64::try_from(wanted).unwrap_or(u64::MAX).max(1);
        let worthwhile = self.capacity().div_ceil(2).min(wanted);
        if self.level >= worthwhile {
            let bytes = self.level.min(wanted);
            return Allowance::Bytes(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
        Allowance::Wait(self.time_for(worthwhile - self.level))
    }

    /// Subtracts bytes that have moved. More bytes than allowed do not make the level negative.
    pub fn spend(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.level = self.level.saturating_sub(bytes);
    }

    /// Adds bytes that were subtracted and have not moved, as far as there is room for them.
    pub fn give_back(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.level = self.level.saturating_add(bytes).min(self.capacity());
    }

    /// Adds the bytes for the time that has passed. A clock that goes backwards adds nothing.
    fn fill(&mut self, now: Duration) {
        let Some(passed) = now.checked_sub(self.filled_at) else {
            return;
        };
        self.filled_at = now;
        let rate = u128::from(self.bytes_per_second.get());
        let earned = passed.as_nanos().saturating_mul(rate);
        let earned = earned.saturating_add(self.fraction.into());
        let bytes = u64::try_from(earned / NANOSECONDS).unwrap_or(u64::MAX);
        self.level = self.level.saturating_add(bytes);
        self.fraction = (earned % NANOSECONDS) as u32;
        if self.level >= self.capacity() {
            self.level = self.capacity();
            self.fraction = 0;
        }
    }

    /// How long it takes to fill the bucket by this number of bytes, rounded up.
    fn time_for(&self, bytes: u64) -> Duration {
        let missing = u128::from(bytes) * NANOSECONDS - u128::from(self.fraction);
        let nanoseconds = missing.div_ceil(u128::from(self.bytes_per_second.get()));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    fn capacity(&self) -> u64 {
        self.bytes_per_second.get().div_ceil(FULL_PER_SECOND)
    }
}

/// A full bucket holds the bytes of one second divided by this number, so bytes move at least this
/// often.
const FULL_PER_SECOND: u64 = 4;
const NANOSECONDS: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(bytes_per_second: u64) -> RateLimit {
        RateLimit::new(NonZeroU64::new(bytes_per_second).unwrap(), Duration::ZERO)
    }

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_quarter_of_a_second_moves_at_once_and_then_the_rate_applies() {
        let mut limit = limit(4000);
        assert_eq!(limit.allowance(ms(0), 10_000), Allowance::Bytes(1000));
        limit.spend(1000);
        // Half a bucket is enough to move.
        assert_eq!(limit.allowance(ms(0), 10_000), Allowance::Wait(ms(125)));
        assert_eq!(limit.allowance(ms(100), 10_000), Allowance::Wait(ms(25)));
        assert_eq!(limit.allowance(ms(125), 10_000), Allowance::Bytes(500));
        // The last bytes of a file need not wait for more.
        assert_eq!(limit.allowance(ms(125), 3), Allowance::Bytes(3));
        limit.spend(500);
        assert_eq!(
            limit.allowance(ms(125), 3),
            Allowance::Wait(Duration::from_micros(750))
        );
        // After a long pause the bucket is full, and never more than full.
        assert_eq!(limit.allowance(ms(60_000), 10_000), Allowance::Bytes(1000));
    }

    #[test]
    fn slow_rates_lose_nothing_to_rounding() {
        let mut limit = limit(1);
        limit.spend(1);
        for _ in 0..3 {
            limit.fill(limit.filled_at + Duration::from_nanos(333_333_333));
            assert_eq!(limit.level, 0);
        }
        assert_eq!(
            limit.allowance(limit.filled_at, 1),
            Allowance::Wait(Duration::from_nanos(1))
        );
        assert_eq!(
            limit.allowance(limit.filled_at + Duration::from_nanos(1), 1),
            Allowance::Bytes(1)
        );
    }

    #[test]
    fn extremes() {
        let mut fast = limit(u64::MAX);
        assert!(matches!(
            fast.allowance(Duration::MAX, usize::MAX),
            Allowance::Bytes(_)
        ));
        fast.spend(usize::MAX);
        assert!(matches!(
            fast.allowance(Duration::ZERO, usize::MAX),
            Allowance::Wait(_)
        ));
        assert!(matches!(
            fast.allowance(Duration::MAX, 0),
            Allowance::Wait(_) | Allowance::Bytes(_)
        ));
        // A part of a byte is available, and then more than can be counted.
        let mut fast = limit(u64::MAX - 1);
        fast.spend(usize::MAX);
        fast.fill(Duration::from_nanos(1));
        assert_ne!(fast.fraction, 0);
        assert!(matches!(
            fast.allowance(Duration::MAX, 1),
            Allowance::Bytes(1)
        ));
        // The clock goes backwards.
        let mut slow = RateLimit::new(NonZeroU64::MIN, ms(5000));
        slow.spend(1);
        assert_eq!(slow.allowance(ms(0), 1), Allowance::Wait(ms(1000)));
        assert_eq!(slow.allowance(ms(6000), 1), Allowance::Bytes(1));
    }
}
