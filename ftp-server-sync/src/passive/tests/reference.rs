//! What must be true of one local address, said as sets: which port goes to whom is left open.

use super::*;

#[derive(Default)]
pub(super) struct Model {
    /// Who has which port, by arrival; also what tickets were assigned.
    pub(super) leased: BTreeMap<u16, BTreeMap<u64, Expected>>,
    pub(super) blocked: BTreeMap<u16, Instant>,
    pub(super) waiting: BTreeMap<u64, Expected>,
    /// What tickets got and have not taken.
    pub(super) assigned: BTreeMap<u64, Grant>,
}

impl Model {
    /// Whether this port could be given to a client beside those who have it.
    pub(super) fn may_have(&self, allowed: &Allowed, port: u16, expected: &Expected) -> bool {
        let mut owners = self.leased.get(&port).into_iter().flatten();
        let is_one_of_many = |owner: &Expected| {
            owner.may_share() && expected.may_share() && owner.peer() != expected.peer()
        };
        allowed.lists(port)
            && !self.blocked.contains_key(&port)
            && owners.all(|(_, owner)| is_one_of_many(owner))
    }

    /// Whether this client, with this arrival, must be given something.
    pub(super) fn must_get(&self, allowed: &Allowed, arrival: u64, expected: &Expected) -> bool {
        let Some(range) = allowed.range() else {
            return true;
        };
        let mut before = self.waiting.range(..arrival);
        before.all(|(_, other)| other.may_share())
            && range
                .ports()
                .any(|port| self.may_have(allowed, port, expected))
    }

    pub(super) fn revive(&mut self, now: Instant) {
        self.blocked.retain(|_, until| *until > now);
    }

    pub(super) fn give(&mut self, port: u16, arrival: u64, expected: &Expected) {
        let owners = self.leased.entry(port).or_default();
        assert!(owners.insert(arrival, expected.clone()).is_none());
    }

    pub(super) fn owns(&self, arrival: u64, port: u16) -> bool {
        let owners = self.leased.get(&port);
        owners.is_some_and(|owners| owners.contains_key(&arrival))
    }

    pub(super) fn is_in_force(&self, allowed: &Allowed, arrival: u64, grant: Grant) -> bool {
        match grant {
            Grant::Any => allowed.is_any(),
            Grant::Port(port) => self.owns(arrival, port) && allowed.permits(port),
        }
    }

    /// Whoever is no longer an owner changes nothing.
    pub(super) fn end(&mut self, arrival: u64, grant: Grant) {
        if let Grant::Port(port) = grant
            && let Some(owners) = self.leased.get_mut(&port)
        {
            owners.remove(&arrival);
            if owners.is_empty() {
                self.leased.remove(&port);
            }
        }
    }

    /// Tickets that were assigned what is gone queue again at their places.
    pub(super) fn withdraw(
        &mut self,
        is_gone: impl Fn(Grant) -> bool,
        expected: impl Fn(u64) -> Expected,
    ) {
        let assigned = self.assigned.clone();
        for (arrival, grant) in assigned.into_iter().filter(|(_, grant)| is_gone(*grant)) {
            self.assigned.remove(&arrival);
            self.end(arrival, grant);
            self.waiting.insert(arrival, expected(arrival));
        }
    }
}
