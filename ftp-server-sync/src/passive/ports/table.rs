//! Which ports of one local address are free, leased or set aside.
//!
//! A port is leased to the id of a request, so that releasing a port changes nothing once it is
//! leased to another request.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use ftp_proto::ports::shuffle;

use super::leased_port::LeasedPort;
use crate::net::order;
use crate::net::port_range::PortRange;
use crate::passive::listener::SharedListener;
use crate::passive::request::Request;
use crate::passive::sharing::Requester;

/// The ports of one local address.
///
/// Each port of the range that is not left out is in exactly one of `free`, `leased` and
/// `set_aside`; other ports are in `leased` until they are released, else nowhere.
#[derive(Debug)]
pub(in crate::passive) struct PortTable {
    range: Option<PortRange>,
    /// They count as outside of the range.
    left_out: Arc<BTreeSet<u16>>,
    /// Least recently used first.
    free: VecDeque<u16>,
    /// The owners by port, also those of a port that is assigned and not taken yet.
    leased: BTreeMap<u16, LeasedPort>,
    /// Ports that another program used when they were last tried, and when to try each again.
    set_aside: BTreeMap<u16, Instant>,
    /// Ports that the log has reported as in use by another program, and not as free again.
    reported_in_use: BTreeSet<u16>,
}

/// What a session learns when it has bound its port.
#[derive(Debug)]
pub(in crate::passive) struct BoundPort {
    /// Whether requests wait for a port and this owner is in their way; kept up to date.
    pub(in crate::passive) must_yield: Arc<AtomicBool>,
    /// The log has reported the port as in use by another program.
    pub(in crate::passive) was_in_use: bool,
}

impl PortTable {
    pub(super) fn new(range: Option<PortRange>, left_out: Arc<BTreeSet<u16>>) -> Self {
        Self {
            range,
            free: shuffled(range, &left_out).into(),
            left_out,
            leased: BTreeMap::new(),
            set_aside: BTreeMap::new(),
            reported_in_use: BTreeSet::new(),
        }
    }

    /// No port is leased or set aside.
    pub(super) fn is_idle(&self) -> bool {
        self.leased.is_empty() && self.set_aside.is_empty()
    }

    /// Leased ports stay with their owners.
    pub(super) fn set_range(&mut self, range: Option<PortRange>, left_out: Arc<BTreeSet<u16>>) {
        let mut ports = shuffled(range, &left_out);
        let usable: HashSet<u16> = ports.iter().copied().collect();
        self.range = range;
        self.left_out = left_out;
        let contains = |port| usable.contains(&port);
        self.set_aside.retain(|&port, _| contains(port));
        self.reported_in_use.retain(|&port| contains(port));
        self.free.retain(|&port| contains(port));
        let mut known: HashSet<u16> = self.free.iter().copied().collect();
        known.extend(self.leased.keys());
        known.extend(self.set_aside.keys());
        ports.retain(|port| !known.contains(port));
        self.free.extend(ports);
    }

    /// Frees the ports that were set aside long enough, so that they are tried again.
    pub(super) fn retry_due(&mut self, now: Instant) {
        let free = &mut self.free;
        self.set_aside.retain(|&port, until| {
            let is_due = *until <= now;
            if is_due {
                free.push_back(port);
            }
            !is_due
        });
    }

    /// Whether the range contains the port.
    pub(super) fn contains(&self, port: u16) -> bool {
        let in_range = self.range.is_some_and(|range| range.contains(port));
        in_range && !self.left_out.contains(&port)
    }

    /// How many ports may be kept out: half of them, and one of one. For the clients of a single
    /// port it is better to wait than to get another one's file.
    pub(super) fn kept_out_max(&self) -> usize {
        self.count().div_ceil(2)
    }

    /// How many ports there are.
    fn count(&self) -> usize {
        let range = self.range.map_or(0, PortRange::count);
        let mut left_out = 0;
        if let Some(range) = self.range {
            left_out = self.left_out.range(range.ports()).count();
        }
        usize::from(range) - left_out
    }

    /// The free ports, least recently used first.
    pub(super) fn free(&self) -> impl Iterator<Item = u16> {
        self.free.iter().copied()
    }

    /// Leased ports that this session can share, those with few owners first.
    pub(super) fn shareable(&self, requester: &Requester) -> Vec<u16> {
        let is_shareable = |&(&port, leased_port): &(&u16, &LeasedPort)| {
            self.contains(port) && leased_port.can_add(requester)
        };
        let mut found: Vec<(&u16, &LeasedPort)> = self.leased.iter().filter(is_shareable).collect();
        order::sort_by_key(&mut found, |(_, leased_port)| leased_port.owners.len());
        found.into_iter().map(|(port, _)| *port).collect()
    }

    pub(in crate::passive) fn leased(&self) -> &BTreeMap<u16, LeasedPort> {
        &self.leased
    }

    /// Makes the request one of the port's owners.
    pub(super) fn lease(&mut self, port: u16, request: &Request) {
        if let Some(index) = self.free.iter().position(|&free| free == port) {
            self.free.remove(index);
        }
        self.leased.entry(port).or_default().add(request);
    }

    /// Removes one of a port's owners. A port of the range without owners is free.
    pub(super) fn release(&mut self, id: u64, port: u16) {
        if self.remove_owner(id, port) && self.contains(port) {
            self.free.push_back(port);
        }
    }

    /// Whether the request still owns the port, and the range contains it.
    pub(super) fn is_in_force(&self, id: u64, port: u16) -> bool {
        self.is_owner(id, port) && self.contains(port)
    }

    /// The common listener of the owners, for one of them, unless the lease is no longer in force.
    pub(super) fn listener(&self, id: u64, port: u16) -> Option<Arc<SharedListener>> {
        let leased_port = self.leased.get(&port)?;
        self.is_in_force(id, port)
            .then(|| leased_port.listener.clone())
    }

    /// An owner listens on the port now, unless its lease is no longer in force.
    pub(super) fn bound(&mut self, id: u64, port: u16) -> Option<BoundPort> {
        if !self.is_in_force(id, port) {
            return None;
        }
        let owner = self.leased.get_mut(&port)?.owner_mut(id)?;
        owner.is_bound = true;
        Some(BoundPort {
            must_yield: owner.must_yield(),
            was_in_use: self.reported_in_use.remove(&port),
        })
    }

    /// Whether an owner listens on the port.
    pub(super) fn is_bound(&self, port: u16) -> bool {
        let leased_port = self.leased.get(&port);
        leased_port.is_some_and(|leased_port| leased_port.owners.iter().any(|owner| owner.is_bound))
    }

    /// Sets a port aside, which loses all its owners; true if the log does not say so yet.
    pub(super) fn set_aside(&mut self, port: u16, until: Instant) -> bool {
        self.leased.remove(&port);
        if !self.contains(port) {
            return false;
        }
        self.set_aside.insert(port, until);
        self.reported_in_use.insert(port)
    }

    /// Whether other programs use all ports of the range.
    pub(in crate::passive) fn are_all_set_aside(&self) -> bool {
        self.set_aside.len() == self.count()
    }

    pub(super) fn is_owner(&self, id: u64, port: u16) -> bool {
        let leased_port = self.leased.get(&port);
        leased_port.is_some_and(|leased_port| leased_port.owner(id).is_some())
    }

    /// Removes one of a port's owners; true if it was the last.
    pub(super) fn remove_owner(&mut self, id: u64, port: u16) -> bool {
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
}

/// The ports of the range in random order.
fn shuffled(range: Option<PortRange>, left_out: &BTreeSet<u16>) -> Vec<u16> {
    let mut ports: Vec<u16> = range.map_or(Vec::new(), |range| range.ports().collect());
    ports.retain(|port| !left_out.contains(port));
    let seed = RandomState::new();
    let mut number = 0_u64;
    shuffle(&mut ports, || {
        number += 1;
        seed.hash_one(number)
    });
    ports
}

#[cfg(test)]
impl PortTable {
    /// Panics unless every port has exactly one place, and owners share ports as they may.
    pub(super) fn check(&self, range: Option<PortRange>) {
        assert_eq!(self.range, range);
        let leased = self.leased.keys().filter(|port| self.contains(**port));
        let mut found: Vec<u16> = self.free.iter().chain(leased).copied().collect();
        found.extend(self.set_aside.keys());
        found.sort_unstable();
        let expected = range.iter().flat_map(|range| range.ports());
        let expected = expected.filter(|port| !self.left_out.contains(port));
        assert!(found.into_iter().eq(expected));
        let mut reported = self.reported_in_use.iter();
        assert!(reported.all(|port| self.contains(*port)));
        for leased_port in self.leased.values() {
            leased_port.check();
        }
    }

    pub(in crate::passive) fn set_aside_count(&self) -> usize {
        self.set_aside.len()
    }
}
