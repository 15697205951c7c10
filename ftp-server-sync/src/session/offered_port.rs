//! The passive port that the client was sent to, and whether it had time to connect.

use std::time::{Duration, Instant};

/// What a session has to remember about the port that its client was sent to.
#[derive(Debug, Default)]
pub(super) struct OfferedPort {
    /// Since when the client can connect; `None` once it has, or when no port is offered.
    since: Option<Instant>,
    /// How many of the connections that the core has counted as never opened are in the log.
    pub(super) logged: u32,
}

impl OfferedPort {
    pub(super) fn offer(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// Nothing is offered any more. True if something was.
    pub(super) fn clear(&mut self) -> bool {
        self.since.take().is_some()
    }

    /// Whether a client could have connected by now, if it wanted to and nothing was in the way.
    /// `least` is the time that it needs.
    pub(super) fn had_time(&self, least: Duration, now: Instant) -> bool {
        self.since.is_some_and(|since| since + least <= now)
    }
}
