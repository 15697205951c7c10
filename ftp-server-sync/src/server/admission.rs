//! Who is let in when many want to, and who gives way.
//!
//! Pure: the table of sessions comes as an argument, and so does the time.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use crate::net::client_network::ClientNetwork;
use crate::session::LoginState;
use crate::settings::Limits;

/// A session that has a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The session's number: older sessions have lower ones.
    pub(super) number: u64,
    pub(super) network: ClientNetwork,
    pub(super) state: LoginState,
}

/// What happens to a new client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Admitted,
    /// It gets the place of this session.
    InPlaceOf(Place),
    /// As many sessions run as may, and all are logged in.
    ServerFull,
    /// Its address has as many sessions as it may have.
    AddressFull,
}

/// The answers to wrong passwords that sessions still had to wait for when they gave way. Until
/// then each counts as a session of its address: a client that reconnects does not guess faster.
#[derive(Debug, Default)]
pub(super) struct LoginDelays(VecDeque<(ClientNetwork, Instant)>);

/// Whether there is room for one more beside this number of sessions, in all and of its address,
/// with the answers that this waits for. Both may be more than have a place: then [`decide`] finds
/// out.
pub(super) fn has_room(limits: &Limits, all: usize, of_address: usize) -> bool {
    let has_address_room = limits
        .connections_per_address_max
        .is_none_or(|max| of_address < max as usize);
    has_address_room && all < limits.connections_max as usize
}

/// Decides about a client of `network`; `None` if its address is that of a trusted gateway, which
/// stands for any number of clients. `delays` is the number of answers that the address waits for.
pub(super) fn decide(
    limits: &Limits,
    places: &[Place],
    network: Option<ClientNetwork>,
    delays: usize,
) -> Admission {
    if let (Some(network), Some(max)) = (network, limits.connections_per_address_max) {
        let same = places.iter().filter(|place| place.network == network);
        if same.count() + delays >= max as usize {
            return Admission::AddressFull;
        }
    }
    if places.len() < limits.connections_max as usize {
        return Admission::Admitted;
    }
    match gives_way(places) {
        Some(place) => Admission::InPlaceOf(place),
        None => Admission::ServerFull,
    }
}

/// The session that gives way: the oldest whose client is gone, else the oldest that has not logged
/// in, of the address with most such sessions. So a client that opens many connections displaces
/// its own.
fn gives_way(places: &[Place]) -> Option<Place> {
    let oldest = |place: &&Place| place.number;
    let gone = places.iter().filter(|place| place.state.is_client_gone());
    if let Some(place) = gone.min_by_key(oldest) {
        return Some(*place);
    }
    let waiting = || places.iter().filter(|place| !place.state.is_logged_in());
    let mut counts: HashMap<ClientNetwork, usize> = HashMap::new();
    for place in waiting() {
        *counts.entry(place.network).or_default() += 1;
    }
    let most = counts.values().copied().max()?;
    let of_most = waiting().filter(|place| counts[&place.network] == most);
    of_most.min_by_key(oldest).copied()
}

impl LoginDelays {
    /// A session of this address gave way before the answer that was due then.
    pub(super) fn add(&mut self, network: ClientNetwork, due: Instant) {
        if self.0.len() == DELAYS_MAX {
            self.0.pop_front();
        }
        self.0.push_back((network, due));
    }

    /// The number of those that this address still waits for.
    pub(super) fn count(&mut self, network: ClientNetwork, now: Instant) -> usize {
        self.0.retain(|(_, due)| *due > now);
        self.0.iter().filter(|(of, _)| *of == network).count()
    }
}

/// Each takes 40 bytes, and is looked at for each new client.
const DELAYS_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn network(number: u8) -> ClientNetwork {
        ClientNetwork::of([198, 51, 100, number].into())
    }

    #[test]
    fn each_limit_leaves_room_below_it() {
        assert!(has_room(&limits(3, 2), 2, 1));
        assert!(!has_room(&limits(3, 2), 3, 1));
        assert!(!has_room(&limits(3, 2), 2, 2));
        assert!(has_room(&limits(3, 0), 2, 2));
    }

    /// Sessions with the numbers from 1: the number of the address, and `-` if it has not logged
    /// in, `!` if it waits for the answer to a wrong password, `x` if its client is gone, `+` if it
    /// has logged in.
    fn places(text: &str) -> Vec<Place> {
        let words = text.split_whitespace().zip(1..);
        words
            .map(|(word, number)| {
                let (address, state) = word.split_at(1);
                Place {
                    number,
                    network: network(address.parse().expect("a digit")),
                    state: match state {
                        "-" => LoginState::Expected,
                        "!" => LoginState::Delayed,
                        "x" => LoginState::ClientGone,
                        "+" => LoginState::LoggedIn,
                        _ => panic!("{word}"),
                    },
                }
            })
            .collect()
    }

    fn limits(all: u32, of_address: u32) -> Limits {
        Limits {
            connections_max: all,
            connections_per_address_max: Some(of_address).filter(|&max| max > 0),
            login_attempts_max: 3,
        }
    }

    #[track_caller]
    fn check(text: &str, expected: Option<u64>) {
        let places = places(text);
        let found = gives_way(&places).map(|place| place.number);
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn the_address_with_most_sessions_before_login_gives_way() {
        check("", None);
        check("1+ 2+ 1+", None);
        check("1+ 2- 1+", Some(2));
        check("3- 1- 2- 1!", Some(2));
        // Those that have logged in do not count.
        check("1+ 1+ 1+ 1- 2- 2-", Some(5));
        // As many each: the oldest of all.
        check("2+ 1- 2- 2- 1-", Some(2));
    }

    #[test]
    fn a_client_that_is_gone_gives_way_first() {
        check("1- 1- 1- 2x 1x", Some(4));
    }

    #[test]
    fn limits_are_those_of_the_address_first() {
        let decide = |text: &str, limits: Limits, delays| {
            decide(&limits, &places(text), Some(network(1)), delays)
        };
        let text = "2+ 1- 1+";
        assert_eq!(decide(text, limits(4, 3), 0), Admission::Admitted);
        assert_eq!(decide(text, limits(9, 2), 0), Admission::AddressFull);
        assert_eq!(decide(text, limits(9, 3), 1), Admission::AddressFull);
        assert_eq!(decide(text, limits(9, 0), 9), Admission::Admitted);
        let second = places(text)[1];
        assert_eq!(decide(text, limits(3, 3), 0), Admission::InPlaceOf(second));
        assert_eq!(decide("2+ 1+", limits(2, 3), 0), Admission::ServerFull);
    }

    #[test]
    fn a_gateway_is_not_one_client() {
        let text = places("1- 1- 1-");
        assert_eq!(decide(&limits(4, 1), &text, None, 0), Admission::Admitted);
        let first = Admission::InPlaceOf(text[0]);
        assert_eq!(decide(&limits(3, 1), &text, None, 0), first);
    }

    #[test]
    fn an_answer_counts_until_it_is_due() {
        let now = Instant::now();
        let mut delays = LoginDelays::default();
        delays.add(network(1), now + Duration::from_secs(3));
        delays.add(network(1), now + Duration::from_secs(4));
        assert_eq!(delays.count(network(2), now), 0);
        assert_eq!(delays.count(network(1), now), 2);
        assert_eq!(delays.count(network(1), now + Duration::from_secs(3)), 1);
        assert_eq!(delays.count(network(1), now + Duration::from_secs(9)), 0);
        for _ in 0..=DELAYS_MAX {
            delays.add(network(1), now + Duration::from_secs(3));
        }
        assert_eq!(delays.count(network(1), now), DELAYS_MAX);
    }

    fn any_places() -> impl Strategy<Value = Vec<Place>> {
        let state = prop_oneof![
            4 => Just(LoginState::Expected),
            1 => Just(LoginState::Delayed),
            1 => Just(LoginState::ClientGone),
            3 => Just(LoginState::LoggedIn),
        ];
        let sessions = prop::collection::vec((0_u8..5, state), 0..30);
        sessions.prop_map(|sessions| {
            let places = sessions.into_iter().zip(1..);
            let place = |((address, state), number)| Place {
                number,
                network: network(address),
                state,
            };
            places.map(place).collect()
        })
    }

    proptest! {
        /// By counting alone: nothing that is logged in gives way, and something gives way unless
        /// all are logged in.
        #[test]
        fn who_gives_way(places in any_places()) {
            let waiting: Vec<&Place> =
                places.iter().filter(|place| place.state != LoginState::LoggedIn).collect();
            let count = |network| waiting.iter().filter(|place| place.network == network).count();
            let gone = |place: &Place| place.state == LoginState::ClientGone;
            let Some(found) = gives_way(&places) else {
                prop_assert!(waiting.is_empty());
                return Ok(());
            };
            prop_assert!(waiting.contains(&&found));
            for place in &waiting {
                let (own, other) = (count(found.network), count(place.network));
                let is_better = match (gone(&found), gone(place)) {
                    (true, false) => true,
                    (false, true) => false,
                    (true, true) => found.number <= place.number,
                    (false, false) => own > other || (own == other && found.number <= place.number),
                };
                prop_assert!(is_better, "{:?} before {:?}", found, place);
            }
        }

        /// One address cannot keep another one out, however many connections it opens before it
        /// logs in: as long as the other has fewer, it loses none.
        #[test]
        fn a_flood_displaces_its_own(
            honest in 0_u64..4, places_max in 8_u64..30, clients in prop::collection::vec(any::<bool>(), 1..200),
        ) {
            let limits = limits(u32::try_from(places_max).expect("few"), 0);
            let mut places: Vec<Place> = Vec::new();
            let mut inside = 0;
            for (number, is_honest) in (1..).zip(clients) {
                let is_honest = is_honest && inside < honest;
                let network = network(u8::from(is_honest));
                match decide(&limits, &places, Some(network), 0) {
                    Admission::Admitted => {}
                    Admission::InPlaceOf(given) => {
                        prop_assert_eq!(given.network, self::network(0));
                        places.retain(|place| *place != given);
                    }
                    other => prop_assert!(false, "{:?}", other),
                }
                inside += u64::from(is_honest);
                places.push(Place { number, network, state: LoginState::Expected });
                prop_assert!(places.len() as u64 <= places_max);
            }
        }
    }
}
