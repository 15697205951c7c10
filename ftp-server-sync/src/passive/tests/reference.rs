//! A model of one local address as sets: it says which ports a request may get, and leaves the
//! choice open.

use super::*;
use crate::passive::sharing::can_share_port;

#[derive(Default)]
pub(super) struct Model {
    /// The owners of each port by id, also those of assigned ports.
    pub(super) leased: BTreeMap<u16, BTreeMap<u64, Requester>>,
    pub(super) set_aside: BTreeMap<u16, Instant>,
    pub(super) waiting: BTreeMap<u64, Requester>,
    /// Ports that are assigned to tickets and not taken yet.
    pub(super) assigned: BTreeMap<u64, u16>,
    /// Ports that were given up, oldest first.
    pub(super) kept_out: Vec<GivenUp>,
}

pub(super) struct GivenUp {
    pub(super) port: u16,
    pub(super) owner: Requester,
    has_connected: bool,
    until: Instant,
}

impl Model {
    /// Whether this port could be granted to a client beside its owners.
    pub(super) fn may_get(
        &self,
        range: Option<PortRange>,
        port: u16,
        requester: &Requester,
    ) -> bool {
        let mut owners = self.leased.get(&port).into_iter().flatten();
        range.is_some_and(|range| range.contains(port))
            && !self.set_aside.contains_key(&port)
            && !self.is_kept_from(requester, port)
            && owners.all(|(_, owner)| can_share_port(owner, requester))
    }

    /// Whether a request with this id must get a port.
    pub(super) fn must_get(
        &self,
        range: Option<PortRange>,
        id: u64,
        requester: &Requester,
    ) -> bool {
        let mut ports = range.into_iter().flat_map(PortRange::ports);
        let mut before = self.waiting.range(..id);
        before.all(|(_, other)| can_share_port(other, requester))
            && ports.any(|port| self.may_get(range, port, requester))
    }

    pub(super) fn is_kept_from(&self, requester: &Requester, port: u16) -> bool {
        let mut given_up = self.kept_out.iter();
        given_up.any(|given_up| {
            given_up.port == port
                && given_up.owner.session != requester.session
                && !can_share_port(&given_up.owner, requester)
        })
    }

    pub(super) fn pass_time(&mut self, now: Instant) {
        self.set_aside.retain(|_, until| *until > now);
        self.kept_out.retain(|given_up| given_up.until > now);
    }

    pub(super) fn set_range(&mut self, range: Option<PortRange>, now: Instant) {
        let contains = |port| range.is_some_and(|range| range.contains(port));
        self.set_aside.retain(|&port, _| contains(port));
        self.kept_out.retain(|given_up| contains(given_up.port));
        self.limit_kept_out(range);
        self.pass_time(now);
    }

    /// The owner of the port gives it up, or has lost the connection that came to it.
    pub(super) fn give_up(
        &mut self,
        range: Option<PortRange>,
        port: u16,
        owner: Requester,
        has_connected: bool,
        now: Instant,
    ) {
        if !range.is_some_and(|range| range.contains(port)) {
            return;
        }
        self.kept_out.retain(|given_up| given_up.until > now);
        let client = owner.address();
        let is_of_client = |given_up: &GivenUp| given_up.owner.address() == client;
        let mut of_client = self.kept_out.iter().filter(|one| is_of_client(one));
        if has_connected && of_client.any(|given_up| !given_up.has_connected) {
            return;
        }
        self.kept_out.retain(|given_up| !is_of_client(given_up));
        self.kept_out.push(GivenUp {
            port,
            owner,
            has_connected,
            until: now + KEPT_OUT_FOR,
        });
        self.limit_kept_out(range);
    }

    /// Half of the range, rounded up.
    fn limit_kept_out(&mut self, range: Option<PortRange>) {
        let most = range.map_or(0, |range| range.count().div_ceil(2));
        let ports = |model: &Self| {
            let ports = model.kept_out.iter().map(|given_up| given_up.port);
            ports.collect::<BTreeSet<u16>>().len()
        };
        while ports(self) > usize::from(most) {
            let mut kept_out = self.kept_out.iter();
            let first = kept_out.position(|given_up| given_up.has_connected);
            self.kept_out.remove(first.unwrap_or_default());
        }
    }

    /// The session has ended, or asks for another port.
    pub(super) fn forget(&mut self, session: u64) {
        self.kept_out
            .retain(|given_up| given_up.owner.session != session);
    }

    pub(super) fn give(&mut self, port: u16, id: u64, requester: &Requester) {
        let owners = self.leased.entry(port).or_default();
        assert!(owners.insert(id, requester.clone()).is_none());
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
        requester: impl Fn(u64) -> Requester,
    ) {
        let assigned = self.assigned.clone();
        for (id, port) in assigned.into_iter().filter(|(_, port)| is_withdrawn(*port)) {
            self.assigned.remove(&id);
            self.end(id, port);
            self.waiting.insert(id, requester(id));
        }
    }
}
