//! A model of one local address as sets: it says which ports a request may get, and leaves the
//! choice open.

use super::*;

#[derive(Default)]
pub(super) struct Model {
    /// The owners of each port by id, also those of assigned ports.
    pub(super) leased: BTreeMap<u16, BTreeMap<u64, AllowedPeers>>,
    pub(super) set_aside: BTreeMap<u16, Instant>,
    pub(super) waiting: BTreeMap<u64, AllowedPeers>,
    /// Ports that are assigned to tickets and not taken yet.
    pub(super) assigned: BTreeMap<u64, u16>,
}

impl Model {
    /// Whether this port could be granted to a client beside its owners.
    pub(super) fn may_get(
        &self,
        range: Option<PortRange>,
        port: u16,
        allowed_peers: &AllowedPeers,
    ) -> bool {
        let mut owners = self.leased.get(&port).into_iter().flatten();
        let can_share = |owner: &AllowedPeers| {
            owner.can_share_port()
                && allowed_peers.can_share_port()
                && owner.peer() != allowed_peers.peer()
        };
        range.is_some_and(|range| range.contains(port))
            && !self.set_aside.contains_key(&port)
            && owners.all(|(_, owner)| can_share(owner))
    }

    /// Whether a request with this id must get a port.
    pub(super) fn must_get(
        &self,
        range: Option<PortRange>,
        id: u64,
        allowed_peers: &AllowedPeers,
    ) -> bool {
        let mut ports = range.into_iter().flat_map(PortRange::ports);
        let mut before = self.waiting.range(..id);
        before.all(|(_, other)| other.can_share_port())
            && ports.any(|port| self.may_get(range, port, allowed_peers))
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

    pub(super) fn is_in_force(&self, range: Option<PortRange>, id: u64, port: u16) -> bool {
        self.owns(id, port) && range.is_some_and(|range| range.contains(port))
    }

    /// Changes nothing if this request is no longer an owner.
    pub(super) fn end(&mut self, id: u64, port: u16) {
        if let Some(owners) = self.leased.get_mut(&port) {
            owners.remove(&id);
            if owners.is_empty() {
                self.leased.remove(&port);
            }
        }
    }

    /// Takes back assigned ports; their requests wait again at their places.
    pub(super) fn withdraw(
        &mut self,
        is_withdrawn: impl Fn(u16) -> bool,
        allowed_peers: impl Fn(u64) -> AllowedPeers,
    ) {
        let assigned = self.assigned.clone();
        for (id, port) in assigned.into_iter().filter(|(_, port)| is_withdrawn(*port)) {
            self.assigned.remove(&id);
            self.end(id, port);
            self.waiting.insert(id, allowed_peers(id));
        }
    }
}
