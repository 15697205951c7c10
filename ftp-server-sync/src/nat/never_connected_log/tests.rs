//! What is counted together, and which lines come when.

use std::net::{Ipv4Addr, Ipv6Addr};

use ftp_proto::{Announcement, PortNumber};
use proptest::prelude::*;

use super::*;

const RANGE: Advice = Advice { has_range: true };
const NO_RANGE: Advice = Advice { has_range: false };
const FIRST: &str = "client 198.51.100.1 from outside was told 203.0.113.1:60004 and never \
                     connected: \
         check the port forwarding of the router";

fn announced(address: &str, port: u16) -> PassiveOffer {
    PassiveOffer {
        announcement: Announcement {
            address: address.parse().unwrap(),
            port: PortNumber::Outer,
            reason: AnnounceReason::MasqueradeAddress,
        },
        port,
        with_address: true,
        origin: ClientOrigin::Outside,
        diagnosis: Diagnosis::NotForwarded,
    }
}

fn missed(announced: PassiveOffer) -> NeverConnected {
    NeverConnected {
        number: 1,
        offer: announced,
        withdrawn: false,
    }
}

fn client(last: u8) -> IpAddr {
    Ipv4Addr::new(198, 51, 100, last).into()
}

/// A story with a clock that is set by hand.
struct Story {
    causes: Causes,
    begun: Instant,
    seconds: u64,
}

impl Story {
    fn new() -> Self {
        Self {
            causes: Causes::default(),
            begun: Instant::now(),
            seconds: 0,
        }
    }

    fn miss(&mut self, last: u8, port: u16) -> Option<String> {
        self.miss_of(last, announced("203.0.113.1", port))
    }

    fn miss_of(&mut self, last: u8, announced: PassiveOffer) -> Option<String> {
        let now = self.begun + Duration::from_secs(self.seconds);
        self.causes
            .note(client(last), &missed(announced), RANGE, now)
    }

    fn connect(&mut self) {
        self.causes.connected(&announced("203.0.113.1", 60_009));
    }
}

#[test]
fn the_first_and_the_third_client_are_told_of() {
    let mut story = Story::new();
    assert_eq!(story.miss(1, 60_004).as_deref(), Some(FIRST));
    assert_eq!(story.miss(2, 60_004), None);
    let third = "3 clients from outside were told 203.0.113.1:60004 and never connected: \
         check the port forwarding of the router";
    assert_eq!(story.miss(3, 60_004).as_deref(), Some(third));
    for last in 4..=255 {
        story.seconds += 1000;
        assert_eq!(story.miss(last, 60_004), None);
    }
}

#[test]
fn connections_are_no_clients() {
    let mut story = Story::new();
    story.miss(1, 60_004);
    assert_eq!(story.miss(1, 60_004), None);
    let third = "client 198.51.100.1 from outside was told 203.0.113.1:60004 and never connected, \
                 3 times: \
         check the port forwarding of the router";
    assert_eq!(story.miss(1, 60_004).as_deref(), Some(third));

    let mut story = Story::new();
    story.miss(1, 60_004);
    story.miss(2, 60_001);
    let third = "2 clients from outside were told ports 60001-60004 of 203.0.113.1 and never \
                 connected, 3 times: \
         check the port forwarding of the router";
    assert_eq!(story.miss(1, 60_004).as_deref(), Some(third));
}

#[test]
fn a_success_of_the_same_cause_begins_anew() {
    let mut story = Story::new();
    assert!(story.miss(1, 60_004).is_some());
    story.connect();
    assert!(!story.causes.is_counting());
    // Not at once: else those who fail among others who do not would fill the log.
    assert_eq!(story.miss(1, 60_004), None);
    assert_eq!(story.miss(2, 60_004), None);
    story.connect();
    story.seconds = 600;
    assert_eq!(story.miss(1, 60_004).as_deref(), Some(FIRST));
    story.miss(2, 60_004);
    assert!(story.miss(3, 60_004).is_some());
}

/// What is still missed when the silence is over is told with all that was counted.
#[test]
fn silence_ends() {
    let mut story = Story::new();
    story.miss(1, 60_004);
    story.connect();
    for last in 1..=4 {
        assert_eq!(story.miss(last, 60_004), None);
    }
    story.seconds = 600;
    let line = story.miss(5, 60_004).unwrap();
    assert!(line.starts_with("5 clients from outside "), "{line}");
    assert_eq!(story.miss(6, 60_004), None);
}

#[test]
fn other_causes_count_for_themselves() {
    let mut story = Story::new();
    let outside = announced("203.0.113.1", 60_004);
    let others = [
        announced("203.0.113.2", 60_004),
        PassiveOffer {
            origin: ClientOrigin::Private,
            ..outside
        },
        PassiveOffer {
            diagnosis: Diagnosis::Blocked,
            ..outside
        },
    ];
    assert!(story.miss_of(1, outside).is_some());
    for other in others {
        assert!(story.miss_of(1, other).is_some(), "{other:?}");
        story.causes.connected(&other);
    }
    assert_eq!(story.miss_of(1, outside), None);
    assert!(story.miss_of(1, outside).unwrap().contains("3 times"));
    // By whichever of the two commands the client asked, it is the same router.
    let extended = PassiveOffer {
        with_address: false,
        ..outside
    };
    assert_eq!(story.miss_of(1, extended), None);
}

#[track_caller]
fn check(change: impl FnOnce(&mut NeverConnected), advice: Advice, expected: &str) {
    let mut missed = missed(announced("203.0.113.1", 60_004));
    change(&mut missed);
    let line = Causes::default().note(client(1), &missed, advice, Instant::now());
    assert_eq!(line.as_deref(), Some(expected));
}

#[test]
fn lines_by_cause() {
    check(|_| (), RANGE, FIRST);
    let no_range = format!("{FIRST}; give a range that it forwards with --passive-ports");
    check(|_| (), NO_RANGE, &no_range);
    check(
        |missed| missed.offer.with_address = false,
        RANGE,
        "client 198.51.100.1 from outside was told port 60004 and never connected: \
         check the port forwarding of the router",
    );
    check(
        |missed| missed.withdrawn = true,
        RANGE,
        "client 198.51.100.1 from outside was told 203.0.113.1:60004 and never connected before \
         others needed the port: \
         check the port forwarding of the router",
    );
    check(
        |missed| {
            missed.offer.origin = ClientOrigin::Local;
            missed.offer.diagnosis = Diagnosis::Blocked;
        },
        NO_RANGE,
        "local client 198.51.100.1 was told 203.0.113.1:60004 and never connected: \
         check whether a firewall blocks the port",
    );
    check(
        |missed| {
            missed.offer.origin = ClientOrigin::Private;
            missed.offer.diagnosis = Diagnosis::OtherNetwork;
        },
        RANGE,
        "client 198.51.100.1 in a private network was told 203.0.113.1:60004 and never connected: \
         check that the client can reach this address; if it cannot, give another \
         one with --masquerade-client",
    );
}

#[test]
fn the_flag_that_told_a_private_address() {
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
            "client 198.51.100.1 from outside was told 192.168.77.2, a private address, and never \
             connected: {advice}"
        );
        check(
            |missed| {
                missed.offer = announced("192.168.77.2", 60_004);
                missed.offer.diagnosis = Diagnosis::PrivateAddress;
                missed.offer.announcement.reason = why;
            },
            NO_RANGE,
            &expected,
        );
    }
}

#[test]
fn all_together() {
    let shared = NeverConnectedLog::default();
    let now = Instant::now();
    let told = announced("203.0.113.1", 60_004);
    assert_eq!(shared.report(RANGE), [""; 0]);
    shared.connected(&told);
    shared.note(client(1), &missed(told), RANGE, now);
    assert_eq!(shared.report(RANGE), [FIRST]);
    shared.connected(&announced("203.0.113.2", 60_004));
    assert!(shared.counting.load(Ordering::Relaxed));
    shared.connected(&told);
    assert!(!shared.counting.load(Ordering::Relaxed));
    assert_eq!(shared.report(RANGE), [""; 0]);
    shared.note(client(1), &missed(told), RANGE, now);
    shared.forget();
    assert!(!shared.counting.load(Ordering::Relaxed));
    assert_eq!(shared.report(RANGE), [""; 0]);
}

#[test]
fn memory_is_bounded() {
    let mut causes = Causes::default();
    let now = Instant::now();
    for number in 0..1000_u16 {
        let [high, low] = number.to_be_bytes();
        let peer = Ipv6Addr::from(u128::from(number)).into();
        let steady = missed(announced("203.0.113.1", 60_004));
        causes.note(peer, &steady, RANGE, now);
        let new = missed(announced(&format!("11.0.{high}.{low}"), 60_004));
        causes.note(peer, &new, RANGE, now);
    }
    assert_eq!(causes.tallies.len(), CAUSES_MAX);
    // The one that is missed again and again is not the one to forget.
    let steady = FailureKind::of(&announced("203.0.113.1", 60_004));
    let tally = &causes.tallies[causes.position(&steady).unwrap()];
    assert_eq!(tally.clients.len(), CLIENTS_MAX);
    assert_eq!(
        tally.line(RANGE),
        "64 or more clients from outside were told 203.0.113.1:60004 and never connected, 1000 \
         times: \
         check the port forwarding of the router"
    );
}

proptest! {
    /// Whoever comes and does not come in whatever order: at most two lines in the time of silence.
    #[test]
    fn no_cause_fills_the_log(steps in prop::collection::vec((0..4_u8, any::<u8>(), 0..30_u64), 0..400)) {
        let mut story = Story::new();
        let mut said: Vec<u64> = Vec::new();
        for (kind, last, pause) in steps {
            story.seconds += pause;
            match kind {
                0 => story.connect(),
                _ => said.extend(story.miss(last, 60_004).map(|_| story.seconds)),
            }
        }
        for window in said.windows(3) {
            prop_assert!(window[2] - window[0] >= SILENCE.as_secs(), "{:?}", said);
        }
    }
}
