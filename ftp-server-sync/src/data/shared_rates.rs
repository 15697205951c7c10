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

    /// How many of the `wanted` bytes may move now.
    pub(super) fn allowance(&self, is_upload: bool, wanted: usize, now: Instant) -> Allowance {
        let since = now.saturating_duration_since(self.started);
        match lock(&self.limits).of(is_upload) {
            Some(limit) => limit.allowance(since, wanted),
            None => Allowance::Bytes(wanted),
        }
    }

    /// Counts bytes that have moved.
    pub(super) fn spend(&self, is_upload: bool, bytes: usize) {
        if let Some(limit) = lock(&self.limits).of(is_upload) {
            limit.spend(bytes);
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
        assert_eq!(shared.allowance(true, 9000, now), Allowance::Bytes(1000));
        shared.spend(true, 600);
        // For another session.
        let wait = Duration::from_millis(25);
        assert_eq!(shared.allowance(true, 9000, now), Allowance::Wait(wait));
        assert_eq!(shared.allowance(true, 300, now), Allowance::Bytes(300));
        assert_eq!(shared.allowance(false, 9000, now), Allowance::Bytes(9000));
        shared.update(rates);
        assert_eq!(shared.allowance(true, 9000, now), Allowance::Wait(wait));
        shared.update(Rates::default());
        assert_eq!(shared.allowance(true, 9000, now), Allowance::Bytes(9000));
    }
}
