//! What one step of a transfer may do before the session looks at everything else again.

use std::time::Instant;

/// What is left of a step. Something is done in each, however small it is.
#[derive(Debug)]
pub(crate) struct StepBudget {
    bytes: usize,
    work: usize,
    worked: usize,
    ends: Instant,
}

impl StepBudget {
    /// `bytes`: what may be moved over the network. `work`: all that is done, as bytes that take as
    /// long to move.
    pub(crate) fn new(bytes: usize, work: usize, ends: Instant) -> Self {
        Self {
            bytes,
            work,
            worked: 0,
            ends,
        }
    }

    /// How many bytes may be moved.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How much may be done besides.
    pub(super) fn work(&self) -> usize {
        self.work.saturating_sub(self.worked)
    }

    pub(super) fn ends(&self) -> Instant {
        self.ends
    }

    /// Bytes have been moved.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.spend_work(bytes);
    }

    /// Something else was done, that took as long as moving these bytes.
    pub(super) fn spend_work(&mut self, bytes: usize) {
        self.worked = self.worked.saturating_add(bytes);
    }

    pub(super) fn is_over(&self) -> bool {
        self.bytes == 0 || self.work() == 0 || Instant::now() >= self.ends
    }

    /// All that was done.
    pub(crate) fn worked(&self) -> usize {
        self.worked
    }
}
