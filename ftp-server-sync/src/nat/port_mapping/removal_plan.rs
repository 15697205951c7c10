//! When routers are asked to forward no longer what the server does not want.

use std::time::Instant;

use super::record::MadeMapping;
use super::retry::retry_pause;

/// The next attempt.
#[derive(Debug, Default)]
pub(super) struct RemovalPlan {
    next: Option<Instant>,
    attempts: u32,
    /// The log has not said yet what becomes of ports of an earlier run.
    is_first: bool,
}

impl RemovalPlan {
    /// An earlier run has left these.
    pub(super) fn at_start(recorded: &[MadeMapping], now: Instant) -> Self {
        let has_any = !recorded.is_empty();
        Self {
            next: has_any.then_some(now),
            attempts: 0,
            is_first: has_any,
        }
    }

    pub(super) fn start(&mut self, now: Instant) {
        self.next = Some(now);
        self.attempts = 0;
    }

    /// A round has failed, which would have removed what it does not want.
    pub(super) fn continue_after(&mut self, now: Instant) {
        self.next.get_or_insert(now);
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next.is_some_and(|next| next <= now)
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// After an attempt.
    pub(super) fn on_attempt(&mut self, is_left: bool, now: Instant) {
        let is_left = is_left && self.attempts < ATTEMPTS_MAX;
        self.next = is_left.then(|| now + retry_pause(self.attempts));
        self.attempts += 1;
    }

    /// Whether the log has said nothing yet about ports of an earlier run.
    pub(super) fn take_first(&mut self) -> bool {
        std::mem::take(&mut self.is_first)
    }
}

/// Attempts to remove what is not wanted any more. Then it ends by itself.
const ATTEMPTS_MAX: u32 = 10;
