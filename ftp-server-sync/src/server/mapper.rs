//! The thread that has the router forward the ports, as long as the server runs.

use std::time::{Duration, Instant};

use log::warn;

use crate::nat::port_mapping::update::MappingUpdate;
use crate::nat::port_mapping::worker::{PortMapper, REMOVAL_MAX};

/// The thread, if there is one, and its last report.
#[derive(Debug, Default)]
pub(super) struct ServerMapper {
    pub(super) thread: Option<PortMapper>,
    pub(super) last: MappingUpdate,
    /// Until then, the server waits for the removal of the mappings.
    pub(super) removal_deadline: Option<Instant>,
}

impl ServerMapper {
    /// This machine's networks have changed.
    pub(super) fn retry(&self) {
        if let Some(thread) = &self.thread {
            thread.retry();
        }
    }

    /// Lines for SIGUSR1.
    pub(super) fn report(&self) -> &[String] {
        &self.last.report
    }

    /// Has the mappings removed. True if they are, or if the time for it is over.
    pub(super) fn is_removed(&mut self, now: Instant) -> bool {
        if self.thread.take().is_some() {
            self.removal_deadline = Some(now + REMOVAL_WAIT_MAX);
        }
        match self.removal_deadline {
            None => true,
            Some(deadline) if now < deadline => false,
            Some(_) => {
                warn!("the router does not confirm that it forwards no port any more");
                true
            }
        }
    }
}

/// A little longer than the thread takes at most.
const REMOVAL_WAIT_MAX: Duration = REMOVAL_MAX.saturating_add(Duration::from_secs(1));
