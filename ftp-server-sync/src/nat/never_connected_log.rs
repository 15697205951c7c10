//! Counts the clients that were sent to a passive port and did not connect, over all sessions, for
//! the log.
//!
//! Clients that fail for the same reason are counted together, so that no reason can fill the log,
//! and memory is bounded. While nothing is counted, a data connection costs one atomic read here
//! and no lock. No line is written while the lock is held.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use ftp_proto::{ClientOrigin, NeverConnected, PassiveOffer};
use log::{Level, log};

use super::failure::FailureCause;
use crate::locks::lock;

/// A client that did not connect.
#[derive(Clone, Debug)]
pub(crate) struct ConnectFailure {
    pub(crate) peer: IpAddr,
    pub(crate) connection: NeverConnected,
    pub(crate) cause: FailureCause,
    /// The client itself ended the wait, and is gone or does something else.
    pub(crate) gave_up: bool,
}

/// The clients of all sessions that did not connect.
#[derive(Debug, Default)]
pub(crate) struct NeverConnectedLog {
    /// Whether any group counts anything now. Written under the lock.
    is_counting: AtomicBool,
    groups: Mutex<FailureGroups>,
}

#[derive(Debug, Default)]
struct FailureGroups {
    /// There are few, so a search through all of them is the simplest. The one that was counted
    /// last is at the end.
    groups: Vec<FailureGroup>,
}

/// What clients of one group have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FailureKey {
    address: IpAddr,
    origin: ClientOrigin,
    /// [`FailureCause::kind`].
    kind: &'static str,
    /// [`FailureCause::value`]: a reply refers to the log for it.
    value: Option<String>,
}

/// Clients that fail for the same reason, counted since a client last got through.
#[derive(Debug)]
struct FailureGroup {
    key: FailureKey,
    /// The offer that was counted last.
    offer: PassiveOffer,
    /// The cause that was found last.
    cause: FailureCause,
    connections: u64,
    /// Without duplicates, at most [`CLIENTS_MAX`].
    clients: Vec<IpAddr>,
    port_min: u16,
    port_max: u16,
    /// No client had its whole time to connect.
    all_early: bool,
    /// Each client ended the wait itself.
    all_gave_up: bool,
    logged: Logged,
    logged_at: Option<Instant>,
}

/// What the log has reported of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Logged {
    Nothing,
    First,
    Several,
}

impl NeverConnectedLog {
    /// Counts a connection that a client did not open, and logs a line if one is due.
    pub(crate) fn on_never_connected(&self, failure: ConnectFailure, now: Instant) {
        let line = {
            let mut groups = self.groups();
            let line = groups.on_never_connected(failure, now);
            self.is_counting.store(true, Ordering::Relaxed);
            line
        };
        if let Some((level, line)) = line {
            log!(level, "{line}");
        }
    }

    /// A client has connected: the groups that this contradicts start to count from zero.
    pub(crate) fn on_connected(&self, offer: &PassiveOffer, peer: IpAddr) {
        if !self.is_counting.load(Ordering::Relaxed) {
            return;
        }
        let mut groups = self.groups();
        groups.on_connected(offer, peer);
        self.is_counting
            .store(groups.is_counting(), Ordering::Relaxed);
    }

    /// The settings have changed: earlier failures say nothing about the new ones. (A new address
    /// of a host name needs no such call, because another address is another group.)
    pub(crate) fn clear(&self) {
        let mut groups = self.groups();
        *groups = FailureGroups::default();
        self.is_counting.store(false, Ordering::Relaxed);
    }

    /// A line for each group that counts something.
    pub(crate) fn report(&self) -> Vec<String> {
        let groups = self.groups();
        let counting = groups.groups.iter().filter(|group| group.connections > 0);
        counting.map(FailureGroup::line).collect()
    }

    fn groups(&self) -> MutexGuard<'_, FailureGroups> {
        lock(&self.groups)
    }
}

impl FailureGroups {
    /// Returns a line if one is due: for the first connection of a group, and again when there are
    /// several.
    fn on_never_connected(
        &mut self,
        failure: ConnectFailure,
        now: Instant,
    ) -> Option<(Level, String)> {
        let key = FailureKey::of(&failure);
        let mut group = match self.position(&key) {
            Some(index) => self.groups.remove(index),
            None => self.new_group(key, &failure),
        };
        if self.groups.len() >= GROUPS_MAX {
            self.groups.remove(0);
        }
        group.count(failure);
        let line = group.take_due(now).then(|| (group.level(), group.line()));
        self.groups.push(group);
        line
    }

    /// Strangers could fill the log with values: from some on, a new one has the place of another
    /// one, and the line of that one counts as its own.
    fn new_group(&mut self, key: FailureKey, failure: &ConnectFailure) -> FailureGroup {
        let mut group = FailureGroup::new(key, failure);
        let is_like = |other: &FailureGroup| other.key.is_like(&group.key);
        if self.groups.iter().filter(|other| is_like(other)).count() >= VALUES_MAX
            && let Some(oldest) = self.groups.iter().position(is_like)
        {
            group.logged_at = self.groups.remove(oldest).logged_at;
        }
        group
    }

    fn on_connected(&mut self, offer: &PassiveOffer, peer: IpAddr) {
        for group in &mut self.groups {
            if group.is_contradicted_by(offer, peer) {
                group.reset();
            }
        }
    }

    fn is_counting(&self) -> bool {
        self.groups.iter().any(|group| group.connections > 0)
    }

    fn position(&self, key: &FailureKey) -> Option<usize> {
        self.groups.iter().position(|group| group.key == *key)
    }
}

impl FailureKey {
    fn of(failure: &ConnectFailure) -> Self {
        let offer = &failure.connection.offer;
        Self {
            address: offer.announcement.address,
            origin: offer.origin,
            kind: failure.cause.kind(),
            value: failure.cause.value(),
        }
    }

    /// Whether only the value of the flag is another one.
    fn is_like(&self, other: &Self) -> bool {
        (self.address, self.origin, self.kind) == (other.address, other.origin, other.kind)
    }
}

impl FailureGroup {
    fn new(key: FailureKey, failure: &ConnectFailure) -> Self {
        Self {
            key,
            offer: failure.connection.offer,
            cause: failure.cause.clone(),
            connections: 0,
            clients: Vec::new(),
            port_min: u16::MAX,
            port_max: 0,
            all_early: true,
            all_gave_up: true,
            logged: Logged::Nothing,
            logged_at: None,
        }
    }

    /// Counts from zero. Only the time of the last log line remains.
    fn reset(&mut self) {
        self.connections = 0;
        self.clients.clear();
        (self.port_min, self.port_max) = (u16::MAX, 0);
        (self.all_early, self.all_gave_up) = (true, true);
        self.logged = Logged::Nothing;
    }

    /// Whether the cause cannot be what it seemed to be, as this client has connected.
    fn is_contradicted_by(&self, offer: &PassiveOffer, peer: IpAddr) -> bool {
        let is_like =
            self.key.address == offer.announcement.address && self.key.origin == offer.origin;
        let is_contradicted = match self.cause {
            FailureCause::Addresses { diagnosis, .. } => diagnosis == offer.diagnosis,
            // Others who get through say nothing about it.
            _ => self.clients.contains(&peer),
        };
        is_like && is_contradicted
    }

    fn count(&mut self, failure: ConnectFailure) {
        let (peer, connection) = (failure.peer, failure.connection);
        let port = connection.offer.port;
        self.offer = connection.offer;
        self.cause = failure.cause;
        self.connections = self.connections.saturating_add(1);
        if self.clients.len() < CLIENTS_MAX && !self.clients.contains(&peer) {
            self.clients.push(peer);
        }
        self.port_min = self.port_min.min(port);
        self.port_max = self.port_max.max(port);
        self.all_early &= connection.withdrawn;
        self.all_gave_up &= failure.gave_up;
    }

    /// A single client that gave up may have had its own reason.
    fn level(&self) -> Level {
        let may_be_its_own = self.all_gave_up && self.connections < SEVERAL;
        let is_alone = self.cause.needs_others() && self.clients.len() == 1;
        if self.cause.is_harmless() || is_alone || (may_be_its_own && !self.cause.is_evident()) {
            Level::Info
        } else {
            Level::Warn
        }
    }

    /// Whether a line is due now; true once for each line.
    fn take_due(&mut self, now: Instant) -> bool {
        let next = if self.connections >= SEVERAL {
            Logged::Several
        } else {
            Logged::First
        };
        // Where some clients get through and others do not, the group is reset again and again.
        let recent = |logged_at: Instant| now.saturating_duration_since(logged_at) < SILENCE;
        let is_repetition = self.logged == Logged::Nothing && self.logged_at.is_some_and(recent);
        if next <= self.logged || is_repetition {
            return false;
        }
        self.logged = next;
        self.logged_at = Some(now);
        true
    }

    fn line(&self) -> String {
        let mut line = self.subject();
        // Infallible for a String.
        let _ = match (self.cause.is_private_address(), self.offer.private_kind()) {
            // The address alone is the problem, whatever the port.
            (true, Some(kind)) => {
                write!(line, " sent to {}, {kind},", self.key.address)
            }
            _ => write!(line, " sent to {}", self.target()),
        };
        line.push_str(" and did not connect");
        if self.all_early {
            line.push_str(" before other clients needed the port");
        }
        if self.connections > self.clients.len() as u64 {
            let _ = write!(line, ", {} times", self.connections);
        }
        let _ = write!(line, ": {}", self.cause.advice());
        line
    }

    /// The clients, with the verb.
    fn subject(&self) -> String {
        let (before, after) = match self.key.origin {
            ClientOrigin::Local => ("local ", ""),
            ClientOrigin::Private => ("", " in a private network"),
            ClientOrigin::Outside => ("", " from outside"),
            _ => ("", ""),
        };
        match &self.clients[..] {
            [client] => format!("{before}client {client}{after} was"),
            clients => {
                let more = match clients.len() {
                    CLIENTS_MAX => " or more",
                    _ => "",
                };
                format!("{}{more} {before}clients{after} were", clients.len())
            }
        }
    }

    /// Where the clients were sent to: one port, or the ports from the lowest to the highest.
    fn target(&self) -> String {
        if self.port_min == self.port_max {
            return self.offer.to_string();
        }
        let ports = format!("ports {}-{}", self.port_min, self.port_max);
        if self.offer.with_address {
            format!("{ports} of {}", self.key.address)
        } else {
            ports
        }
    }
}

/// Announced addresses are few, and clients cannot choose them.
const GROUPS_MAX: usize = 16;

/// Values of a flag that are logged separately.
const VALUES_MAX: usize = 4;

/// The clients of one group that are remembered. Of more clients, only the connections are counted.
const CLIENTS_MAX: usize = 64;

/// The number of connections at which a group is logged again.
const SEVERAL: u64 = 3;

/// The shortest time between a line of a group and the next one after a reset.
const SILENCE: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests;
