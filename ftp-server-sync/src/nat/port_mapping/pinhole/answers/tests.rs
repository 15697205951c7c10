use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::nat::port_mapping::job::PortPurpose;

fn job() -> MappingJob {
    let port = |inner, purpose| WantedPort {
        inner,
        outer: inner,
        purpose,
    };
    let passive = (60_000..=60_002).map(|inner| port(inner, PortPurpose::Passive));
    MappingJob {
        protocols: MappingProtocol::ALL.to_vec(),
        interface: None,
        listen: BTreeSet::new(),
        listen_v6: BTreeSet::new(),
        ports: [port(2121, PortPurpose::Control)]
            .into_iter()
            .chain(passive)
            .collect(),
        lease: LEASE,
        record_file: "/state/mappings".into(),
    }
}

fn answers() -> PinholeAnswers {
    let router = PinholeRouter::new_for_test("fe80::1", "2001:db8:77::2");
    PinholeAnswers::new(router, &job())
}

fn result(opened: &[u16]) -> PinholeResult {
    let ports = job().ports.into_iter().map(|port| port.inner);
    let refused = ports.filter(|inner| !opened.contains(inner));
    PinholeResult {
        refused: refused.map(|inner| (inner, "is full".to_owned())).collect(),
        opened: opened.iter().copied().collect(),
        lease: LEASE,
        is_off: false,
    }
}

#[track_caller]
fn check(answers: &PinholeAnswers, expected: &[&str]) {
    let lines: Vec<String> = answers.lines().into_iter().map(|line| line.text).collect();
    assert_eq!(lines, expected);
}

const BY_HAND: &str = "clients outside reach this server over IPv6 only if the firewall of the router fe80::1 \
    lets them in, and it opens no port when it is asked (PCP: it does not answer): in its settings for \
    IPv6, allow TCP to 2001:db8:77::2, ports 2121, 60000-60002";
const SILENT: &str = "PCP: it does not answer";

#[test]
fn lines_say_what_is_open() {
    let (mut answers, now) = (answers(), Instant::now());
    check(&answers, &[]);
    let all = [2121, 60_000, 60_001, 60_002];
    answers.on_result(MappingProtocol::Pcp, &job(), result(&all), now);
    check(
        &answers,
        &[
            "the router fe80::1 (PCP) lets clients in over IPv6, to 2001:db8:77::2: the control port \
           2121, the passive ports 60000-60002",
        ],
    );
    answers.on_result(MappingProtocol::Upnp, &job(), result(&all[1..3]), now);
    check(
        &answers,
        &[
            "the router fe80::1 (UPnP) lets clients in over IPv6, to 2001:db8:77::2: the passive ports \
             60000-60001",
            "the router fe80::1 does not let clients in over IPv6 to these ports: 2121, 60002; the \
             router is full",
        ],
    );
    let off = PinholeResult {
        is_off: true,
        ..PinholeResult::default()
    };
    answers.on_result(MappingProtocol::Upnp, &job(), off, now);
    check(
        &answers,
        &[
            "the router fe80::1 (UPnP) has its firewall for IPv6 switched off: clients outside reach \
           2001:db8:77::2",
        ],
    );
}

#[test]
fn a_router_that_opens_nothing_is_opened_by_hand() {
    let mut answers = answers();
    answers.on_trouble(SILENT.to_owned(), &job());
    check(&answers, &[BY_HAND]);
    assert_eq!(answers.next_end(), None);
}

#[test]
fn openings_that_are_not_renewed_end() {
    let (mut answers, now) = (answers(), Instant::now());
    answers.on_result(MappingProtocol::Pcp, &job(), result(&[2121]), now);
    assert_eq!(answers.next_end(), None);
    answers.on_trouble(SILENT.to_owned(), &job());
    let line = "--port-mapping: the router fe80::1 opens nothing over IPv6 any more (PCP: it does not \
                answer); what it has opened may end; it is asked again";
    check(&answers, &[line]);
    let end = answers.next_end().unwrap();
    assert_eq!(end, now + LEASE);
    assert!(!answers.take_ended(end - Duration::from_secs(1)));
    assert!(answers.take_ended(end));
    assert!(!answers.take_ended(end));
    check(&answers, &[BY_HAND]);
    answers.on_result(MappingProtocol::Pcp, &job(), result(&[2121]), end);
    assert_eq!(answers.lines().len(), 2);
}

const LEASE: Duration = Duration::from_secs(3600);
