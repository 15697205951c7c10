//! What is counted together, and when a line is logged.

use std::net::{Ipv4Addr, Ipv6Addr};

use ftp_proto::{
    Account, Action, AnnounceReason, Bound, Config, DataEvent, Diagnosis, Endpoints, Outcome,
    Output, Rights, Session,
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

/// The failure of this client, of which nothing is known but the addresses.
fn failure(peer: IpAddr, announced: PassiveOffer, has_range: bool) -> ConnectFailure {
    let mut connection = missed();
    connection.offer = announced;
    ConnectFailure {
        peer,
        connection,
        cause: by_addresses(&announced, has_range),
        gave_up: false,
    }
}

fn by_addresses(offer: &PassiveOffer, has_range: bool) -> FailureCause {
    FailureCause::Addresses {
        diagnosis: offer.diagnosis,
        reason: offer.announcement.reason,
        has_range,
    }
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
        let line = self.count(failure(client(last), offer, RANGE))?;
        Some(line.1)
    }

    fn count(&mut self, failure: ConnectFailure) -> Option<(Level, String)> {
        let now = self.start + Duration::from_secs(self.seconds);
        self.groups.on_never_connected(failure, now)
    }

    fn connect(&mut self) {
        self.connect_from(77);
    }

    fn connect_from(&mut self, last: u8) {
        let offer = offer("203.0.113.1", 60_009);
        self.groups.on_connected(&offer, client(last));
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
        simulation.groups.on_connected(&other, client(77));
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
    let mut failure = failure(client(1), offer("203.0.113.1", 60_004), has_range);
    change(&mut failure.connection);
    failure.cause = by_addresses(&failure.connection.offer, has_range);
    let mut groups = FailureGroups::default();
    let line = groups.on_never_connected(failure, Instant::now());
    assert_eq!(line, Some((Level::Warn, expected.to_owned())));
}

#[test]
fn causes_of_single_clients_outlive_the_success_of_others() {
    let mut simulation = Simulation::new();
    let other_address = |last: u8, gateway: &str| {
        let gateway: IpAddr = gateway.parse().unwrap();
        ConnectFailure {
            cause: FailureCause::OtherAddress {
                came: vec![gateway],
                gateway: gateway.into(),
                is_router: false,
            },
            ..failure(client(last), offer("203.0.113.1", 60_004), RANGE)
        }
    };
    let (level, line) = simulation.count(other_address(1, "192.0.2.1")).unwrap();
    assert_eq!(level, Level::Warn);
    assert!(line.ends_with("add --trust-gateway 192.0.2.1"), "{line}");
    // Others have one address.
    simulation.connect_from(2);
    assert_eq!(simulation.count(other_address(3, "192.0.2.1")), None);
    let (_, line) = simulation.count(other_address(4, "192.0.2.1")).unwrap();
    assert!(line.starts_with("3 clients "), "{line}");
    simulation.connect_from(4);
    assert!(!simulation.groups.is_counting());
}

/// The reply refers to the log for the value.
#[test]
fn each_value_of_a_flag_is_logged() {
    let mut simulation = Simulation::new();
    let lines = |simulation: &mut Simulation, values: std::ops::Range<u8>| -> Vec<String> {
        let count = |last: u8| {
            let gateway: IpAddr = [192, 0, 2, last].into();
            let failure = ConnectFailure {
                cause: FailureCause::OtherAddress {
                    came: vec![gateway],
                    gateway: gateway.into(),
                    is_router: false,
                },
                ..failure(client(last), offer("203.0.113.1", 60_004), RANGE)
            };
            Some(simulation.count(failure)?.1)
        };
        values.filter_map(count).collect()
    };
    let first = lines(&mut simulation, 1..3);
    for (line, value) in first.iter().zip(["192.0.2.1", "192.0.2.2"]) {
        let flag = format!("add --trust-gateway {value}");
        assert!(line.ends_with(&flag), "{line}");
    }
    assert_eq!(first.len(), 2);
    // Strangers cannot fill the log, nor push other reasons out.
    assert_eq!(lines(&mut simulation, 3..255).len(), VALUES_MAX - 2);
    assert_eq!(simulation.groups.groups.len(), VALUES_MAX);
    simulation.seconds = 600;
    assert_eq!(lines(&mut simulation, 1..255).len(), VALUES_MAX);
}

#[test]
fn a_single_client_that_gives_up_is_no_warning() {
    let gave_up = |last| ConnectFailure {
        gave_up: true,
        ..failure(client(last), offer("203.0.113.1", 60_004), RANGE)
    };
    let mut simulation = Simulation::new();
    assert_eq!(
        simulation.count(gave_up(1)),
        Some((Level::Info, FIRST.to_owned()))
    );
    simulation.count(gave_up(2));
    // Three have a reason in common.
    assert_eq!(simulation.count(gave_up(3)).unwrap().0, Level::Warn);

    let mut private = gave_up(1);
    private.connection.offer = offer("192.168.77.2", 60_004);
    private.connection.offer.diagnosis = Diagnosis::PrivateAddress;
    private.cause = by_addresses(&private.connection.offer, RANGE);
    assert_eq!(simulation.count(private).unwrap().0, Level::Warn);

    let own_fault = ConnectFailure {
        cause: FailureCause::ClientSide { trusts: None },
        ..failure(client(1), offer("203.0.113.1", 60_004), RANGE)
    };
    assert_eq!(simulation.count(own_fault).unwrap().0, Level::Info);

    // The address may be wrong for all that trust it, and several show it.
    let trusting = |last| ConnectFailure {
        cause: FailureCause::ClientSide {
            trusts: Some(Ipv4Addr::new(203, 0, 113, 1).into()),
        },
        ..failure(client(last), offer("203.0.113.1", 60_004), RANGE)
    };
    assert_eq!(simulation.count(trusting(1)).unwrap().0, Level::Info);
    simulation.count(trusting(2));
    assert_eq!(simulation.count(trusting(3)).unwrap().0, Level::Warn);
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
    assert_eq!(log.report(), [""; 0]);
    log.on_connected(&offered, client(77));
    log.on_never_connected(failure(client(1), offered, RANGE), now);
    assert_eq!(log.report(), [FIRST]);
    log.on_connected(&offer("203.0.113.2", 60_004), client(77));
    assert!(log.is_counting.load(Ordering::Relaxed));
    log.on_connected(&offered, client(77));
    assert!(!log.is_counting.load(Ordering::Relaxed));
    assert_eq!(log.report(), [""; 0]);
    log.on_never_connected(failure(client(1), offered, RANGE), now);
    log.clear();
    assert!(!log.is_counting.load(Ordering::Relaxed));
    assert_eq!(log.report(), [""; 0]);
}

#[test]
fn memory_is_bounded() {
    let mut groups = FailureGroups::default();
    let now = Instant::now();
    for number in 0..1000_u16 {
        let [high, low] = number.to_be_bytes();
        let peer = Ipv6Addr::from(u128::from(number)).into();
        let repeated = failure(peer, offer("203.0.113.1", 60_004), RANGE);
        groups.on_never_connected(repeated, now);
        let new = failure(peer, offer(&format!("11.0.{high}.{low}"), 60_004), RANGE);
        groups.on_never_connected(new, now);
    }
    assert_eq!(groups.groups.len(), GROUPS_MAX);
    // A group that counts again and again is not the one that is dropped.
    let repeated = failure(client(1), offer("203.0.113.1", 60_004), RANGE);
    let repeated = FailureKey::of(&repeated);
    let group = &groups.groups[groups.position(&repeated).unwrap()];
    assert_eq!(group.clients.len(), CLIENTS_MAX);
    assert_eq!(
        group.line(),
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
