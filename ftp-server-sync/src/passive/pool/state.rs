//! The state of the pool: the ports of each local address, and the range that is in force.
//!
//! Nothing in this file touches a socket, a clock or the log, and nothing here wakes a session: due
//! wakers collect in [`PoolState::wakes`], and the caller calls them after it has released the
//! lock.

use std::collections::{BTreeSet, HashMap};
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use mio::Waker;

use super::waits::{Waits, WaitsReport};
use crate::net::port_range::PortRange;
use crate::passive::listener::SharedListener;
use crate::passive::ports::{BoundPort, LeaseEnd, Ports};
use crate::passive::request::{Answer, Request};

/// Everything that the lock guards.
#[derive(Debug)]
pub(in crate::passive) struct PoolState {
    range: Option<PortRange>,
    /// Ports of the range that the router does not forward.
    left_out: Arc<BTreeSet<u16>>,
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
    /// Leased ports, also those that were leased under another range.
    pub in_use: usize,
    /// Leases of these ports; several leases may share a port.
    pub leases: usize,
    /// Requests in the queue.
    pub waiting: usize,
    /// Ports that another program used when they were last tried.
    pub set_aside: usize,
}

/// How many ports are leased, and how many requests wait for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PortDemand {
    pub(crate) in_use: usize,
    pub(crate) waiting: usize,
}

impl PoolState {
    pub(in crate::passive) fn demand(&self) -> PortDemand {
        let mut demand = PortDemand::default();
        for ports in self.by_address.values() {
            demand.in_use += ports.table.leased().len();
            demand.waiting += ports.queue.waiting().len();
        }
        demand
    }

    pub(in crate::passive) fn new(range: Option<PortRange>) -> Self {
        Self {
            range,
            left_out: Arc::default(),
            by_address: HashMap::new(),
            last_id: 0,
            wakes: Vec::new(),
            waits: Waits::default(),
        }
    }

    /// The range that is in force.
    pub(in crate::passive) fn range(&self) -> Option<PortRange> {
        self.range
    }

    /// From now on grants only ports of this range; waiting requests get those that are free.
    pub(in crate::passive) fn set_range(&mut self, range: Option<PortRange>, now: Instant) {
        if self.range == range {
            return;
        }
        for ports in self.by_address.values_mut() {
            ports.set_range(range, &self.left_out, now, &mut self.wakes);
        }
        self.waits.restart(now);
        self.range = range;
    }

    /// From now on grants none of these ports.
    pub(in crate::passive) fn set_left_out(&mut self, left_out: Arc<BTreeSet<u16>>, now: Instant) {
        if self.left_out == left_out {
            return;
        }
        for ports in self.by_address.values_mut() {
            ports.set_range(self.range, &left_out, now, &mut self.wakes);
        }
        self.left_out = left_out;
    }

    /// An id for the next request. The queue is in the order of ids.
    pub(in crate::passive) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Leases a port to the request, or puts the request into the queue.
    pub(in crate::passive) fn request(&mut self, request: &mut Request, now: Instant) -> Answer {
        if self.range.is_none() {
            return Answer::NoRange;
        }
        let (ports, wakes) = self.ports_mut(request.key, now);
        match ports.request(request, now, wakes) {
            Some(port) => Answer::Granted(port),
            None => Answer::Queued,
        }
    }

    /// Repeats the request if the range has changed so that its port may no longer be bound.
    pub(in crate::passive) fn exchange(
        &mut self,
        request: &mut Request,
        port: u16,
        now: Instant,
    ) -> Answer {
        let (ports, wakes) = self.ports_mut(request.key, now);
        if ports.is_in_force(request.id, port) {
            return Answer::Granted(port);
        }
        ports.release(request.id, port, wakes);
        self.request(request, now)
    }

    /// The socket for a leased port; `None` if it may not be bound now.
    pub(in crate::passive) fn listener(
        &self,
        request: &Request,
        port: u16,
    ) -> Option<Arc<SharedListener>> {
        self.by_address
            .get(&request.key)?
            .listener(request.id, port)
    }

    /// Whether a request that is in the queue waits on. Otherwise it has left the queue.
    pub(in crate::passive) fn take(&mut self, request: &Request, now: Instant) -> Answer {
        let Some(ports) = self.by_address.get_mut(&request.key) else {
            return Answer::NoRange;
        };
        if self.range.is_none() {
            ports.leave(request.id, &mut self.wakes);
            return Answer::NoRange;
        }
        match ports.take(request.id, now, &mut self.wakes) {
            Some(port) => Answer::Granted(port),
            None => Answer::Queued,
        }
    }

    /// Removes a request from the queue. A port that is already assigned to it goes to the next
    /// one.
    pub(in crate::passive) fn leave(&mut self, request: &Request, now: Instant) {
        let mut all_in_use = false;
        if let Some(ports) = self.by_address.get_mut(&request.key) {
            all_in_use = ports.table.are_all_set_aside();
            ports.leave(request.id, &mut self.wakes);
        }
        self.waits.record(request, all_in_use, now);
    }

    /// Records that the session now listens on the port; `None` if the range has changed meanwhile,
    /// so that it must not.
    pub(in crate::passive) fn bound(
        &mut self,
        request: &Request,
        port: u16,
        now: Instant,
    ) -> Option<BoundPort> {
        let ports = self.by_address.get_mut(&request.key)?;
        let bound = ports.bound(request.id, port)?;
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
            .get_mut(&request.key)
            .is_some_and(|ports| ports.set_aside(request.id, port, until))
    }

    /// Ends a lease; `end` is `None` if the port was not announced. A port without other owners
    /// goes to the longest waiting request that may have it, or is free.
    pub(in crate::passive) fn end_lease(
        &mut self,
        request: &Request,
        port: u16,
        end: Option<LeaseEnd>,
        now: Instant,
    ) {
        let Some(ports) = self.by_address.get_mut(&request.key) else {
            return;
        };
        match end {
            Some(end) => ports.end(request, port, end, now, &mut self.wakes),
            None => ports.release(request.id, port, &mut self.wakes),
        }
    }

    /// A session has ended.
    pub(in crate::passive) fn forget(&mut self, session: u64) {
        for ports in self.by_address.values_mut() {
            ports.forget(session, &mut self.wakes);
        }
    }

    pub(in crate::passive) fn take_wakes(&mut self) -> Vec<Arc<Waker>> {
        mem::take(&mut self.wakes)
    }

    /// A report for the log about requests that had to wait, at most once a minute.
    pub(in crate::passive) fn waits_due(&mut self, now: Instant) -> Option<WaitsReport> {
        self.waits.due(self.range?, now)
    }

    /// The ports of this address, and the list of wakers to call.
    fn ports_mut(&mut self, local: SocketAddr, now: Instant) -> (&mut Ports, &mut Vec<Arc<Waker>>) {
        // A host that answers on a whole network (AnyIP) must not use memory for every address for
        // ever.
        if self.by_address.len() >= ADDRESSES_MAX && !self.by_address.contains_key(&local) {
            self.by_address.retain(|_, ports| !ports.is_idle(now));
        }
        let ports = self
            .by_address
            .entry(local)
            .or_insert_with(|| Ports::new(self.range, &self.left_out));
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
            ports.check(self.range);
        }
    }

    pub(in crate::passive) fn ports(&self, local: SocketAddr) -> Option<&Ports> {
        self.by_address.get(&local)
    }

    pub(in crate::passive) fn usage(&self) -> Usage {
        let sum =
            |count: fn(&Ports) -> usize| -> usize { self.by_address.values().map(count).sum() };
        let owners = |ports: &Ports| {
            let leased = ports.table.leased().values();
            leased.map(|port| port.owners.len()).sum()
        };
        Usage {
            ports: self.range.map_or(0, |range| range.count().into()),
            in_use: sum(|ports| ports.table.leased().len()),
            leases: sum(owners),
            waiting: sum(|ports| ports.queue.waiting().len()),
            set_aside: sum(|ports| ports.table.set_aside_count()),
        }
    }
}
