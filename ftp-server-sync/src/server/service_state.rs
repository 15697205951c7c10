//! The state of the server, for the service manager.

use std::time::Instant;

use super::hooks::END_MAX;
use super::shutdown::SESSIONS_END_MAX;
use super::{Server, Shutdown};

impl Server {
    /// To be called in each turn of the main thread: a hung one is silent.
    pub(super) fn inform_service_manager(&mut self, now: Instant) {
        let deadline = match self.shutdown {
            // It may last for hours: a service manager would not wait so long.
            Shutdown::No | Shutdown::Draining => None,
            Shutdown::Grace(deadline) => Some(deadline + SESSIONS_END_MAX),
            Shutdown::Now(deadline) => Some(deadline),
            Shutdown::Helpers => Some(now),
        };
        if let Some(deadline) = deadline {
            let limit = deadline.saturating_duration_since(now) + END_MAX;
            self.service_manager.stopping(limit);
        }
        let sessions = &self.sessions;
        self.service_manager
            .update(now, sessions.count(), || sessions.transfers());
    }
}
