//! The ports of one local address: free, leased or blocked, and who waits for one.
//!
//! A port belongs to an request by its id number, so that whoever gives back what is no longer
//! its own changes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use mio::Waker;

use super::allowed_peers::AllowedPeers;
use super::allowed_ports::AllowedPorts;
use super::leased_port::LeasedPort;
use super::pool_state::{BoundPort, Grant, LeaseEnd, Request};
use super::shared_listener::SharedListener;

/// The ports of one local address. Each port of the range is in exactly one of `free`, `leased` and
/// `blocked`; other ports are in `leased` until they are given back, else nowhere. Nobody waits while
/// `free` has a port or a leased one has room for it, unless somebody came before who needs a port for
/// itself; and nobody waits without a range.
#[derive(Debug)]
pub(super) struct Ports {
    allowed_ports: AllowedPorts,
    /// Least recently used first.
    free: VecDeque<u16>,
    /// The owners by port, also of ports that are assigned to a ticket.
    pub(super) leased: BTreeMap<u16, LeasedPort>,
    /// Held by another program until then, as far as we know.
    pub(super) set_aside: BTreeMap<u16, Instant>,
    /// Ports that the log called held and has not called free again.
    reported_in_use: BTreeSet<u16>,
    /// In the order of id.
    pub(super) waiting: VecDeque<Request>,
    /// Some owners may have been told that others wait for their ports.
    owners_notified: bool,
    /// What tickets were given and have not taken yet, by id.
    assigned: HashMap<u64, Assigned>,
    /// Clients that did not come to a port, oldest first.
    recently_unused: VecDeque<(IpAddr, u16)>,
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

    /// Moves to other ports. Leased ones stay with their owners; what a ticket was assigned and has
    /// not taken is withdrawn if it is no longer allowed, and the ticket queues at its old place.
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
        // Who asks again may have come before others who wait, and only before those.
        self.serve(request.id, wakes);
        let grant = match self.is_behind_exclusive_request(request) {
            true => None,
            false => self.grant(request),
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
        match self.assigned.remove(&id).map(|gone| gone.grant) {
            Some(Grant::Port(port)) => self.release(id, port, wakes),
            Some(Grant::Any) => {}
            None => {
                self.waiting.retain(|other| other.id != id);
                // It may have been in the way of others.
                self.serve(u64::MAX, wakes);
            }
        }
    }

    /// The socket for what this request was granted, unless that is no longer in force.
    pub(super) fn listener(&self, id: u64, grant: Grant) -> Option<Arc<SharedListener>> {
        if !self.is_in_force(id, grant) {
            return None;
        }
        match grant {
            Grant::Port(port) => Some(self.leased.get(&port)?.listener.clone()),
            Grant::Any => Some(Arc::default()),
        }
    }

    /// Whether what this request was granted is still its own, and allowed.
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
            // It may be one that is leased since there was a range, and was not bound by its owners:
            // who listens on it has it.
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
            // The other program has gone since, and one who shares the port was quicker.
            self.remove_owner(id, port);
            return false;
        }
        // Nobody listens there: all who were to share it would find the same.
        self.withdraw(|grant| grant == Grant::Port(port));
        self.leased.remove(&port);
        if !self.allowed_ports.contains(port) {
            return false;
        }
        self.set_aside.insert(port, until);
        self.reported_in_use.insert(port)
    }

    /// Takes a port back from one of its owners.
    pub(super) fn release(&mut self, id: u64, port: u16, wakes: &mut Vec<Arc<Waker>>) {
        if self.remove_owner(id, port) && self.allowed_ports.contains(port) {
            self.free.push_back(port);
        }
        self.serve(u64::MAX, wakes);
    }

    pub(super) fn remember(&mut self, peer: IpAddr, port: u16, end: LeaseEnd) {
        if end == LeaseEnd::NotAnnounced {
            return;
        }
        self.recently_unused.retain(|&known| known != (peer, port));
        if end == LeaseEnd::NotConnected {
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
        let port = self.pick(&request.allowed_peers)?;
        self.free.retain(|&free| free != port);
        self.leased.entry(port).or_default().add(request);
        Some(Grant::Port(port))
    }

    /// The best port for this client: the least recently used, else one to share with few others. Ports
    /// where it was waited for in vain come last of all, the oldest such case first.
    fn pick(&self, allowed_peers: &AllowedPeers) -> Option<u16> {
        let unused: Vec<u16> = self
            .recently_unused
            .iter()
            .filter(|(client, _)| *client == allowed_peers.peer())
            .map(|(_, port)| *port)
            .collect();
        let good = |port: &&u16| !unused.contains(port);
        if let Some(port) = self.free.iter().find(good) {
            return Some(*port);
        }
        let roomy = self.shareable_ports(allowed_peers);
        let available = |port: &&u16| self.free.contains(port) || roomy.contains(port);
        let port = roomy.iter().find(good);
        port.or_else(|| unused.iter().find(available)).copied()
    }

    /// Leased ports with room for one more, those of few owners first.
    fn shareable_ports(&self, allowed_peers: &AllowedPeers) -> Vec<u16> {
        let has_room = |&(&port, leased_port): &(&u16, &LeasedPort)| {
            self.allowed_ports.contains(port) && leased_port.can_add(allowed_peers)
        };
        let mut roomy: Vec<(&u16, &LeasedPort)> = self.leased.iter().filter(has_room).collect();
        roomy.sort_by_key(|(_, leased_port)| leased_port.owners.len());
        roomy.into_iter().map(|(port, _)| *port).collect()
    }

    /// Whether somebody waits who came before and needs a port for itself. It would never get one if
    /// those who came after it could go on sharing.
    fn is_behind_exclusive_request(&self, request: &Request) -> bool {
        self.waiting
            .iter()
            .take_while(|other| other.id < request.id)
            .any(|other| !other.allowed_peers.can_share_port())
    }

    /// Ports whose time aside is over may be tried again.
    fn retry_due(&mut self, now: Instant) {
        let free = &mut self.free;
        self.set_aside.retain(|&port, until| {
            let over = *until <= now;
            if over {
                free.push_back(port);
            }
            !over
        });
    }

    /// Assigns what there is to those who wait and came before this one, in the order of id.
    fn serve(&mut self, before: u64, wakes: &mut Vec<Arc<Waker>>) {
        let mut in_vain = HashSet::new();
        let mut index = 0;
        while let Some(next) = self.waiting.get(index)
            && next.id < before
        {
            let (peer, can_share_port) = (
                next.allowed_peers.peer(),
                next.allowed_peers.can_share_port(),
            );
            // What suits none of a client's sessions need not be looked for again.
            if can_share_port && in_vain.contains(&peer) {
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
                    in_vain.insert(peer);
                    index += 1;
                }
            }
        }
        self.notify_owners(wakes);
    }

    /// Takes from tickets what they were assigned and may not bind any more.
    fn withdraw(&mut self, is_gone: impl Fn(Grant) -> bool) {
        let gone: Vec<Assigned> = self
            .assigned
            .extract_if(|_, assigned| is_gone(assigned.grant))
            .map(|(_, gone)| gone)
            .collect();
        for Assigned { request, grant } in gone {
            if let Grant::Port(port) = grant {
                self.remove_owner(request.id, port);
            }
            self.enqueue(request);
        }
    }

    /// Takes a port from one of its owners; true if there is no other.
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

    /// Those whose ports would help others hear that somebody waits, and when nobody does any more.
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

/// How many missed appointments of clients are remembered per local address.
const RECENTLY_UNUSED_MAX: usize = 256;

#[cfg(test)]
impl Ports {
    /// Panics unless every port has exactly one place and nobody waits beside a free port.
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
                assert!(others.all(|other| other.can_share_port_with(&owner.allowed_peers)));
            }
        }

        assert!(self.waiting.is_empty() || !allowed_ports.is_any());
        for waiting in &self.waiting {
            assert!(
                self.pick(&waiting.allowed_peers).is_none()
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

    /// What tickets were given and have not taken yet.
    pub(super) fn assigned(&self) -> BTreeMap<u64, Grant> {
        let grants = self.assigned.iter();
        grants.map(|(&id, to)| (id, to.grant)).collect()
    }

    /// Whether this client did not come, before, to any port that it could be given.
    pub(super) fn all_others_are_recently_unused(&self, allowed_peers: &AllowedPeers) -> bool {
        let roomy = self.shareable_ports(allowed_peers);
        let mut available = self.free.iter().chain(&roomy);
        available.all(|&port| self.is_recently_unused(allowed_peers.peer(), port))
    }

    pub(super) fn is_recently_unused(&self, peer: IpAddr, port: u16) -> bool {
        self.recently_unused.contains(&(peer, port))
    }
}
