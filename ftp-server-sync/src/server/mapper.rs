//! The thread that has the router forward the ports, as long as the server runs.

use std::time::{Duration, Instant};

use log::warn;

use crate::nat::port_mapping::double_nat::DoubleNat;
use crate::nat::port_mapping::update::MappingUpdate;
use crate::nat::port_mapping::worker::{PortMapper, REMOVAL_MAX};

/// The thread, if there is one, and its last report.
#[derive(Debug, Default)]
pub(super) struct ServerMapper {
    pub(super) thread: Option<PortMapper>,
    pub(super) last: MappingUpdate,
    pub(super) double_nat: DoubleNat,
    /// The start has looked for what an earlier run has left.
    pub(super) has_looked: bool,
    removal: Removal,
}

/// The removal of the mappings at the end.
#[derive(Debug, Default)]
enum Removal {
    #[default]
    NotBegun,
    /// Until then, the server waits for it.
    Until(Instant),
    Done,
}

impl ServerMapper {
    /// This machine's networks have changed.
    pub(super) fn retry(&self) {
        if let Some(thread) = &self.thread {
            thread.retry();
        }
    }

    /// Lines for SIGUSR1.
    pub(super) fn report(&self) -> impl Iterator<Item = &str> {
        let lines = self.last.report.iter().map(String::as_str);
        lines.chain(self.double_nat.report())
    }

    /// Has the mappings removed. True if they are, or if the time for it is over.
    pub(super) fn is_removed(&mut self, now: Instant) -> bool {
        if let Removal::NotBegun = self.removal {
            self.removal = match self.thread.take() {
                Some(_) => Removal::Until(now + REMOVAL_WAIT_MAX),
                None => Removal::Done,
            };
        }
        match self.removal {
            Removal::NotBegun | Removal::Done => true,
            Removal::Until(deadline) if now < deadline => false,
            Removal::Until(_) => {
                warn!("the router does not confirm that it forwards no port any more");
                self.removal = Removal::Done;
                true
            }
        }
    }

    /// The thread has ended.
    pub(super) fn on_ended(&mut self) {
        self.removal = Removal::Done;
    }

    /// Until when the server waits for the removal.
    pub(super) fn removal_deadline(&self) -> Option<Instant> {
        match self.removal {
            Removal::Until(deadline) => Some(deadline),
            Removal::NotBegun | Removal::Done => None,
        }
    }
}

/// A little longer than the thread takes at most, with a request of UPnP that it cannot interrupt.
const REMOVAL_WAIT_MAX: Duration = REMOVAL_MAX.saturating_add(Duration::from_secs(3));
