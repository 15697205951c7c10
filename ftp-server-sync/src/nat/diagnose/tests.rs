//! Each finding, where it must be made and where it must not.

use super::*;
use crate::cli::{self, Invocation};

const LOCAL: &str = "127.0.0.1 ::1 192.168.77.2 2001:db8::2";
const ROUTER: &str = "192.168.77.1";
const PRIVATE: &str = "PASV replies will carry 192.168.77.2, a private address: clients outside \
                       the local network will fail; behind a router, give its public address \
                       with --masquerade-address";
const NO_RANGE: &str = "masquerade without --passive-ports: data ports are the kernel's choice, \
                        usually 32768-60999, and the router cannot forward them; give a small \
                        range such as --passive-ports 60000-60009 and forward it";
const OPEN: &str = "risk: anonymous may change and delete files: anybody who reaches the port can do \
                    so; add --username and a password, or leave --write out";
const ROUTED: &str = "-n 203.0.113.1 -r 60000-60009";

fn settings(line: &str) -> Settings {
    let arguments = line.split_whitespace().map(Into::into);
    match cli::parse(arguments, |_| None).unwrap() {
        Invocation::Serve(settings) => *settings,
        other => panic!("{other:?}"),
    }
}

fn addresses(text: &str) -> Vec<IpAddr> {
    text.split_whitespace()
        .map(|address| address.parse().unwrap())
        .collect()
}

/// The machine of these tests with these addresses.
fn seen(local: &str) -> Seen {
    Seen {
        interfaces: Interfaces {
            addresses: addresses(local),
            networks: Vec::new(),
            gateways: addresses(ROUTER),
            ..Interfaces::default()
        },
        ..Seen::default()
    }
}

/// Expects failures as they are, and others with their severity in front.
#[track_caller]
fn check_seen(line: &str, seen: &Seen, expected: &[&str]) {
    let shown = |finding: Finding| match finding.severity {
        Severity::Failure => finding.text,
        Severity::Risk => format!("risk: {}", finding.text),
        Severity::Note => format!("note: {}", finding.text),
    };
    let found = findings(&settings(line), seen).into_iter().map(shown);
    assert_eq!(found.collect::<Vec<_>>(), expected, "{line}");
}

#[track_caller]
fn check(line: &str, local: &str, expected: &[&str]) {
    check_seen(line, &seen(local), expected);
}

#[test]
fn a_private_address_is_announced() {
    for line in [
        "",
        "-r 60000-60009",
        "-i 0.0.0.0",
        "-i ::",
        "-i 192.168.77.2",
        "-i :: -i 192.168.77.2",
        "--local-networks none",
        "--local-networks 192.168.77.0/24",
        "--masquerade-client 10.8.0.0/24=local",
    ] {
        check(line, LOCAL, &[PRIVATE]);
    }
    check("-i 0.0.0.0", "::ffff:192.168.77.2", &[PRIVATE]);
}

#[test]
fn no_private_address_is_announced() {
    for line in [
        "-i 127.0.0.1",
        "-i 2001:db8::2",
        "-i 198.51.100.7",
        "--local-networks 0.0.0.0/0",
        "--masquerade-client 0.0.0.0/0=local",
        "--masquerade-client 0.0.0.0/0=203.0.113.1 -r 60000-60009",
        "--masquerade-address-map 192.168.77.2=203.0.113.1 -r 60000-60009",
        ROUTED,
    ] {
        check(line, LOCAL, &[]);
    }
    check("", "127.0.0.1 ::1 198.51.100.7", &[]);
    check("", "127.0.0.1 ::1 100.63.0.1 172.32.0.1 11.0.0.1", &[]);
}

#[test]
fn every_kind_of_private_address_counts() {
    for address in ["10.0.0.1", "172.16.0.1", "172.31.0.1", "169.254.0.1"] {
        let expected = PRIVATE.replace("192.168.77.2", address);
        check("", address, &[&expected]);
    }
    let two = "PASV replies will carry 172.17.0.1 or 192.168.77.2, private addresses: clients \
               outside the local network will fail; behind a router, give its public address \
               with --masquerade-address";
    check("", "192.168.77.2 172.17.0.1", &[two]);
    let one_of_two = "PASV replies will carry 192.168.77.3, a private address: clients outside \
                      the local network will fail; give --masquerade-address, or a public \
                      address for each in --masquerade-address-map";
    check(
        "--masquerade-address-map 192.168.77.2=203.0.113.1 -r 60000-60009",
        "192.168.77.2 192.168.77.3",
        &[one_of_two],
    );
}

#[test]
fn addresses_that_nobody_reaches() {
    let range = "-r 60000-60009";
    check(
        &format!("-n 192.168.77.1 {range}"),
        LOCAL,
        &[
            "--masquerade-address 192.168.77.1 is the router's address on this side: clients \
           outside cannot reach it; give its public address",
        ],
    );
    check(
        &format!("-n 192.168.1.5 {range}"),
        LOCAL,
        &[
            "--masquerade-address 192.168.1.5 is a private address: clients outside the local \
           network cannot reach it; give the router's public address",
        ],
    );
    check(
        &format!("-n 100.64.3.4 {range}"),
        LOCAL,
        &[&format!(
            "--masquerade-address 100.64.3.4 is {BEHIND_CARRIER}"
        )],
    );
    check(
        &format!("--masquerade-address-map 192.168.77.2=127.0.0.1 {range}"),
        LOCAL,
        &[
            "--masquerade-address-map 192.168.77.2=127.0.0.1 is a loopback address: each client \
           will connect to itself; give the router's public address",
        ],
    );
    check(
        &format!("--masquerade-address-map 192.168.77.9=203.0.113.9 {ROUTED}"),
        LOCAL,
        &[
            "--masquerade-address-map 192.168.77.9=203.0.113.9 is never used: 192.168.77.9 is \
           not an address that this server listens on; give one of this machine's",
        ],
    );
    check(
        &format!("-i 2001:db8::2 {ROUTED}"),
        LOCAL,
        &[
            "note: masquerade concerns IPv4 only, and no IPv4 address that others could reach is \
           listened on; add one with --interface",
        ],
    );
    for (line, local) in [
        (ROUTED, "127.0.0.1 ::1 2001:db8::2"),
        ("-i 127.0.0.1 -n 203.0.113.1 -r 60000-60009", LOCAL),
    ] {
        let useless = "note: masquerade concerns IPv4 only, and no IPv4 address that others could \
                       reach is listened on; add one with --interface";
        check(line, local, &[useless]);
    }
    for rule in [
        "--local-networks 0.0.0.0/0",
        "--masquerade-client 0.0.0.0/0=local",
    ] {
        let overruled = format!(
            "{rule} is for all clients: those outside are told the address that they connected to, \
             never the router's; name the networks that it is meant for"
        );
        check(&format!("{ROUTED} {rule}"), LOCAL, &[&overruled]);
    }
    check(
        "--masquerade-address-map 127.0.0.2=203.0.113.1,192.168.77.2=203.0.113.1 -r 60000-60009",
        LOCAL,
        &[
            "note: --masquerade-address-map 127.0.0.2=203.0.113.1 is for clients on this machine \
             only, whom no router translates",
        ],
    );
    let untold = "--outer-ports 50000-50009 are told to nobody: only clients that are told the \
                  router's address are told its ports; give that with --masquerade-address";
    check(
        "-i 198.51.100.7 -r 60000-60009 --outer-ports 50000-50009",
        LOCAL,
        &[untold],
    );
    check(&format!("{ROUTED} --outer-ports 50000-50009"), LOCAL, &[]);
}

#[test]
fn passive_ports_and_writing() {
    check("-n 203.0.113.1", LOCAL, &[NO_RANGE]);
    check(
        "--masquerade-client 10.8.0.0/24=10.8.0.1",
        LOCAL,
        &[PRIVATE, NO_RANGE],
    );
    check(
        "-n 203.0.113.1 -r 60000-60008",
        LOCAL,
        &[
            "note: --passive-ports has 9 ports: clients from one address can begin 9 transfers at a \
               time, others of theirs wait a moment; 10 are enough for most",
        ],
    );
    check(
        "-n 203.0.113.1 -r 60000",
        LOCAL,
        &[
            "note: --passive-ports has 1 port: clients from one address can begin 1 transfer at a \
               time, others of theirs wait a moment; 10 are enough for most",
        ],
    );
    for flags in ["--permit-foreign-addresses", "--trust-gateway 172.17.0.1"] {
        let unshared = "note: --passive-ports has 2 ports: all clients together, as sessions cannot \
                        share a port here, can begin 2 transfers at a time, others of theirs wait a \
                        moment; 10 are enough for most";
        let line = format!("-n 203.0.113.1 -r 60000-60001 {flags}");
        check(&line, LOCAL, &[unshared]);
    }
    check(&format!("{ROUTED} -w"), LOCAL, &[OPEN]);
    check(&format!("{ROUTED} -w -u bob -P x --anonymous"), LOCAL, &[]);
    check(
        "-n 127.0.0.2 -w",
        LOCAL,
        &[
            "--masquerade-address 127.0.0.2 is a loopback address: each client will connect to \
         itself; give the router's public address",
            NO_RANGE,
            OPEN,
        ],
    );
}

#[test]
fn behind_a_carriers_nat() {
    for address in ["100.64.0.1", "100.127.255.255"] {
        let expected = format!("PASV replies will carry {address}, {BEHIND_CARRIER}");
        check("", address, &[&expected]);
    }
    // A tunnel uses such addresses too, and then the other one is what counts.
    let both = PRIVATE.replace(
        "192.168.77.2, a private address",
        "100.64.0.1 or 192.168.77.2, private addresses",
    );
    check("", "192.168.77.2 100.64.0.1", &[&both]);
    check("", "100.63.255.255 100.128.0.1", &[]);
    for word in [
        "forwarding ports on the router cannot work",
        "IPv6",
        "ask the provider",
    ] {
        assert!(BEHIND_CARRIER.contains(word), "{word}");
    }
}

#[test]
fn names() {
    let flag = "--masquerade-address ftp.home.example";
    let line = "-n ftp.home.example -r 60000-60009";
    let leads_to = |address: &str| Seen {
        names: Names::from([("ftp.home.example".to_owned(), address.parse().unwrap())]),
        ..seen(LOCAL)
    };
    // Not looked up yet, as at start, or well.
    check(line, LOCAL, &[]);
    check_seen(line, &leads_to("203.0.113.1"), &[]);
    for (address, problem) in [
        (
            "192.168.77.1",
            "the router's address on this side: clients outside cannot reach it; give its public \
             address",
        ),
        (
            "192.168.77.2",
            "a private address: clients outside the local network cannot reach it; give the \
             router's public address",
        ),
        (
            "127.0.1.1",
            "a loopback address: each client will connect to itself; give the router's public \
             address",
        ),
        ("100.64.3.4", BEHIND_CARRIER),
    ] {
        let expected = format!("{flag} leads to {address}, which is {problem}");
        check_seen(line, &leads_to(address), &[&expected]);
    }
    let unresolved = Seen {
        unresolved: BTreeMap::from([("ftp.home.example".to_owned(), "no such name".to_owned())]),
        ..seen(LOCAL)
    };
    let rest = "cannot be resolved: no such name; until it can, its clients are told the address \
                that they connected to; give a name that leads to an IPv4 address, or the address \
                itself";
    check_seen(line, &unresolved, &[&format!("{flag} {rest}")]);
    let flag = "--masquerade-address-map 192.168.77.2=ftp.home.example";
    let map = format!("{flag} -r 60000-60009");
    check_seen(&map, &unresolved, &[&format!("{flag} {rest}")]);
    let flag = "--masquerade-client 10.8.0.0/24=ftp.home.example";
    let client = format!("{flag} {ROUTED}");
    check_seen(&client, &unresolved, &[&format!("{flag} {rest}")]);
    // What is private may be right for a network of clients; loopback never is.
    check_seen(&client, &leads_to("10.8.0.1"), &[]);
    let expected = format!(
        "{flag} leads to 127.0.0.1, which is a loopback address: each client will connect to \
         itself; give the router's public address"
    );
    check_seen(&client, &leads_to("127.0.0.1"), &[&expected]);
}

#[test]
fn the_routers_control_port_in_the_range() {
    let held = |range: &str, control: u16| {
        format!(
            "seen from outside, the passive ports {range} hold the router's control port {control}: \
             a client that is sent there reaches the control port instead; give --passive-ports \
             without it, or say with --outer-port which port the router forwards"
        )
    };
    check("-n 203.0.113.1 -r 20-29", LOCAL, &[&held("20-29", 21)]);
    let ten = "-n 203.0.113.1 -r 60000-60009";
    let expected = held("60000-60009", 60009);
    check(&format!("{ten} --outer-port 60009"), LOCAL, &[&expected]);
    // The range on this side does not matter to whoever comes from outside.
    for line in [
        "--outer-port 60009 --outer-ports 50000-50009",
        "--outer-port 60010",
        "",
    ] {
        check(&format!("{ten} {line}"), LOCAL, &[]);
    }
    // Without a router there is no such port.
    check("-i 198.51.100.7 -r 20-29", LOCAL, &[]);
}

#[test]
fn ports_of_other_programs() {
    let holding = |ports: &[(&str, &[u16])], denied: &[u16]| Seen {
        held: HeldPorts {
            by_address: ports
                .iter()
                .map(|(address, ports)| (address.parse().unwrap(), ports.iter().copied().collect()))
                .collect(),
            denied: denied.iter().copied().collect(),
        },
        ..seen(LOCAL)
    };
    let free: &[u16] = &[];
    let some = [60003, 60007, 60008, 60009];
    let all: Vec<u16> = (60000..=60009).collect();
    check_seen(ROUTED, &holding(&[("192.168.77.2", free)], &[]), &[]);
    check_seen(
        ROUTED,
        &holding(&[("192.168.77.2", &some), ("::1", &some)], &[]),
        &[
            "note: passive ports 60003, 60007-60009 are in use by other programs: they are passed \
           over, which leaves 6 of 10; --passive-ports can give others",
        ],
    );
    check_seen(
        ROUTED,
        &holding(&[("192.168.77.2", &some), ("::1", free)], &[]),
        &[
            "note: passive ports 60003, 60007-60009 of 192.168.77.2 are in use by other programs: \
           they are passed over, which leaves 6 of 10; --passive-ports can give others",
        ],
    );
    // The graver one comes first.
    check_seen(
        ROUTED,
        &holding(&[("127.0.0.1", &some), ("192.168.77.2", &all)], &[]),
        &[
            "passive ports 60000-60009 of 192.168.77.2, the whole range, are in use by other \
           programs: no client can be sent to any; give other ports with --passive-ports",
            "note: passive ports 60003, 60007-60009 of 127.0.0.1 are in use by other programs: \
           they are passed over, which leaves 6 of 10; --passive-ports can give others",
        ],
    );
    let low: Vec<u16> = (1000..=1009).collect();
    check_seen(
        "-n 203.0.113.1 -r 1000-1009",
        &holding(&[("192.168.77.2", free)], &low),
        &[
            "passive ports 1000-1009 may not be opened by this user: ports below 1024 need root or \
           CAP_NET_BIND_SERVICE; give a range above with --passive-ports",
        ],
    );
}
