//! The ports of one local address: free, leased or blocked, and who waits for one.
//!
//! A port belongs to an applicant by its arrival number, so that whoever gives back what is no longer
//! its own changes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use mio::Waker;

use super::books::{Applicant, Bound, Ending, Grant};
use super::expected::Expected;
use super::range::Allowed;
use super::shared_listener::SharedListener;
use super::slot::Slot;

/// The ports of one local address. Each port of the range is in exactly one of `free`, `leased` and
/// `blocked`; other ports are in `leased` until they are given back, else nowhere. Nobody waits while
/// `free` has a port or a leased one has room for it, unless somebody came before who needs a port for
/// itself; and nobody waits without a range.
#[derive(Debug)]
pub(super) struct Ledger {
    allowed: Allowed,
    /// Least recently used first.
    free: VecDeque<u16>,
    /// The owners by port, also of ports that are assigned to a ticket.
    pub(super) leased: BTreeMap<u16, Slot>,
    /// Held by another program until then, as far as we know.
    pub(super) blocked: BTreeMap<u16, Instant>,
    /// Ports that the log called held and has not called free again.
    held: BTreeSet<u16>,
    /// In the order of arrival.
    pub(super) waiting: VecDeque<Applicant>,
    /// Some owners may have been told that others wait for their ports.
    owners_called: bool,
    /// What tickets were given and have not taken yet, by arrival.
    assigned: HashMap<u64, Assigned>,
    /// Clients that did not come to a port, oldest first.
    unconnected: VecDeque<(IpAddr, u16)>,
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
            leased: BTreeMap::new(),
            blocked: BTreeMap::new(),
            held: BTreeSet::new(),
            waiting: VecDeque::new(),
            owners_called: false,
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
        self.withdraw(|grant| match grant {
            Grant::Port(port) => !allowed.lists(port),
            Grant::Any => !allowed.is_any(),
        });
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
        let grant = match self.is_behind_a_loner(applicant) {
            true => None,
            false => self.grant(applicant),
        };
        if grant.is_none() {
            applicant.waited = true;
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
                // It may have been in the way of others.
                self.serve(u64::MAX, wakes);
            }
        }
    }

    /// The socket for what this applicant was granted, unless that is no longer in force.
    pub(super) fn listener(&self, arrival: u64, grant: Grant) -> Option<Arc<SharedListener>> {
        if !self.is_in_force(arrival, grant) {
            return None;
        }
        match grant {
            Grant::Port(port) => Some(self.leased.get(&port)?.listener.clone()),
            Grant::Any => Some(Arc::default()),
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
        listener: &Arc<SharedListener>,
    ) -> Option<Bound> {
        if !self.is_in_force(applicant.arrival, grant) {
            return None;
        }
        if grant == Grant::Any {
            // It may be one that is leased since there was a range, and was not bound by its owners:
            // who listens on it has it.
            let mut slot = Slot {
                listener: listener.clone(),
                ..Slot::default()
            };
            slot.add(applicant);
            self.leased.insert(port, slot);
        }
        let owner = self.leased.get_mut(&port)?;
        let owner = owner.owner_mut(applicant.arrival)?;
        owner.is_bound = true;
        Some(Bound {
            awaited: owner.awaited(),
            was_held: self.held.remove(&port),
        })
    }

    pub(super) fn block(&mut self, arrival: u64, port: u16, until: Instant) -> bool {
        if !self.is_owner(arrival, port) {
            return false;
        }
        let slot = self.leased.get(&port);
        if slot.is_some_and(|slot| slot.owners.iter().any(|owner| owner.is_bound)) {
            // The other program has gone since, and one who shares the port was quicker.
            self.disown(arrival, port);
            return false;
        }
        // Nobody listens there: all who were to share it would find the same.
        self.withdraw(|grant| grant == Grant::Port(port));
        self.leased.remove(&port);
        if !self.allowed.lists(port) {
            return false;
        }
        self.blocked.insert(port, until);
        self.held.insert(port)
    }

    /// Takes a port back from one of its owners.
    pub(super) fn release(&mut self, arrival: u64, port: u16, wakes: &mut Vec<Arc<Waker>>) {
        if self.disown(arrival, port) && self.allowed.lists(port) {
            self.free.push_back(port);
        }
        self.serve(u64::MAX, wakes);
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
        let slot = self.leased.get(&port);
        slot.is_some_and(|slot| slot.owner(arrival).is_some())
    }

    fn grant(&mut self, applicant: &Applicant) -> Option<Grant> {
        if self.allowed.is_any() {
            return Some(Grant::Any);
        }
        let port = self.pick(&applicant.expected)?;
        self.free.retain(|&free| free != port);
        self.leased.entry(port).or_default().add(applicant);
        Some(Grant::Port(port))
    }

    /// The best port for this client: the least recently used, else one to share with few others. Ports
    /// where it was waited for in vain come last of all, the oldest such case first.
    fn pick(&self, expected: &Expected) -> Option<u16> {
        let shunned: Vec<u16> = self
            .unconnected
            .iter()
            .filter(|(client, _)| *client == expected.peer())
            .map(|(_, port)| *port)
            .collect();
        let good = |port: &&u16| !shunned.contains(port);
        if let Some(port) = self.free.iter().find(good) {
            return Some(*port);
        }
        let roomy = self.ports_to_share(expected);
        let available = |port: &&u16| self.free.contains(port) || roomy.contains(port);
        let port = roomy.iter().find(good);
        port.or_else(|| shunned.iter().find(available)).copied()
    }

    /// Leased ports with room for one more, those of few owners first.
    fn ports_to_share(&self, expected: &Expected) -> Vec<u16> {
        let has_room = |&(&port, slot): &(&u16, &Slot)| {
            self.allowed.lists(port) && slot.has_room_for(expected)
        };
        let mut roomy: Vec<(&u16, &Slot)> = self.leased.iter().filter(has_room).collect();
        roomy.sort_by_key(|(_, slot)| slot.owners.len());
        roomy.into_iter().map(|(port, _)| *port).collect()
    }

    /// Whether somebody waits who came before and needs a port for itself. It would never get one if
    /// those who came after it could go on sharing.
    fn is_behind_a_loner(&self, applicant: &Applicant) -> bool {
        self.waiting
            .iter()
            .take_while(|other| other.arrival < applicant.arrival)
            .any(|other| !other.expected.may_share())
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

    /// Assigns what there is to those who wait and came before this one, in the order of arrival.
    fn serve(&mut self, before: u64, wakes: &mut Vec<Arc<Waker>>) {
        let mut in_vain = HashSet::new();
        let mut index = 0;
        while let Some(next) = self.waiting.get(index)
            && next.arrival < before
        {
            let (peer, may_share) = (next.expected.peer(), next.expected.may_share());
            // What suits none of a client's sessions need not be looked for again.
            if may_share && in_vain.contains(&peer) {
                index += 1;
                continue;
            }
            let applicant = next.clone();
            match self.grant(&applicant) {
                Some(grant) => {
                    self.waiting.remove(index);
                    wakes.push(applicant.waker.clone());
                    let assigned = Assigned { applicant, grant };
                    self.assigned.insert(assigned.applicant.arrival, assigned);
                }
                // See `is_behind_a_loner`.
                None if !may_share => break,
                None => {
                    in_vain.insert(peer);
                    index += 1;
                }
            }
        }
        self.call_owners(wakes);
    }

    /// Takes from tickets what they were assigned and may not bind any more.
    fn withdraw(&mut self, is_gone: impl Fn(Grant) -> bool) {
        let gone: Vec<Assigned> = self
            .assigned
            .extract_if(|_, assigned| is_gone(assigned.grant))
            .map(|(_, gone)| gone)
            .collect();
        for Assigned { applicant, grant } in gone {
            if let Grant::Port(port) = grant {
                self.disown(applicant.arrival, port);
            }
            self.line_up(applicant);
        }
    }

    /// Takes a port from one of its owners; true if there is no other.
    fn disown(&mut self, arrival: u64, port: u16) -> bool {
        let Some(slot) = self.leased.get_mut(&port) else {
            return false;
        };
        slot.remove(arrival);
        let is_empty = slot.owners.is_empty();
        if is_empty {
            self.leased.remove(&port);
        }
        is_empty
    }

    fn line_up(&mut self, applicant: Applicant) {
        let place = self
            .waiting
            .partition_point(|other| other.arrival < applicant.arrival);
        self.waiting.insert(place, applicant);
    }

    /// Those whose ports would help others hear that somebody waits, and when nobody does any more.
    fn call_owners(&mut self, wakes: &mut Vec<Arc<Waker>>) {
        if self.waiting.is_empty() && !self.owners_called {
            return;
        }
        self.owners_called = !self.waiting.is_empty();
        let for_itself = |waiting: &Applicant| !waiting.expected.may_share();
        let loners = self.waiting.iter().any(for_itself);
        let peers = self.waiting.iter().map(|waiting| waiting.expected.peer());
        let peers: HashSet<IpAddr> = peers.collect();
        for (port, slot) in &self.leased {
            let helps = self.allowed.lists(*port) && !peers.is_empty();
            for owner in &slot.owners {
                let in_the_way =
                    loners || !owner.expected.may_share() || peers.contains(&owner.expected.peer());
                wakes.extend(owner.set_awaited(helps && in_the_way));
            }
        }
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
                .eq(allowed.range().iter().flat_map(|range| range.ports()))
        );
        assert!(self.held.iter().all(|port| allowed.lists(*port)));
        for slot in self.leased.values() {
            assert!(!slot.owners.is_empty());
            for (index, owner) in slot.owners.iter().enumerate() {
                let others = slot.owners[..index].iter();
                let mut others = others.map(|other| &other.expected);
                assert!(others.all(|other| other.gets_along_with(&owner.expected)));
            }
        }

        assert!(self.waiting.is_empty() || !allowed.is_any());
        for waiting in &self.waiting {
            assert!(self.pick(&waiting.expected).is_none() || self.is_behind_a_loner(waiting));
        }
        let arrivals = self.waiting.iter().map(|waiting| waiting.arrival);
        assert!(arrivals.is_sorted());
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

    /// Whether this client did not come, before, to any port that it could be given.
    pub(super) fn all_others_are_shunned(&self, expected: &Expected) -> bool {
        let roomy = self.ports_to_share(expected);
        let mut available = self.free.iter().chain(&roomy);
        available.all(|&port| self.is_shunned(expected.peer(), port))
    }

    pub(super) fn is_shunned(&self, peer: IpAddr, port: u16) -> bool {
        self.unconnected.contains(&(peer, port))
    }
}
