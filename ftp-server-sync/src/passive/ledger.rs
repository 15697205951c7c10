//! The ports of one local address: free, leased or blocked, and who waits for one.
//!
//! A port belongs to an applicant by its arrival number, so that whoever gives back what is no longer
//! its own changes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use mio::Waker;

use super::books::{Applicant, Bound, Ending, Grant};
use super::range::Allowed;

/// The ports of one local address. Each port of the range is in exactly one of `free`, `leased` and
/// `blocked`; other ports are in `leased` until they are given back, else nowhere. Nobody waits while
/// `free` has a port, nor without a range.
#[derive(Debug)]
pub(super) struct Ledger {
    allowed: Allowed,
    /// Least recently used first.
    free: VecDeque<u16>,
    /// The owner by port, also of ports that are assigned to a ticket.
    pub(super) leased: HashMap<u16, Owner>,
    /// Held by another program until then, as far as we know.
    pub(super) blocked: BTreeMap<u16, Instant>,
    /// Ports that the log called held and has not called free again.
    held: BTreeSet<u16>,
    /// In the order of arrival.
    pub(super) waiting: VecDeque<Applicant>,
    /// The length of `waiting`, where the owners of leases can see it without the lock.
    waiting_count: Arc<AtomicUsize>,
    /// What tickets were given and have not taken yet, by arrival.
    assigned: HashMap<u64, Assigned>,
    /// Clients that did not come to a port, oldest first.
    unconnected: VecDeque<(IpAddr, u16)>,
}

#[derive(Debug)]
pub(super) struct Owner {
    arrival: u64,
    waker: Arc<Waker>,
}

#[derive(Debug)]
struct Assigned {
    applicant: Applicant,
    grant: Grant,
}

impl Ledger {
    pub(super) fn new(allowed: &Allowed) -> Self {
        Self {
            allowed: allowed.clone(),
            free: allowed.shuffled().into(),
            leased: HashMap::new(),
            blocked: BTreeMap::new(),
            held: BTreeSet::new(),
            waiting: VecDeque::new(),
            waiting_count: Arc::default(),
            assigned: HashMap::new(),
            unconnected: VecDeque::new(),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.leased.is_empty()
            && self.waiting.is_empty()
            && self.assigned.is_empty()
            && self.blocked.is_empty()
    }

    /// Moves to other ports. Leased ones stay with their owners; what a ticket was assigned and has
    /// not taken is withdrawn if it is no longer allowed, and the ticket queues at its old place.
    pub(super) fn set_allowed(
        &mut self,
        allowed: &Allowed,
        now: Instant,
        wakes: &mut Vec<Arc<Waker>>,
    ) {
        self.allowed = allowed.clone();
        self.withdraw();
        self.blocked.retain(|&port, _| allowed.lists(port));
        self.held.retain(|&port| allowed.lists(port));
        self.free.retain(|&port| allowed.lists(port));
        let mut known: HashSet<u16> = self.free.iter().copied().collect();
        known.extend(self.leased.keys());
        known.extend(self.blocked.keys());
        let mut ports = allowed.shuffled();
        ports.retain(|port| !known.contains(port));
        self.free.extend(ports);

        self.revive(now);
        self.serve(u64::MAX, wakes);
        if !self.waiting.is_empty() {
            self.call_owners(wakes);
        }
    }

    pub(super) fn request(
        &mut self,
        applicant: &mut Applicant,
        now: Instant,
        wakes: &mut Vec<Arc<Waker>>,
    ) -> Option<Grant> {
        self.revive(now);
        // Who asks again may have come before others who wait, and only before those.
        self.serve(applicant.arrival, wakes);
        let grant = self.grant(applicant);
        if grant.is_none() {
            applicant.waited = true;
            // Owners learn that somebody waits when the first one does; further ones change nothing.
            if self.waiting.is_empty() {
                self.call_owners(wakes);
            }
            self.line_up(applicant.clone());
        }
        self.serve(u64::MAX, wakes);
        grant
    }

    pub(super) fn take(
        &mut self,
        arrival: u64,
        now: Instant,
        wakes: &mut Vec<Arc<Waker>>,
    ) -> Option<Grant> {
        self.revive(now);
        self.serve(u64::MAX, wakes);
        Some(self.assigned.remove(&arrival)?.grant)
    }

    pub(super) fn leave(&mut self, arrival: u64, wakes: &mut Vec<Arc<Waker>>) {
        match self.assigned.remove(&arrival).map(|gone| gone.grant) {
            Some(Grant::Port(port)) => self.release(arrival, port, wakes),
            Some(Grant::Any) => {}
            None => {
                self.waiting.retain(|other| other.arrival != arrival);
                self.publish_waiting();
            }
        }
    }

    /// Whether what this applicant was granted is still its own, and allowed.
    pub(super) fn is_in_force(&self, arrival: u64, grant: Grant) -> bool {
        match grant {
            Grant::Port(port) => self.is_owner(arrival, port) && self.allowed.permits(port),
            Grant::Any => self.allowed.is_any(),
        }
    }

    pub(super) fn bound(
        &mut self,
        applicant: &Applicant,
        grant: Grant,
        port: u16,
    ) -> Option<Bound> {
        if !self.is_in_force(applicant.arrival, grant) {
            return None;
        }
        // Without a range it may be one that is leased since there was one, and was not bound by its
        // owner: who listens on it has it.
        self.lease(applicant, port);
        Some(Bound {
            waiting: self.waiting_count.clone(),
            was_held: self.held.remove(&port),
        })
    }

    pub(super) fn block(&mut self, arrival: u64, port: u16, until: Instant) -> bool {
        if !self.is_owner(arrival, port) {
            return false;
        }
        self.leased.remove(&port);
        if !self.allowed.lists(port) {
            return false;
        }
        self.blocked.insert(port, until);
        self.held.insert(port)
    }

    /// Takes a port back from its owner.
    pub(super) fn release(&mut self, arrival: u64, port: u16, wakes: &mut Vec<Arc<Waker>>) {
        if !self.is_owner(arrival, port) {
            return;
        }
        self.leased.remove(&port);
        if self.allowed.lists(port) {
            self.free.push_back(port);
            self.serve(u64::MAX, wakes);
        }
    }

    pub(super) fn remember(&mut self, peer: IpAddr, port: u16, ending: Ending) {
        if ending == Ending::Unannounced {
            return;
        }
        self.unconnected.retain(|&known| known != (peer, port));
        if ending == Ending::Unconnected {
            if self.unconnected.len() >= UNCONNECTED_MAX {
                self.unconnected.pop_front();
            }
            self.unconnected.push_back((peer, port));
        }
    }

    fn is_owner(&self, arrival: u64, port: u16) -> bool {
        self.leased
            .get(&port)
            .is_some_and(|owner| owner.arrival == arrival)
    }

    fn lease(&mut self, applicant: &Applicant, port: u16) {
        let owner = Owner {
            arrival: applicant.arrival,
            waker: applicant.waker.clone(),
        };
        self.leased.insert(port, owner);
    }

    fn grant(&mut self, applicant: &Applicant) -> Option<Grant> {
        if self.allowed.is_any() {
            return Some(Grant::Any);
        }
        let port = self.pick(applicant.peer)?;
        self.lease(applicant, port);
        Some(Grant::Port(port))
    }

    /// Takes out of `free` the best port for this client: the least recently used that it was never
    /// waited for on in vain, else the one where that was longest ago.
    fn pick(&mut self, peer: IpAddr) -> Option<u16> {
        let shunned: Vec<u16> = self
            .unconnected
            .iter()
            .filter(|(client, _)| *client == peer)
            .map(|(_, port)| *port)
            .collect();
        let position = |wanted: &u16| self.free.iter().position(|port| port == wanted);
        let index = self
            .free
            .iter()
            .position(|port| !shunned.contains(port))
            .or_else(|| shunned.iter().find_map(position))?;
        self.free.remove(index)
    }

    /// Ports whose time aside is over may be tried again.
    fn revive(&mut self, now: Instant) {
        let free = &mut self.free;
        self.blocked.retain(|&port, until| {
            let over = *until <= now;
            if over {
                free.push_back(port);
            }
            !over
        });
    }

    /// Assigns what is free to those who wait and came before this one, in the order of arrival.
    fn serve(&mut self, before: u64, wakes: &mut Vec<Arc<Waker>>) {
        let is_due = |first: &Applicant| first.arrival < before;
        while self.waiting.front().is_some_and(is_due)
            && let Some(first) = self.waiting.pop_front()
        {
            let Some(grant) = self.grant(&first) else {
                self.waiting.push_front(first);
                break;
            };
            wakes.push(first.waker.clone());
            let assigned = Assigned {
                applicant: first,
                grant,
            };
            self.assigned.insert(assigned.applicant.arrival, assigned);
        }
        self.publish_waiting();
    }

    /// Takes from tickets what they may not bind any more.
    fn withdraw(&mut self) {
        let allowed = &self.allowed;
        let is_gone = |_: &u64, assigned: &mut Assigned| match assigned.grant {
            Grant::Port(port) => !allowed.lists(port),
            Grant::Any => !allowed.is_any(),
        };
        let gone: Vec<Assigned> = self
            .assigned
            .extract_if(is_gone)
            .map(|(_, gone)| gone)
            .collect();
        for Assigned { applicant, grant } in gone {
            if let Grant::Port(port) = grant {
                self.leased.remove(&port);
            }
            self.line_up(applicant);
        }
    }

    fn line_up(&mut self, applicant: Applicant) {
        let place = self
            .waiting
            .partition_point(|other| other.arrival < applicant.arrival);
        self.waiting.insert(place, applicant);
        self.publish_waiting();
    }

    /// Those whose ports would help others hear that somebody waits.
    fn call_owners(&self, wakes: &mut Vec<Arc<Waker>>) {
        for (port, owner) in &self.leased {
            if self.allowed.lists(*port) {
                wakes.push(owner.waker.clone());
            }
        }
    }

    fn publish_waiting(&self) {
        self.waiting_count
            .store(self.waiting.len(), Ordering::SeqCst);
    }
}

/// How many missed appointments of clients are remembered per local address.
const UNCONNECTED_MAX: usize = 256;

#[cfg(test)]
impl Ledger {
    /// Panics unless every port has exactly one place and nobody waits beside a free port.
    pub(super) fn check(&self, allowed: &Allowed) {
        assert_eq!(self.allowed, *allowed);
        let leased = self.leased.keys().filter(|port| allowed.lists(**port));
        let mut found: Vec<u16> = self.free.iter().chain(leased).copied().collect();
        found.extend(self.blocked.keys());
        found.sort_unstable();
        assert!(
            found
                .into_iter()
                .eq(allowed.range().cloned().into_iter().flatten())
        );
        assert!(self.held.iter().all(|port| allowed.lists(*port)));

        let must_not_wait = !self.free.is_empty() || allowed.is_any();
        assert!(self.waiting.is_empty() || !must_not_wait);
        let arrivals = self.waiting.iter().map(|waiting| waiting.arrival);
        assert!(arrivals.is_sorted());
        let published = self.waiting_count.load(Ordering::SeqCst);
        assert_eq!(self.waiting.len(), published);
        for (&arrival, assigned) in &self.assigned {
            assert_eq!(assigned.applicant.arrival, arrival);
            assert!(self.is_in_force(arrival, assigned.grant));
        }
    }

    /// What tickets were given and have not taken yet.
    pub(super) fn assigned(&self) -> BTreeMap<u64, Grant> {
        let grants = self.assigned.iter();
        grants.map(|(&arrival, to)| (arrival, to.grant)).collect()
    }

    /// Whether every port that is free is one that `peer` did not come to before.
    pub(super) fn all_free_are_shunned(&self, peer: IpAddr) -> bool {
        self.free.iter().all(|&port| self.is_shunned(peer, port))
    }

    pub(super) fn is_shunned(&self, peer: IpAddr, port: u16) -> bool {
        self.unconnected.contains(&(peer, port))
    }
}
