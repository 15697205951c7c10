//! The state of the pool: the ports of each local address, and the range that is in force.
//!
//! Nothing in this file touches a socket, a clock or the log, and nothing here wakes a session: due
//! wakers collect in [`PoolState::wakes`], and the caller calls them after it has released the
//! lock.

use std::collections::HashMap;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use mio::Waker;

use super::waits::{Waits, WaitsReport};
use crate::passive::allowed_ports::AllowedPorts;
use crate::passive::listener::SharedListener;
use crate::passive::ports::{BoundPort, LeaseEnd, Ports};
use crate::passive::request::{Grant, Request};

/// Everything that the lock guards.
#[derive(Debug)]
pub(in crate::passive) struct PoolState {
    allowed_ports: AllowedPorts,
    by_address: HashMap<SocketAddr, Ports>,
    last_id: u64,
    /// The wakers that the caller calls after it has released the lock.
    wakes: Vec<Arc<Waker>>,
    waits: Waits,
}

#[cfg(test)]
/// How the ports are used, summed over all local addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// The size of the range, which each local address has for itself; 0 without a range.
    pub ports: usize,
    /// Leased ports, also those that were leased under another range, or without one.
    pub in_use: usize,
    /// Leases of these ports; several leases may share a port.
    pub leases: usize,
    /// Requests in the queue.
    pub waiting: usize,
    /// Ports that another program used when they were last tried.
    pub set_aside: usize,
}

impl PoolState {
    pub(in crate::passive) fn new(allowed_ports: AllowedPorts) -> Self {
        Self {
            allowed_ports,
            by_address: HashMap::new(),
            last_id: 0,
            wakes: Vec::new(),
            waits: Waits::default(),
        }
    }

    #[cfg(test)]
    pub(in crate::passive) fn allowed_ports(&self) -> &AllowedPorts {
        &self.allowed_ports
    }

    /// From now on grants only these ports; waiting requests get those that are free.
    pub(in crate::passive) fn set_allowed_ports(
        &mut self,
        allowed_ports: AllowedPorts,
        now: Instant,
    ) {
        if self.allowed_ports == allowed_ports {
            return;
        }
        for ports in self.by_address.values_mut() {
            ports.set_allowed_ports(&allowed_ports, now, &mut self.wakes);
        }
        self.waits.restart(now);
        self.allowed_ports = allowed_ports;
    }

    /// An id for the next request. The queue is in the order of ids.
    pub(in crate::passive) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Leases a port to the request, or puts the request into the queue.
    pub(in crate::passive) fn request(
        &mut self,
        request: &mut Request,
        now: Instant,
    ) -> Option<Grant> {
        let (ports, wakes) = self.ports_mut(request.local);
        ports.request(request, now, wakes)
    }

    /// Repeats the request if the range has changed so that its grant is no longer in force.
    pub(in crate::passive) fn exchange(
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

    /// The socket for a grant; `None` if it may not be bound now.
    pub(in crate::passive) fn listener(
        &self,
        request: &Request,
        grant: Grant,
    ) -> Option<Arc<SharedListener>> {
        match self.by_address.get(&request.local) {
            Some(ports) => ports.listener(request.id, grant),
            None => (grant == Grant::Any && self.allowed_ports.is_any()).then(Arc::default),
        }
    }

    /// The grant that is assigned to a waiting request, if there is one.
    pub(in crate::passive) fn take(&mut self, request: &Request, now: Instant) -> Option<Grant> {
        let ports = self.by_address.get_mut(&request.local)?;
        ports.take(request.id, now, &mut self.wakes)
    }

    /// Removes a request from the queue. A port that is already assigned to it goes to the next
    /// one.
    pub(in crate::passive) fn leave(&mut self, request: &Request, now: Instant) {
        let mut all_in_use = false;
        if let Some(ports) = self.by_address.get_mut(&request.local) {
            all_in_use = ports.set_aside.len() == self.allowed_ports.count();
            ports.leave(request.id, &mut self.wakes);
        }
        self.waits.record(request, all_in_use, now);
    }

    /// Records that the session now listens on the port; `None` if the range has changed meanwhile,
    /// so that it must not.
    pub(in crate::passive) fn bound(
        &mut self,
        request: &Request,
        grant: Grant,
        port: u16,
        listener: &Arc<SharedListener>,
        now: Instant,
    ) -> Option<BoundPort> {
        let (ports, _) = self.ports_mut(request.local);
        let bound = ports.bound(request, grant, port, listener)?;
        self.waits.record(request, false, now);
        Some(bound)
    }

    /// Sets a leased port aside because another program uses it; true if the log does not say so
    /// yet.
    pub(in crate::passive) fn set_aside(
        &mut self,
        request: &Request,
        port: u16,
        until: Instant,
    ) -> bool {
        self.by_address
            .get_mut(&request.local)
            .is_some_and(|ports| ports.set_aside(request.id, port, until))
    }

    /// Ends a lease. A port without other owners goes to the longest waiting request, or is free.
    pub(in crate::passive) fn end_lease(&mut self, request: &Request, port: u16, end: LeaseEnd) {
        if let Some(ports) = self.by_address.get_mut(&request.local) {
            ports.record_end(request.allowed_peers.peer(), port, end);
            ports.release(request.id, port, &mut self.wakes);
        }
    }

    pub(in crate::passive) fn take_wakes(&mut self) -> Vec<Arc<Waker>> {
        mem::take(&mut self.wakes)
    }

    /// A report for the log about requests that had to wait, at most once a minute.
    pub(in crate::passive) fn waits_due(&mut self, now: Instant) -> Option<WaitsReport> {
        self.waits.due(self.allowed_ports.range()?, now)
    }

    /// The ports of this address, and the list of wakers to call.
    fn ports_mut(&mut self, local: SocketAddr) -> (&mut Ports, &mut Vec<Arc<Waker>>) {
        // A host that answers on a whole network (AnyIP) must not use memory for every address for
        // ever.
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

/// With more local addresses than this, those without a lease are forgotten.
const ADDRESSES_MAX: usize = 64;

#[cfg(test)]
impl PoolState {
    /// Panics unless every port has exactly one place and no request waits beside a free port.
    pub(in crate::passive) fn check(&self) {
        for ports in self.by_address.values() {
            ports.check(&self.allowed_ports);
        }
    }

    pub(in crate::passive) fn ports(&self, local: SocketAddr) -> Option<&Ports> {
        self.by_address.get(&local)
    }

    pub(in crate::passive) fn usage(&self) -> Usage {
        let sum =
            |count: fn(&Ports) -> usize| -> usize { self.by_address.values().map(count).sum() };
        let owners = |ports: &Ports| ports.leased.values().map(|port| port.owners.len()).sum();
        Usage {
            ports: self.allowed_ports.count(),
            in_use: sum(|ports| ports.leased.len()),
            leases: sum(owners),
            waiting: sum(|ports| ports.waiting.len()),
            set_aside: sum(|ports| ports.set_aside.len()),
        }
    }
}
