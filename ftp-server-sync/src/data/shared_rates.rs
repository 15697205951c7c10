//! Rate limits that several sessions share: those of one user.

use std::num::NonZeroU64;
use std::sync::Mutex;
use std::time::Instant;

use ftp_proto::rate::{Allowance, RateLimit};

use crate::locks::lock;
use crate::settings::Rates;

/// The limits of all sessions of a user together.
#[derive(Debug)]
pub(crate) struct SharedRates {
    started: Instant,
    limits: Mutex<Limits>,
}

#[derive(Debug)]
struct Limits {
    rates: Rates,
    inward: Option<RateLimit>,
    outward: Option<RateLimit>,
}

impl SharedRates {
    pub(crate) fn new(rates: Rates, now: Instant) -> Self {
        Self {
            started: now,
            limits: Limits::new(rates).into(),
        }
    }

    /// Uses these rates from now on; the same rates change nothing.
    pub(crate) fn update(&self, rates: Rates) {
        let mut limits = lock(&self.limits);
        if limits.rates != rates {
            *limits = Limits::new(rates);
        }
    }

    /// How many of the `wanted` bytes may move now. They count as moved, because another session
    /// may ask before they are.
    pub(super) fn take(&self, is_upload: bool, wanted: usize, now: Instant) -> Allowance {
        let since = now.saturating_duration_since(self.started);
        let mut limits = lock(&self.limits);
        let Some(limit) = limits.of(is_upload) else {
            return Allowance::Bytes(wanted);
        };
        let allowance = limit.allowance(since, wanted);
        if let Allowance::Bytes(bytes) = allowance {
            limit.spend(bytes);
        }
        allowance
    }

    /// Of the bytes that were taken, this number has moved.
    pub(super) fn moved(&self, is_upload: bool, taken: usize, moved: usize) {
        if let Some(limit) = lock(&self.limits).of(is_upload) {
            limit.give_back(taken.saturating_sub(moved));
            limit.spend(moved.saturating_sub(taken));
        }
    }
}

impl Limits {
    fn new(rates: Rates) -> Self {
        let limit = |rate: Option<NonZeroU64>| Some(RateLimit::new(rate?, Default::default()));
        Self {
            rates,
            inward: limit(rates.inward),
            outward: limit(rates.outward),
        }
    }

    fn of(&mut self, is_upload: bool) -> Option<&mut RateLimit> {
        if is_upload {
            self.inward.as_mut()
        } else {
            self.outward.as_mut()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn sessions_share_the_bytes() {
        let now = Instant::now();
        let rates = Rates {
            inward: NonZeroU64::new(4000),
            outward: None,
        };
        let shared = SharedRates::new(rates, now);
        assert_eq!(shared.take(true, 9000, now), Allowance::Bytes(1000));
        // Another session asks before any byte has moved.
        let half = Duration::from_millis(125);
        assert_eq!(shared.take(true, 9000, now), Allowance::Wait(half));
        shared.moved(true, 1000, 600);
        let wait = Duration::from_millis(25);
        assert_eq!(shared.take(true, 9000, now), Allowance::Wait(wait));
        assert_eq!(shared.take(true, 300, now), Allowance::Bytes(300));
        assert_eq!(shared.take(false, 9000, now), Allowance::Bytes(9000));
        shared.update(rates);
        assert_eq!(shared.take(true, 9000, now), Allowance::Wait(half - wait));
        shared.update(Rates::default());
        assert_eq!(shared.take(true, 9000, now), Allowance::Bytes(9000));
    }
}
