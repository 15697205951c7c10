//! Sessions that listen on two addresses of this machine.

use std::net::Ipv4Addr;

use super::*;

/// Where a client of the address with the last number `local` connects, if it is sent to that of
/// `announced`.
fn both(local_last: u8, announced: Option<u8>) -> ListenAddresses {
    let announced = announced.map(|last| Ipv4Addr::new(127, 83, 0, last));
    ListenAddresses::from(local(local_last)).with_announced(announced)
}

/// A client of this machine, so that its connections are its own.
fn localhost() -> Requester {
    requester(AllowedPeers::only(IpAddr::from([127, 0, 0, 1])))
}

fn open(
    pool: &PassivePool,
    addresses: ListenAddresses,
    requester: Requester,
) -> io::Result<OpenOutcome> {
    pool.open(addresses, requester, Sleeper::new().waker, Instant::now())
}

fn connects(last: u8, port: u16) -> bool {
    TcpStream::connect(SocketAddr::new(local(last).ip(), port)).is_ok()
}

#[test]
fn both_addresses_lead_to_the_session() {
    for pool in [pool(1), PassivePool::new(None)] {
        let mut listener = opened(open(&pool, both(60, Some(61)), localhost()));
        let port = listener.port();
        for last in [60, 61] {
            let _client = TcpStream::connect(SocketAddr::new(local(last).ip(), port)).unwrap();
            accepted(&mut listener);
        }
        assert!(!connects(62, port));
        listener.close(LeaseEnd::Connected);
        assert!(!connects(60, port) && !connects(61, port));
    }
}

#[test]
fn a_poll_reports_connections_to_both() {
    let pool = pool(1);
    let mut listener = opened(open(&pool, both(63, Some(64)), localhost()));
    let mut poll = Poll::new().unwrap();
    listener.register(poll.registry(), Token(1)).unwrap();
    for last in [63, 64] {
        let _client = TcpStream::connect(SocketAddr::new(local(last).ip(), FIRST)).unwrap();
        let mut events = Events::with_capacity(4);
        poll.poll(&mut events, Some(seconds(10))).unwrap();
        assert!(!events.is_empty(), "{last}");
        accepted(&mut listener);
    }
}

/// A port that one session announces at its second address must not be announced by a session that
/// has that address for its own.
#[test]
fn all_addresses_share_one_range() {
    let pool = pool(2);
    let neighbour = |addresses| opened(open(&pool, addresses, localhost()));
    let listeners = [neighbour(both(65, Some(66))), neighbour(both(66, None))];
    assert_ne!(listeners[0].port(), listeners[1].port());
    drop(still_queued(open(&pool, both(67, None), localhost())));
    // Without a second address anywhere, each address has the range for itself.
    let pool = self::pool(1);
    let alone = |last: u8| opened(open(&pool, local(last).into(), localhost()));
    let listeners = [alone(68), alone(69)];
    assert_eq!(listeners.map(|one| one.port()), [FIRST; 2]);
}

/// Sessions share the port, and each socket is open as long as one of them needs it.
#[test]
fn the_second_socket_closes_with_the_last_session_that_needs_it() {
    let pool = pool(1);
    let first = opened(open(&pool, both(70, None), peer(1)));
    assert!(connects(70, FIRST) && !connects(71, FIRST));
    let second = opened(open(&pool, both(70, Some(71)), peer(2)));
    let third = opened(open(&pool, both(70, Some(71)), peer(3)));
    assert!(connects(70, FIRST) && connects(71, FIRST));
    drop(second);
    assert!(connects(71, FIRST));
    drop(third);
    assert!(connects(70, FIRST) && !connects(71, FIRST));
    drop(first);
    assert!(!connects(70, FIRST));
}

#[test]
fn a_port_in_use_at_the_second_address_is_set_aside() {
    let pool = pool(1);
    let other_program = StdListener::bind(SocketAddr::new(local(73).ip(), FIRST)).unwrap();
    let _ticket = still_queued(open(&pool, both(72, Some(73)), peer(1)));
    assert_eq!(pool.usage().set_aside, 1);
    assert!(!connects(72, FIRST), "nothing stays open");
    drop(other_program);
}

/// A session that is alone at its address has the port, and another program has it at the second.
#[test]
fn a_shared_port_in_use_at_the_second_address_is_an_error() {
    let pool = pool(1);
    let first = opened(open(&pool, both(74, None), peer(1)));
    let _other_program = StdListener::bind(SocketAddr::new(local(75).ip(), FIRST)).unwrap();
    let error = open(&pool, both(74, Some(75)), peer(2)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("another program listens on 127.83.0.75:"),
        "{error}"
    );
    assert!(connects(74, FIRST));
    assert_eq!(pool.usage().leases, 1);
    drop(first);
}

/// The address has gone since the machine was looked at.
#[test]
fn a_second_address_that_is_gone_does_no_harm() {
    let pool = pool(1);
    let gone = Some(Ipv4Addr::new(192, 0, 2, 1));
    let addresses = ListenAddresses::from(local(76)).with_announced(gone);
    let listener = opened(open(&pool, addresses, peer(1)));
    assert!(connects(76, listener.port()));
}
