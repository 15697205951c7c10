//! Which passive ports clients have reached lately, and by which way: a fault of one client differs
//! from one of the site by them.
//!
//! While clients get through by the same ways, a data connection costs one atomic read here and no
//! lock. Memory is bounded.

use std::collections::{BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ftp_proto::{ClientOrigin, PassiveOffer};

use crate::locks::lock;

/// The ports that clients have reached, and those that they have not.
#[derive(Debug)]
pub(crate) struct ReachedPorts {
    start: Instant,
    /// By port: what was recorded last, as one number. What is recorded already changes nothing.
    recent: [AtomicU64; RECENT_SLOTS],
    table: Mutex<ReachTable>,
}

#[derive(Debug, Default)]
struct ReachTable {
    /// Each way and port has its slot, which it may share with others: the last one counts. Empty
    /// until something is recorded.
    reached: Vec<Option<PortReach>>,
    /// The oldest first.
    missed: VecDeque<PortMiss>,
}

/// A client that did not connect.
#[derive(Clone, Copy, Debug)]
struct PortMiss {
    way: Way,
    port: u16,
    client: IpAddr,
    at: Instant,
}

/// How a client gets to a passive port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Way {
    /// The local address of the control connection, on which the port is open too.
    local: IpAddr,
    announced: IpAddr,
    /// Whether the reply contained the announced address.
    with_address: bool,
    origin: ClientOrigin,
}

/// Who has reached a port by one way.
#[derive(Clone, Copy, Debug)]
struct PortReach {
    way: Way,
    port: u16,
    client: IpAddr,
    /// The last one before that was another one.
    other: Option<IpAddr>,
    at: Instant,
}

/// What is known about a port to which a client did not connect, and about its neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PortHistory {
    /// The port was reached by clients that were given the same address; if the reply contains it,
    /// only those count whose reply contained it too.
    pub(crate) is_reached: bool,
    /// The port was reached by clients whose reply did not contain the address.
    pub(crate) is_reached_without_address: bool,
    /// Some port was reached by clients whose reply contained the address.
    pub(crate) any_with_address: bool,
    /// Some port was reached by clients whose reply did not contain the address.
    pub(crate) any_without_address: bool,
    /// The client itself has reached ports: with a reply that contained an address, and with one
    /// that did not.
    pub(crate) client_with_address: bool,
    pub(crate) client_without_address: bool,
    /// Another client was sent to a port that is not among `reached`, and did not connect either.
    pub(crate) others_missed: bool,
    /// Another client has missed this port since it was last reached, or any port since one was.
    pub(crate) others_missed_since: bool,
    /// Ports that were reached by clients that were given the same address.
    pub(crate) reached: BTreeSet<u16>,
    /// Ports to which clients that were given the same address did not connect.
    pub(crate) missed: BTreeSet<u16>,
    /// The same address is announced to clients of another local address, and they get through.
    pub(crate) other_local: Option<IpAddr>,
}

impl Way {
    /// `local`: the server's end of the control connection.
    pub(crate) fn of(offer: &PassiveOffer, local: IpAddr) -> Self {
        Self {
            local,
            announced: offer.announcement.address,
            with_address: offer.with_address,
            origin: offer.origin,
        }
    }

    /// Whether both lead through the same routers, whatever the reply contains.
    fn is_like(&self, other: &Self) -> bool {
        let with_address = other.with_address;
        Self {
            with_address,
            ..*self
        } == *other
    }
}

impl Default for ReachedPorts {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            recent: [const { AtomicU64::new(0) }; RECENT_SLOTS],
            table: Mutex::default(),
        }
    }
}

impl ReachedPorts {
    /// The client has connected to this port.
    pub(crate) fn on_reached(&self, way: Way, port: u16, client: IpAddr, now: Instant) {
        let recent = &self.recent[usize::from(port) % RECENT_SLOTS];
        let stamp = self.stamp(way, port, client, now);
        if recent.load(Ordering::Relaxed) == stamp {
            return;
        }
        lock(&self.table).on_reached(way, port, client, now);
        recent.store(stamp, Ordering::Relaxed);
    }

    /// What is known about the port to which this client was sent and did not connect.
    pub(crate) fn history(&self, way: Way, port: u16, client: IpAddr, now: Instant) -> PortHistory {
        lock(&self.table).history(way, port, client, now)
    }

    /// The client was sent to this port and did not connect, and the port may be the reason.
    pub(crate) fn on_missed(&self, way: Way, port: u16, client: IpAddr, now: Instant) {
        lock(&self.table).on_missed(PortMiss {
            way,
            port,
            client,
            at: now,
        });
        // The next one that reaches a port shows that the site is not at fault.
        self.forget_recent();
    }

    /// The settings have changed: what was reached before says nothing about the new ones.
    pub(crate) fn clear(&self) {
        *lock(&self.table) = ReachTable::default();
        self.forget_recent();
    }

    fn forget_recent(&self) {
        for recent in &self.recent {
            recent.store(0, Ordering::Relaxed);
        }
    }

    /// A number for this event that is the same for a while; never 0.
    fn stamp(&self, way: Way, port: u16, client: IpAddr, now: Instant) -> u64 {
        let period = now.saturating_duration_since(self.start).as_secs() / STAMP_SECONDS;
        let mut hasher = DefaultHasher::new();
        (way, port, client, period).hash(&mut hasher);
        hasher.finish() | 1
    }
}

impl ReachTable {
    fn on_reached(&mut self, way: Way, port: u16, client: IpAddr, now: Instant) {
        self.missed
            .retain(|missed| !(missed.way.is_like(&way) && missed.port == port));
        self.reached.resize(REACHED_SLOTS, None);
        let slot = &mut self.reached[slot(way, port)];
        let before = slot.filter(|before| before.way == way && before.port == port);
        let other = before.and_then(|before| {
            if before.client == client {
                before.other
            } else {
                Some(before.client)
            }
        });
        *slot = Some(PortReach {
            way,
            port,
            client,
            other,
            at: now,
        });
    }

    fn on_missed(&mut self, miss: PortMiss) {
        let is_same = |other: &PortMiss| {
            (other.way, other.port, other.client) == (miss.way, miss.port, miss.client)
        };
        self.missed.retain(|other| !is_same(other));
        if self.missed.len() >= MISSED_MAX {
            self.missed.pop_front();
        }
        self.missed.push_back(miss);
    }

    fn history(&self, way: Way, port: u16, client: IpAddr, now: Instant) -> PortHistory {
        let mut history = PortHistory::default();
        let is_recent = |at: Instant| now.saturating_duration_since(at) < LATELY;
        let recent = self.reached.iter().flatten();
        let (mut port_reached, mut any_reached) = (None, None);
        for reach in recent.filter(|reach| is_recent(reach.at)) {
            let (other, number) = (&reach.way, &reach.port);
            if !other.is_like(&way) {
                let other_local = other.local != way.local && other.announced == way.announced;
                if other_local && other.origin == way.origin {
                    history.other_local = Some(other.local);
                }
                continue;
            }
            history.reached.insert(*number);
            any_reached = any_reached.max(Some(reach.at));
            if *number == port {
                port_reached = port_reached.max(Some(reach.at));
            }
            history.any_with_address |= other.with_address;
            history.any_without_address |= !other.with_address;
            // Without an address in the reply, the client connects to the one of the control
            // connection: usually the same, but not the other way round.
            history.is_reached |= *number == port && (other.with_address || !way.with_address);
            history.is_reached_without_address |= *number == port && !other.with_address;
            if reach.client == client || reach.other == Some(client) {
                history.client_with_address |= other.with_address;
                history.client_without_address |= !other.with_address;
            }
        }
        let missed = self.missed.iter().filter(|missed| is_recent(missed.at));
        for missed in missed.filter(|missed| missed.way.is_like(&way)) {
            history.missed.insert(missed.port);
            if missed.client == client {
                continue;
            }
            history.others_missed |= !history.reached.contains(&missed.port);
            let at = Some(missed.at);
            history.others_missed_since |=
                at >= any_reached || (missed.port == port && at >= port_reached);
        }
        history.missed.insert(port);
        history
    }
}

fn slot(way: Way, port: u16) -> usize {
    let mut hasher = DefaultHasher::new();
    way.hash(&mut hasher);
    // The ports of one way do not share slots.
    (usize::from(port) + hasher.finish() as usize % REACHED_SLOTS) % REACHED_SLOTS
}

/// How long what was reached says something about what can be reached.
const LATELY: Duration = Duration::from_secs(3600);

/// How long a client on one port is recorded only once: much less than [`LATELY`].
const STAMP_SECONDS: u64 = 300;

/// More than the ports of most ranges.
const RECENT_SLOTS: usize = 256;

/// Ways and ports that are remembered: about a hundred kilobytes.
const REACHED_SLOTS: usize = 1024;

const MISSED_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn way(with_address: bool) -> Way {
        Way {
            local: "192.168.77.2".parse().unwrap(),
            announced: "203.0.113.1".parse().unwrap(),
            with_address,
            origin: ClientOrigin::Outside,
        }
    }

    impl ReachedPorts {
        /// What is known, and that the client has missed the port.
        fn miss(&self, way: Way, port: u16, client: IpAddr, now: Instant) -> PortHistory {
            let history = self.history(way, port, client, now);
            self.on_missed(way, port, client, now);
            history
        }
    }

    fn client(last: u8) -> IpAddr {
        [198, 51, 100, last].into()
    }

    fn ports(ports: &[u16]) -> BTreeSet<u16> {
        ports.iter().copied().collect()
    }

    #[test]
    fn what_others_have_reached_is_known() {
        let table = ReachedPorts::default();
        let now = Instant::now();
        let nothing = table.miss(way(true), 60_000, client(1), now);
        let expected = PortHistory {
            missed: ports(&[60_000]),
            ..PortHistory::default()
        };
        assert_eq!(nothing, expected);
        table.on_reached(way(true), 60_000, client(2), now);
        table.on_reached(way(false), 60_001, client(1), now);
        let history = table.miss(way(true), 60_000, client(1), now);
        let expected = PortHistory {
            is_reached: true,
            any_with_address: true,
            any_without_address: true,
            client_without_address: true,
            reached: ports(&[60_000, 60_001]),
            missed: ports(&[60_000]),
            ..PortHistory::default()
        };
        assert_eq!(history, expected);
        let history = table.miss(way(true), 60_001, client(3), now);
        assert!(!history.is_reached && history.is_reached_without_address);
    }

    #[test]
    fn a_port_that_others_missed_too_is_known() {
        let table = ReachedPorts::default();
        let now = Instant::now();
        table.miss(way(true), 60_005, client(1), now);
        assert!(!table.miss(way(true), 60_006, client(1), now).others_missed);
        let history = table.miss(way(false), 60_007, client(2), now);
        assert!(history.others_missed);
        assert_eq!(history.missed, ports(&[60_005, 60_006, 60_007]));
        table.on_reached(way(true), 60_005, client(2), now);
        let history = table.miss(way(true), 60_007, client(2), now);
        assert_eq!(history.missed, ports(&[60_006, 60_007]));
        let later = now + LATELY;
        let history = table.miss(way(true), 60_008, client(3), later);
        assert_eq!(history.missed, ports(&[60_008]));
        assert!(!history.others_missed);
    }

    #[test]
    fn an_outage_is_what_others_miss_after_a_port_was_reached() {
        let table = ReachedPorts::default();
        let at = |seconds| table.start + Duration::from_secs(seconds);
        let is_missed = |port, last, seconds| {
            let history = table.history(way(true), port, client(last), at(seconds));
            history.others_missed_since
        };
        table.on_reached(way(true), 60_000, client(2), at(0));
        table.on_reached(way(true), 60_001, client(2), at(0));
        table.on_missed(way(true), 60_001, client(1), at(10));
        // What the client itself has missed may be its own fault.
        assert!(!is_missed(60_000, 1, 20) && is_missed(60_000, 3, 20));
        // That the same client reaches a port counts at once.
        table.on_reached(way(true), 60_000, client(2), at(30));
        assert!(!is_missed(60_000, 3, 40) && is_missed(60_001, 3, 40));
        table.on_reached(way(true), 60_001, client(2), at(50));
        assert!(!is_missed(60_001, 3, 60));
    }

    #[test]
    fn another_local_address_is_another_way() {
        let table = ReachedPorts::default();
        let now = Instant::now();
        let second = Way {
            local: "192.168.77.12".parse().unwrap(),
            ..way(true)
        };
        table.on_reached(way(true), 60_000, client(2), now);
        let history = table.miss(second, 60_000, client(1), now);
        assert_eq!(history.other_local, Some(way(true).local));
        assert!(!history.is_reached);
        let elsewhere = Way {
            origin: ClientOrigin::Local,
            ..way(true)
        };
        let history = table.miss(elsewhere, 60_000, client(1), now);
        assert!(!history.is_reached && history.other_local.is_none());
    }

    #[test]
    fn what_was_reached_long_ago_is_forgotten() {
        let table = ReachedPorts::default();
        let now = Instant::now();
        table.on_reached(way(true), 60_000, client(2), now);
        let later = now + LATELY;
        assert!(!table.miss(way(true), 60_000, client(1), later).is_reached);
        table.on_reached(way(true), 60_000, client(2), later);
        assert!(table.miss(way(true), 60_000, client(1), later).is_reached);
        table.clear();
        assert!(!table.miss(way(true), 60_000, client(1), later).is_reached);
        // The event is new for a table that is empty.
        table.on_reached(way(true), 60_000, client(2), later);
        assert!(table.miss(way(true), 60_000, client(1), later).is_reached);
    }

    #[test]
    fn a_repetition_takes_no_lock() {
        let table = ReachedPorts::default();
        table.on_reached(way(true), 60_000, client(2), table.start);
        let held = table.table.lock();
        table.on_reached(way(true), 60_000, client(2), table.start);
        drop(held);
    }

    #[test]
    fn memory_is_bounded() {
        let table = ReachedPorts::default();
        let now = Instant::now();
        for port in 1..=5000 {
            table.on_reached(way(true), port, client(1), now);
        }
        for port in 1..=100 {
            table.miss(way(false), port, client(2), now);
        }
        let inner = lock(&table.table);
        assert_eq!(inner.reached.len(), REACHED_SLOTS);
        assert_eq!(inner.missed.len(), MISSED_MAX);
    }
}
