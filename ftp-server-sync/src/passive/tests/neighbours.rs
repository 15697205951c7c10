//! Sessions whose clients are neighbours: they take turns, and a port that one of them gave up is
//! kept from the others while its client may still connect.

use super::*;

/// A session of the client with this number in the network 192.0.2.0/24.
fn neighbour(last: u8) -> Requester {
    requester(AllowedPeers::only(IpAddr::from([192, 0, 2, last])))
}

fn local_neighbour(last: u8) -> Requester {
    Requester {
        is_local: true,
        ..neighbour(last)
    }
}

/// A client that is not a neighbour.
const FAR: u8 = 9;

/// A pool, and the waker of all sessions.
struct Sessions {
    pool: PassivePool,
    sleeper: Sleeper,
    at: SocketAddr,
    now: Instant,
}

impl Sessions {
    fn new(ports: u16, at: u8) -> Self {
        Self {
            pool: pool(ports),
            sleeper: Sleeper::new(),
            at: local(at),
            now: Instant::now(),
        }
    }

    fn request(&self, requester: &Requester) -> RequestOutcome {
        let waker = self.sleeper.waker.clone();
        self.pool
            .request(self.at, requester.clone(), waker, self.now)
    }

    fn listen(&self, requester: &Requester) -> PassiveListener {
        granted(self.request(requester)).bind(self.now).unwrap()
    }

    fn give_up(&self, listener: PassiveListener) {
        listener.close_at(LeaseEnd::GivenUp, self.now);
    }

    fn lose(&self, listener: PassiveListener) {
        listener.close_at(LeaseEnd::Lost, self.now);
    }

    fn later(&self, count: u64) -> Instant {
        self.now + seconds(count)
    }
}

#[test]
fn neighbours_take_turns_oldest_first() {
    let on = Sessions::new(1, 40);
    let first = granted(on.request(&neighbour(1)));
    let second = queued(on.request(&neighbour(2)));
    let third = queued(on.request(&neighbour(3)));
    let far = granted(on.request(&peer(FAR)));
    drop(far);
    let (second, third) = (queued(second.take(on.now)), queued(third.take(on.now)));
    drop(first);
    let third = queued(third.take(on.now));
    let second = granted(second.take(on.now));
    drop(second);
    drop(granted(third.take(on.now)));
}

#[test]
fn local_clients_share_a_port() {
    let on = Sessions::new(1, 41);
    let _first = granted(on.request(&local_neighbour(1)));
    let _second = granted(on.request(&local_neighbour(2)));
    let _again = queued(on.request(&local_neighbour(1)));
    let _outside = queued(on.request(&neighbour(3)));
}

/// Else local clients could go on sharing the port, and their neighbour outside would never get it.
#[test]
fn a_later_request_does_not_overtake_its_neighbour() {
    let on = Sessions::new(1, 42);
    let owner = granted(on.request(&local_neighbour(1)));
    let outside = queued(on.request(&neighbour(2)));
    let later = queued(on.request(&local_neighbour(3)));
    drop(owner);
    let later = queued(later.take(on.now));
    let outside = granted(outside.take(on.now));
    let later = queued(later.take(on.now));
    drop(outside);
    drop(granted(later.take(on.now)));
}

#[test]
fn a_port_given_up_is_kept_from_the_neighbourhood() {
    let mut on = Sessions::new(1, 43);
    let owner = on.listen(&neighbour(1));
    let same = queued(on.request(&neighbour(1)));
    let other = queued(on.request(&neighbour(2)));
    on.give_up(owner);
    let same = queued(same.take(on.now));
    let far = granted(on.request(&peer(FAR)));
    assert_eq!(port_of(&far), FIRST);
    let exclusive = queued(on.request(&requester(AllowedPeers::any(address(FAR)))));
    drop((far, exclusive));
    let (same, other) = (queued(same.take(on.later(14))), queued(other.take(on.now)));
    // Nothing else happens: the oldest ticket finds out by itself, when it asks as it must.
    on.sleeper.woken();
    let same = granted(same.take(on.later(15)));
    let other = queued(other.take(on.later(15)));
    drop(same);
    assert!(on.sleeper.woken());
    drop(granted(other.take(on.later(15))));
}

/// A session that has a port again has been sent there: its client connects nowhere else.
#[test]
fn a_port_given_up_is_not_kept_from_its_own_session() {
    let on = Sessions::new(1, 44);
    let own = neighbour(1);
    let owner = on.listen(&own);
    let waiting = queued(on.request(&neighbour(2)));
    on.give_up(owner);
    drop(waiting);
    assert_eq!(on.listen(&own).port(), FIRST);
    // Dropped, and so at once available to others.
    drop(granted(on.request(&neighbour(2))));
}

#[test]
fn a_session_that_waits_already_gets_the_port_that_it_gives_up() {
    let on = Sessions::new(1, 51);
    let own = neighbour(1);
    let owner = on.listen(&own);
    let waiting = queued(on.request(&own));
    on.give_up(owner);
    drop(granted(waiting.take(on.now)));
}

#[test]
fn a_session_that_asks_for_another_port_keeps_no_one_out() {
    let on = Sessions::new(1, 45);
    let own = neighbour(1);
    let owner = on.listen(&own);
    let waiting = queued(on.request(&neighbour(2)));
    on.give_up(owner);
    let waiting = queued(waiting.take(on.now));
    let again = queued(on.request(&own));
    let served = granted(waiting.take(on.now));
    drop(served);
    drop(granted(again.take(on.now)));
}

#[test]
fn a_session_that_ends_keeps_no_one_out() {
    let mut on = Sessions::new(1, 46);
    let own = neighbour(1);
    let guard = on.pool.end_guard(own.session);
    let owner = on.listen(&own);
    let waiting = queued(on.request(&neighbour(2)));
    on.give_up(owner);
    let waiting = queued(waiting.take(on.now));
    on.sleeper.woken();
    drop(on.pool.end_guard(0));
    assert!(!on.sleeper.woken(), "another session has ended");
    drop(guard);
    assert!(on.sleeper.woken());
    drop(granted(waiting.take(on.now)));
}

/// A client that never connects, in several sessions, blocks one port and not the whole range.
#[test]
fn one_port_is_kept_out_for_each_client() {
    let on = Sessions::new(4, 47);
    let owners = [(); 2].map(|()| on.listen(&neighbour(1)));
    let ports = owners.each_ref().map(PassiveListener::port);
    owners.into_iter().for_each(|owner| on.give_up(owner));
    // Three sessions that allow other addresses share no port, and none with the client's either.
    let exclusive = requester(AllowedPeers::any(address(FAR)));
    let leases = [(); 3].map(|()| granted(on.request(&exclusive)));
    let others = leases.each_ref().map(port_of);
    assert!(others.contains(&ports[0]));
    assert!(!others.contains(&ports[1]));
    let _last = queued(on.request(&exclusive));
}

#[test]
fn half_of_the_range_is_kept_out_at_most() {
    let on = Sessions::new(3, 48);
    let owners = [1, 2, 3].map(|client| on.listen(&peer(client)));
    let ports = owners.each_ref().map(PassiveListener::port);
    owners.into_iter().for_each(|owner| on.give_up(owner));
    // Whom all ports are kept from that are kept out.
    let exclusive = requester(AllowedPeers::any(address(FAR)));
    let lease = granted(on.request(&exclusive));
    assert_eq!(port_of(&lease), ports[0]);
    let _last = queued(on.request(&exclusive));
}

/// A client whose connection was lost knows that; one that has not connected yet may do so.
#[test]
fn a_lost_connection_keeps_its_port_out_only_beside_those_given_up() {
    for others in [[2, 1], [2, 3]] {
        let on = Sessions::new(2, 52);
        let [late, lost] = others.map(|client| on.listen(&neighbour(client)));
        let port_lost = lost.port();
        on.give_up(late);
        on.lose(lost);
        let other = granted(on.request(&neighbour(4)));
        assert_eq!(port_of(&other), port_lost);
        let _last = queued(on.request(&neighbour(5)));
    }
    let on = Sessions::new(2, 53);
    let [lost, late] = [1, 2].map(|client| on.listen(&neighbour(client)));
    let port_lost = lost.port();
    on.lose(lost);
    let other = on.listen(&peer(FAR));
    assert_eq!(other.port(), port_lost);
    drop(other);
    let other = queued(on.request(&neighbour(3)));
    on.give_up(late);
    assert_eq!(port_of(&granted(other.take(on.now))), port_lost);
}

/// A client that has several sessions: one of them is still awaited.
#[test]
fn a_lost_connection_ends_no_wait_for_another_session_of_its_client() {
    let on = Sessions::new(4, 54);
    let [late, lost] = [(); 2].map(|()| on.listen(&neighbour(1)));
    let (port_late, port_lost) = (late.port(), lost.port());
    on.give_up(late);
    on.lose(lost);
    let exclusive = requester(AllowedPeers::any(address(FAR)));
    let leases = [(); 3].map(|()| granted(on.request(&exclusive)));
    let others = leases.each_ref().map(port_of);
    assert!(others.contains(&port_lost));
    assert!(!others.contains(&port_late));
}

/// An owner yields only if that would help now.
#[test]
fn an_owner_of_a_port_that_is_kept_out_need_not_yield() {
    let on = Sessions::new(1, 49);
    let first = on.listen(&neighbour(1));
    let far = on.listen(&peer(FAR));
    on.give_up(first);
    let exclusive = queued(on.request(&requester(AllowedPeers::any(address(3)))));
    assert_eq!(far.yield_deadline(), None);
    let exclusive = queued(exclusive.take(on.later(15)));
    assert_eq!(far.yield_deadline(), Some(on.later(5)));
    drop(far);
    drop(granted(exclusive.take(on.later(15))));
}

#[test]
fn ports_outside_the_range_are_not_kept_out() {
    let on = Sessions::new(1, 50);
    let [first, second] = [1, 2].map(|client| on.listen(&peer(client)));
    on.give_up(first);
    pool_range(&on, FIRST + 1);
    on.give_up(second);
    pool_range(&on, FIRST);
    let exclusive = requester(AllowedPeers::any(address(FAR)));
    assert_eq!(port_of(&granted(on.request(&exclusive))), FIRST);
}

fn pool_range(on: &Sessions, port: u16) {
    on.pool.set_range(Some(range(port..=port)), on.now);
}
