//! The range changes while ports are leased, granted and assigned, and while requests wait.

use super::*;

const OLD: PortRange = two_from(FIRST);
const NEW: PortRange = two_from(FIRST + 2);

const fn two_from(first: u16) -> PortRange {
    match PortRange::new(first, first + 1) {
        Ok(range) => range,
        Err(_) => unreachable!(),
    }
}

fn withdrawn(attempt: Result<PassiveListener, BindError>) -> RequestOutcome {
    match attempt {
        Err(BindError::Withdrawn(outcome)) => *outcome,
        other => panic!("{other:?}"),
    }
}

fn without_range(outcome: RequestOutcome) -> Request {
    match outcome {
        RequestOutcome::NoRange(request) => request,
        other => panic!("{other:?}"),
    }
}

fn old_pool() -> PassivePool {
    PassivePool::new(Some(OLD))
}

#[test]
fn listeners_stay_open_and_new_ones_use_the_new_range() {
    let pool = old_pool();
    let client = Client::new(&pool, 11);
    let [staying, leaving] = [opened(client.open()), opened(client.open())];
    pool.set_range(Some(range(FIRST + 2..=FIRST + 2)), client.now);
    assert_eq!(pool.range(), Some(range(FIRST + 2..=FIRST + 2)));
    assert_eq!((pool.usage().ports, pool.usage().in_use), (1, 2));

    let new = opened(client.open());
    assert_eq!(new.port(), FIRST + 2);
    let ticket = still_queued(client.open());
    for old in [&staying, &leaving] {
        TcpStream::connect(SocketAddr::new(client.local.ip(), old.port())).unwrap();
    }

    // A released port outside the range helps no request; one inside it is free once.
    leaving.close(LeaseEnd::Connected);
    let ticket = still_queued(ticket.open(client.now));
    drop(ticket);
    let port = staying.port();
    pool.set_range(Some(range(port..=port)), client.now);
    let ticket = still_queued(client.open());
    drop(staying);
    let again = opened(ticket.open(client.now));
    assert_eq!(again.port(), port);
    let _ticket = still_queued(client.open());
    drop((again, new));
    assert_eq!(pool.usage().in_use, 1);
}

/// Ports that the router does not forward.
#[test]
fn ports_that_are_left_out_are_not_granted() {
    let pool = old_pool();
    let client = Client::new(&pool, 11);
    pool.set_left_out([FIRST, FIRST + 9].into(), client.now);
    let kept = opened(client.open());
    assert_eq!(kept.port(), FIRST + 1);
    let ticket = still_queued(client.open());
    // Also at an address that was not in use before.
    let other = Client::new(&pool, 12);
    let at_other = opened(other.open());
    assert_eq!(at_other.port(), FIRST + 1);
    // One that is open stays open, and is not granted again.
    pool.set_left_out([FIRST + 1].into(), client.now);
    let back = opened(ticket.open(client.now));
    assert_eq!(back.port(), FIRST);
    kept.close(LeaseEnd::Connected);
    let ticket = still_queued(client.open());
    pool.set_range(Some(NEW), client.now);
    drop(opened(ticket.open(client.now)));
    pool.set_left_out(BTreeSet::new(), client.now);
    pool.set_range(Some(OLD), client.now);
    assert_eq!(opened(client.open()).port(), FIRST + 1);
}

#[test]
fn waiting_requests_get_ports_of_the_new_range_in_order() {
    let pool = old_pool();
    let owner = Client::new(&pool, 1);
    let _leases = [granted(owner.request()), granted(owner.request())];
    let mut clients: [Client; 3] = std::array::from_fn(|_| Client::new(&pool, 1));
    let mut tickets: Vec<Ticket> = clients.iter().map(|one| queued(one.request())).collect();
    pool.set_range(Some(NEW), owner.now);
    assert!(clients[0].sleeper.woken());
    assert!(clients[1].sleeper.woken());
    assert!(!clients[2].sleeper.woken());
    let _last = queued(tickets.remove(2).take(owner.now));
    let served = tickets.into_iter().map(|ticket| ticket.take(owner.now));
    let leases: Vec<Lease> = served.map(granted).collect();
    assert!(
        BTreeSet::from_iter(leases.iter().map(port_of))
            .into_iter()
            .eq(NEW.ports())
    );
}

#[test]
fn an_assigned_port_is_withdrawn_and_the_ticket_keeps_its_place() {
    let pool = PassivePool::new(Some(range(FIRST + 1..=FIRST + 1)));
    let owner = Client::new(&pool, 1);
    let other = granted(owner.request());
    pool.set_range(Some(range(FIRST..=FIRST)), owner.now);
    let mut lease = Some(granted(owner.request()));
    let [mut first, mut second] = [Client::new(&pool, 1), Client::new(&pool, 1)];
    let first_ticket = queued(first.request());
    let second_ticket = queued(second.request());
    lease.take();
    assert!(first.sleeper.woken());

    // The only port is leased: the first ticket is first in the queue again, before the second one.
    pool.set_range(Some(range(FIRST + 1..=FIRST + 1)), owner.now);
    assert_eq!((pool.usage().in_use, pool.usage().waiting), (1, 2));
    let first_ticket = queued(first_ticket.take(owner.now));
    drop(other);
    assert!(first.sleeper.woken());
    assert!(!second.sleeper.woken());

    // Another port is there at once.
    pool.set_range(Some(NEW), owner.now);
    assert!(first.sleeper.woken());
    assert!(second.sleeper.woken());
    assert!(NEW.contains(port_of(&granted(first_ticket.take(owner.now)))));
    assert!(NEW.contains(port_of(&granted(second_ticket.take(owner.now)))));
    assert_eq!(
        pool.usage(),
        Usage {
            ports: 2,
            ..Usage::default()
        }
    );
}

#[test]
fn a_grant_that_is_not_bound_yet_is_exchanged() {
    let pool = old_pool();
    let client = Client::new(&pool, 16);
    let (early, late) = (granted(client.request()), granted(client.request()));
    pool.set_range(Some(range(FIRST + 2..=FIRST + 2)), client.now);
    // It does not even try to bind, else the port would be found in use.
    let hold =
        |lease| StdListener::bind(SocketAddr::new(client.local.ip(), port_of(lease))).unwrap();
    let _other_programs = [hold(&early), hold(&late)];
    let new = granted(withdrawn(late.bind(client.now)));
    assert_eq!(port_of(&new), FIRST + 2);

    // No port is free: the older request waits before a newer one that asked earlier in the new
    // range.
    let other = queued(client.request());
    let early = queued(withdrawn(early.bind(client.now)));
    drop(new);
    let _other = queued(other.take(client.now));
    let early = granted(early.take(client.now));
    assert_eq!(port_of(&early), FIRST + 2);
}

#[test]
fn a_range_that_comes_back_in_time_changes_nothing() {
    let pool = old_pool();
    let client = Client::new(&pool, 22);
    let lease = granted(client.request());
    pool.set_range(Some(NEW), client.now);
    pool.set_range(Some(OLD), client.now);
    let mut request = lease.request.clone();
    let same = pool.shared.update(client.now, |state| {
        state.exchange(&mut request, lease.port, client.now)
    });
    assert_eq!(same, Answer::Granted(lease.port));
    let port = port_of(&lease);
    assert_eq!(lease.bind(client.now).unwrap().port(), port);
}

#[test]
fn many_local_addresses_do_not_remove_a_ticket() {
    let pool = pool(1);
    let client = Client::new(&pool, 1);
    let taken = granted(client.request());
    let ticket = queued(client.request());
    drop(taken);
    for last in 2..=u8::MAX {
        drop(granted(Client::new(&pool, last).request()));
    }
    drop(granted(ticket.take(client.now)));
}

#[test]
fn a_change_during_the_bind_closes_the_listener() {
    for range in [Some(NEW), None] {
        let pool = old_pool();
        let client = Client::new(&pool, 17);
        let lease = granted(client.request());
        let socket = listen(SocketAddr::new(local(17).ip(), 0), false).unwrap();
        let address = socket.local_addr().unwrap();
        let outcome = withdrawn(lease.bind_with(client.now, || {
            pool.set_range(range, client.now);
            Ok(socket)
        }));
        assert!(TcpStream::connect(address).is_err());
        match range {
            Some(range) => assert!(range.contains(port_of(&granted(outcome)))),
            None => drop(without_range(outcome)),
        }
    }
}

/// Requests that wait need no port of the range any more, and none that was granted is used.
#[test]
fn without_a_range_no_session_waits() {
    let pool = pool(1);
    let client = Client::new(&pool, 12);
    let listener = opened(client.open());
    let mut waiting = Client::new(&pool, 12);
    let ticket = queued(waiting.request());
    pool.set_range(None, client.now);
    assert!(waiting.sleeper.woken());
    assert_eq!(listener.yield_deadline(), None);
    let anywhere = opened(ticket.open(client.now));
    assert_ne!(anywhere.port(), listener.port());
    let another = opened(client.open());
    assert_ne!(another.port(), anywhere.port());
    assert_eq!((pool.usage().ports, pool.usage().waiting), (0, 0));
    assert_eq!(pool.usage().in_use, 1, "only the listener from before");
    for open in [&listener, &anywhere, &another] {
        TcpStream::connect(SocketAddr::new(client.local.ip(), open.port())).unwrap();
    }
}

#[test]
fn a_range_that_comes_back_finds_the_requests_at_their_places() {
    let pool = PassivePool::new(Some(range(FIRST + 1..=FIRST + 1)));
    let client = Client::new(&pool, 23);
    let elsewhere = granted(client.request());
    pool.set_range(Some(range(FIRST..=FIRST)), client.now);
    let owner = opened(client.open());
    let mut waiting: [Client; 2] = std::array::from_fn(|_| Client::new(&pool, 23));
    let [first, second] = waiting.each_ref().map(|one| queued(one.request()));
    pool.set_range(None, client.now);
    assert!(waiting.iter_mut().all(|one| one.sleeper.woken()));
    pool.set_range(Some(OLD), client.now);
    // The lease from before the changes was never bound, and is in force again.
    let unbound = elsewhere.bind(client.now).unwrap();
    assert_eq!(unbound.port(), FIRST + 1);
    let first = queued(first.take(client.now));
    drop(owner);
    assert!(waiting[0].sleeper.woken());
    assert!(!waiting[1].sleeper.woken());
    let _second = queued(second.take(client.now));
    assert_eq!(port_of(&granted(first.take(client.now))), FIRST);
}

/// A port on which a session listens without a lease is like one of another program.
#[test]
fn a_listener_without_a_lease_stays_open_when_a_range_comes() {
    let pool = PassivePool::new(None);
    let client = Client::new(&pool, 18);
    let listener = opened(client.open());
    let port = listener.port();
    pool.set_range(Some(range(port..=port)), client.now);
    let ticket = still_queued(client.open());
    assert_eq!((pool.usage().in_use, pool.usage().set_aside), (0, 1));
    TcpStream::connect(SocketAddr::new(client.local.ip(), port)).unwrap();
    listener.close(LeaseEnd::Connected);
    let later = client.now + RETRY_AFTER;
    assert_eq!(opened(ticket.open(later)).port(), port);
}

#[test]
fn only_owners_of_ports_in_the_range_must_yield() {
    let pool = old_pool();
    let mut owner = Client::new(&pool, 20);
    let listener = opened(owner.open());
    let port = listener.port();
    let elsewhere = range(FIRST + 2..=FIRST + 2);
    pool.set_range(Some(elsewhere), owner.now);
    let client = Client::new(&pool, 20);
    let _lease = granted(client.request());
    let _ticket = queued(client.request());
    assert_eq!(listener.yield_deadline(), None);
    assert!(!owner.sleeper.woken());

    // Now its port would help, and its owner learns of that.
    pool.set_range(Some(range(port..=port)), owner.now);
    assert!(listener.yield_deadline().is_some());
    assert!(owner.sleeper.woken());
}

#[test]
fn a_port_in_both_ranges_is_still_its_clients_last_choice() {
    let pool = old_pool();
    let client = Client::new(&pool, 21);
    let missed = opened(client.open());
    let port = missed.port();
    drop(missed);
    pool.set_range(Some(range(FIRST..=FIRST + 2)), client.now);
    let all: Vec<u16> = [(); 3]
        .map(|()| granted(client.request()))
        .iter()
        .map(port_of)
        .collect();
    assert_eq!(all[2], port);
}

#[test]
fn a_port_in_both_ranges_stays_set_aside_for_the_same_time() {
    let pool = PassivePool::new(Some(range(FIRST..=FIRST)));
    let client = Client::new(&pool, 14);
    let other_program = StdListener::bind(SocketAddr::new(client.local.ip(), FIRST)).unwrap();
    let ticket = still_queued(client.open());
    drop(other_program);
    pool.set_range(Some(range(FIRST..=FIRST + 1)), client.now + seconds(4));
    assert_eq!(pool.usage().set_aside, 1);
    let other = opened(ticket.open(client.now + seconds(9)));
    assert_eq!(other.port(), FIRST + 1);
    let ticket = still_queued(client.open());
    let again = opened(ticket.open(client.now + seconds(10)));
    assert_eq!(again.port(), FIRST);

    // Its time is over, and no session has asked since: the change retries it too.
    let pool = PassivePool::new(Some(range(FIRST..=FIRST)));
    let client = Client::new(&pool, 14);
    let [first, second] = [still_queued(client.open()), still_queued(client.open())];
    pool.set_range(Some(range(FIRST..=FIRST + 1)), client.now + seconds(10));
    assert_eq!((pool.usage().set_aside, pool.usage().waiting), (0, 0));
    let leases = [first, second].map(|ticket| granted(ticket.take(client.now)));
    assert_ne!(port_of(&leases[0]), port_of(&leases[1]));
}

#[test]
fn a_port_that_leaves_the_range_is_not_set_aside_any_more() {
    let pool = PassivePool::new(Some(range(FIRST..=FIRST)));
    let client = Client::new(&pool, 15);
    let _other_program = StdListener::bind(SocketAddr::new(client.local.ip(), FIRST)).unwrap();
    let ticket = still_queued(client.open());
    pool.set_range(Some(NEW), client.now);
    assert_eq!(pool.usage().set_aside, 0);
    assert!(NEW.contains(opened(ticket.open(client.now)).port()));
}

#[test]
fn waits_for_an_earlier_range_are_not_reported() {
    let (start, sleeper) = (Instant::now(), Sleeper::new());
    let mut state = PoolState::new(Some(range(FIRST..=FIRST)));
    let new_request = |state: &mut PoolState| {
        let (id, waker) = (state.next_id(), sleeper.waker.clone());
        Request::new(local(1), peer(1), waker, id, start)
    };
    let (mut owner, mut request) = (new_request(&mut state), new_request(&mut state));
    assert_ne!(state.request(&mut owner, start), Answer::Queued);
    assert_eq!(state.request(&mut request, start), Answer::Queued);
    let now = start + seconds(3);
    state.set_range(Some(OLD), now);
    assert_ne!(state.take(&request, now), Answer::Queued);
    state.leave(&request, now);
    assert!(state.waits_due(now).is_none());
}
