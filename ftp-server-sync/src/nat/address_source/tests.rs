//! Sources and their addresses, under a simulated clock.

use std::sync::mpsc;

use proptest::prelude::*;

use super::answer::Answer;
use super::choice::BEHIND_CARRIER;
use super::lookup::look_up;
use super::*;
use crate::cli::golden;

/// A name for all clients outside, one in the map, and one for a network of clients.
const FLAGS: &str = "-n ftp.example --masquerade-address-map 10.0.0.1=map.example \
                     --masquerade-client 10.8.0.0/24=vpn.example";
const ONE_NAME: &str = "-n ftp.example";

struct Simulation {
    resolver: AddressResolver,
    start: Instant,
}

impl Simulation {
    fn new(flags: &str) -> Self {
        let mut simulation = Self {
            resolver: AddressResolver::default(),
            start: Instant::now(),
        };
        simulation.reload(0, flags);
        simulation
    }

    fn at(&self, second: u64) -> Instant {
        self.start + Duration::from_secs(second)
    }

    fn reload(&mut self, second: u64, flags: &str) {
        let settings = golden::settings(flags);
        let now = self.at(second);
        self.resolver.update_settings(&settings, now);
    }

    fn due(&mut self, second: u64) -> Vec<String> {
        let now = self.at(second);
        let due = self.resolver.take_due(now).into_iter();
        due.map(|source| source.to_string()).collect()
    }

    /// `answer` holds addresses, or after an exclamation mark the reason why there are none.
    fn answer(&mut self, second: u64, source: &str, answer: &str) -> Vec<String> {
        let answer = match answer.strip_prefix('!') {
            Some(reason) => Err(reason.to_owned()),
            None => {
                let addresses = answer.split_whitespace();
                Ok(Answer {
                    addresses: addresses.map(|address| address.parse().unwrap()).collect(),
                    ..Answer::default()
                })
            }
        };
        let source = self::source(source);
        let now = self.at(second);
        texts(
            self.resolver
                .on_result(LookupResult { source, answer }, now),
        )
    }

    fn check_pending(&mut self, second: u64) -> Vec<String> {
        let now = self.at(second);
        texts(self.resolver.check_pending(now))
    }

    fn next_wake(&self) -> Option<u64> {
        let wake = self.resolver.next_wake()?;
        Some(wake.duration_since(self.start).as_secs())
    }

    fn known(&self) -> Vec<String> {
        let known = self.resolver.known().into_iter();
        known
            .map(|(name, address)| format!("{name}={address}"))
            .collect()
    }
}

/// What this value of a flag stands for.
fn source(text: &str) -> AddressSource {
    let settings = golden::settings(&format!("-n {text}"));
    settings.masquerade_address.unwrap()
}

fn texts(lines: Vec<LogLine>) -> Vec<String> {
    let text = |LogLine { level, text }| format!("{level} {text}");
    lines.into_iter().map(text).collect()
}

/// One answer after the other: the log lines, and the address that is known then.
#[test]
fn answers_become_addresses_and_lines() {
    let mut simulation = Simulation::new(ONE_NAME);
    for (step, (answer, lines, known)) in answers().into_iter().enumerate() {
        let logged = simulation.answer(0, "ftp.example", answer).join("\n");
        assert_eq!(logged, lines, "step {step}: {answer}");
        let known = match known {
            "" => Vec::new(),
            known => vec![format!("ftp.example={known}")],
        };
        assert_eq!(simulation.known(), known, "step {step}: {answer}");
    }
}

/// Answers, each with the log lines and the known address after it.
fn answers() -> Vec<(&'static str, String, &'static str)> {
    const UNRESOLVED: &str = "WARN cannot resolve ftp.example: ";
    const STILL: &str = "clients are still given 203.0.113.1";
    const UNTIL: &str =
        "until it is resolved, clients are given the address that they connected to";
    vec![
        (
            "!Name or service not known",
            format!("{UNRESOLVED}Name or service not known; {UNTIL}"),
            "",
        ),
        ("!Temporary failure in name resolution", String::new(), ""),
        ("", String::new(), ""),
        (
            "203.0.113.1",
            "INFO ftp.example is 203.0.113.1".into(),
            "203.0.113.1",
        ),
        ("203.0.113.1", String::new(), "203.0.113.1"),
        // Of several, the current one stays.
        ("203.0.113.9 203.0.113.1", String::new(), "203.0.113.1"),
        (
            "",
            format!("{UNRESOLVED}it has no IPv4 address; {STILL}"),
            "203.0.113.1",
        ),
        (
            "203.0.113.1",
            "INFO ftp.example can be resolved again, it is still 203.0.113.1".into(),
            "203.0.113.1",
        ),
        (
            "0.0.0.0",
            format!(
                "{UNRESOLVED}it resolves to 0.0.0.0: not an address that a client can connect to; {STILL}"
            ),
            "203.0.113.1",
        ),
        ("239.1.2.3", String::new(), "203.0.113.1"),
        ("255.255.255.255 0.0.0.1", String::new(), "203.0.113.1"),
        (
            "0.0.0.0 203.0.113.7 203.0.113.8",
            "INFO ftp.example is now 203.0.113.7, it was 203.0.113.1".into(),
            "203.0.113.7",
        ),
        ("203.0.113.8 203.0.113.7", String::new(), "203.0.113.7"),
        // One that clients outside cannot reach never replaces it.
        (
            "192.168.1.5",
            "WARN ftp.example resolves to 192.168.1.5, a private address: clients outside the local \
             network cannot reach it; the name must resolve to the router's public address; clients \
             are still given 203.0.113.7"
                .into(),
            "203.0.113.7",
        ),
        ("192.168.1.5", String::new(), "203.0.113.7"),
        ("100.64.0.1", String::new(), "203.0.113.7"),
        (
            "192.168.1.5 2001:db8::1 203.0.113.8",
            "INFO ftp.example is now 203.0.113.8, it was 203.0.113.7".into(),
            "203.0.113.8",
        ),
    ]
}

/// Without a better one, any address is announced that a client can connect to.
#[test]
fn the_first_address_may_be_one_that_clients_outside_cannot_reach() {
    for (answer, chosen, reason) in [
        (
            "192.168.1.5",
            "192.168.1.5",
            "a private address: clients outside the local network cannot reach it; the name must \
             resolve to the router's public address",
        ),
        ("100.64.0.1", "100.64.0.1", BEHIND_CARRIER),
        (
            "0.0.0.0 127.0.1.1 10.0.0.1",
            "127.0.1.1",
            "a loopback address: each client will connect to itself; check /etc/hosts: the name must \
             resolve to the router's public address",
        ),
    ] {
        let mut simulation = Simulation::new(ONE_NAME);
        let lines = simulation.answer(0, "ftp.example", answer);
        let warning = format!("WARN ftp.example resolves to {chosen}, {reason}");
        let info = format!("INFO ftp.example is {chosen}");
        assert_eq!(lines, [info, warning]);
        assert_eq!(simulation.answer(1, "ftp.example", answer), [""; 0]);
        // A public one comes first, and takes its place at once.
        let both = format!("{chosen} 203.0.113.1");
        let line = format!("INFO ftp.example is now 203.0.113.1, it was {chosen}");
        assert_eq!(simulation.answer(2, "ftp.example", &both), [line]);
    }
}

/// Each kind of problem has one line in an outage. What is not logged is counted.
#[test]
fn answers_of_no_use_are_counted() {
    let mut simulation = Simulation::new(ONE_NAME);
    simulation.answer(0, "ftp.example", "203.0.113.7");
    let mut lines = 0;
    for _ in 0..10 {
        lines += simulation.answer(1, "ftp.example", "192.168.1.5").len();
        lines += simulation.answer(1, "ftp.example", "!no").len();
    }
    assert_eq!(lines, 2);
    assert_eq!(
        simulation.resolver.report(),
        [
            "ftp.example was 203.0.113.7 at the last good answer; since then (20 attempts): cannot \
             resolve ftp.example: no"
        ]
    );
    assert_eq!(
        simulation.answer(2, "ftp.example", "203.0.113.7"),
        ["INFO ftp.example can be resolved again, it is still 203.0.113.7"]
    );
    assert_eq!(simulation.resolver.report(), ["ftp.example is 203.0.113.7"]);
}

/// A file has an order of its own, and is read when it has changed: each problem has a line.
#[test]
fn a_file_is_read_in_its_order() {
    const FILE: &str = "@/run/ip";
    let mut simulation = Simulation::new("-n @/run/ip");
    assert_eq!(simulation.due(0), [""; 0]);
    assert_eq!(simulation.next_wake(), None);
    let until = "until it contains one, clients are given the address that they connected to";
    let still = "clients are still given 203.0.113.2";
    for (answer, line) in [
        (
            "!it is empty",
            format!("WARN cannot take an address from {FILE}: it is empty; {until}"),
        ),
        (
            "203.0.113.1 203.0.113.2",
            format!("INFO the address in {FILE} is 203.0.113.1"),
        ),
        (
            "203.0.113.2 203.0.113.1",
            format!("INFO the address in {FILE} is now 203.0.113.2, it was 203.0.113.1"),
        ),
        ("203.0.113.2 203.0.113.1", String::new()),
        (
            "!it is empty",
            format!("WARN cannot take an address from {FILE}: it is empty; {still}"),
        ),
        (
            "!it is gone",
            format!("WARN cannot take an address from {FILE}: it is gone; {still}"),
        ),
        ("!it is gone", String::new()),
        (
            "10.0.0.1 2001:db8::1",
            format!(
                "WARN {FILE} contains 10.0.0.1, a private address: clients outside the local network \
                 cannot reach it; write the router's public address into it; {still}"
            ),
        ),
        (
            "2001:db8::1",
            format!(
                "WARN cannot take an address from {FILE}: it contains no IPv4 address; {still}"
            ),
        ),
        (
            "203.0.113.2",
            format!("INFO {FILE} contains the address again, it is still 203.0.113.2"),
        ),
    ] {
        assert_eq!(
            simulation.answer(0, FILE, answer).join("\n"),
            line,
            "{answer}"
        );
    }
}

#[test]
fn a_stun_server_is_asked_as_a_name_is() {
    const SERVER: &str = "stun:stun.example:19302";
    let mut simulation = Simulation::new("-n stun:stun.example:19302");
    assert_eq!(simulation.due(0), [SERVER]);
    assert_eq!(simulation.next_wake(), Some(5));
    let remedy = "let UDP to its port out of this network, or give another server";
    let until = "until it answers, clients are given the address that they connected to";
    assert_eq!(
        simulation.check_pending(5),
        [format!(
            "WARN cannot learn an address from {SERVER}: there is no answer; {remedy}; {until}"
        )]
    );
    let first = simulation.answer(6, SERVER, "203.0.113.1");
    assert_eq!(
        first,
        [format!("INFO the address from {SERVER} is 203.0.113.1")]
    );
    assert_eq!(simulation.due(66), [SERVER]);
    let still = "clients are still given 203.0.113.1";
    for (answer, reason) in [
        (
            "192.168.1.5",
            "a private address: clients outside the local network cannot reach it",
        ),
        (
            "127.0.0.1",
            "a loopback address: each client will connect to itself",
        ),
    ] {
        simulation.answer(66, SERVER, "203.0.113.1");
        let line = format!(
            "WARN {SERVER} answers {answer}, {reason}; give a STUN server on the Internet; {still}"
        );
        assert_eq!(simulation.answer(67, SERVER, answer), [line]);
    }
    let line = format!(
        "WARN cannot learn an address from {SERVER}: it answers 239.1.2.3: a multicast address leads \
         to no single machine; {remedy}; {still}"
    );
    assert_eq!(simulation.answer(68, SERVER, "239.1.2.3"), [line]);
    assert_eq!(
        simulation.answer(69, SERVER, "203.0.113.1"),
        [format!(
            "INFO {SERVER} answers again, it is still 203.0.113.1"
        )]
    );
}

/// A rule for clients of a VPN may well give them a private address.
#[test]
fn a_private_address_is_right_for_some_networks() {
    let mut simulation = Simulation::new(FLAGS);
    assert_eq!(simulation.answer(0, "vpn.example", "10.8.0.1").len(), 1);
    assert_eq!(simulation.answer(0, "map.example", "10.8.0.1").len(), 2);
    assert_eq!(simulation.answer(0, "ftp.example", "10.8.0.1").len(), 2);
}

#[test]
fn names_are_looked_up_again() {
    let mut simulation = Simulation::new(&format!("{ONE_NAME} --masquerade-refresh 600"));
    assert_eq!(simulation.due(0), ["ftp.example"]);
    // The lookup is pending.
    assert_eq!(simulation.due(0), [""; 0]);
    assert_eq!(simulation.due(10_000), [""; 0]);
    simulation.answer(1, "ftp.example", "203.0.113.1");
    assert_eq!(simulation.next_wake(), Some(601));
    assert_eq!(simulation.due(600), [""; 0]);
    assert_eq!(simulation.due(601), ["ftp.example"]);
}

#[test]
fn a_failure_is_retried_sooner() {
    for (refresh, pauses) in [
        (3600, [5, 10, 20, 40, 60, 60]),
        (30, [5, 10, 20, 30, 30, 30]),
        (2, [2, 2, 2, 2, 2, 2]),
    ] {
        let mut simulation = Simulation::new(&format!("{ONE_NAME} --masquerade-refresh {refresh}"));
        // The second round shows that a good answer ends the outage.
        let mut now = 0;
        for _ in 0..2 {
            for pause in pauses {
                assert_eq!(simulation.due(now), ["ftp.example"]);
                simulation.answer(now, "ftp.example", "!no");
                assert_eq!(simulation.next_wake(), Some(now + pause), "{refresh}");
                now += pause;
            }
            assert_eq!(simulation.due(now), ["ftp.example"]);
            simulation.answer(now, "ftp.example", "203.0.113.1");
            now += refresh;
        }
    }
}

#[test]
fn a_slow_name_delays_no_other() {
    let flags = format!("{FLAGS} --masquerade-refresh 60");
    let mut simulation = Simulation::new(&flags);
    assert_eq!(
        simulation.due(0),
        ["ftp.example", "map.example", "vpn.example"]
    );
    simulation.answer(1, "map.example", "203.0.113.2");
    assert_eq!(simulation.known(), ["map.example=203.0.113.2"]);
    assert_eq!(simulation.due(61), ["map.example"]);
}

#[test]
fn a_silent_resolver_is_an_outage() {
    const SILENT: &str = "WARN cannot resolve ftp.example: the resolver does not answer; ";
    let mut simulation = Simulation::new(ONE_NAME);
    simulation.due(0);
    assert_eq!(simulation.next_wake(), Some(5));
    assert_eq!(simulation.check_pending(4), [""; 0]);
    let until = "until it is resolved, clients are given the address that they connected to";
    assert_eq!(simulation.check_pending(5), [format!("{SILENT}{until}")]);
    // Logged once. There is no further time to wake up.
    assert_eq!(simulation.check_pending(6), [""; 0]);
    assert_eq!(simulation.next_wake(), None);
    assert_eq!(simulation.answer(20, "ftp.example", "!Try again"), [""; 0]);
    assert_eq!(simulation.next_wake(), Some(25));
    simulation.due(25);
    let first = simulation.answer(26, "ftp.example", "203.0.113.1");
    assert_eq!(first, ["INFO ftp.example is 203.0.113.1"]);
    simulation.due(86);
    let still = "clients are still given 203.0.113.1";
    assert_eq!(simulation.check_pending(91), [format!("{SILENT}{still}")]);
    let report = "ftp.example was 203.0.113.1 at the last good answer; since then: cannot resolve \
                  ftp.example: the resolver does not answer";
    assert_eq!(simulation.resolver.report(), [report]);
}

#[test]
fn a_reload_keeps_known_addresses() {
    let mut simulation = Simulation::new(FLAGS);
    for name in simulation.due(0) {
        simulation.answer(0, &name, "203.0.113.1");
    }
    simulation.reload(
        10,
        "-n ftp.example --masquerade-address-map 10.0.0.1=new.example --masquerade-refresh 5",
    );
    assert_eq!(simulation.known(), ["ftp.example=203.0.113.1"]);
    let report = [
        "ftp.example is 203.0.113.1",
        "new.example is not resolved yet",
    ];
    assert_eq!(simulation.resolver.report(), report);
    // All are looked up at once, then in the interval of the new settings.
    assert_eq!(simulation.due(10), ["ftp.example", "new.example"]);
    assert_eq!(simulation.answer(10, "ftp.example", "203.0.113.1"), [""; 0]);
    assert_eq!(simulation.due(15), ["ftp.example"]);
    simulation.reload(20, "-n 203.0.113.5");
    assert_eq!(simulation.known(), [""; 0]);
    assert_eq!(simulation.next_wake(), None);
}

#[test]
fn an_answer_for_a_removed_name_is_ignored() {
    let mut simulation = Simulation::new(ONE_NAME);
    assert_eq!(simulation.due(0), ["ftp.example"]);
    simulation.reload(1, "-n 203.0.113.5");
    assert_eq!(simulation.check_pending(9), [""; 0]);
    assert_eq!(simulation.answer(9, "ftp.example", "203.0.113.1"), [""; 0]);
    assert_eq!(simulation.known(), [""; 0]);
}

/// However often the settings change, there is one lookup for a name at a time.
#[test]
fn a_name_that_comes_back_waits_for_its_pending_lookup() {
    let mut simulation = Simulation::new(ONE_NAME);
    assert_eq!(simulation.due(0), ["ftp.example"]);
    simulation.reload(1, "-n other.example");
    assert_eq!(simulation.due(1), ["other.example"]);
    simulation.reload(2, ONE_NAME);
    assert_eq!(simulation.due(2), [""; 0]);
    assert_eq!(
        simulation.answer(3, "ftp.example", "203.0.113.1"),
        ["INFO ftp.example is 203.0.113.1"]
    );
    assert_eq!(simulation.due(63), ["ftp.example"]);
}

#[test]
fn without_names_there_is_nothing_to_do() {
    let mut simulation = Simulation::new("-n 203.0.113.1");
    assert_eq!(simulation.due(0), [""; 0]);
    assert_eq!(simulation.next_wake(), None);
}

/// `localhost` is in every `/etc/hosts`, so the test sends no query to another machine.
#[test]
fn the_system_resolves() {
    let (sender, receiver) = mpsc::channel();
    let on_result = move |result| sender.send(result).unwrap();
    look_up(source("localhost"), on_result).unwrap();
    let result = receiver.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(result.source, source("localhost"));
    let answer = result.answer.unwrap();
    assert!(
        answer.addresses.contains(&Ipv4Addr::LOCALHOST.into()),
        "{answer:?}"
    );
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    /// The answer to one of the pending lookups.
    Answer(usize, &'static str),
    Reload(&'static str),
}

fn step() -> impl Strategy<Value = Step> {
    let answers = prop::sample::select(vec![
        "203.0.113.1",
        "203.0.113.2",
        "10.0.0.1 203.0.113.2",
        "10.0.0.1",
        "",
        "0.0.0.0",
        "!no",
    ]);
    let flags = prop::sample::select(vec![ONE_NAME, FLAGS, "-n 203.0.113.1", "-n other.example"]);
    prop_oneof![
        (0_u64..100).prop_map(Step::Wait),
        (0_usize..4, answers).prop_map(|(which, answer)| Step::Answer(which, answer)),
        flags.prop_map(Step::Reload),
    ]
}

proptest! {
    /// In every order of events, no name has two lookups at a time, the server never wakes up
    /// without need, and a known address stays known.
    #[test]
    fn every_order_of_events_is_handled(steps in prop::collection::vec(step(), 0..60)) {
        let mut simulation = Simulation::new(FLAGS);
        let mut pending: Vec<String> = Vec::new();
        let mut second = 0;
        for step in steps {
            let before = simulation.resolver.known();
            let mut forgets = false;
            match step {
                Step::Wait(seconds) => second += seconds,
                Step::Answer(which, answer) if which < pending.len() => {
                    let name = pending.remove(which);
                    simulation.answer(second, &name, answer);
                }
                Step::Answer(..) => {}
                Step::Reload(flags) => {
                    simulation.reload(second, flags);
                    forgets = true;
                }
            }
            let known = simulation.resolver.known();
            prop_assert!(forgets || before.keys().all(|source| known.contains_key(source)));
            let lost = |one: &AddressSource| {
                let is_public = |known: &KnownAddresses| {
                    known.get(one).is_some_and(|address| !address.is_private())
                };
                is_public(&before) && !is_public(&known)
            };
            // Only clients of a network are given the one for a VPN.
            let vpn = source("vpn.example");
            prop_assert!(forgets || !before.keys().any(|one| *one != vpn && lost(one)));
            for name in simulation.due(second) {
                prop_assert!(!pending.contains(&name), "{name} twice");
                pending.push(name);
            }
            simulation.check_pending(second);
            prop_assert!(simulation.next_wake().is_none_or(|wake| wake > second));
        }
    }
}
