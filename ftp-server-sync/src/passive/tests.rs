//! Tests of the pool: properties against a reference model, real sockets, many threads.
//!
//! Sockets are bound at 127.83.0.0/16 or ::1, below the kernel's own port range, where no other
//! program listens.

mod addresses;
mod change;
mod load;
mod model;
mod neighbours;
mod reference;
mod sharing;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener, TcpStream};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ftp_proto::AllowedPeers;
use mio::{Events, Poll, Token, Waker};

use super::lease::{Lease, RETRY_AFTER, RequestOutcome};
use super::listener::BindError;
use super::pool::{PoolState, Usage};
use super::ports::KEPT_OUT_FOR;
use super::request::{Answer, Request};
use super::*;
use crate::net::port_range::PortRange;
use crate::net::socket::listen;

const FIRST: u16 = 20811;

/// A poll with its waker, to see whether the waker was called.
struct Sleeper {
    poll: Poll,
    waker: Arc<Waker>,
}

impl Sleeper {
    fn new() -> Self {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        Self { poll, waker }
    }

    fn woken_within(&mut self, timeout: Duration) -> bool {
        let mut events = Events::with_capacity(4);
        self.poll.poll(&mut events, Some(timeout)).unwrap();
        !events.is_empty()
    }

    fn woken(&mut self) -> bool {
        self.woken_within(Duration::ZERO)
    }
}

/// One client at one local address.
struct Client {
    pool: PassivePool,
    local: SocketAddr,
    sleeper: Sleeper,
    now: Instant,
}

impl Client {
    fn new(pool: &PassivePool, local_last: u8) -> Self {
        Self {
            pool: pool.clone(),
            local: local(local_last),
            sleeper: Sleeper::new(),
            now: Instant::now(),
        }
    }

    fn request(&self) -> RequestOutcome {
        let waker = self.sleeper.waker.clone();
        self.pool.request(self.local, peer(1), waker, self.now)
    }

    fn open(&self) -> io::Result<OpenOutcome> {
        let waker = self.sleeper.waker.clone();
        self.pool.open(self.local, peer(1), waker, self.now)
    }
}

fn local(last: u8) -> SocketAddr {
    SocketAddr::from(([127, 83, 0, last], 21))
}

/// The addresses of different clients are far apart.
fn address(client: u8) -> IpAddr {
    IpAddr::from([192, 0, client, 1])
}

/// A new session of this client.
fn peer(client: u8) -> Requester {
    requester(AllowedPeers::only(address(client)))
}

/// A new session that accepts these connections.
fn requester(allowed_peers: AllowedPeers) -> Requester {
    static LAST: AtomicU64 = AtomicU64::new(0);
    Requester {
        session: LAST.fetch_add(1, Ordering::Relaxed) + 1,
        allowed_peers,
        is_local: false,
        balancers: Arc::default(),
    }
}

/// The range of these ports.
fn range(ports: RangeInclusive<u16>) -> PortRange {
    PortRange::new(*ports.start(), *ports.end()).unwrap()
}

fn pool(count: u16) -> PassivePool {
    PassivePool::new(Some(range(FIRST..=FIRST + count - 1)))
}

fn granted(outcome: RequestOutcome) -> Lease {
    match outcome {
        RequestOutcome::Granted(lease) => lease,
        other => panic!("{other:?}"),
    }
}

fn queued(outcome: RequestOutcome) -> Ticket {
    match outcome {
        RequestOutcome::Queued(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

fn port_of(lease: &Lease) -> u16 {
    lease.port
}

fn opened(opening: io::Result<OpenOutcome>) -> PassiveListener {
    match opening.unwrap() {
        OpenOutcome::Opened(listener) => listener,
        OpenOutcome::Queued(_) => panic!("queued"),
    }
}

fn still_queued(opening: io::Result<OpenOutcome>) -> Ticket {
    match opening.unwrap() {
        OpenOutcome::Queued(ticket) => ticket,
        OpenOutcome::Opened(listener) => panic!("opened {}", listener.port()),
    }
}

/// Accepts the client's connection.
fn accepted(listener: &mut PassiveListener) -> mio::net::TcpStream {
    match listener.accept().unwrap() {
        Some(IncomingConnection::Own(stream, _)) => stream,
        other => panic!("{other:?}"),
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn tickets_are_served_in_order_and_newcomers_do_not_overtake() {
    let (pool, now) = (pool(1), Instant::now());
    let [mut first, mut second, third] = [Sleeper::new(), Sleeper::new(), Sleeper::new()];
    let ask = |sleeper: &Sleeper| pool.request(local(1), peer(1), sleeper.waker.clone(), now);

    let lease = granted(ask(&third));
    let first_ticket = queued(ask(&first));
    let second_ticket = queued(ask(&second));
    let first_ticket = queued(first_ticket.take(now));
    drop(lease);
    assert!(first.woken());
    assert!(!second.woken());

    // The port is the first ticket's even before that asks for it.
    let newcomer = queued(ask(&third));
    let second_ticket = queued(second_ticket.take(now));
    let lease = granted(first_ticket.take(now));
    assert_eq!((pool.usage().in_use, pool.usage().waiting), (1, 2));

    // A ticket that leaves after it was assigned a port passes it on.
    drop(lease);
    assert!(second.woken());
    drop(second_ticket);
    drop(granted(newcomer.take(now)));
    assert_eq!(pool.usage().in_use, 0);
}

#[test]
fn local_addresses_do_not_compete() {
    let (pool, now, sleeper) = (pool(1), Instant::now(), Sleeper::new());
    let ask = |local| pool.request(local, peer(1), sleeper.waker.clone(), now);
    let scoped = |text: &str| text.parse::<SocketAddr>().unwrap();

    let _one = granted(ask(local(1)));
    let _two = granted(ask(local(2)));
    let _mapped = queued(ask(scoped("[::ffff:127.83.0.2]:5")));
    let _link_a = granted(ask(scoped("[fe80::1%2]:21")));
    let _link_b = granted(ask(scoped("[fe80::1%3]:21")));
    let _link_c = queued(ask(scoped("[fe80::1%3]:99")));
    assert_eq!(
        pool.usage(),
        Usage {
            ports: 1,
            in_use: 4,
            leases: 4,
            waiting: 2,
            set_aside: 0
        }
    );
}

#[test]
fn ports_come_round_least_recently_used_first() {
    let (pool, now, sleeper) = (pool(5), Instant::now(), Sleeper::new());
    let next = || {
        let outcome = pool.request(local(1), peer(1), sleeper.waker.clone(), now);
        port_of(&granted(outcome))
    };
    let round: Vec<u16> = (0..5).map(|_| next()).collect();
    let again: Vec<u16> = (0..5).map(|_| next()).collect();
    assert_eq!(round, again);
    assert_eq!(BTreeSet::from_iter(round).len(), 5);
}

#[test]
fn a_client_gets_a_port_that_it_did_not_connect_to_last() {
    let (pool, now, sleeper) = (pool(3), Instant::now(), Sleeper::new());
    let ask = |who| granted(pool.request(local(2), peer(who), sleeper.waker.clone(), now));

    let missed = ask(1).bind(now).unwrap();
    let missed_port = missed.port();
    drop(missed);
    for _ in 0..6 {
        let listener = ask(1).bind(now).unwrap();
        assert_ne!(listener.port(), missed_port);
        listener.close(LeaseEnd::Connected);
    }
    let others: Vec<Lease> = (0..2).map(|_| ask(1)).collect();
    let last = ask(1).bind(now).unwrap();
    assert_eq!(last.port(), missed_port);
    last.close(LeaseEnd::Connected);
    drop(others);

    // It has connected at last, so the port is like any other again.
    let ports = BTreeSet::from_iter((0..3).map(|_| port_of(&ask(1))));
    assert!(ports.contains(&missed_port));
}

#[test]
fn owners_learn_of_waiting_requests_and_yield() {
    let (pool, now) = (pool(1), Instant::now());
    let [mut owner, mut waiter] = [Sleeper::new(), Sleeper::new()];
    let listener = opened(pool.open(local(3), peer(1), owner.waker.clone(), now));
    assert_eq!(listener.yield_deadline(), None);

    let ticket = still_queued(pool.open(local(3), peer(1), waiter.waker.clone(), now));
    assert!(owner.woken());
    assert_eq!(listener.yield_deadline(), Some(now + seconds(5)));
    drop(ticket);
    assert_eq!(listener.yield_deadline(), None);

    let ticket = still_queued(pool.open(local(3), peer(1), waiter.waker.clone(), now));
    assert!(owner.woken());
    assert!(!waiter.woken());
    let elsewhere = opened(pool.open(local(4), peer(2), waiter.waker.clone(), now));
    assert_eq!(elsewhere.yield_deadline(), None);
    drop(listener);
    assert!(waiter.woken());
    let listener = opened(ticket.open(now + seconds(5)));
    assert_eq!(listener.yield_deadline(), None);
}

#[test]
fn a_port_of_another_program_is_skipped_and_used_later() {
    let (pool, now, sleeper) = (pool(2), Instant::now(), Sleeper::new());
    let ask = |now| pool.open(local(5), peer(1), sleeper.waker.clone(), now);
    let other_program = StdListener::bind(SocketAddr::new(local(5).ip(), FIRST)).unwrap();

    let listener = opened(ask(now));
    assert_eq!(listener.port(), FIRST + 1);
    let ticket = still_queued(ask(now));
    assert_eq!(pool.usage().set_aside, 1);

    // Still in use when it is retried: the ticket waits on at its place.
    let ticket = still_queued(ticket.open(now + seconds(10)));
    let newcomer = still_queued(ask(now + seconds(11)));
    drop(other_program);
    let ticket = still_queued(ticket.open(now + seconds(19)));
    let newcomer = still_queued(newcomer.open(now + seconds(20)));
    let reopened = opened(ticket.open(now + seconds(20)));
    assert_eq!(reopened.port(), FIRST);
    assert_eq!(pool.usage().set_aside, 0);
    reopened.close(LeaseEnd::Connected);
    drop(opened(newcomer.open(now + seconds(20))));
}

#[test]
fn the_request_waits_while_other_programs_use_every_port() {
    let (pool, now, sleeper) = (pool(2), Instant::now(), Sleeper::new());
    let hold = |port| StdListener::bind(SocketAddr::new(local(6).ip(), port)).unwrap();
    let other_programs = [hold(FIRST), hold(FIRST + 1)];
    let ticket = still_queued(pool.open(local(6), peer(1), sleeper.waker.clone(), now));
    assert_eq!(pool.usage().set_aside, 2);
    drop(other_programs);
    drop(opened(ticket.open(now + seconds(10))));
    assert_eq!(pool.usage().in_use, 0);
}

#[test]
fn a_port_is_free_while_its_transfers_run() {
    let (pool, now, sleeper) = (pool(1), Instant::now(), Sleeper::new());
    let mut transfers = Vec::new();
    for _ in 0..3 {
        let localhost = requester(AllowedPeers::only(IpAddr::from([127, 0, 0, 1])));
        let opening = pool.open(local(7), localhost, sleeper.waker.clone(), now);
        let mut listener = opened(opening);
        let address = SocketAddr::new(local(7).ip(), listener.port());
        let client = TcpStream::connect(address).unwrap();
        let server = accepted(&mut listener);
        listener.close(LeaseEnd::Connected);
        assert!(TcpStream::connect(address).is_err());
        transfers.push((client, server));
    }
    assert_eq!(pool.usage().in_use, 0);
}

#[test]
fn without_a_range_the_kernel_chooses() {
    let (pool, now, sleeper) = (PassivePool::new(None), Instant::now(), Sleeper::new());
    let open = || opened(pool.open(local(8), peer(1), sleeper.waker.clone(), now));
    let listeners = [open(), open(), open()];
    let ports = listeners.each_ref().map(PassiveListener::port);
    assert_eq!(BTreeSet::from(ports).len(), 3);
    assert!(!ports.contains(&0));
    assert_eq!(listeners[0].yield_deadline(), None);
    assert_eq!(
        pool.usage(),
        Usage::default(),
        "the pool does not know them"
    );
    let addresses = ports.map(|port| SocketAddr::new(local(8).ip(), port));
    for address in addresses {
        TcpStream::connect(address).unwrap();
    }
    drop(listeners);
    assert!(
        addresses
            .iter()
            .all(|address| TcpStream::connect(address).is_err())
    );
}

#[test]
fn an_address_of_another_machine_is_an_error() {
    let (pool, now, sleeper) = (pool(2), Instant::now(), Sleeper::new());
    let foreign = SocketAddr::from(([192, 0, 2, 1], 21));
    let opening = pool.open(foreign, peer(1), sleeper.waker.clone(), now);
    assert_eq!(opening.unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
    assert_eq!(pool.usage().in_use, 0);
}

#[test]
fn ipv6_listens_on_its_own_address() {
    let (pool, now, sleeper) = (pool(1), Instant::now(), Sleeper::new());
    let local: SocketAddr = "[::1]:21".parse().unwrap();
    let localhost = requester(AllowedPeers::only(local.ip()));
    let mut listener = match pool.open(local, localhost, sleeper.waker.clone(), now) {
        // A machine without IPv6 cannot run this test.
        Err(_) => return,
        opening => opened(opening),
    };
    assert_eq!(listener.port(), FIRST);
    let _client = TcpStream::connect(SocketAddr::new(local.ip(), FIRST)).unwrap();
    accepted(&mut listener);
}

#[test]
fn waits_are_reported_once_a_minute() {
    let (start, sleeper) = (Instant::now(), Sleeper::new());
    let mut state = PoolState::new(Some(range(FIRST..=FIRST)));
    let mut wait = |from: u64, to: u64| {
        let since = start + seconds(from);
        let (id, waker) = (state.next_id(), sleeper.waker.clone());
        let mut request = Request::new(local(1), peer(1), waker, id, since);
        if state.request(&mut request, since) == Answer::Queued {
            state.leave(&request, start + seconds(to));
        }
        let report = state.waits_due(start + seconds(to))?;
        Some((report.requests, report.longest, report.over))
    };
    assert_eq!(wait(0, 0), None);
    // The port came at once.
    assert_eq!(wait(1, 1), None);
    assert_eq!(wait(1, 4), Some((1, seconds(3), seconds(3))));
    assert_eq!(wait(5, 6), None);
    assert_eq!(wait(60, 63), None);
    assert_eq!(wait(62, 64), Some((3, seconds(3), seconds(59))));
    assert_eq!(wait(200, 202), Some((1, seconds(2), seconds(2))));
}

#[test]
fn every_port_can_be_in_the_range() {
    assert_eq!(
        PassivePool::new(Some(range(1..=u16::MAX))).usage().ports,
        65535
    );
}

#[test]
fn memory_for_unused_local_addresses_is_freed() {
    let (pool, now, sleeper) = (pool(2), Instant::now(), Sleeper::new());
    let mut leases = Vec::new();
    for last in 0..=u8::MAX {
        let outcome = pool.request(local(last), peer(1), sleeper.waker.clone(), now);
        if last < 3 {
            leases.push(granted(outcome));
        }
    }
    assert_eq!(pool.usage().in_use, 3);
    drop(leases);
    assert_eq!(pool.usage().in_use, 0);
}

#[test]
fn eight_threads_share_three_ports() {
    let pool = pool(3);
    let taken: [AtomicBool; 3] = Default::default();
    thread::scope(|scope| {
        for thread in 0..8u8 {
            let (pool, taken) = (&pool, &taken);
            scope.spawn(move || hammer(pool, taken, thread));
        }
    });
    let usage = pool.usage();
    assert_eq!((usage.in_use, usage.waiting), (0, 0));
}

fn hammer(pool: &PassivePool, taken: &[AtomicBool; 3], thread: u8) {
    let mut sleeper = Sleeper::new();
    let give_up = Instant::now() + seconds(30);
    for round in 0..150 {
        let now = Instant::now();
        let mut opening = pool.open(local(9), peer(1), sleeper.waker.clone(), now);
        let listener = loop {
            match opening.unwrap() {
                OpenOutcome::Opened(listener) => break Some(listener),
                // Some clients stop waiting.
                OpenOutcome::Queued(ticket) if (round + i32::from(thread)) % 7 == 0 => {
                    drop(ticket);
                    break None;
                }
                OpenOutcome::Queued(ticket) => {
                    assert!(sleeper.woken_within(seconds(30)), "not woken");
                    assert!(Instant::now() < give_up, "never served");
                    opening = ticket.open(Instant::now());
                }
            }
        };
        let Some(listener) = listener else { continue };
        let mine = &taken[usize::from(listener.port() - FIRST)];
        assert!(!mine.swap(true, Ordering::SeqCst), "leased twice");
        thread::yield_now();
        mine.store(false, Ordering::SeqCst);
        if round % 2 == 0 {
            listener.close(LeaseEnd::Connected);
        }
    }
}
