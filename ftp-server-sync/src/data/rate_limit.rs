//! Rate limits of a session's transfers. The session waits in its poll, so that it still reads
//! commands meanwhile.

use std::num::NonZeroU64;
use std::time::Instant;

use ftp_proto::TransferRequest;
use ftp_proto::rate::{Allowance, RateLimit};

use crate::settings::Rates;

/// The session's limits. They hold across transfers: many small files are not faster than a large
/// one.
#[derive(Debug)]
pub(crate) struct RateLimits {
    rates: Rates,
    started: Instant,
    inward: Option<RateLimit>,
    outward: Option<RateLimit>,
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
            wait_until: None,
        }
    }

    /// Uses these rates from now on; the same rates change nothing.
    pub(crate) fn update(&mut self, rates: Rates, now: Instant) {
        if self.rates != rates {
            *self = Self::new(rates, now);
        }
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

    /// Counts bytes that have moved.
    pub(crate) fn spend(&mut self, request: &TransferRequest, bytes: usize) {
        if let Some(limit) = self.limit(request) {
            limit.spend(bytes);
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
