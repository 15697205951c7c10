//! What is counted together, and when a line is logged.

use std::net::{Ipv4Addr, Ipv6Addr};

use ftp_proto::{
    Account, Action, Bound, Config, DataEvent, Endpoints, Outcome, Output, Rights, Session,
};
use proptest::prelude::*;

use super::*;

const RANGE: bool = true;
const NO_RANGE: bool = false;
const FIRST: &str = "client 198.51.100.1 from outside was sent to 203.0.113.1:60004 and did not \
                     connect: \
         check the port forwarding of the router";

/// A client from outside that did not connect to 203.0.113.1:60004, as a session reports it.
fn missed() -> NeverConnected {
    let endpoints = Endpoints::new(
        "192.168.77.2:21".parse().unwrap(),
        "198.51.100.1:50000".parse().unwrap(),
    );
    let mut config = Config::default();
    config.masquerade.address = Some(Ipv4Addr::new(203, 0, 113, 1).into());
    let mut session = Session::new(config.into(), endpoints);
    let mut input = &b"USER x\r\nPASS x\r\nPASV\r\n"[..];
    let mut data = None;
    loop {
        while let Some(output) = session.poll_output() {
            let outcome = match output {
                Output::Action(Action::Authenticate { .. }) => {
                    Outcome::Authenticated(Some(Account::new(Rights::READ_ONLY)))
                }
                Output::Action(Action::OpenPassive(id)) => {
                    data = Some(id);
                    let port = 60_004.try_into().unwrap();
                    Outcome::PassiveOpened(Ok(Bound::new(port)))
                }
                _ => continue,
            };
            session.handle_outcome(outcome).unwrap();
        }
        match session.handle_input(input) {
            0 => break,
            used => input = &input[used..],
        }
    }
    session.handle_data(data.unwrap(), DataEvent::NeverConnected);
    *session.never_connected().unwrap()
}

fn offer(address: &str, port: u16) -> PassiveOffer {
    let mut offer = missed().offer;
    offer.announcement.address = address.parse().unwrap();
    offer.port = port;
    offer
}

fn never_connected(announced: PassiveOffer) -> NeverConnected {
    let mut connection = missed();
    connection.offer = announced;
    connection
}

fn client(last: u8) -> IpAddr {
    Ipv4Addr::new(198, 51, 100, last).into()
}

/// Groups under a simulated clock.
struct Simulation {
    groups: FailureGroups,
    start: Instant,
    seconds: u64,
}

impl Simulation {
    fn new() -> Self {
        Self {
            groups: FailureGroups::default(),
            start: Instant::now(),
            seconds: 0,
        }
    }

    fn fail(&mut self, last: u8, port: u16) -> Option<String> {
        self.fail_with(last, offer("203.0.113.1", port))
    }

    fn fail_with(&mut self, last: u8, offer: PassiveOffer) -> Option<String> {
        let now = self.start + Duration::from_secs(self.seconds);
        let connection = never_connected(offer);
        self.groups
            .on_never_connected(client(last), &connection, RANGE, now)
    }

    fn connect(&mut self) {
        self.groups.on_connected(&offer("203.0.113.1", 60_009));
    }
}

#[test]
fn the_first_and_the_third_client_are_logged() {
    let mut simulation = Simulation::new();
    assert_eq!(simulation.fail(1, 60_004).as_deref(), Some(FIRST));
    assert_eq!(simulation.fail(2, 60_004), None);
    let third = "3 clients from outside were sent to 203.0.113.1:60004 and did not connect: \
         check the port forwarding of the router";
    assert_eq!(simulation.fail(3, 60_004).as_deref(), Some(third));
    for last in 4..=255 {
        simulation.seconds += 1000;
        assert_eq!(simulation.fail(last, 60_004), None);
    }
}

#[test]
fn connections_of_one_client_are_counted() {
    let mut simulation = Simulation::new();
    simulation.fail(1, 60_004);
    assert_eq!(simulation.fail(1, 60_004), None);
    let third = "client 198.51.100.1 from outside was sent to 203.0.113.1:60004 and did not connect, \
                 3 times: \
         check the port forwarding of the router";
    assert_eq!(simulation.fail(1, 60_004).as_deref(), Some(third));

    let mut simulation = Simulation::new();
    simulation.fail(1, 60_004);
    simulation.fail(2, 60_001);
    let third = "2 clients from outside were sent to ports 60001-60004 of 203.0.113.1 and did \
                 not connect, 3 times: \
         check the port forwarding of the router";
    assert_eq!(simulation.fail(1, 60_004).as_deref(), Some(third));
}

#[test]
fn a_success_resets_the_group() {
    let mut simulation = Simulation::new();
    assert!(simulation.fail(1, 60_004).is_some());
    simulation.connect();
    assert!(!simulation.groups.is_counting());
    // Not at once: otherwise clients that fail among others that do not would fill the log.
    assert_eq!(simulation.fail(1, 60_004), None);
    assert_eq!(simulation.fail(2, 60_004), None);
    simulation.connect();
    simulation.seconds = 600;
    assert_eq!(simulation.fail(1, 60_004).as_deref(), Some(FIRST));
    simulation.fail(2, 60_004);
    assert!(simulation.fail(3, 60_004).is_some());
}

/// The first failure after the silence is logged with everything that was counted.
#[test]
fn the_silence_ends() {
    let mut simulation = Simulation::new();
    simulation.fail(1, 60_004);
    simulation.connect();
    for last in 1..=4 {
        assert_eq!(simulation.fail(last, 60_004), None);
    }
    simulation.seconds = 600;
    let line = simulation.fail(5, 60_004).unwrap();
    assert!(line.starts_with("5 clients from outside "), "{line}");
    assert_eq!(simulation.fail(6, 60_004), None);
}

#[test]
fn other_reasons_are_counted_separately() {
    let mut simulation = Simulation::new();
    let outside = offer("203.0.113.1", 60_004);
    let changed = |change: fn(&mut PassiveOffer)| {
        let mut other = outside;
        change(&mut other);
        other
    };
    let others = [
        offer("203.0.113.2", 60_004),
        changed(|offer| offer.origin = ClientOrigin::Private),
        changed(|offer| offer.diagnosis = Diagnosis::Blocked),
    ];
    assert!(simulation.fail_with(1, outside).is_some());
    for other in others {
        assert!(simulation.fail_with(1, other).is_some(), "{other:?}");
        simulation.groups.on_connected(&other);
    }
    assert_eq!(simulation.fail_with(1, outside), None);
    assert!(
        simulation
            .fail_with(1, outside)
            .unwrap()
            .contains("3 times")
    );
    // PASV or EPSV: it is the same router.
    let extended = changed(|offer| offer.with_address = false);
    assert_eq!(simulation.fail_with(1, extended), None);
}

#[track_caller]
fn check(change: impl FnOnce(&mut NeverConnected), has_range: bool, expected: &str) {
    let mut connection = never_connected(offer("203.0.113.1", 60_004));
    change(&mut connection);
    let mut groups = FailureGroups::default();
    let line = groups.on_never_connected(client(1), &connection, has_range, Instant::now());
    assert_eq!(line.as_deref(), Some(expected));
}

#[test]
fn each_reason_has_its_line() {
    check(|_| (), RANGE, FIRST);
    let no_range = format!("{FIRST}; give a range that it forwards with --passive-ports");
    check(|_| (), NO_RANGE, &no_range);
    check(
        |connection| connection.offer.with_address = false,
        RANGE,
        "client 198.51.100.1 from outside was sent to port 60004 and did not connect: \
         check the port forwarding of the router",
    );
    check(
        |connection| connection.withdrawn = true,
        RANGE,
        "client 198.51.100.1 from outside was sent to 203.0.113.1:60004 and did not connect \
         before other clients needed the port: \
         check the port forwarding of the router",
    );
    check(
        |connection| {
            connection.offer.origin = ClientOrigin::Local;
            connection.offer.diagnosis = Diagnosis::Blocked;
        },
        NO_RANGE,
        "local client 198.51.100.1 was sent to 203.0.113.1:60004 and did not connect: \
         check whether a firewall blocks the port",
    );
    check(
        |connection| {
            connection.offer.origin = ClientOrigin::Private;
            connection.offer.diagnosis = Diagnosis::OtherNetwork;
        },
        RANGE,
        "client 198.51.100.1 in a private network was sent to 203.0.113.1:60004 and did not connect: \
         check that the client can reach this address; if it cannot, give another \
         one with --masquerade-client",
    );
}

#[test]
fn the_flag_that_announces_a_private_address_is_named() {
    for (why, advice) in [
        (
            AnnounceReason::Unknown,
            "its name cannot be resolved, so the public address is not known",
        ),
        (AnnounceReason::LocalAddress, "set --masquerade-address"),
        (
            AnnounceReason::MasqueradeAddress,
            "give the router's public address with --masquerade-address",
        ),
        (
            AnnounceReason::Map(Ipv4Addr::new(192, 168, 77, 2)),
            "give the router's public address in --masquerade-address-map",
        ),
        (
            AnnounceReason::ClientRule("198.51.100.0/24".parse().unwrap()),
            "change the rule for 198.51.100.0/24 in --masquerade-client",
        ),
        (
            AnnounceReason::PortMapping,
            "the router is itself behind NAT; ask the provider for a public address",
        ),
    ] {
        let expected = format!(
            "client 198.51.100.1 from outside was sent to 192.168.77.2, a private address, and did \
             not connect: {advice}"
        );
        check(
            |connection| {
                connection.offer = offer("192.168.77.2", 60_004);
                connection.offer.diagnosis = Diagnosis::PrivateAddress;
                connection.offer.announcement.reason = why;
            },
            NO_RANGE,
            &expected,
        );
    }
}

#[test]
fn the_log_counts_only_while_it_must() {
    let log = NeverConnectedLog::default();
    let now = Instant::now();
    let offered = offer("203.0.113.1", 60_004);
    assert_eq!(log.report(RANGE), [""; 0]);
    log.on_connected(&offered);
    log.on_never_connected(client(1), &never_connected(offered), RANGE, now);
    assert_eq!(log.report(RANGE), [FIRST]);
    log.on_connected(&offer("203.0.113.2", 60_004));
    assert!(log.is_counting.load(Ordering::Relaxed));
    log.on_connected(&offered);
    assert!(!log.is_counting.load(Ordering::Relaxed));
    assert_eq!(log.report(RANGE), [""; 0]);
    log.on_never_connected(client(1), &never_connected(offered), RANGE, now);
    log.clear();
    assert!(!log.is_counting.load(Ordering::Relaxed));
    assert_eq!(log.report(RANGE), [""; 0]);
}

#[test]
fn memory_is_bounded() {
    let mut groups = FailureGroups::default();
    let now = Instant::now();
    for number in 0..1000_u16 {
        let [high, low] = number.to_be_bytes();
        let peer = Ipv6Addr::from(u128::from(number)).into();
        let repeated = never_connected(offer("203.0.113.1", 60_004));
        groups.on_never_connected(peer, &repeated, RANGE, now);
        let new = never_connected(offer(&format!("11.0.{high}.{low}"), 60_004));
        groups.on_never_connected(peer, &new, RANGE, now);
    }
    assert_eq!(groups.groups.len(), GROUPS_MAX);
    // A group that counts again and again is not the one that is dropped.
    let repeated = FailureKey::of(&offer("203.0.113.1", 60_004));
    let group = &groups.groups[groups.position(&repeated).unwrap()];
    assert_eq!(group.clients.len(), CLIENTS_MAX);
    assert_eq!(
        group.line(RANGE),
        "64 or more clients from outside were sent to 203.0.113.1:60004 and did not connect, 1000 \
         times: \
         check the port forwarding of the router"
    );
}

proptest! {
    /// In every order of failures and connections, there are at most two lines in the time of
    /// silence.
    #[test]
    fn no_reason_fills_the_log(steps in prop::collection::vec((0..4_u8, any::<u8>(), 0..30_u64), 0..400)) {
        let mut simulation = Simulation::new();
        let mut logged: Vec<u64> = Vec::new();
        for (kind, last, pause) in steps {
            simulation.seconds += pause;
            match kind {
                0 => simulation.connect(),
                _ => logged.extend(simulation.fail(last, 60_004).map(|_| simulation.seconds)),
            }
        }
        for window in logged.windows(3) {
            prop_assert!(window[2] - window[0] >= SILENCE.as_secs(), "{:?}", logged);
        }
    }
}
