//! What names lead to, under a clock of the test's own.

use std::sync::mpsc;

use proptest::prelude::*;

use super::*;
use crate::cli::{self, Invocation};

/// A name that is told to everybody, one of the map, and one for a network of clients.
const FLAGS: &str = "-n ftp.example --masquerade-address-map 10.0.0.1=map.example \
                     --masquerade-client 10.8.0.0/24=vpn.example";
const ONE: &str = "-n ftp.example";

struct Bench {
    addresses: PublicAddresses,
    start: Instant,
}

impl Bench {
    fn new(flags: &str) -> Self {
        let mut bench = Self {
            addresses: PublicAddresses::default(),
            start: Instant::now(),
        };
        bench.follow(0, flags);
        bench
    }

    fn at(&self, second: u64) -> Instant {
        self.start + Duration::from_secs(second)
    }

    fn follow(&mut self, second: u64, flags: &str) {
        let arguments = flags.split_whitespace().map(Into::into);
        let settings = match cli::parse(arguments, |_| None).unwrap() {
            Invocation::Serve(settings) => *settings,
            other => panic!("{other:?}"),
        };
        let now = self.at(second);
        self.addresses.follow(&settings, now);
    }

    fn due(&mut self, second: u64) -> Vec<String> {
        let now = self.at(second);
        self.addresses.due(now)
    }

    /// `found` is addresses, or after an exclamation mark the reason why there are none.
    fn take(&mut self, second: u64, name: &str, found: &str) -> Vec<String> {
        let found = match found.strip_prefix('!') {
            Some(why) => Err(why.to_owned()),
            None => Ok(found
                .split_whitespace()
                .map(|address| address.parse().unwrap())
                .collect()),
        };
        let name = name.to_owned();
        let now = self.at(second);
        texts(self.addresses.take(Answer { name, found }, now))
    }

    fn overdue(&mut self, second: u64) -> Vec<String> {
        let now = self.at(second);
        texts(self.addresses.overdue(now))
    }

    fn wakes_after(&self) -> Option<u64> {
        let wake = self.addresses.wake_at()?;
        Some(wake.duration_since(self.start).as_secs())
    }

    fn known(&self) -> Vec<String> {
        let known = self.addresses.known().into_iter();
        known
            .map(|(name, address)| format!("{name}={address}"))
            .collect()
    }
}

fn texts(lines: Vec<Line>) -> Vec<String> {
    let text = |Line { level, text }| format!("{level} {text}");
    lines.into_iter().map(text).collect()
}

/// One answer after the other: what the log says, and what is known then.
#[test]
fn answers_become_addresses_and_lines() {
    const NOWHERE: &str = "WARN cannot resolve ftp.example: ";
    const STILL: &str = "clients are still told 203.0.113.1";
    const UNTIL: &str = "until it is known, clients are told the address that they connected to";
    let steps: [(&str, String, &str); 17] = [
        (
            "!Name or service not known",
            format!("{NOWHERE}Name or service not known; {UNTIL}"),
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
        // Of several, the one that is told already.
        ("203.0.113.9 203.0.113.1", String::new(), "203.0.113.1"),
        (
            "",
            format!("{NOWHERE}it has no IPv4 address; {STILL}"),
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
                "{NOWHERE}it leads to 0.0.0.0: not an address that a client can connect to; {STILL}"
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
        (
            "192.168.1.5",
            "INFO ftp.example is now 192.168.1.5, it was 203.0.113.7\n\
             WARN ftp.example leads to 192.168.1.5, a private address: clients outside the local \
             network cannot reach it; the name should lead to the router's public address"
                .into(),
            "192.168.1.5",
        ),
        ("192.168.1.5", String::new(), "192.168.1.5"),
        (
            "100.64.0.1",
            format!(
                "INFO ftp.example is now 100.64.0.1, it was 192.168.1.5\n\
                 WARN ftp.example leads to 100.64.0.1, {BEHIND_CARRIER}"
            ),
            "100.64.0.1",
        ),
        (
            "127.0.1.1",
            "INFO ftp.example is now 127.0.1.1, it was 100.64.0.1\n\
             WARN ftp.example leads to 127.0.1.1, a loopback address: each client will connect to \
             itself; look into /etc/hosts, the name should lead to the router's public address"
                .into(),
            "127.0.1.1",
        ),
    ];
    let mut bench = Bench::new(ONE);
    for (step, (found, lines, known)) in steps.into_iter().enumerate() {
        let said = bench.take(0, "ftp.example", found).join("\n");
        assert_eq!(said, lines, "step {step}: {found}");
        let known = match known {
            "" => Vec::new(),
            known => vec![format!("ftp.example={known}")],
        };
        assert_eq!(bench.known(), known, "step {step}: {found}");
    }
}

/// Telling a VPN's clients a private address is what such a rule is for.
#[test]
fn a_private_address_may_be_for_some() {
    let mut bench = Bench::new(FLAGS);
    assert_eq!(bench.take(0, "vpn.example", "10.8.0.1").len(), 1);
    assert_eq!(bench.take(0, "map.example", "10.8.0.1").len(), 2);
    assert_eq!(bench.take(0, "ftp.example", "10.8.0.1").len(), 2);
}

#[test]
fn names_are_looked_up_again() {
    let mut bench = Bench::new(&format!("{ONE} --masquerade-refresh 600"));
    assert_eq!(bench.due(0), ["ftp.example"]);
    // It is under way.
    assert_eq!(bench.due(0), [""; 0]);
    assert_eq!(bench.due(10_000), [""; 0]);
    bench.take(1, "ftp.example", "203.0.113.1");
    assert_eq!(bench.wakes_after(), Some(601));
    assert_eq!(bench.due(600), [""; 0]);
    assert_eq!(bench.due(601), ["ftp.example"]);
}

#[test]
fn failures_are_tried_again_sooner() {
    for (refresh, pauses) in [
        (3600, [5, 10, 20, 40, 60, 60]),
        (30, [5, 10, 20, 30, 30, 30]),
        (2, [2, 2, 2, 2, 2, 2]),
    ] {
        let mut bench = Bench::new(&format!("{ONE} --masquerade-refresh {refresh}"));
        // The second round shows that a good answer ends the outage.
        let mut now = 0;
        for _ in 0..2 {
            for pause in pauses {
                assert_eq!(bench.due(now), ["ftp.example"]);
                bench.take(now, "ftp.example", "!no");
                assert_eq!(bench.wakes_after(), Some(now + pause), "{refresh}");
                now += pause;
            }
            assert_eq!(bench.due(now), ["ftp.example"]);
            bench.take(now, "ftp.example", "203.0.113.1");
            now += refresh;
        }
    }
}

#[test]
fn a_slow_name_delays_no_other() {
    let flags = format!("{FLAGS} --masquerade-refresh 60");
    let mut bench = Bench::new(&flags);
    assert_eq!(bench.due(0), ["ftp.example", "map.example", "vpn.example"]);
    bench.take(1, "map.example", "203.0.113.2");
    assert_eq!(bench.known(), ["map.example=203.0.113.2"]);
    assert_eq!(bench.due(61), ["map.example"]);
}

#[test]
fn a_silent_resolver_is_an_outage() {
    const SILENT: &str = "WARN cannot resolve ftp.example: the resolver does not answer; ";
    let mut bench = Bench::new(ONE);
    bench.due(0);
    assert_eq!(bench.wakes_after(), Some(5));
    assert_eq!(bench.overdue(4), [""; 0]);
    let until = "until it is known, clients are told the address that they connected to";
    assert_eq!(bench.overdue(5), [format!("{SILENT}{until}")]);
    // Said once; nothing is left to wake up for.
    assert_eq!(bench.overdue(6), [""; 0]);
    assert_eq!(bench.wakes_after(), None);
    assert_eq!(bench.take(20, "ftp.example", "!Try again"), [""; 0]);
    assert_eq!(bench.wakes_after(), Some(25));
    bench.due(25);
    let first = bench.take(26, "ftp.example", "203.0.113.1");
    assert_eq!(first, ["INFO ftp.example is 203.0.113.1"]);
    bench.due(86);
    let still = "clients are still told 203.0.113.1";
    assert_eq!(bench.overdue(91), [format!("{SILENT}{still}")]);
    let report = "ftp.example is 203.0.113.1 by the last answer, and cannot be resolved now";
    assert_eq!(bench.addresses.report(), [report]);
}

#[test]
fn a_reload_keeps_what_is_known() {
    let mut bench = Bench::new(FLAGS);
    for name in bench.due(0) {
        bench.take(0, &name, "203.0.113.1");
    }
    bench.follow(
        10,
        "-n ftp.example --masquerade-address-map 10.0.0.1=new.example --masquerade-refresh 5",
    );
    assert_eq!(bench.known(), ["ftp.example=203.0.113.1"]);
    let report = ["ftp.example is 203.0.113.1", "new.example is not known yet"];
    assert_eq!(bench.addresses.report(), report);
    // All are looked up at once, and from then on as often as the new settings say.
    assert_eq!(bench.due(10), ["ftp.example", "new.example"]);
    assert_eq!(bench.take(10, "ftp.example", "203.0.113.1"), [""; 0]);
    assert_eq!(bench.due(15), ["ftp.example"]);
    bench.follow(20, "-n 203.0.113.5");
    assert_eq!(bench.known(), [""; 0]);
    assert_eq!(bench.wakes_after(), None);
}

#[test]
fn an_answer_for_settings_that_are_gone() {
    let mut bench = Bench::new(ONE);
    assert_eq!(bench.due(0), ["ftp.example"]);
    bench.follow(1, "-n 203.0.113.5");
    assert_eq!(bench.overdue(9), [""; 0]);
    assert_eq!(bench.take(9, "ftp.example", "203.0.113.1"), [""; 0]);
    assert_eq!(bench.known(), [""; 0]);
}

/// However often the settings change, a name is looked up by one thread at a time.
#[test]
fn a_name_that_comes_back_waits_for_the_lookup_that_runs() {
    let mut bench = Bench::new(ONE);
    assert_eq!(bench.due(0), ["ftp.example"]);
    bench.follow(1, "-n other.example");
    assert_eq!(bench.due(1), ["other.example"]);
    bench.follow(2, ONE);
    assert_eq!(bench.due(2), [""; 0]);
    assert_eq!(
        bench.take(3, "ftp.example", "203.0.113.1"),
        ["INFO ftp.example is 203.0.113.1"]
    );
    assert_eq!(bench.due(63), ["ftp.example"]);
}

#[test]
fn without_names_there_is_nothing_to_do() {
    let mut bench = Bench::new("-n 203.0.113.1");
    assert_eq!(bench.due(0), [""; 0]);
    assert_eq!(bench.wakes_after(), None);
}

/// In `/etc/hosts` everywhere, so that no test asks a resolver elsewhere.
#[test]
fn the_system_resolves() {
    let (sender, receiver) = mpsc::channel();
    let tell = move |answer| sender.send(answer).unwrap();
    look_up("localhost".to_owned(), tell).unwrap();
    let answer = receiver.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(answer.name, "localhost");
    assert_eq!(answer.found.unwrap()[0], Ipv4Addr::LOCALHOST);
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    /// The answer to one of the lookups that are under way.
    Answer(usize, &'static str),
    Follow(&'static str),
}

fn step() -> impl Strategy<Value = Step> {
    let answers = prop::sample::select(vec!["203.0.113.1", "203.0.113.2", "", "0.0.0.0", "!no"]);
    let flags = prop::sample::select(vec![ONE, FLAGS, "-n 203.0.113.1", "-n other.example"]);
    prop_oneof![
        (0_u64..100).prop_map(Step::Wait),
        (0_usize..4, answers).prop_map(|(which, answer)| Step::Answer(which, answer)),
        flags.prop_map(Step::Follow),
    ]
}

proptest! {
    /// Whatever happens, no name is looked up twice at a time, the acceptor is never woken in vain, and
    /// what was known once stays known.
    #[test]
    fn whatever_happens(steps in prop::collection::vec(step(), 0..60)) {
        let mut bench = Bench::new(FLAGS);
        let mut under_way: Vec<String> = Vec::new();
        let mut second = 0;
        for step in steps {
            let before = bench.addresses.known();
            let mut forgets = false;
            match step {
                Step::Wait(seconds) => second += seconds,
                Step::Answer(which, answer) if which < under_way.len() => {
                    let name = under_way.remove(which);
                    bench.take(second, &name, answer);
                }
                Step::Answer(..) => {}
                Step::Follow(flags) => {
                    bench.follow(second, flags);
                    forgets = true;
                }
            }
            let known = bench.addresses.known();
            prop_assert!(forgets || before.keys().all(|name| known.contains_key(name)));
            for name in bench.due(second) {
                prop_assert!(!under_way.contains(&name), "{name} twice");
                under_way.push(name);
            }
            bench.overdue(second);
            prop_assert!(bench.wakes_after().is_none_or(|wake| wake > second));
        }
    }
}
