//! Rate limits of a session's transfers. The session waits in its poll, so that it still reads
//! commands meanwhile.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Instant;

use ftp_proto::TransferRequest;
use ftp_proto::rate::{Allowance, RateLimit};

use super::shared_rates::SharedRates;
use crate::settings::Rates;

/// The session's limits. They hold across transfers: many small files are not faster than a large
/// one.
#[derive(Debug)]
pub(crate) struct RateLimits {
    rates: Rates,
    started: Instant,
    inward: Option<RateLimit>,
    outward: Option<RateLimit>,
    /// Those of all sessions of the user.
    shared: Option<Arc<SharedRates>>,
    /// What the last grant has taken from them.
    taken: usize,
    /// No byte may move before this time.
    wait_until: Option<Instant>,
}

impl RateLimits {
    pub(crate) fn new(rates: Rates, now: Instant) -> Self {
        let limit = |rate: Option<NonZeroU64>| Some(RateLimit::new(rate?, Default::default()));
        Self {
            rates,
            started: now,
            inward: limit(rates.inward),
            outward: limit(rates.outward),
            shared: None,
            taken: 0,
            wait_until: None,
        }
    }

    /// Uses these rates from now on; the same rates change nothing.
    pub(crate) fn update(&mut self, rates: Rates, now: Instant) {
        if self.rates != rates {
            let shared = self.shared.take();
            *self = Self {
                shared,
                ..Self::new(rates, now)
            };
        }
    }

    /// Keeps these limits too, or no others any more.
    pub(crate) fn share(&mut self, shared: Option<Arc<SharedRates>>) {
        self.shared = shared;
    }

    /// How many of the `wanted` bytes this transfer may move now; `None` if it has to wait until
    /// [`wait_until`](Self::wait_until).
    pub(crate) fn grant(
        &mut self,
        request: &TransferRequest,
        wanted: usize,
        now: Instant,
    ) -> Option<usize> {
        self.wait_until = None;
        let since = now.saturating_duration_since(self.started);
        let mut allowance = match self.limit(request) {
            Some(limit) => limit.allowance(since, wanted),
            None => Allowance::Bytes(wanted),
        };
        if let (Allowance::Bytes(bytes), Some(shared)) = (allowance, &self.shared) {
            allowance = shared.take(request.kind.is_upload(), bytes, now);
            if let Allowance::Bytes(bytes) = allowance {
                self.taken = bytes;
            }
        }
        match allowance {
            Allowance::Bytes(bytes) => Some(bytes),
            Allowance::Wait(wait) => {
                self.wait_until = now.checked_add(wait);
                None
            }
        }
    }

    /// Counts bytes that have moved.
    pub(crate) fn spend(&mut self, request: &TransferRequest, bytes: usize) {
        if let Some(limit) = self.limit(request) {
            limit.spend(bytes);
        }
        if let Some(shared) = &self.shared {
            let taken = std::mem::take(&mut self.taken);
            shared.moved(request.kind.is_upload(), taken, bytes);
        }
    }

    /// When to call [`grant`](Self::grant) again.
    pub(crate) fn wait_until(&self) -> Option<Instant> {
        self.wait_until
    }

    /// The transfer has ended: nothing waits any more.
    pub(crate) fn clear_wait(&mut self) {
        self.wait_until = None;
    }

    fn limit(&mut self, request: &TransferRequest) -> Option<&mut RateLimit> {
        if request.kind.is_upload() {
            self.inward.as_mut()
        } else {
            self.outward.as_mut()
        }
    }
}
