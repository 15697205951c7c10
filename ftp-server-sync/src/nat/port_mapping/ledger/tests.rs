use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::nat::port_mapping::public_address::PublicSide;

const ROUTER: Router = Router {
    address: Ipv4Addr::new(192, 168, 77, 1),
    own: Ipv4Addr::new(192, 168, 77, 2),
};

fn job() -> MappingJob {
    let port = |inner, outer, purpose| WantedPort {
        inner,
        outer,
        purpose,
    };
    let passive = (60_000..=60_003).map(|inner| port(inner, inner, PortPurpose::Passive));
    MappingJob {
        protocols: MappingProtocol::ALL.to_vec(),
        interface: None,
        listen: BTreeSet::new(),
        listen_v6: BTreeSet::new(),
        ports: [port(2121, 21, PortPurpose::Control)]
            .into_iter()
            .chain(passive)
            .collect(),
        lease: Duration::from_secs(3600),
        record_file: "/state/mappings".into(),
    }
}

/// The router forwards these pairs of inner and outer ports, and no others.
fn result(address: &str, granted: &[(u16, u16)]) -> PassResult {
    let granted: BTreeMap<u16, u16> = granted.iter().copied().collect();
    let ports = job().ports.into_iter().map(|port| port.inner);
    let refused = ports.filter(|inner| !granted.contains_key(inner));
    PassResult {
        public: PublicSide::of(address.parse().unwrap()).unwrap(),
        refused: refused.map(|inner| (inner, "is full".to_owned())).collect(),
        granted,
        lease: Duration::from_secs(3600),
        restarted: false,
        is_partial: false,
    }
}

fn silence() -> Trouble {
    Trouble::NoAnswer {
        router: ROUTER.address,
        reasons: "PCP: it does not answer".to_owned(),
    }
}

const ALL: [(u16, u16); 5] = [
    (2121, 21),
    (60_000, 60_000),
    (60_001, 60_001),
    (60_002, 60_002),
    (60_003, 60_003),
];

#[track_caller]
fn check(ledger: &mut Ledger, expected: &[&str]) -> PortMappings {
    let update = ledger.update();
    let lines: Vec<String> = update.lines.into_iter().map(|line| line.text).collect();
    assert_eq!(lines, expected);
    update.mappings
}

#[test]
fn lines_say_what_is_new() {
    let mut ledger = Ledger::default();
    let answer = |ledger: &mut Ledger, result| {
        ledger.on_result(MappingProtocol::Pcp, ROUTER, &job(), result, None);
    };
    answer(&mut ledger, result("203.0.113.1", &ALL));
    let mappings = check(
        &mut ledger,
        &[
            "the router 192.168.77.1 (PCP) forwards from 203.0.113.1 to 192.168.77.2: port 21 to the \
           control port 2121, the passive ports 60000-60003",
        ],
    );
    assert_eq!(mappings.public, Some(Ipv4Addr::new(203, 0, 113, 1)));
    assert_eq!(mappings.outer.len(), 4);
    assert!(mappings.left_out.is_empty());
    // A renewal changes nothing.
    answer(&mut ledger, result("203.0.113.1", &ALL));
    check(&mut ledger, &[]);
    // Another host has a number, and the router refuses a port.
    let other = [
        (2121, 2121),
        (60_000, 61_000),
        (60_001, 60_001),
        (60_002, 60_002),
    ];
    answer(&mut ledger, result("203.0.113.2", &other));
    let mappings = check(
        &mut ledger,
        &[
            "the router 192.168.77.1 (PCP) forwards from 203.0.113.2 to 192.168.77.2: port 2121 to \
             the control port 2121, the passive ports 60001-60002, port 61000 to passive port 60000",
            "the router does not forward its port 21: clients outside reach the control port at port \
             2121, until 21 is free",
            "passive ports that the router does not forward are left out: 60003; the router is full",
        ],
    );
    assert_eq!(mappings.left_out, BTreeSet::from([60_003]));
    let bound = ftp_proto::Bound::try_from(60_000).unwrap();
    assert_eq!(
        mappings.bound(bound).outer.map(NonZeroU16::get),
        Some(61_000)
    );
}

#[test]
fn a_port_with_its_own_number_again_is_one_line() {
    let mut ledger = Ledger::default();
    let answer = |ledger: &mut Ledger, job: &MappingJob, number| {
        let mut granted = ALL;
        granted[0] = (2121, number);
        let result = result("203.0.113.1", &granted);
        ledger.on_result(MappingProtocol::Pcp, ROUTER, job, result, None);
    };
    answer(&mut ledger, &job(), 2121);
    ledger.update();
    answer(&mut ledger, &job(), 21);
    let update = ledger.update();
    assert_eq!(update.lines.len(), 2);
    assert_eq!(
        update.lines[0].text,
        "the router's port 21 is free again: clients outside reach the control port there, and no longer \
         at port 2121"
    );
    // The operator wants another number: that is no news about the router.
    let mut other = job();
    other.ports[0].outer = 2100;
    answer(&mut ledger, &other, 2100);
    assert_eq!(ledger.update().lines.len(), 1);
}

#[test]
fn an_outage_changes_no_mapping() {
    let mut ledger = Ledger::default();
    ledger.on_trouble(silence());
    let mappings = check(
        &mut ledger,
        &[
            "--port-mapping: the router 192.168.77.1 forwards nothing (PCP: it does not answer); no port \
             is forwarded; it is asked again within 5 minutes; switch port mapping (UPnP, PCP or NAT-PMP) \
             on in its settings, or forward the ports by hand (--rules prints the rules) and give \
             --masquerade-address",
        ],
    );
    assert_eq!(mappings, PortMappings::default());
    ledger.on_result(
        MappingProtocol::NatPmp,
        ROUTER,
        &job(),
        result("203.0.113.1", &ALL),
        None,
    );
    let before = ledger.update();
    assert_eq!(before.lines.len(), 1);
    ledger.on_trouble(silence());
    let line = "--port-mapping: the router 192.168.77.1 does not confirm what it forwards (PCP: it does \
                not answer); the last answer stays in use; it is asked again within 5 minutes; switch port \
                mapping (UPnP, PCP or NAT-PMP) on in its settings if it is off";
    let mappings = check(&mut ledger, &[line]);
    assert_eq!(mappings, before.mappings);
    ledger.on_trouble(silence());
    check(&mut ledger, &[]);
    // It has restarted meanwhile: the line about its answers is enough.
    let restarted = PassResult {
        restarted: true,
        ..result("203.0.113.1", &ALL)
    };
    ledger.on_result(
        MappingProtocol::NatPmp,
        ROUTER,
        &job(),
        restarted.clone(),
        None,
    );
    assert_eq!(ledger.update().report, before.report);
    ledger.on_result(MappingProtocol::NatPmp, ROUTER, &job(), restarted, None);
    check(
        &mut ledger,
        &["the router 192.168.77.1 has forgotten its mappings, and is asked for all of them again"],
    );
}

#[test]
fn without_a_public_address_the_numbers_are_known() {
    let mut ledger = Ledger::default();
    ledger.on_result(
        MappingProtocol::Pcp,
        ROUTER,
        &job(),
        result("10.0.0.1", &ALL),
        None,
    );
    let update = ledger.update();
    assert_eq!(update.mappings.public, None);
    assert_eq!(update.mappings.outer.len(), 4);
    let text = &update.lines[1].text;
    assert!(
        text.starts_with("the router 192.168.77.1 has no address on the Internet"),
        "{text}"
    );
}

/// Local clients need ports too.
#[test]
fn not_every_port_is_left_out() {
    let mut ledger = Ledger::default();
    ledger.on_result(
        MappingProtocol::Pcp,
        ROUTER,
        &job(),
        result("203.0.113.1", &ALL[..1]),
        None,
    );
    let update = ledger.update();
    assert!(update.mappings.left_out.is_empty());
    assert_eq!(
        update.report[1],
        "the router forwards none of the passive ports 60000-60003: it is full; clients outside can log \
         in, and every transfer fails; permit these ports in its settings, or give others with \
         --passive-ports"
    );
}

/// What sessions announce stays, and the log and SIGUSR1 say that it is of no use.
#[test]
fn mappings_end_with_their_lease() {
    let (mut ledger, now) = (Ledger::default(), Instant::now());
    let end = now + Duration::from_secs(3600);
    let answer = |ledger: &mut Ledger, ends_at| {
        let result = result("203.0.113.1", &ALL);
        ledger.on_result(MappingProtocol::Pcp, ROUTER, &job(), result, ends_at);
    };
    answer(&mut ledger, Some(end));
    assert_eq!(ledger.next_end(), None);
    let before = ledger.update();
    ledger.on_trouble(silence());
    assert_eq!(ledger.next_end(), Some(end));
    ledger.update();
    assert!(!ledger.take_ended(end - Duration::from_secs(1)));
    assert!(ledger.take_ended(end));
    assert!(!ledger.take_ended(end));
    assert_eq!(ledger.next_end(), None);
    let line = "--port-mapping: the router 192.168.77.1 forwards nothing (PCP: it does not answer); the mappings are lost, and clients outside cannot \
                connect until it answers again; clients outside are still given its address \
                203.0.113.1; look at the router";
    let update = ledger.update();
    assert_eq!(update.lines[0].text, line);
    assert_eq!(update.report, [line]);
    assert_eq!(update.mappings, before.mappings);
    // Said once.
    ledger.on_trouble(silence());
    check(&mut ledger, &[]);
    answer(&mut ledger, Some(end));
    assert_eq!(ledger.update().report, before.report);
    // Without a lease, they stay.
    answer(&mut ledger, None);
    ledger.on_trouble(silence());
    assert_eq!(ledger.next_end(), None);
}

/// An outage of one router says nothing about its answers; another router has others.
#[test]
fn the_answers_of_another_router_are_forgotten() {
    let mut ledger = Ledger::default();
    let result = result("203.0.113.1", &ALL);
    ledger.on_result(MappingProtocol::Pcp, ROUTER, &job(), result, None);
    ledger.forget_other(ROUTER);
    assert_eq!(ledger.held().len(), 5);
    let other = Router {
        address: Ipv4Addr::new(192, 168, 77, 30),
        ..ROUTER
    };
    assert_eq!(ledger.held_at(other, &job()), BTreeMap::new());
    ledger.forget_other(other);
    assert_eq!(ledger.update().mappings, PortMappings::default());
}

/// Until the round is over, clients outside would be given an address that is gone.
#[test]
fn the_first_answers_that_are_others_are_reported() {
    let mut ledger = Ledger::default();
    let last = result("203.0.113.1", &ALL);
    ledger.on_result(MappingProtocol::Pcp, ROUTER, &job(), last.clone(), None);
    let other = Router {
        address: Ipv4Addr::new(192, 168, 77, 30),
        ..ROUTER
    };
    let public = |protocol, router, result| {
        let update = ledger.on_answers(protocol, router, &job(), result)?;
        update.mappings.public
    };
    let pcp = MappingProtocol::Pcp;
    let new = result("203.0.113.2", &ALL[..2]);
    assert_eq!(public(pcp, ROUTER, last.clone()), None);
    assert_eq!(
        public(pcp, ROUTER, new),
        Some(Ipv4Addr::new(203, 0, 113, 2))
    );
    let same = Some(Ipv4Addr::new(203, 0, 113, 1));
    assert_eq!(public(pcp, other, last.clone()), same);
    assert_eq!(public(MappingProtocol::Upnp, ROUTER, last.clone()), same);
    let restarted = PassResult {
        restarted: true,
        ..last
    };
    assert_eq!(public(pcp, ROUTER, restarted), same);
}
