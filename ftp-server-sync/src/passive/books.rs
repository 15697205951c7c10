//! The books of the passive port pool: a ledger per local address, and the range that is in force.
//!
//! Nothing in this file touches a socket, a clock or the log, and nothing here wakes anybody: wakers
//! that are due pile up in [`Books::wakes`] for the caller, who has let go of the lock by then.

use std::collections::HashMap;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use mio::Waker;

#[cfg(test)]
use super::Usage;
use super::expected::Expected;
use super::ledger::Ledger;
use super::range::Allowed;
use super::shared_listener::SharedListener;
use super::waits::{Waits, WaitsReport};

/// Who asks for a port; it keeps its arrival number, and so its place in the queue, through retries.
#[derive(Clone, Debug)]
pub(super) struct Applicant {
    /// The address to listen on, canonical, without port and flow label but with its scope.
    pub(super) local: SocketAddr,
    pub(super) expected: Expected,
    pub(super) waker: Arc<Waker>,
    pub(super) arrival: u64,
    pub(super) since: Instant,
    pub(super) waited: bool,
}

/// What an applicant may bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// This port, of which it is marked as an owner.
    Port(u16),
    /// Any port: there is no range, and nothing to give back before one is bound.
    Any,
}

/// How a lease ended, as far as the next one to get the port is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nobody was told the port.
    Unannounced,
    /// A client was told the port and did not come: it still may.
    Unconnected,
    /// The client came.
    Connected,
}

/// What a lease learns when its port has been bound.
#[derive(Debug)]
pub(super) struct Bound {
    /// Whether somebody waits for a port and this owner is in the way, kept up to date.
    pub(super) awaited: Arc<AtomicBool>,
    /// The port had been reported as held by another program.
    pub(super) was_held: bool,
}

/// All that the lock guards.
#[derive(Debug)]
pub(super) struct Books {
    allowed: Allowed,
    ledgers: HashMap<SocketAddr, Ledger>,
    arrivals: u64,
    /// Whom the caller wakes after letting go of the lock.
    wakes: Vec<Arc<Waker>>,
    waits: Waits,
}

impl Books {
    pub(super) fn new(allowed: Allowed) -> Self {
        Self {
            allowed,
            ledgers: HashMap::new(),
            arrivals: 0,
            wakes: Vec::new(),
            waits: Waits::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn allowed(&self) -> &Allowed {
        &self.allowed
    }

    /// Grants from these ports only from now on; those who wait get what is free among them.
    pub(super) fn set_allowed(&mut self, allowed: Allowed, now: Instant) {
        if self.allowed == allowed {
            return;
        }
        for ledger in self.ledgers.values_mut() {
            ledger.set_allowed(&allowed, now, &mut self.wakes);
        }
        self.waits.restart(now);
        self.allowed = allowed;
    }

    /// A number for the next applicant: later ones queue behind it.
    pub(super) fn arrive(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }

    /// Marks a port as leased to the applicant, or else puts it in the queue.
    pub(super) fn request(&mut self, applicant: &mut Applicant, now: Instant) -> Option<Grant> {
        let (ledger, wakes) = self.open_ledger(applicant.local);
        ledger.request(applicant, now, wakes)
    }

    /// Asks for another grant if the range has changed so that this one is no longer in force.
    pub(super) fn exchange(
        &mut self,
        applicant: &mut Applicant,
        grant: Grant,
        now: Instant,
    ) -> Option<Grant> {
        let (ledger, wakes) = self.open_ledger(applicant.local);
        if ledger.is_in_force(applicant.arrival, grant) {
            return Some(grant);
        }
        if let Grant::Port(port) = grant {
            ledger.release(applicant.arrival, port, wakes);
        }
        ledger.request(applicant, now, wakes)
    }

    /// The socket for what was granted; None if it may not be bound now.
    pub(super) fn listener(
        &self,
        applicant: &Applicant,
        grant: Grant,
    ) -> Option<Arc<SharedListener>> {
        match self.ledgers.get(&applicant.local) {
            Some(ledger) => ledger.listener(applicant.arrival, grant),
            None => (grant == Grant::Any && self.allowed.is_any()).then(Arc::default),
        }
    }

    /// What was assigned to a waiting applicant, if it is its turn.
    pub(super) fn take(&mut self, applicant: &Applicant, now: Instant) -> Option<Grant> {
        let ledger = self.ledgers.get_mut(&applicant.local)?;
        ledger.take(applicant.arrival, now, &mut self.wakes)
    }

    /// Takes an applicant out of the queue; a port that it was already assigned goes to the next.
    pub(super) fn leave(&mut self, applicant: &Applicant, now: Instant) {
        let mut kept_out = false;
        if let Some(ledger) = self.ledgers.get_mut(&applicant.local) {
            kept_out = ledger.blocked.len() == self.allowed.count();
            ledger.leave(applicant.arrival, &mut self.wakes);
        }
        self.waits.note(applicant, kept_out, now);
    }

    /// Notes that the applicant now listens on the port; None if the range has changed meanwhile and
    /// it must not.
    pub(super) fn bound(
        &mut self,
        applicant: &Applicant,
        grant: Grant,
        port: u16,
        listener: &Arc<SharedListener>,
        now: Instant,
    ) -> Option<Bound> {
        let (ledger, _) = self.open_ledger(applicant.local);
        let bound = ledger.bound(applicant, grant, port, listener)?;
        self.waits.note(applicant, false, now);
        Some(bound)
    }

    /// Sets a leased port aside because another program holds it; true if that is news.
    pub(super) fn block(&mut self, applicant: &Applicant, port: u16, until: Instant) -> bool {
        self.ledgers
            .get_mut(&applicant.local)
            .is_some_and(|ledger| ledger.block(applicant.arrival, port, until))
    }

    /// Ends a lease: the port goes to whoever waits longest, else it is free if it has no other owner.
    pub(super) fn give_back(&mut self, applicant: &Applicant, port: u16, ending: Ending) {
        if let Some(ledger) = self.ledgers.get_mut(&applicant.local) {
            ledger.remember(applicant.expected.peer(), port, ending);
            ledger.release(applicant.arrival, port, &mut self.wakes);
        }
    }

    pub(super) fn take_wakes(&mut self) -> Vec<Arc<Waker>> {
        mem::take(&mut self.wakes)
    }

    /// What the log should say about waiting clients, at most once a minute.
    pub(super) fn waits_due(&mut self, now: Instant) -> Option<WaitsReport> {
        self.waits.due(self.allowed.range()?, now)
    }

    #[cfg(test)]
    pub(super) fn usage(&self) -> Usage {
        let sum = |count: fn(&Ledger) -> usize| -> usize { self.ledgers.values().map(count).sum() };
        Usage {
            ports: self.allowed.count(),
            in_use: sum(|ledger| ledger.leased.len()),
            leases: sum(|ledger| ledger.leased.values().map(|slot| slot.owners.len()).sum()),
            waiting: sum(|ledger| ledger.waiting.len()),
            blocked: sum(|ledger| ledger.blocked.len()),
        }
    }

    /// The ledger of this address beside the list of those to wake.
    fn open_ledger(&mut self, local: SocketAddr) -> (&mut Ledger, &mut Vec<Arc<Waker>>) {
        // A host that answers on a whole network (AnyIP) must not collect a ledger per address for ever.
        if self.ledgers.len() >= LEDGERS_MAX && !self.ledgers.contains_key(&local) {
            self.ledgers.retain(|_, ledger| !ledger.is_idle());
        }
        let ledger = self
            .ledgers
            .entry(local)
            .or_insert_with(|| Ledger::new(&self.allowed));
        (ledger, &mut self.wakes)
    }
}

/// Beyond so many local addresses, those without a lease are forgotten.
const LEDGERS_MAX: usize = 64;

#[cfg(test)]
impl Books {
    /// Panics unless every port has exactly one place and nobody waits beside a free port.
    pub(super) fn check(&self) {
        for ledger in self.ledgers.values() {
            ledger.check(&self.allowed);
        }
    }

    pub(super) fn ledger(&self, local: SocketAddr) -> Option<&Ledger> {
        self.ledgers.get(&local)
    }
}
