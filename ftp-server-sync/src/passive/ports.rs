//! The ports of one local address: free, leased or set aside, and the requests that wait for one.
//!
//! A port is leased to the id of a request, so that releasing a port changes nothing once it is
//! leased to another request.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use ftp_proto::AllowedPeers;
use mio::Waker;

use super::allowed_ports::AllowedPorts;
use super::leased_port::LeasedPort;
#[cfg(test)]
use super::leased_port::can_share_port;
use super::request::{Grant, Request};
use super::shared_listener::SharedListener;

/// The ports of one local address.
///
/// Each port of the range is in exactly one of `free`, `leased` and `set_aside`; other ports are in
/// `leased` until they are released, else nowhere. No request waits while `free` has a port or it
/// can share a leased one, unless an earlier request needs a port of its own; and none waits
/// without a range.
#[derive(Debug)]
pub(super) struct Ports {
    allowed_ports: AllowedPorts,
    /// Least recently used first.
    free: VecDeque<u16>,
    /// The owners by port, also those of a port that is assigned and not taken yet.
    pub(super) leased: BTreeMap<u16, LeasedPort>,
    /// Ports that another program used when they were last tried, and when to try each again.
    pub(super) set_aside: BTreeMap<u16, Instant>,
    /// Ports that the log has reported as in use by another program, and not as free again.
    reported_in_use: BTreeSet<u16>,
    /// In the order of their ids.
    pub(super) waiting: VecDeque<Request>,
    /// Some owners may have the mark that others wait for their ports.
    owners_notified: bool,
    /// Grants that are assigned to tickets and not taken yet, by id.
    assigned: HashMap<u64, Assigned>,
    /// Ports that a client was sent to and did not connect to, oldest first.
    recently_unused: VecDeque<(IpAddr, u16)>,
}

/// How a lease ended. It decides which request gets the port next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaseEnd {
    /// The port was not announced.
    NotAnnounced,
    /// The port was announced, and the client did not connect: it still may.
    NotConnected,
    /// The client connected.
    Connected,
    /// The session lives on, and its client may still connect.
    GivenUp,
}

/// What a session learns when it has bound its port.
#[derive(Debug)]
pub(super) struct BoundPort {
    /// Whether requests wait for a port and this owner is in their way; kept up to date.
    pub(super) must_yield: Arc<AtomicBool>,
    /// The log has reported the port as in use by another program.
    pub(super) was_in_use: bool,
}

#[derive(Debug)]
struct Assigned {
    request: Request,
    grant: Grant,
}

impl Ports {
    pub(super) fn new(allowed_ports: &AllowedPorts) -> Self {
        Self {
            allowed_ports: allowed_ports.clone(),
            free: allowed_ports.shuffled().into(),
            leased: BTreeMap::new(),
            set_aside: BTreeMap::new(),
            reported_in_use: BTreeSet::new(),
            waiting: VecDeque::new(),
            owners_notified: false,
            assigned: HashMap::new(),
            recently_unused: VecDeque::new(),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.leased.is_empty()
            && self.waiting.is_empty()
            && self.assigned.is_empty()
            && self.set_aside.is_empty()
    }

    /// Uses other ports from now on. Leased ports stay with their owners. A grant that is assigned
    /// and not taken yet is withdrawn if it is no longer allowed, and its request waits at its
    /// old place.
    pub(super) fn set_allowed_ports(
        &mut self,
        allowed_ports: &AllowedPorts,
        now: Instant,
        wakes: &mut Vec<Arc<Waker>>,
    ) {
        self.allowed_ports = allowed_ports.clone();
        self.withdraw(|grant| match grant {
            Grant::Port(port) => !allowed_ports.contains(port),
            Grant::Any => !allowed_ports.is_any(),
        });
        self.set_aside
            .retain(|&port, _| allowed_ports.contains(port));
        self.reported_in_use
            .retain(|&port| allowed_ports.contains(port));
        self.free.retain(|&port| allowed_ports.contains(port));
        let mut known: HashSet<u16> = self.free.iter().copied().collect();
        known.extend(self.leased.keys());
        known.extend(self.set_aside.keys());
        let mut ports = allowed_ports.shuffled();
        ports.retain(|port| !known.contains(port));
        self.free.extend(ports);

        self.retry_due(now);
        self.serve(u64::MAX, wakes);
    }

    pub(super) fn request(
        &mut self,
        request: &mut Request,
        now: Instant,
        wakes: &mut Vec<Arc<Waker>>,
    ) -> Option<Grant> {
        self.retry_due(now);
        // A repeated request may be older than waiting ones: only older requests are served before
        // it.
        self.serve(request.id, wakes);
        let grant = if self.is_behind_exclusive_request(request) {
            None
        } else {
            self.grant(request)
        };
        if grant.is_none() {
            request.waited = true;
            self.enqueue(request.clone());
        }
        self.serve(u64::MAX, wakes);
        grant
    }

    pub(super) fn take(
        &mut self,
        id: u64,
        now: Instant,
        wakes: &mut Vec<Arc<Waker>>,
    ) -> Option<Grant> {
        self.retry_due(now);
        self.serve(u64::MAX, wakes);
        Some(self.assigned.remove(&id)?.grant)
    }

    pub(super) fn leave(&mut self, id: u64, wakes: &mut Vec<Arc<Waker>>) {
        match self.assigned.remove(&id).map(|assigned| assigned.grant) {
            Some(Grant::Port(port)) => self.release(id, port, wakes),
            Some(Grant::Any) => {}
            None => {
                self.waiting.retain(|other| other.id != id);
                // It may have been in the way of other requests.
                self.serve(u64::MAX, wakes);
            }
        }
    }

    /// The socket for a grant, unless the grant is no longer in force.
    pub(super) fn listener(&self, id: u64, grant: Grant) -> Option<Arc<SharedListener>> {
        if !self.is_in_force(id, grant) {
            return None;
        }
        match grant {
            Grant::Port(port) => Some(self.leased.get(&port)?.listener.clone()),
            Grant::Any => Some(Arc::default()),
        }
    }

    /// Whether a grant is still this request's own, and allowed.
    pub(super) fn is_in_force(&self, id: u64, grant: Grant) -> bool {
        match grant {
            Grant::Port(port) => self.is_owner(id, port) && self.allowed_ports.permits(port),
            Grant::Any => self.allowed_ports.is_any(),
        }
    }

    pub(super) fn bound(
        &mut self,
        request: &Request,
        grant: Grant,
        port: u16,
        listener: &Arc<SharedListener>,
    ) -> Option<BoundPort> {
        if !self.is_in_force(request.id, grant) {
            return None;
        }
        if grant == Grant::Any {
            // The port may be leased since there was a range, and its owners did not bind it: it is
            // now leased to the session that listens on it.
            let mut leased_port = LeasedPort {
                listener: listener.clone(),
                ..LeasedPort::default()
            };
            leased_port.add(request);
            self.leased.insert(port, leased_port);
        }
        let owner = self.leased.get_mut(&port)?;
        let owner = owner.owner_mut(request.id)?;
        owner.is_bound = true;
        Some(BoundPort {
            must_yield: owner.must_yield(),
            was_in_use: self.reported_in_use.remove(&port),
        })
    }

    pub(super) fn set_aside(&mut self, id: u64, port: u16, until: Instant) -> bool {
        if !self.is_owner(id, port) {
            return false;
        }
        let leased_port = self.leased.get(&port);
        if leased_port
            .is_some_and(|leased_port| leased_port.owners.iter().any(|owner| owner.is_bound))
        {
            // The other program has ended since, and a session that shares the port was quicker.
            self.remove_owner(id, port);
            return false;
        }
        // No session listens there: all that were to share the port would fail as well.
        self.withdraw(|grant| grant == Grant::Port(port));
        self.leased.remove(&port);
        if !self.allowed_ports.contains(port) {
            return false;
        }
        self.set_aside.insert(port, until);
        self.reported_in_use.insert(port)
    }

    /// Removes one of a port's owners; a port without owners is free, or goes to a waiting request.
    pub(super) fn release(&mut self, id: u64, port: u16, wakes: &mut Vec<Arc<Waker>>) {
        if self.remove_owner(id, port) && self.allowed_ports.contains(port) {
            self.free.push_back(port);
        }
        self.serve(u64::MAX, wakes);
    }

    /// Remembers the ports that a client did not connect to.
    pub(super) fn record_end(&mut self, peer: IpAddr, port: u16, end: LeaseEnd) {
        if end == LeaseEnd::NotAnnounced {
            return;
        }
        self.recently_unused.retain(|&known| known != (peer, port));
        if matches!(end, LeaseEnd::NotConnected | LeaseEnd::GivenUp) {
            if self.recently_unused.len() >= RECENTLY_UNUSED_MAX {
                self.recently_unused.pop_front();
            }
            self.recently_unused.push_back((peer, port));
        }
    }

    fn is_owner(&self, id: u64, port: u16) -> bool {
        let leased_port = self.leased.get(&port);
        leased_port.is_some_and(|leased_port| leased_port.owner(id).is_some())
    }

    fn grant(&mut self, request: &Request) -> Option<Grant> {
        if self.allowed_ports.is_any() {
            return Some(Grant::Any);
        }
        let port = self.choose_port(&request.allowed_peers)?;
        self.free.retain(|&free| free != port);
        self.leased.entry(port).or_default().add(request);
        Some(Grant::Port(port))
    }

    /// The best port for this client: the least recently used free one, else one to share with few
    /// others. Ports that the client was sent to and did not connect to come last, the oldest
    /// of them first.
    fn choose_port(&self, allowed_peers: &AllowedPeers) -> Option<u16> {
        let unused: Vec<u16> = self
            .recently_unused
            .iter()
            .filter(|(client, _)| *client == allowed_peers.peer())
            .map(|(_, port)| *port)
            .collect();
        let is_good = |port: &&u16| !unused.contains(port);
        if let Some(port) = self.free.iter().find(is_good) {
            return Some(*port);
        }
        let shareable = self.shareable_ports(allowed_peers);
        let is_available = |port: &&u16| self.free.contains(port) || shareable.contains(port);
        let port = shareable.iter().find(is_good);
        port.or_else(|| unused.iter().find(is_available)).copied()
    }

    /// Leased ports that this client can share, those with few owners first.
    fn shareable_ports(&self, allowed_peers: &AllowedPeers) -> Vec<u16> {
        let is_shareable = |&(&port, leased_port): &(&u16, &LeasedPort)| {
            self.allowed_ports.contains(port) && leased_port.can_add(allowed_peers)
        };
        let mut found: Vec<(&u16, &LeasedPort)> = self.leased.iter().filter(is_shareable).collect();
        found.sort_by_key(|(_, leased_port)| leased_port.owners.len());
        found.into_iter().map(|(port, _)| *port).collect()
    }

    /// Whether an earlier request waits that needs a port of its own. It would never get one if
    /// later requests could go on sharing ports.
    fn is_behind_exclusive_request(&self, request: &Request) -> bool {
        self.waiting
            .iter()
            .take_while(|other| other.id < request.id)
            .any(|other| !other.allowed_peers.can_share_port())
    }

    /// Frees the ports that were set aside long enough, so that they are tried again.
    fn retry_due(&mut self, now: Instant) {
        let free = &mut self.free;
        self.set_aside.retain(|&port, until| {
            let is_due = *until <= now;
            if is_due {
                free.push_back(port);
            }
            !is_due
        });
    }

    /// Assigns available ports to waiting requests, oldest first, up to the request with this id.
    fn serve(&mut self, before: u64, wakes: &mut Vec<Arc<Waker>>) {
        let mut without_port = HashSet::new();
        let mut index = 0;
        while let Some(next) = self.waiting.get(index)
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
                Some(grant) => {
                    self.waiting.remove(index);
                    wakes.push(request.waker.clone());
                    let assigned = Assigned { request, grant };
                    self.assigned.insert(assigned.request.id, assigned);
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

    /// Takes back assigned grants that may not be bound any more.
    fn withdraw(&mut self, is_withdrawn: impl Fn(Grant) -> bool) {
        let withdrawn: Vec<Assigned> = self
            .assigned
            .extract_if(|_, assigned| is_withdrawn(assigned.grant))
            .map(|(_, assigned)| assigned)
            .collect();
        for Assigned { request, grant } in withdrawn {
            if let Grant::Port(port) = grant {
                self.remove_owner(request.id, port);
            }
            self.enqueue(request);
        }
    }

    /// Removes one of a port's owners; true if it was the last.
    fn remove_owner(&mut self, id: u64, port: u16) -> bool {
        let Some(leased_port) = self.leased.get_mut(&port) else {
            return false;
        };
        leased_port.remove(id);
        let is_empty = leased_port.owners.is_empty();
        if is_empty {
            self.leased.remove(&port);
        }
        is_empty
    }

    fn enqueue(&mut self, request: Request) {
        let place = self.waiting.partition_point(|other| other.id < request.id);
        self.waiting.insert(place, request);
    }

    /// Marks the owners whose ports would help waiting requests, and unmarks the others.
    fn notify_owners(&mut self, wakes: &mut Vec<Arc<Waker>>) {
        if self.waiting.is_empty() && !self.owners_notified {
            return;
        }
        self.owners_notified = !self.waiting.is_empty();
        let for_itself = |waiting: &Request| !waiting.allowed_peers.can_share_port();
        let exclusive = self.waiting.iter().any(for_itself);
        let peers = self
            .waiting
            .iter()
            .map(|waiting| waiting.allowed_peers.peer());
        let peers: HashSet<IpAddr> = peers.collect();
        for (port, leased_port) in &self.leased {
            let helps = self.allowed_ports.contains(*port) && !peers.is_empty();
            for owner in &leased_port.owners {
                let in_the_way = exclusive
                    || !owner.allowed_peers.can_share_port()
                    || peers.contains(&owner.allowed_peers.peer());
                wakes.extend(owner.set_must_yield(helps && in_the_way));
            }
        }
    }
}

/// How many ports that a client did not connect to are remembered for each local address.
const RECENTLY_UNUSED_MAX: usize = 256;

#[cfg(test)]
impl Ports {
    /// Panics unless every port has exactly one place and no request waits beside a free port.
    pub(super) fn check(&self, allowed_ports: &AllowedPorts) {
        assert_eq!(self.allowed_ports, *allowed_ports);
        let leased = self
            .leased
            .keys()
            .filter(|port| allowed_ports.contains(**port));
        let mut found: Vec<u16> = self.free.iter().chain(leased).copied().collect();
        found.extend(self.set_aside.keys());
        found.sort_unstable();
        assert!(
            found
                .into_iter()
                .eq(allowed_ports.range().iter().flat_map(|range| range.ports()))
        );
        assert!(
            self.reported_in_use
                .iter()
                .all(|port| allowed_ports.contains(*port))
        );
        for leased_port in self.leased.values() {
            assert!(!leased_port.owners.is_empty());
            for (index, owner) in leased_port.owners.iter().enumerate() {
                let others = leased_port.owners[..index].iter();
                let mut others = others.map(|other| &other.allowed_peers);
                assert!(others.all(|other| can_share_port(other, &owner.allowed_peers)));
            }
        }

        assert!(self.waiting.is_empty() || !allowed_ports.is_any());
        for waiting in &self.waiting {
            assert!(
                self.choose_port(&waiting.allowed_peers).is_none()
                    || self.is_behind_exclusive_request(waiting)
            );
        }
        let ids = self.waiting.iter().map(|waiting| waiting.id);
        assert!(ids.is_sorted());
        for (&id, assigned) in &self.assigned {
            assert_eq!(assigned.request.id, id);
            assert!(self.is_in_force(id, assigned.grant));
        }
    }

    /// Grants that are assigned to tickets and not taken yet.
    pub(super) fn assigned(&self) -> BTreeMap<u64, Grant> {
        let grants = self.assigned.iter();
        grants.map(|(&id, to)| (id, to.grant)).collect()
    }

    /// Whether this client failed to connect, before, to every port that it could be granted.
    pub(super) fn all_others_are_recently_unused(&self, allowed_peers: &AllowedPeers) -> bool {
        let shareable = self.shareable_ports(allowed_peers);
        let mut available = self.free.iter().chain(&shareable);
        available.all(|&port| self.is_recently_unused(allowed_peers.peer(), port))
    }

    pub(super) fn is_recently_unused(&self, peer: IpAddr, port: u16) -> bool {
        self.recently_unused.contains(&(peer, port))
    }
}
