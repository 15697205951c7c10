//! The ports of one local address, and the requests that wait for one.
//!
//! Which ports there are, who waits, and what is remembered about clients that did not connect are
//! one file each. This one decides which request gets which port.

mod kept_out;
mod leased_port;
mod queue;
mod table;
mod unused;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use mio::Waker;

use super::listener::SharedListener;
use super::request::Request;
use super::sharing::{Requester, RequesterSet};
use crate::net::port_range::PortRange;
use kept_out::KeptOut;
use queue::Queue;
use table::PortTable;
use unused::RecentlyUnused;

#[cfg(test)]
pub(super) use kept_out::KEPT_OUT_FOR;
pub(super) use table::BoundPort;

/// The ports of one local address.
///
/// No request waits while a port is free or it can share a leased one, unless an earlier request
/// waits with which it cannot share a port. Without a range, requests wait until their sessions ask
/// again.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) table: PortTable,
    pub(super) queue: Queue,
    recently_unused: RecentlyUnused,
    kept_out: KeptOut,
    /// Some owners may have the mark that others wait for their ports.
    owners_notified: bool,
}

/// How a session stops listening on a port that was announced. It decides which request gets the
/// port next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaseEnd {
    /// The client has connected.
    Connected,
    /// The client has not connected and will not: its session has ended, or asks for another port.
    /// Any other session may have the port at once. Another session of this client gets it only
    /// when no other one is available.
    NotConnected,
    /// Others needed the port. The session lives on, and its client may still connect: for a while,
    /// no session gets the port that could not have shared it.
    GivenUp,
    /// The client's connection was lost. If that was a look, another one may still come: the same
    /// as [`GivenUp`](Self::GivenUp), as far as no port of that kind has to give way.
    Lost,
}

impl LeaseEnd {
    /// This end, or, if the session ends with it, the one after which no client is awaited.
    pub(crate) fn in_session(self, session_ends: bool) -> Self {
        if session_ends {
            Self::NotConnected
        } else {
            self
        }
    }
}

impl Ports {
    pub(super) fn new(range: Option<PortRange>, left_out: &Arc<BTreeSet<u16>>) -> Self {
        Self {
            table: PortTable::new(range, left_out.clone()),
            queue: Queue::default(),
            recently_unused: RecentlyUnused::default(),
            kept_out: KeptOut::default(),
            owners_notified: false,
        }
    }

    /// Whether nothing would be lost with it but the order of the ports.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        self.table.is_idle() && self.queue.is_empty() && self.kept_out.is_over(now)
    }

    /// Uses other ports from now on: those of the range but those that are left out. Leased ports
    /// stay with their owners. A port that is assigned and not taken yet is withdrawn if it is no
    /// longer one of them, and its request waits at its old place.
    pub(super) fn set_range(
        &mut self,
        range: Option<PortRange>,
        left_out: &Arc<BTreeSet<u16>>,
        now: Instant,
        wakes: &mut Vec<Arc<Waker>>,
    ) {
        let contains = |port| range.is_some_and(|range| range.contains(port));
        self.withdraw(|port| !contains(port) || left_out.contains(&port));
        self.table.set_range(range, left_out.clone());
        let contains = |port| self.table.contains(port);
        self.kept_out.set_range(contains, self.table.kept_out_max());
        self.pass_time(now);
        self.serve(u64::MAX, wakes);
        if range.is_none() {
            // They need not wait any longer: each opens a listener of its own.
            let waiting = self.queue.waiting().iter();
            wakes.extend(waiting.map(|request| request.waker.clone()));
        }
    }

    /// The port for a request; without one, the request is in the queue.
    pub(super) fn request(
        &mut self,
        request: &mut Request,
        now: Instant,
        wakes: &mut Vec<Arc<Waker>>,
    ) -> Option<u16> {
        self.kept_out.forget(request.requester.session);
        self.pass_time(now);
        // A repeated request may be older than waiting ones: only older requests are served before
        // it.
        self.serve(request.id, wakes);
        let port = if self.queue.must_wait(request) {
            None
        } else {
            self.grant(request)
        };
        if port.is_none() {
            request.waited = true;
            self.queue.insert(request.clone());
        }
        self.serve(u64::MAX, wakes);
        port
    }

    /// The port that is assigned to a waiting request, if there is one.
    pub(super) fn take(
        &mut self,
        id: u64,
        now: Instant,
        wakes: &mut Vec<Arc<Waker>>,
    ) -> Option<u16> {
        self.pass_time(now);
        self.serve(u64::MAX, wakes);
        self.queue.take(id)
    }

    /// Removes a request. A port that is assigned to it goes to the next one.
    pub(super) fn leave(&mut self, id: u64, wakes: &mut Vec<Arc<Waker>>) {
        if let Some(port) = self.queue.take(id) {
            self.table.release(id, port);
        }
        self.queue.remove(id);
        // It may have been in the way of other requests.
        self.serve(u64::MAX, wakes);
    }

    /// The socket to listen with, unless the lease is no longer in force.
    pub(super) fn listener(&self, id: u64, port: u16) -> Option<Arc<SharedListener>> {
        self.table.listener(id, port)
    }

    /// Whether a port is still this request's own, and in the range.
    pub(super) fn is_in_force(&self, id: u64, port: u16) -> bool {
        self.table.is_in_force(id, port)
    }

    pub(super) fn bound(&mut self, id: u64, port: u16) -> Option<BoundPort> {
        self.table.bound(id, port)
    }

    /// Another program uses the port; true if the log does not say so yet.
    pub(super) fn set_aside(&mut self, id: u64, port: u16, until: Instant) -> bool {
        if !self.table.is_owner(id, port) {
            return false;
        }
        if self.table.is_bound(port) {
            // The other program has ended since, and a session that shares the port was quicker.
            self.table.remove_owner(id, port);
            return false;
        }
        // No session listens there: all that were to share the port would fail as well.
        self.withdraw(|other| other == port);
        self.table.set_aside(port, until)
    }

    /// Removes one of a port's owners; a port without owners is free, or goes to a waiting request.
    pub(super) fn release(&mut self, id: u64, port: u16, wakes: &mut Vec<Arc<Waker>>) {
        self.table.release(id, port);
        self.serve(u64::MAX, wakes);
    }

    /// Ends the lease of a port that was announced.
    pub(super) fn end(
        &mut self,
        request: &Request,
        port: u16,
        end: LeaseEnd,
        now: Instant,
        wakes: &mut Vec<Arc<Waker>>,
    ) {
        let client = request.requester.address();
        match end {
            LeaseEnd::Connected => self.recently_unused.remove(client, port),
            LeaseEnd::NotConnected | LeaseEnd::GivenUp | LeaseEnd::Lost => {
                self.recently_unused.insert(client, port);
            }
        }
        if matches!(end, LeaseEnd::GivenUp | LeaseEnd::Lost) && self.table.contains(port) {
            let has_connected = end == LeaseEnd::Lost;
            let ports_max = self.table.kept_out_max();
            self.kept_out
                .insert(port, &request.requester, has_connected, now, ports_max);
        }
        self.release(request.id, port, wakes);
    }

    /// The session has ended: its client connects to no port any more.
    pub(super) fn forget(&mut self, session: u64, wakes: &mut Vec<Arc<Waker>>) {
        if self.kept_out.forget(session) {
            self.serve(u64::MAX, wakes);
        }
    }

    /// Makes ports available whose time is over.
    fn pass_time(&mut self, now: Instant) {
        self.table.retry_due(now);
        self.kept_out.expire(now);
    }

    fn grant(&mut self, request: &Request) -> Option<u16> {
        let port = self.choose_port(&request.requester)?;
        self.table.lease(port, request);
        Some(port)
    }

    /// The best port for this session: the least recently used free one, else one to share with few
    /// others. Ports that its client was sent to and did not connect to come last, the oldest
    /// of them first.
    fn choose_port(&self, requester: &Requester) -> Option<u16> {
        let kept_out = self.kept_out.ports_for(requester);
        let mut unused = self.recently_unused.of(requester.address());
        unused.retain(|port| !kept_out.contains(port));
        let is_good = |port: &u16| !unused.contains(port) && !kept_out.contains(port);
        if let Some(port) = self.table.free().find(is_good) {
            return Some(port);
        }
        let shareable = self.table.shareable(requester);
        let is_available =
            |port: &u16| shareable.contains(port) || self.table.free().any(|free| free == *port);
        let port = shareable.iter().copied().find(is_good);
        port.or_else(|| unused.iter().copied().find(is_available))
    }

    /// Assigns available ports to waiting requests, oldest first, up to the request with this id.
    fn serve(&mut self, before: u64, wakes: &mut Vec<Arc<Waker>>) {
        // The earlier ones that go on waiting: see `Queue::must_wait`.
        let mut earlier = RequesterSet::default();
        let mut index = 0;
        while let Some(next) = self.queue.waiting().get(index)
            && next.id < before
        {
            let port = if earlier.can_all_share_port(&next.requester) {
                self.choose_port(&next.requester)
            } else {
                None
            };
            if let Some(port) = port {
                self.table.lease(port, next);
                wakes.push(next.waker.clone());
                self.queue.assign(index, port);
            } else {
                earlier.insert(&next.requester);
                index += 1;
            }
        }
        self.notify_owners(wakes);
    }

    /// Takes back assigned ports that may not be bound any more.
    fn withdraw(&mut self, is_withdrawn: impl Fn(u16) -> bool) {
        for (id, port) in self.queue.withdraw(is_withdrawn) {
            self.table.remove_owner(id, port);
        }
    }

    /// Marks the owners whose ports would help waiting requests, and unmarks the others.
    fn notify_owners(&mut self, wakes: &mut Vec<Arc<Waker>>) {
        let waiting = self.queue.waiting();
        if waiting.is_empty() && !self.owners_notified {
            return;
        }
        self.owners_notified = !waiting.is_empty();
        let all = RequesterSet::of(waiting.iter().map(|request| &request.requester));
        for (&port, leased_port) in self.table.leased() {
            let helps = self.table.contains(port);
            // Without its owners, the port would still be kept from some of them.
            let others = self.kept_out.contains(port).then(|| {
                let waiting = waiting.iter().map(|request| &request.requester);
                RequesterSet::of(waiting.filter(|one| !self.kept_out.is_kept_from(one, port)))
            });
            let waiting = others.as_ref().unwrap_or(&all);
            for owner in &leased_port.owners {
                let in_the_way = !waiting.can_all_share_port(&owner.requester);
                wakes.extend(owner.set_must_yield(helps && in_the_way));
            }
        }
    }
}

#[cfg(test)]
impl Ports {
    /// The ports that were given up and are kept out, and by which sessions, oldest first.
    pub(super) fn kept_out(&self) -> Vec<(u16, u64)> {
        self.kept_out.sessions()
    }

    /// Panics unless every port has exactly one place and no request waits beside a free port.
    pub(super) fn check(&self, range: Option<PortRange>) {
        self.table.check(range);
        self.queue.check();
        let contains = |port| self.table.contains(port);
        self.kept_out.check(contains, self.table.kept_out_max());
        for waiting in self.queue.waiting() {
            assert!(
                self.choose_port(&waiting.requester).is_none() || self.queue.must_wait(waiting)
            );
        }
        for (id, port) in self.queue.assigned() {
            assert!(self.is_in_force(id, port));
        }
    }

    /// Whether this client failed to connect, before, to every port that it could be granted.
    pub(super) fn all_others_are_recently_unused(&self, requester: &Requester) -> bool {
        let shareable = self.table.shareable(requester);
        let available = self.table.free().chain(shareable);
        let mut available = available.filter(|port| !self.kept_out.is_kept_from(requester, *port));
        available.all(|port| self.is_recently_unused(requester.address(), port))
    }

    pub(super) fn is_recently_unused(&self, peer: std::net::IpAddr, port: u16) -> bool {
        self.recently_unused.of(peer).contains(&port)
    }
}
