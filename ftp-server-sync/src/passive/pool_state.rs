//! The state of the passive port pool: a ports per local address, and the range that is in force.
//!
//! Nothing in this file touches a socket, a clock or the log, and nothing here wakes anybody: wakers
//! that are due pile up in [`PoolState::wakes`] for the caller, who has let go of the lock by then.

use std::collections::HashMap;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use mio::Waker;

use super::allowed_peers::AllowedPeers;
use super::allowed_ports::AllowedPorts;
#[cfg(test)]
use super::pool::Usage;
use super::ports::Ports;
use super::shared_listener::SharedListener;
use super::waits::{Waits, WaitsReport};

/// Who asks for a port; it keeps its id number, and so its place in the queue, through retries.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The address to listen on, canonical, without port and flow label but with its scope.
    pub(super) local: SocketAddr,
    pub(super) allowed_peers: AllowedPeers,
    pub(super) waker: Arc<Waker>,
    pub(super) id: u64,
    pub(super) since: Instant,
    pub(super) waited: bool,
}

/// What an request may bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// This port, of which it is marked as an owner.
    Port(u16),
    /// Any port: there is no range, and nothing to give back before one is bound.
    Any,
}

/// How a lease ended, as far as the next one to get the port is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeaseEnd {
    /// Nobody was told the port.
    NotAnnounced,
    /// A client was told the port and did not come: it still may.
    NotConnected,
    /// The client came.
    Connected,
}

/// What a lease learns when its port has been bound.
#[derive(Debug)]
pub(super) struct BoundPort {
    /// Whether somebody waits for a port and this owner is in the way, kept up to date.
    pub(super) must_yield: Arc<AtomicBool>,
    /// The port had been reported as held by another program.
    pub(super) was_in_use: bool,
}

/// All that the lock guards.
#[derive(Debug)]
pub(super) struct PoolState {
    allowed_ports: AllowedPorts,
    by_address: HashMap<SocketAddr, Ports>,
    ids: u64,
    /// Whom the caller wakes after letting go of the lock.
    wakes: Vec<Arc<Waker>>,
    waits: Waits,
}

impl PoolState {
    pub(super) fn new(allowed_ports: AllowedPorts) -> Self {
        Self {
            allowed_ports,
            by_address: HashMap::new(),
            ids: 0,
            wakes: Vec::new(),
            waits: Waits::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn allowed_ports(&self) -> &AllowedPorts {
        &self.allowed_ports
    }

    /// Grants from these ports only from now on; those who wait get what is free among them.
    pub(super) fn set_allowed_ports(&mut self, allowed_ports: AllowedPorts, now: Instant) {
        if self.allowed_ports == allowed_ports {
            return;
        }
        for ports in self.by_address.values_mut() {
            ports.set_allowed_ports(&allowed_ports, now, &mut self.wakes);
        }
        self.waits.restart(now);
        self.allowed_ports = allowed_ports;
    }

    /// A number for the next request: later ones queue behind it.
    pub(super) fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// Marks a port as leased to the request, or else puts it in the queue.
    pub(super) fn request(&mut self, request: &mut Request, now: Instant) -> Option<Grant> {
        let (ports, wakes) = self.ports_mut(request.local);
        ports.request(request, now, wakes)
    }

    /// Asks for another grant if the range has changed so that this one is no longer in force.
    pub(super) fn exchange(
        &mut self,
        request: &mut Request,
        grant: Grant,
        now: Instant,
    ) -> Option<Grant> {
        let (ports, wakes) = self.ports_mut(request.local);
        if ports.is_in_force(request.id, grant) {
            return Some(grant);
        }
        if let Grant::Port(port) = grant {
            ports.release(request.id, port, wakes);
        }
        ports.request(request, now, wakes)
    }

    /// The socket for what was granted; None if it may not be bound now.
    pub(super) fn listener(&self, request: &Request, grant: Grant) -> Option<Arc<SharedListener>> {
        match self.by_address.get(&request.local) {
            Some(ports) => ports.listener(request.id, grant),
            None => (grant == Grant::Any && self.allowed_ports.is_any()).then(Arc::default),
        }
    }

    /// What was assigned to a waiting request, if it is its turn.
    pub(super) fn take(&mut self, request: &Request, now: Instant) -> Option<Grant> {
        let ports = self.by_address.get_mut(&request.local)?;
        ports.take(request.id, now, &mut self.wakes)
    }

    /// Takes an request out of the queue; a port that it was already assigned goes to the next.
    pub(super) fn leave(&mut self, request: &Request, now: Instant) {
        let mut kept_out = false;
        if let Some(ports) = self.by_address.get_mut(&request.local) {
            kept_out = ports.set_aside.len() == self.allowed_ports.count();
            ports.leave(request.id, &mut self.wakes);
        }
        self.waits.note(request, kept_out, now);
    }

    /// Notes that the request now listens on the port; None if the range has changed meanwhile and
    /// it must not.
    pub(super) fn bound(
        &mut self,
        request: &Request,
        grant: Grant,
        port: u16,
        listener: &Arc<SharedListener>,
        now: Instant,
    ) -> Option<BoundPort> {
        let (ports, _) = self.ports_mut(request.local);
        let bound = ports.bound(request, grant, port, listener)?;
        self.waits.note(request, false, now);
        Some(bound)
    }

    /// Sets a leased port aside because another program holds it; true if that is news.
    pub(super) fn set_aside(&mut self, request: &Request, port: u16, until: Instant) -> bool {
        self.by_address
            .get_mut(&request.local)
            .is_some_and(|ports| ports.set_aside(request.id, port, until))
    }

    /// Ends a lease: the port goes to whoever waits longest, else it is free if it has no other owner.
    pub(super) fn end_lease(&mut self, request: &Request, port: u16, end: LeaseEnd) {
        if let Some(ports) = self.by_address.get_mut(&request.local) {
            ports.remember(request.allowed_peers.peer(), port, end);
            ports.release(request.id, port, &mut self.wakes);
        }
    }

    pub(super) fn take_wakes(&mut self) -> Vec<Arc<Waker>> {
        mem::take(&mut self.wakes)
    }

    /// What the log should say about waiting clients, at most once a minute.
    pub(super) fn waits_due(&mut self, now: Instant) -> Option<WaitsReport> {
        self.waits.due(self.allowed_ports.range()?, now)
    }

    #[cfg(test)]
    pub(super) fn usage(&self) -> Usage {
        let sum =
            |count: fn(&Ports) -> usize| -> usize { self.by_address.values().map(count).sum() };
        Usage {
            ports: self.allowed_ports.count(),
            in_use: sum(|ports| ports.leased.len()),
            leases: sum(|ports| {
                ports
                    .leased
                    .values()
                    .map(|leased_port| leased_port.owners.len())
                    .sum()
            }),
            waiting: sum(|ports| ports.waiting.len()),
            set_aside: sum(|ports| ports.set_aside.len()),
        }
    }

    /// The ports of this address beside the list of those to wake.
    fn ports_mut(&mut self, local: SocketAddr) -> (&mut Ports, &mut Vec<Arc<Waker>>) {
        // A host that answers on a whole network (AnyIP) must not collect a ports per address for ever.
        if self.by_address.len() >= ADDRESSES_MAX && !self.by_address.contains_key(&local) {
            self.by_address.retain(|_, ports| !ports.is_idle());
        }
        let ports = self
            .by_address
            .entry(local)
            .or_insert_with(|| Ports::new(&self.allowed_ports));
        (ports, &mut self.wakes)
    }
}

/// Beyond so many local addresses, those without a lease are forgotten.
const ADDRESSES_MAX: usize = 64;

#[cfg(test)]
impl PoolState {
    /// Panics unless every port has exactly one place and nobody waits beside a free port.
    pub(super) fn check(&self) {
        for ports in self.by_address.values() {
            ports.check(&self.allowed_ports);
        }
    }

    pub(super) fn ports(&self, local: SocketAddr) -> Option<&Ports> {
        self.by_address.get(&local)
    }
}
