//! Clients that are far apart on one port: each session gets its own client's connection,
//! whichever session accepts it.

use std::io::{Read, Write};

use socket2::{Domain, Socket, Type};

use super::*;

/// A client's own address, from which it can connect. Those of different clients are far apart.
fn host(last: u8) -> IpAddr {
    IpAddr::from([127, 83, last, 1])
}

/// A session of the client at this host.
fn session(host_last: u8) -> Requester {
    requester(AllowedPeers::only(host(host_last)))
}

fn open(pool: &PassivePool, at: u8, host_last: u8, sleeper: &Sleeper) -> io::Result<OpenOutcome> {
    let waker = sleeper.waker.clone();
    pool.open(local(at), session(host_last), waker, Instant::now())
}

/// A connection from this host, with the host's number as its first byte.
fn connect(from: u8, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(host(from), 0).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.write_all(&[from]).unwrap();
    stream
}

/// The host that sent the first byte.
fn sender(stream: mio::net::TcpStream) -> u8 {
    let mut stream = TcpStream::from(stream);
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(seconds(10))).unwrap();
    let mut byte = [0];
    stream.read_exact(&mut byte).unwrap();
    byte[0]
}

#[test]
fn different_addresses_share_a_port_and_one_address_waits() {
    let (pool, now) = (pool(1), Instant::now());
    let mut sleepers: [Sleeper; 5] = std::array::from_fn(|_| Sleeper::new());
    let ask =
        |which: usize, who| pool.request(local(20), peer(who), sleepers[which].waker.clone(), now);
    let first = granted(ask(0, 1));
    let second = granted(ask(1, 2));
    let third = granted(ask(2, 3));
    let ports = [&first, &second, &third].map(port_of);
    assert_eq!(ports, [FIRST; 3]);
    assert_eq!((pool.usage().in_use, pool.usage().leases), (1, 3));

    let again = queued(ask(3, 1));
    let next = queued(ask(4, 1));
    drop(second);
    // Another client's end does not help.
    let again = queued(again.take(now));
    drop(first);
    assert!(sleepers[3].woken());
    assert!(!sleepers[4].woken());
    let again = granted(again.take(now));
    assert_eq!(port_of(&again), FIRST);
    drop((again, next, third));
    assert_eq!((pool.usage().in_use, pool.usage().leases), (0, 0));
}

#[test]
fn free_ports_come_first_then_those_with_fewest_owners() {
    let (pool, now, sleeper) = (pool(2), Instant::now(), Sleeper::new());
    let ask = |who| granted(pool.request(local(21), peer(who), sleeper.waker.clone(), now));
    let leases: Vec<Lease> = (1..=6).map(ask).collect();
    let count = |port| leases.iter().filter(|lease| port_of(lease) == port).count();
    assert_eq!([count(FIRST), count(FIRST + 1)], [3, 3]);
    assert_ne!(port_of(&leases[0]), port_of(&leases[1]));
}

#[test]
fn a_session_that_allows_any_peer_does_not_share_its_port() {
    let (pool, now) = (pool(1), Instant::now());
    let [mut owner, mut exclusive, mut late] = [Sleeper::new(), Sleeper::new(), Sleeper::new()];
    let ask = |sleeper: &Sleeper, requester| {
        pool.request(local(22), requester, sleeper.waker.clone(), now)
    };
    let shared = granted(ask(&owner, peer(1))).bind(now).unwrap();
    let other = granted(ask(&owner, peer(2)));
    let waiting = queued(ask(&exclusive, requester(AllowedPeers::any(address(3)))));
    assert!(owner.woken());
    assert!(shared.yield_deadline().is_some());
    // Else others could go on sharing, and the waiting request would never get the port.
    let newcomer = queued(ask(&late, peer(4)));
    drop(shared);
    let waiting = queued(waiting.take(now));
    drop(other);
    assert!(exclusive.woken());
    let alone = granted(waiting.take(now));
    let newcomer = queued(newcomer.take(now));
    drop(alone);
    assert!(late.woken());
    drop(granted(newcomer.take(now)));
}

#[test]
fn owners_yield_only_to_requests_that_they_block() {
    let (pool, now) = (pool(1), Instant::now());
    let [mut one, mut two, third] = [Sleeper::new(), Sleeper::new(), Sleeper::new()];
    let first = opened(pool.open(local(23), peer(1), one.waker.clone(), now));
    let second = opened(pool.open(local(23), peer(2), two.waker.clone(), now));
    let ticket = still_queued(pool.open(local(23), peer(2), third.waker.clone(), now));
    assert_eq!(first.yield_deadline(), None);
    assert_eq!(second.yield_deadline(), Some(now + seconds(5)));
    assert!(two.woken());
    assert!(!one.woken());
    drop(ticket);
    assert_eq!(second.yield_deadline(), None);
}

#[test]
fn a_connection_goes_to_the_session_that_allows_its_address() {
    let pool = pool(1);
    let mut sleepers: [Sleeper; 3] = std::array::from_fn(|_| Sleeper::new());
    let mut listeners: Vec<PassiveListener> = (0..3u8)
        .map(|index| opened(open(&pool, 24, index + 1, &sleepers[usize::from(index)])))
        .collect();
    let port = SocketAddr::new(local(24).ip(), FIRST);
    let _clients = [connect(2, port), connect(9, port), connect(3, port)];

    // The first session, whose own client has not connected, accepts for the others.
    let mut seen = Vec::new();
    while let Some(connection) = listeners[0].accept().unwrap() {
        seen.push(match connection {
            IncomingConnection::Own(..) => panic!("its client has not connected"),
            IncomingConnection::HandedOver(from) => (true, from.ip()),
            IncomingConnection::Rejected(from) => (false, from.ip()),
        });
    }
    let expected = [(true, 2), (false, 9), (true, 3)];
    assert_eq!(seen, expected.map(|(handed, last)| (handed, host(last))));
    assert!(!sleepers[0].woken());
    for last in [2, 3u8] {
        let index = usize::from(last - 1);
        assert!(sleepers[index].woken());
        assert_eq!(sender(accepted(&mut listeners[index])), last);
    }
    let _late = connect(1, port);
    assert_eq!(sender(accepted(&mut listeners[0])), 1);

    // The last one closes the port, and none before it.
    for listener in listeners.drain(..) {
        drop(connect(7, port));
        listener.close(LeaseEnd::Connected);
    }
    assert!(TcpStream::connect(port).is_err());
    drop(opened(open(&pool, 24, 1, &sleepers[0])));
}

/// A session gets every connection of its client, one after the other, also those that another
/// session accepts. If it does not accept them itself, the fifth one is rejected.
#[test]
fn a_session_gets_several_connections_of_its_client() {
    let pool = pool(1);
    let [mut idle, mut one] = [Sleeper::new(), Sleeper::new()];
    let mut accepting = opened(open(&pool, 31, 1, &idle));
    let mut listener = opened(open(&pool, 31, 2, &one));
    let port = SocketAddr::new(local(31).ip(), FIRST);
    let clients: Vec<TcpStream> = (0..6).map(|_| connect(2, port)).collect();
    for _ in 0..4 {
        let next = accepting.accept().unwrap();
        assert!(matches!(next, Some(IncomingConnection::HandedOver(_))));
        assert!(one.woken());
    }
    let next = accepting.accept().unwrap();
    assert!(matches!(next, Some(IncomingConnection::Rejected(_))));
    // The one that is still in the kernel's queue comes after those that were handed over.
    let ports = |stream: &TcpStream| stream.local_addr().unwrap().port();
    let expected: Vec<u16> = [0, 1, 2, 3, 5].map(|index| ports(&clients[index])).into();
    let got = (0..5).map(|_| accepted(&mut listener).peer_addr().unwrap().port());
    assert_eq!(got.collect::<Vec<u16>>(), expected);
    assert!(listener.accept().unwrap().is_none());
    let _late = connect(2, port);
    assert_eq!(sender(accepted(&mut listener)), 2);
    assert!(!idle.woken());
}

#[test]
fn a_handed_over_connection_is_closed_with_its_session() {
    let (pool, sleeper) = (pool(1), Sleeper::new());
    let mut one = opened(open(&pool, 25, 1, &sleeper));
    let other = opened(open(&pool, 25, 2, &sleeper));
    let mut client = connect(2, SocketAddr::new(local(25).ip(), FIRST));
    assert!(matches!(
        one.accept().unwrap(),
        Some(IncomingConnection::HandedOver(_))
    ));
    drop(other);
    client.set_read_timeout(Some(seconds(10))).unwrap();
    // The end, or a reset because of the unread byte.
    assert!(matches!(client.read(&mut [0]), Ok(0) | Err(_)));
    assert!(one.accept().unwrap().is_none());
}

#[test]
fn a_poll_reports_connections_until_its_session_leaves() {
    let (pool, sleeper) = (pool(1), Sleeper::new());
    let mut polls: [Poll; 2] = std::array::from_fn(|_| Poll::new().unwrap());
    let mut listeners: Vec<PassiveListener> = (1..=2)
        .map(|last| opened(open(&pool, 26, last, &sleeper)))
        .collect();
    let is_reported = |poll: &mut Poll, within| {
        let mut events = Events::with_capacity(4);
        poll.poll(&mut events, Some(within)).unwrap();
        !events.is_empty()
    };
    for (listener, poll) in listeners.iter_mut().zip(&polls) {
        listener.register(poll.registry(), Token(7)).unwrap();
        listener.register(poll.registry(), Token(7)).unwrap();
    }
    let port = SocketAddr::new(local(26).ip(), FIRST);
    let _stranger = connect(9, port);
    for poll in &mut polls {
        assert!(is_reported(poll, seconds(10)));
    }
    listeners.remove(0).close(LeaseEnd::Connected);
    let _client = connect(2, port);
    assert!(is_reported(&mut polls[1], seconds(10)));
    assert!(
        !is_reported(&mut polls[0], Duration::ZERO),
        "its session has left"
    );
    // The same number may come back in the same poll.
    let mut again = opened(open(&pool, 26, 1, &sleeper));
    again.register(polls[0].registry(), Token(7)).unwrap();
    let _client = connect(1, port);
    assert!(is_reported(&mut polls[0], seconds(10)));
}

/// The port stays open for others when a session leaves it. A connection that came for that session
/// is not for the next one, even of the same address: else that one would transfer with the wrong
/// client.
#[test]
fn a_connection_from_before_a_session_is_not_its_own() {
    let pool = pool(1);
    let [mut one, mut other] = [Sleeper::new(), Sleeper::new()];
    let first = opened(open(&pool, 28, 1, &one));
    let mut second = opened(open(&pool, 28, 2, &other));
    let port = SocketAddr::new(local(28).ip(), FIRST);
    let mut stale = connect(1, port);
    let _client = connect(2, port);
    drop(first);
    let mut next = opened(open(&pool, 28, 1, &one));
    assert!(
        other.woken(),
        "its client's connection was in the queue too"
    );
    assert_eq!(sender(accepted(&mut second)), 2);
    assert!(next.accept().unwrap().is_none());
    stale.set_read_timeout(Some(seconds(10))).unwrap();
    // The end, or a reset because of the unread byte.
    assert!(matches!(stale.read(&mut [0]), Ok(0) | Err(_)));
    let _late = connect(1, port);
    assert_eq!(sender(accepted(&mut next)), 1);
    assert!(!one.woken());
}

/// The range changes after a shared port was opened and before that is recorded.
#[test]
fn a_session_that_may_not_listen_gets_no_connection() {
    let pool = pool(1);
    let sleeper = Sleeper::new();
    let mut stays = opened(open(&pool, 29, 1, &sleeper));
    let (waker, now) = (sleeper.waker.clone(), Instant::now());
    let lease = granted(pool.request(local(29), session(2), waker, now));
    pool.set_range(Some(range(FIRST + 1..=FIRST + 1)), Instant::now());
    drop(lease.bind(Instant::now()).unwrap_err());
    let _client = connect(2, SocketAddr::new(local(29).ip(), FIRST));
    assert!(matches!(
        stays.accept().unwrap(),
        Some(IncomingConnection::Rejected(_))
    ));
}

/// The other program ends while two sessions bind, and only the slower one still finds it there.
#[test]
fn a_port_on_which_a_session_listens_is_not_set_aside() {
    let (sleeper, now) = (Sleeper::new(), Instant::now());
    let mut state = PoolState::new(Some(range(FIRST..=FIRST)));
    let mut ask = |who| {
        let (id, waker) = (state.next_id(), sleeper.waker.clone());
        let mut request = Request::new(local(1), peer(who), waker, id, now);
        let answer = state.request(&mut request, now);
        assert_eq!(answer, Answer::Granted(FIRST));
        request
    };
    let [slow, quick] = [ask(1), ask(2)];
    state.bound(&quick, FIRST, now).unwrap();
    assert!(!state.set_aside(&slow, FIRST, now + seconds(10)));
    let usage = state.usage();
    assert_eq!((usage.in_use, usage.leases, usage.set_aside), (1, 1, 0));
    let mut again = slow.clone();
    assert_eq!(state.request(&mut again, now), Answer::Granted(FIRST));
}

#[test]
fn many_threads_share_one_port() {
    let pool = pool(1);
    thread::scope(|scope| {
        for who in 1..=8u8 {
            let pool = &pool;
            scope.spawn(move || rounds(pool, who));
        }
    });
    let usage = pool.usage();
    assert_eq!((usage.in_use, usage.leases, usage.waiting), (0, 0, 0));
}

/// Each client connects again and again, and always reaches its own session.
fn rounds(pool: &PassivePool, who: u8) {
    let mut sleeper = Sleeper::new();
    let give_up = Instant::now() + seconds(30);
    for round in 0..100 {
        let mut listener = opened(open(pool, 27, who, &sleeper));
        assert_eq!(listener.port(), FIRST);
        if (round + u32::from(who)).is_multiple_of(7) {
            continue;
        }
        let client = connect(who, SocketAddr::new(local(27).ip(), FIRST));
        let stream = loop {
            assert!(Instant::now() < give_up, "its connection is lost");
            match listener.accept().unwrap() {
                Some(IncomingConnection::Own(stream, _)) => break stream,
                Some(IncomingConnection::HandedOver(_)) => {}
                // Another client's, whose session has left already, or does not listen yet.
                Some(IncomingConnection::Rejected(from)) => assert_ne!(from.ip(), host(who)),
                None => drop(sleeper.woken_within(Duration::from_millis(5))),
            }
        };
        assert_eq!(sender(stream), who);
        listener.close(LeaseEnd::Connected);
        drop(client);
    }
}
