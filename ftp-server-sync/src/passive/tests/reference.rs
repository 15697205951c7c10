//! What must be true of one local address, said as sets: which port goes to whom is left open.

use super::*;

#[derive(Default)]
pub(super) struct Model {
    /// Who has which port, by id; also what tickets were assigned.
    pub(super) leased: BTreeMap<u16, BTreeMap<u64, AllowedPeers>>,
    pub(super) set_aside: BTreeMap<u16, Instant>,
    pub(super) waiting: BTreeMap<u64, AllowedPeers>,
    /// What tickets got and have not taken.
    pub(super) assigned: BTreeMap<u64, Grant>,
}

impl Model {
    /// Whether this port could be given to a client beside those who have it.
    pub(super) fn may_have(
        &self,
        allowed_ports: &AllowedPorts,
        port: u16,
        allowed_peers: &AllowedPeers,
    ) -> bool {
        let mut owners = self.leased.get(&port).into_iter().flatten();
        let is_one_of_many = |owner: &AllowedPeers| {
            owner.can_share_port()
                && allowed_peers.can_share_port()
                && owner.peer() != allowed_peers.peer()
        };
        allowed_ports.contains(port)
            && !self.set_aside.contains_key(&port)
            && owners.all(|(_, owner)| is_one_of_many(owner))
    }

    /// Whether this client, with this id, must be given something.
    pub(super) fn must_get(
        &self,
        allowed_ports: &AllowedPorts,
        id: u64,
        allowed_peers: &AllowedPeers,
    ) -> bool {
        let Some(range) = allowed_ports.range() else {
            return true;
        };
        let mut before = self.waiting.range(..id);
        before.all(|(_, other)| other.can_share_port())
            && range
                .ports()
                .any(|port| self.may_have(allowed_ports, port, allowed_peers))
    }

    pub(super) fn retry_due(&mut self, now: Instant) {
        self.set_aside.retain(|_, until| *until > now);
    }

    pub(super) fn give(&mut self, port: u16, id: u64, allowed_peers: &AllowedPeers) {
        let owners = self.leased.entry(port).or_default();
        assert!(owners.insert(id, allowed_peers.clone()).is_none());
    }

    pub(super) fn owns(&self, id: u64, port: u16) -> bool {
        let owners = self.leased.get(&port);
        owners.is_some_and(|owners| owners.contains_key(&id))
    }

    pub(super) fn is_in_force(&self, allowed_ports: &AllowedPorts, id: u64, grant: Grant) -> bool {
        match grant {
            Grant::Any => allowed_ports.is_any(),
            Grant::Port(port) => self.owns(id, port) && allowed_ports.permits(port),
        }
    }

    /// Whoever is no longer an owner changes nothing.
    pub(super) fn end(&mut self, id: u64, grant: Grant) {
        if let Grant::Port(port) = grant
            && let Some(owners) = self.leased.get_mut(&port)
        {
            owners.remove(&id);
            if owners.is_empty() {
                self.leased.remove(&port);
            }
        }
    }

    /// Tickets that were assigned what is gone queue again at their places.
    pub(super) fn withdraw(
        &mut self,
        is_gone: impl Fn(Grant) -> bool,
        allowed_peers: impl Fn(u64) -> AllowedPeers,
    ) {
        let assigned = self.assigned.clone();
        for (id, grant) in assigned.into_iter().filter(|(_, grant)| is_gone(*grant)) {
            self.assigned.remove(&id);
            self.end(id, grant);
            self.waiting.insert(id, allowed_peers(id));
        }
    }
}
