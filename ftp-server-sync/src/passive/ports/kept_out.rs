//! Ports that sessions no longer listen on while their clients may still connect.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::net::order;
use crate::passive::sharing::{Requester, can_share_port};

/// Ports that sessions gave up early, oldest first. Until the time of a port is over, no session
/// gets it that could not have shared it with the former owner: the connection of that one's client
/// would be taken for its own.
///
/// A session is in here once at most, and only while it lives and asks for no other port. Where not
/// all can be kept out, those come last whose client has connected.
#[derive(Debug, Default)]
pub(super) struct KeptOut {
    records: VecDeque<GivenUpPort>,
}

#[derive(Debug)]
struct GivenUpPort {
    port: u16,
    owner: Requester,
    /// Its connection was lost. Only if that was a look, another one comes.
    has_connected: bool,
    until: Instant,
}

impl KeptOut {
    /// The session has given up the port, and lives on. At most `ports_max` ports are kept from
    /// others, and one for each client: the oldest give way, those first whose client
    /// `has_connected`.
    pub(super) fn insert(
        &mut self,
        port: u16,
        owner: &Requester,
        has_connected: bool,
        now: Instant,
        ports_max: usize,
    ) {
        self.expire(now);
        let is_of_client = |record: &GivenUpPort| record.owner.address() == owner.address();
        let mut of_client = self.records.iter().filter(|record| is_of_client(record));
        if has_connected && of_client.any(|record| !record.has_connected) {
            return;
        }
        self.records.retain(|record| !is_of_client(record));
        self.records.push_back(GivenUpPort {
            port,
            owner: owner.clone(),
            has_connected,
            until: now + KEPT_OUT_FOR,
        });
        self.limit(ports_max);
    }

    /// Ends the times that are over.
    pub(super) fn expire(&mut self, now: Instant) {
        self.records.retain(|record| record.until > now);
    }

    /// The session has ended, or asks for another port; true if a port was kept out because of it.
    pub(super) fn forget(&mut self, session: u64) -> bool {
        let before = self.records.len();
        self.records
            .retain(|record| record.owner.session != session);
        self.records.len() < before
    }

    /// The range has changed: it contains other ports, of which at most `ports_max` are kept out.
    pub(super) fn set_range(&mut self, contains: impl Fn(u16) -> bool, ports_max: usize) {
        self.records.retain(|record| contains(record.port));
        self.limit(ports_max);
    }

    /// Whether no time is left to wait for.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.records.iter().all(|record| record.until <= now)
    }

    /// Whether the port is kept from any session.
    pub(super) fn contains(&self, port: u16) -> bool {
        self.records.iter().any(|record| record.port == port)
    }

    /// The ports that are kept from this session.
    pub(super) fn ports_for(&self, requester: &Requester) -> BTreeSet<u16> {
        let records = self.records.iter();
        let kept = records.filter(|record| record.is_kept_from(requester));
        order::set_of(kept.map(|record| record.port))
    }

    /// Whether this port is kept from this session.
    pub(super) fn is_kept_from(&self, requester: &Requester, port: u16) -> bool {
        let mut records = self.records.iter();
        records.any(|record| record.port == port && record.is_kept_from(requester))
    }

    fn limit(&mut self, ports_max: usize) {
        while self.ports().len() > ports_max {
            let first = self.records.iter().position(|record| record.has_connected);
            self.records.remove(first.unwrap_or(0));
        }
    }

    fn ports(&self) -> BTreeSet<u16> {
        order::set_of(self.records.iter().map(|record| record.port))
    }
}

impl GivenUpPort {
    fn is_kept_from(&self, requester: &Requester) -> bool {
        self.owner.session != requester.session && !can_share_port(&self.owner, requester)
    }
}

/// How long a port that was given up is kept from its owner's neighbourhood. A client that has
/// begun to connect repeats its SYN after 1, 3 and 7 s; by then these are over.
pub(in crate::passive) const KEPT_OUT_FOR: Duration = Duration::from_secs(15);

#[cfg(test)]
impl KeptOut {
    /// Panics unless the bounds hold.
    pub(super) fn check(&self, contains: impl Fn(u16) -> bool, ports_max: usize) {
        assert!(self.ports().len() <= ports_max);
        assert!(self.records.iter().all(|record| contains(record.port)));
        let clients = self.records.iter().map(|record| record.owner.address());
        assert_eq!(
            clients.collect::<BTreeSet<_>>().len(),
            self.records.len(),
            "two ports for one client"
        );
    }

    /// The sessions that gave up the ports.
    pub(in crate::passive) fn sessions(&self) -> Vec<(u16, u64)> {
        let records = self.records.iter();
        records
            .map(|record| (record.port, record.owner.session))
            .collect()
    }
}
