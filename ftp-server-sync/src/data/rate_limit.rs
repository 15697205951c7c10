//! How fast a session's data may move. The wait is one of those in its poll, and its commands are heard
//! meanwhile.

use std::num::NonZeroU64;
use std::time::Instant;

use ftp_proto::TransferRequest;
use ftp_proto::rate::{Allowance, RateLimit};

use crate::settings::Rates;

/// The session's limits. They outlast its transfers: many small files are no faster than one large one.
#[derive(Debug)]
pub(crate) struct RateLimits {
    rates: Rates,
    begun: Instant,
    inward: Option<RateLimit>,
    outward: Option<RateLimit>,
    /// Nothing may move before.
    wait_until: Option<Instant>,
}

impl RateLimits {
    pub(crate) fn new(rates: Rates, now: Instant) -> Self {
        let limit = |rate: Option<NonZeroU64>| Some(RateLimit::new(rate?, Default::default()));
        Self {
            rates,
            begun: now,
            inward: limit(rates.inward),
            outward: limit(rates.outward),
            wait_until: None,
        }
    }

    /// Takes other rates from now on; the same ones change nothing.
    pub(crate) fn follow(&mut self, rates: Rates, now: Instant) {
        if self.rates != rates {
            *self = Self::new(rates, now);
        }
    }

    /// How many of the `wanted` bytes this transfer may move now; `None` before the time has come that
    /// [`wait_until`](Self::wait_until) tells.
    pub(crate) fn grant(
        &mut self,
        request: &TransferRequest,
        wanted: usize,
        now: Instant,
    ) -> Option<usize> {
        self.wait_until = None;
        let since = now.saturating_duration_since(self.begun);
        let Some(limit) = self.limit(request) else {
            return Some(wanted);
        };
        match limit.allowance(since, wanted) {
            Allowance::Bytes(bytes) => Some(bytes),
            Allowance::Wait(wait) => {
                self.wait_until = now.checked_add(wait);
                None
            }
        }
    }

    pub(crate) fn spend(&mut self, request: &TransferRequest, bytes: usize) {
        if let Some(limit) = self.limit(request) {
            limit.spend(bytes);
        }
    }

    /// When to ask again.
    pub(crate) fn wait_until(&self) -> Option<Instant> {
        self.wait_until
    }

    /// No transfer waits any more.
    pub(crate) fn rest(&mut self) {
        self.wait_until = None;
    }

    fn limit(&mut self, request: &TransferRequest) -> Option<&mut RateLimit> {
        match request.kind.is_upload() {
            true => self.inward.as_mut(),
            false => self.outward.as_mut(),
        }
    }
}
