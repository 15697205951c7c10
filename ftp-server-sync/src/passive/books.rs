//! The books of the passive port pool: which port is free, leased or blocked, and who waits.
//!
//! Nothing in this file touches a socket, a clock or the log, and nothing here wakes anybody: wakers
//! that are due pile up in [`Books::wakes`] for the caller, who has let go of the lock by then.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mio::Waker;

use super::Usage;

/// Who asks for a port; it keeps its arrival number, and so its place in the queue, through retries.
#[derive(Clone, Debug)]
pub(super) struct Applicant {
    /// The address to listen on, canonical, without port and flow label but with its scope.
    pub(super) local: SocketAddr,
    pub(super) peer: IpAddr,
    pub(super) waker: Arc<Waker>,
    pub(super) arrival: u64,
    pub(super) since: Instant,
    pub(super) waited: bool,
}

/// How a lease ended, as far as the next one to get the port is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nobody was told the port.
    Unannounced,
    /// A client was told the port and did not come: it still may.
    Unconnected,
    /// The client came.
    Connected,
}

/// What a lease learns when its port has been bound.
#[derive(Debug)]
pub(super) struct Bound {
    /// How many tickets wait for a port of the same local address, kept up to date.
    pub(super) waiting: Arc<AtomicUsize>,
    /// The port had been reported as held by another program.
    pub(super) was_held: bool,
}

/// All that the lock guards.
#[derive(Debug)]
pub(super) struct Books {
    ports: Vec<u16>,
    ledgers: HashMap<SocketAddr, Ledger>,
    arrivals: u64,
    /// Whom the caller wakes after letting go of the lock.
    wakes: Vec<Arc<Waker>>,
    waits: Waits,
}

impl Books {
    pub(super) fn new(ports: Vec<u16>) -> Self {
        Self {
            ports,
            ledgers: HashMap::new(),
            arrivals: 0,
            wakes: Vec::new(),
            waits: Waits::default(),
        }
    }

    /// A number for the next applicant: later ones queue behind it.
    pub(super) fn arrive(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }

    /// Marks a port as leased to the applicant, or else puts it in the queue.
    pub(super) fn request(&mut self, applicant: &mut Applicant, now: Instant) -> Option<u16> {
        self.make_room(applicant.local);
        let ledger = self
            .ledgers
            .entry(applicant.local)
            .or_insert_with(|| Ledger::new(&self.ports));
        ledger.revive(now, &mut self.wakes);
        let port = ledger.pick(applicant.peer);
        match port {
            Some(port) => {
                ledger.leased.insert(port, applicant.waker.clone());
            }
            None => {
                applicant.waited = true;
                ledger.enqueue(applicant.clone(), &mut self.wakes);
            }
        }
        port
    }

    /// The port that was assigned to a waiting applicant, if it is its turn.
    pub(super) fn take(&mut self, applicant: &Applicant, now: Instant) -> Option<u16> {
        let ledger = self.ledgers.get_mut(&applicant.local)?;
        ledger.revive(now, &mut self.wakes);
        ledger.assigned.remove(&applicant.arrival)
    }

    /// Takes an applicant out of the queue; a port that it was already assigned goes to the next.
    pub(super) fn leave(&mut self, applicant: &Applicant, now: Instant) {
        if let Some(ledger) = self.ledgers.get_mut(&applicant.local) {
            match ledger.assigned.remove(&applicant.arrival) {
                Some(port) => ledger.release(port, &mut self.wakes),
                None => ledger.dequeue(applicant.arrival),
            }
        }
        self.waits.note(applicant, now);
    }

    /// Notes that the applicant now listens on its port.
    pub(super) fn bound(
        &mut self,
        applicant: &Applicant,
        port: u16,
        now: Instant,
    ) -> Option<Bound> {
        self.waits.note(applicant, now);
        let ledger = self.ledgers.get_mut(&applicant.local)?;
        Some(Bound {
            waiting: ledger.waiting_count.clone(),
            was_held: ledger.held.remove(&port),
        })
    }

    /// Sets a leased port aside because another program holds it; true if that is news.
    pub(super) fn block(&mut self, local: SocketAddr, port: u16, until: Instant) -> bool {
        let Some(ledger) = self.ledgers.get_mut(&local) else {
            return false;
        };
        ledger.leased.remove(&port);
        ledger.blocked.insert(port, until);
        ledger.held.insert(port)
    }

    /// Ends a lease: the port goes to whoever waits longest, else it is free.
    pub(super) fn give_back(&mut self, applicant: &Applicant, port: u16, ending: Ending) {
        if let Some(ledger) = self.ledgers.get_mut(&applicant.local) {
            ledger.remember(applicant.peer, port, ending);
            ledger.release(port, &mut self.wakes);
        }
    }

    pub(super) fn take_wakes(&mut self) -> Vec<Arc<Waker>> {
        mem::take(&mut self.wakes)
    }

    /// What the log should say about waiting clients, at most once per [`WAITS_REPORT_INTERVAL`].
    pub(super) fn waits_due(&mut self, now: Instant) -> Option<WaitsReport> {
        self.waits.due(now)
    }

    pub(super) fn usage(&self) -> Usage {
        let sum = |count: fn(&Ledger) -> usize| -> usize { self.ledgers.values().map(count).sum() };
        Usage {
            ports: self.ports.len(),
            in_use: sum(|ledger| ledger.leased.len()),
            waiting: sum(|ledger| ledger.waiting.len()),
            blocked: sum(|ledger| ledger.blocked.len()),
        }
    }

    /// A host that answers on a whole network (AnyIP) must not collect a ledger per address for ever.
    fn make_room(&mut self, local: SocketAddr) {
        if self.ledgers.len() >= LEDGERS_MAX && !self.ledgers.contains_key(&local) {
            self.ledgers.retain(|_, ledger| !ledger.is_idle());
        }
    }
}

/// How long clients waited for ports since the log last said so.
#[derive(Debug)]
pub(super) struct WaitsReport {
    pub(super) clients: usize,
    pub(super) longest: Duration,
    /// The time that the report covers.
    pub(super) over: Duration,
}

#[derive(Debug, Default)]
struct Waits {
    clients: usize,
    longest: Duration,
    first: Option<Instant>,
    reported: Option<Instant>,
}

impl Waits {
    fn note(&mut self, applicant: &Applicant, now: Instant) {
        if applicant.waited {
            self.clients += 1;
            self.longest = self
                .longest
                .max(now.saturating_duration_since(applicant.since));
            self.first.get_or_insert(applicant.since);
        }
    }

    fn due(&mut self, now: Instant) -> Option<WaitsReport> {
        let first = self.first?;
        let recent = |reported| now.saturating_duration_since(reported) < WAITS_REPORT_INTERVAL;
        if self.reported.is_some_and(recent) {
            return None;
        }
        let report = WaitsReport {
            clients: self.clients,
            longest: self.longest,
            over: now.saturating_duration_since(first),
        };
        *self = Self {
            reported: Some(now),
            ..Self::default()
        };
        Some(report)
    }
}

/// The ports of one local address. Each is in exactly one of `free`, `leased` and `blocked`, and
/// `free` is empty while anybody waits.
#[derive(Debug)]
struct Ledger {
    /// Least recently used first.
    free: VecDeque<u16>,
    /// The owner's waker by port, also of ports that are assigned to a ticket.
    leased: HashMap<u16, Arc<Waker>>,
    /// Held by another program until then, as far as we know.
    blocked: BTreeMap<u16, Instant>,
    /// Ports that the log called held and has not called free again.
    held: BTreeSet<u16>,
    /// In the order of arrival.
    waiting: VecDeque<Applicant>,
    /// The length of `waiting`, where the owners of leases can see it without the lock.
    waiting_count: Arc<AtomicUsize>,
    /// Ports that tickets were given and have not taken yet, by arrival.
    assigned: HashMap<u64, u16>,
    /// Clients that did not come to a port, oldest first.
    unconnected: VecDeque<(IpAddr, u16)>,
}

impl Ledger {
    fn new(ports: &[u16]) -> Self {
        Self {
            free: shuffled(ports),
            leased: HashMap::new(),
            blocked: BTreeMap::new(),
            held: BTreeSet::new(),
            waiting: VecDeque::new(),
            waiting_count: Arc::default(),
            assigned: HashMap::new(),
            unconnected: VecDeque::new(),
        }
    }

    fn is_idle(&self) -> bool {
        self.leased.is_empty() && self.waiting.is_empty() && self.blocked.is_empty()
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

    fn enqueue(&mut self, applicant: Applicant, wakes: &mut Vec<Arc<Waker>>) {
        // Owners learn that somebody waits when the first one does; further ones change nothing.
        if self.waiting.is_empty() {
            wakes.extend(self.leased.values().cloned());
        }
        let place = self
            .waiting
            .partition_point(|other| other.arrival < applicant.arrival);
        self.waiting.insert(place, applicant);
        self.publish_waiting();
    }

    fn dequeue(&mut self, arrival: u64) {
        self.waiting.retain(|other| other.arrival != arrival);
        self.publish_waiting();
    }

    fn release(&mut self, port: u16, wakes: &mut Vec<Arc<Waker>>) {
        self.leased.remove(&port);
        self.free.push_back(port);
        self.serve(wakes);
    }

    /// Ports whose time aside is over may be tried again.
    fn revive(&mut self, now: Instant, wakes: &mut Vec<Arc<Waker>>) {
        let free = &mut self.free;
        self.blocked.retain(|&port, until| {
            let over = *until <= now;
            if over {
                free.push_back(port);
            }
            !over
        });
        self.serve(wakes);
    }

    /// Assigns free ports to those who wait, in the order of arrival.
    fn serve(&mut self, wakes: &mut Vec<Arc<Waker>>) {
        while let Some(peer) = self.waiting.front().map(|first| first.peer) {
            let Some(port) = self.pick(peer) else { break };
            let Some(first) = self.waiting.pop_front() else {
                break;
            };
            self.leased.insert(port, first.waker.clone());
            self.assigned.insert(first.arrival, port);
            wakes.push(first.waker);
            self.publish_waiting();
        }
    }

    fn remember(&mut self, peer: IpAddr, port: u16, ending: Ending) {
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

    fn publish_waiting(&self) {
        self.waiting_count
            .store(self.waiting.len(), Ordering::SeqCst);
    }
}

/// The same ports in an order that differs from one start to the next.
fn shuffled(ports: &[u16]) -> VecDeque<u16> {
    let mut ports = ports.to_vec();
    let seed = RandomState::new();
    for last in (1..ports.len()).rev() {
        let mut hasher = seed.build_hasher();
        hasher.write_usize(last);
        let other = hasher.finish() % (last as u64 + 1);
        ports.swap(last, other as usize);
    }
    ports.into()
}

/// How often at most the log says that clients had to wait.
const WAITS_REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// Beyond so many local addresses, those without a lease are forgotten.
const LEDGERS_MAX: usize = 64;

/// How many missed appointments of clients are remembered per local address.
const UNCONNECTED_MAX: usize = 256;

#[cfg(test)]
impl Books {
    /// Panics unless every port has exactly one place and nobody waits beside a free port.
    pub(super) fn check(&self) {
        for ledger in self.ledgers.values() {
            let mut ports: Vec<u16> = ledger.free.iter().copied().collect();
            ports.extend(ledger.leased.keys());
            ports.extend(ledger.blocked.keys());
            ports.sort_unstable();
            assert_eq!(ports, self.ports);
            assert!(ledger.waiting.is_empty() || ledger.free.is_empty());
            let arrivals = ledger.waiting.iter().map(|waiting| waiting.arrival);
            assert!(arrivals.is_sorted());
            let published = ledger.waiting_count.load(Ordering::SeqCst);
            assert_eq!(ledger.waiting.len(), published);
            assert!(
                ledger
                    .assigned
                    .values()
                    .all(|port| ledger.leased.contains_key(port))
            );
        }
    }

    /// Whether every port that is free at `local` is one that `peer` did not come to before.
    pub(super) fn all_free_are_shunned(&self, local: SocketAddr, peer: IpAddr) -> bool {
        self.ledgers.get(&local).is_some_and(|ledger| {
            let shunned = |&port: &u16| ledger.unconnected.contains(&(peer, port));
            ledger.free.iter().all(shunned)
        })
    }

    pub(super) fn is_shunned(&self, local: SocketAddr, peer: IpAddr, port: u16) -> bool {
        self.ledgers
            .get(&local)
            .is_some_and(|ledger| ledger.unconnected.contains(&(peer, port)))
    }
}
