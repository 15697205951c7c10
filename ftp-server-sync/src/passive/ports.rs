//! The ports of one local address, and the requests that wait for one.
//!
//! Which ports there are, who waits, and what is remembered about clients that did not connect are
//! one file each. This one decides which request gets which port.

mod leased_port;
mod queue;
mod table;
mod unused;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use ftp_proto::AllowedPeers;
use mio::Waker;

use super::listener::SharedListener;
use super::request::Request;
use crate::net::port_range::PortRange;
use queue::Queue;
use table::PortTable;
use unused::RecentlyUnused;

pub(super) use table::BoundPort;

/// The ports of one local address.
///
/// No request waits while a port is free or it can share a leased one, unless an earlier request
/// needs a port of its own. Without a range, requests wait until their sessions ask again.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) table: PortTable,
    pub(super) queue: Queue,
    recently_unused: RecentlyUnused,
    /// Some owners may have the mark that others wait for their ports.
    owners_notified: bool,
}

/// How a lease ended. It decides which request gets the port next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeaseEnd {
    /// The port was not announced.
    NotAnnounced,
    /// The port was announced, and the client did not connect: it still may.
    NotConnected,
    /// The client connected.
    Connected,
}

impl Ports {
    pub(super) fn new(range: Option<PortRange>) -> Self {
        Self {
            table: PortTable::new(range),
            queue: Queue::default(),
            recently_unused: RecentlyUnused::default(),
            owners_notified: false,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.table.is_idle() && self.queue.is_empty()
    }

    /// Uses other ports from now on. Leased ports stay with their owners. A port that is assigned
    /// and not taken yet is withdrawn if it is no longer in the range, and its request waits at its
    /// old place.
    pub(super) fn set_range(
        &mut self,
        range: Option<PortRange>,
        now: Instant,
        wakes: &mut Vec<Arc<Waker>>,
    ) {
        self.withdraw(|port| !range.is_some_and(|range| range.contains(port)));
        self.table.set_range(range);
        self.table.retry_due(now);
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
        self.table.retry_due(now);
        // A repeated request may be older than waiting ones: only older requests are served before
        // it.
        self.serve(request.id, wakes);
        let port = if self.queue.is_behind_exclusive_request(request) {
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
        self.table.retry_due(now);
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

    /// Remembers the ports that a client did not connect to.
    pub(super) fn record_end(&mut self, peer: IpAddr, port: u16, end: LeaseEnd) {
        match end {
            LeaseEnd::NotAnnounced => {}
            LeaseEnd::NotConnected => self.recently_unused.insert(peer, port),
            LeaseEnd::Connected => self.recently_unused.remove(peer, port),
        }
    }

    fn grant(&mut self, request: &Request) -> Option<u16> {
        let port = self.choose_port(&request.allowed_peers)?;
        self.table.lease(port, request);
        Some(port)
    }

    /// The best port for this client: the least recently used free one, else one to share with few
    /// others. Ports that the client was sent to and did not connect to come last, the oldest
    /// of them first.
    fn choose_port(&self, allowed_peers: &AllowedPeers) -> Option<u16> {
        let unused = self.recently_unused.of(allowed_peers.peer());
        let is_good = |port: &u16| !unused.contains(port);
        if let Some(port) = self.table.free().find(is_good) {
            return Some(port);
        }
        let shareable = self.table.shareable(allowed_peers);
        let is_available =
            |port: &u16| shareable.contains(port) || self.table.free().any(|free| free == *port);
        let port = shareable.iter().copied().find(is_good);
        port.or_else(|| unused.iter().copied().find(is_available))
    }

    /// Assigns available ports to waiting requests, oldest first, up to the request with this id.
    fn serve(&mut self, before: u64, wakes: &mut Vec<Arc<Waker>>) {
        let mut without_port = HashSet::new();
        let mut index = 0;
        while let Some(next) = self.queue.waiting().get(index)
            && next.id < before
        {
            let (peer, can_share_port) = (
                next.allowed_peers.peer(),
                next.allowed_peers.can_share_port(),
            );
            // No port was found for another session of this client: there is none for this one
            // either.
            if can_share_port && without_port.contains(&peer) {
                index += 1;
                continue;
            }
            let request = next.clone();
            match self.grant(&request) {
                Some(port) => {
                    self.queue.assign(index, port);
                    wakes.push(request.waker);
                }
                // See `is_behind_exclusive_request`.
                None if !can_share_port => break,
                None => {
                    without_port.insert(peer);
                    index += 1;
                }
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
        let for_itself = |waiting: &Request| !waiting.allowed_peers.can_share_port();
        let exclusive = waiting.iter().any(for_itself);
        let peers = waiting.iter().map(|waiting| waiting.allowed_peers.peer());
        let peers: HashSet<IpAddr> = peers.collect();
        for (port, leased_port) in self.table.leased() {
            let helps = self.table.contains(*port) && !peers.is_empty();
            for owner in &leased_port.owners {
                let in_the_way = exclusive
                    || !owner.allowed_peers.can_share_port()
                    || peers.contains(&owner.allowed_peers.peer());
                wakes.extend(owner.set_must_yield(helps && in_the_way));
            }
        }
    }
}

#[cfg(test)]
impl Ports {
    /// Panics unless every port has exactly one place and no request waits beside a free port.
    pub(super) fn check(&self, range: Option<PortRange>) {
        self.table.check(range);
        self.queue.check();
        for waiting in self.queue.waiting() {
            assert!(
                self.choose_port(&waiting.allowed_peers).is_none()
                    || self.queue.is_behind_exclusive_request(waiting)
            );
        }
        for (id, port) in self.queue.assigned() {
            assert!(self.is_in_force(id, port));
        }
    }

    /// Whether this client failed to connect, before, to every port that it could be granted.
    pub(super) fn all_others_are_recently_unused(&self, allowed_peers: &AllowedPeers) -> bool {
        let shareable = self.table.shareable(allowed_peers);
        let mut available = self.table.free().chain(shareable);
        available.all(|port| self.is_recently_unused(allowed_peers.peer(), port))
    }

    pub(super) fn is_recently_unused(&self, peer: IpAddr, port: u16) -> bool {
        self.recently_unused.of(peer).contains(&port)
    }
}
