//! Each finding, where it must be made and where it must not.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::cli::golden::settings;
use crate::nat::address_source::choice::BEHIND_CARRIER;
use crate::net::interfaces::Interfaces;
use crate::net::port_probe::UnavailablePorts;
use crate::settings::{AddressSource, KnownAddresses};

const LOCAL: &str = "127.0.0.1 ::1 192.168.77.2 2001:db8::2";
const ROUTER: &str = "192.168.77.1";
const PRIVATE: &str = "PASV replies will carry 192.168.77.2, a private address: clients outside \
                       the local network will fail; behind a router, give its public address \
                       with --masquerade-address";
const NO_RANGE: &str = "masquerading without --passive-ports: the kernel chooses the data ports, \
                        usually among 32768-60999, and the router cannot forward them; give a \
                        small range such as --passive-ports 60000-60009 and forward it";
const OPEN: &str = "risk: anonymous may change and delete files: everyone who can reach the port can \
                    do that; add --username and a password, or leave --write out";
const CLEAR: &str = "risk: --trust-gateway 172.17.0.1 without TLS: a data connection through a gateway \
                     may be any client's, and in clear text nothing proves whose it is, so that one \
                     client can take the file of another; add --tls and --tls-data-required";
const ROUTED: &str = "-n 203.0.113.1 -r 60000-60009";

fn addresses(text: &str) -> Vec<IpAddr> {
    text.split_whitespace()
        .map(|address| address.parse().unwrap())
        .collect()
}

/// The machine of these tests with these addresses.
fn evidence(local: &str) -> Evidence {
    Evidence {
        interfaces: Interfaces {
            addresses: addresses(local),
            networks: Vec::new(),
            gateways: addresses(ROUTER),
            ..Interfaces::default()
        },
        ..Evidence::default()
    }
}

/// Expects failures as they are, and others with their severity in front.
#[track_caller]
fn check_on(line: &str, evidence: &Evidence, expected: &[&str]) {
    let shown = |finding: Finding| match finding.severity {
        Severity::Failure => finding.text,
        Severity::Risk => format!("risk: {}", finding.text),
        Severity::Note => format!("note: {}", finding.text),
    };
    let found = diagnose(&settings(line), evidence).into_iter().map(shown);
    assert_eq!(found.collect::<Vec<_>>(), expected, "{line}");
}

#[track_caller]
fn check(line: &str, local: &str, expected: &[&str]) {
    check_on(line, &evidence(local), expected);
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

/// Its header says which address a client has dialled, and that is announced.
#[test]
fn a_balancers_clients_are_given_the_address_that_they_dialled() {
    let note = "note: --proxy-protocol 192.168.77.5: connections from there must begin with a PROXY \
                header, also those to passive ports, and are closed without it; clients elsewhere \
                need none";
    let flags = "--proxy-protocol 192.168.77.5 -r 60000-60009";
    check(flags, "192.168.77.2", &[note]);
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
fn addresses_that_clients_cannot_reach() {
    let range = "-r 60000-60009";
    check(
        &format!("-n 192.168.77.1 {range}"),
        LOCAL,
        &[
            "--masquerade-address 192.168.77.1 is the router's address in the local network: clients \
             outside cannot reach it; give the router's public address",
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
        &format!("-n 203.0.113.1 --masquerade-client 10.9.0.0/24=127.0.0.1 {range}"),
        LOCAL,
        &[
            "--masquerade-client 10.9.0.0/24=127.0.0.1 is a loopback address: each client \
           will connect to itself; give the router's public address",
        ],
    );
}

#[test]
fn rules_without_effect() {
    check(
        &format!("--masquerade-address-map 192.168.77.9=203.0.113.9 {ROUTED}"),
        LOCAL,
        &[
            "--masquerade-address-map 192.168.77.9=203.0.113.9 is never used: 192.168.77.9 is \
           not an address that this server listens on; give one of this machine's addresses",
        ],
    );
    check(
        &format!("-i 2001:db8::2 {ROUTED}"),
        LOCAL,
        &[
            "note: masquerading is for IPv4 only, and the server listens on no IPv4 address that other \
             machines could reach; add one with --interface",
        ],
    );
    for (line, local) in [
        (ROUTED, "127.0.0.1 ::1 2001:db8::2"),
        ("-i 127.0.0.1 -n 203.0.113.1 -r 60000-60009", LOCAL),
    ] {
        let unused = "note: masquerading is for IPv4 only, and the server listens on no IPv4 address \
                      that other machines could reach; add one with --interface";
        check(line, local, &[unused]);
    }
    for rule in [
        "--local-networks 0.0.0.0/0",
        "--masquerade-client 0.0.0.0/0=local",
    ] {
        let overruled = format!(
            "{rule} applies to all clients: those outside are given the address that they connected \
             to, never the router's; give only the networks that need this rule"
        );
        check(&format!("{ROUTED} {rule}"), LOCAL, &[&overruled]);
    }
    check(
        "--masquerade-address-map 127.0.0.2=203.0.113.1,192.168.77.2=203.0.113.1 -r 60000-60009",
        LOCAL,
        &[
            "note: --masquerade-address-map 127.0.0.2=203.0.113.1 is used only by clients on this \
             machine, and no router translates their connections",
        ],
    );
    let unused = "--outer-ports 50000-50009 is never used: only clients that are given the router's \
                  address are given its ports; give that address with --masquerade-address";
    check(
        "-i 198.51.100.7 -r 60000-60009 --outer-ports 50000-50009",
        LOCAL,
        &[unused],
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
            "note: --passive-ports has 9 ports: clients of one network (IPv4: /24, IPv6: /64) can \
             start 9 transfers at a time, and more transfers wait a moment; 10 ports are enough for \
             most uses",
        ],
    );
    check(
        "-n 203.0.113.1 -r 60000",
        LOCAL,
        &[
            "note: --passive-ports has 1 port: clients of one network (IPv4: /24, IPv6: /64) can \
             start 1 transfer at a time, and more transfers wait a moment; 10 ports are enough for \
             most uses",
        ],
    );
    for (flags, more) in [
        ("--permit-foreign-addresses", None),
        ("--trust-gateway 172.17.0.1", Some(CLEAR)),
    ] {
        let unshared = "note: --passive-ports has 2 ports: all clients together, because sessions \
                        cannot share a port here, can start 2 transfers at a time, and more \
                        transfers wait a moment; 10 ports are enough for most uses";
        let line = format!("-n 203.0.113.1 -r 60000-60001 {flags}");
        let expected: Vec<&str> = more.into_iter().chain([unshared]).collect();
        check(&line, LOCAL, &expected);
    }
    check(&format!("{ROUTED} -w"), LOCAL, &[OPEN]);
    check(&format!("{ROUTED} -w -u bob -P x --anonymous"), LOCAL, &[]);
    check(
        "-n 203.0.113.1 --masquerade-client 10.9.0.0/24=127.0.0.2 -w",
        LOCAL,
        &[
            "--masquerade-client 10.9.0.0/24=127.0.0.2 is a loopback address: each client will connect to \
         itself; give the router's public address",
            NO_RANGE,
            OPEN,
        ],
    );
}

#[test]
fn others_may_read_the_password() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let set_mode = |mode| file.as_file().set_permissions(Permissions::from_mode(mode));
    let name = file.path().display();
    let exposure = || {
        fs::write(file.path(), "secret").unwrap();
        let line = format!("-u bob --password-file {name}");
        settings(&line).password_exposures()
    };
    set_mode(0o644).unwrap();
    let expected = format!(
        "risk: all users of this machine can read the password in {name}; chmod go= {name}"
    );
    let evidence = Evidence {
        password_exposures: exposure(),
        ..evidence("203.0.113.5")
    };
    check_on("", &evidence, &[&expected]);
    set_mode(0o600).unwrap();
    assert_eq!(exposure(), []);
}

#[test]
fn refused_networks() {
    let check =
        |flags: &str, expected: &str| check(&format!("{ROUTED} {flags}"), LOCAL, &[expected]);
    let (allow, deny) = ("--allow 10.1.0.0/16,fd00::/8", "--deny 10.0.0.0/8,10.1.2.3");
    check(
        allow,
        &format!("note: {allow}: clients at other addresses are refused"),
    );
    check(
        deny,
        &format!("note: {deny}: clients at these addresses are refused"),
    );
    let both = format!(
        "note: {allow} and {deny}: the longest prefix that contains a client's address decides, and \
         clients at other addresses are refused"
    );
    check(&format!("{deny} {allow}"), &both);
}

#[test]
fn trusted_gateways() {
    let line = |flags: &str| format!("{ROUTED} {flags}");
    check(&line("--trust-gateway 172.17.0.1/32"), LOCAL, &[CLEAR]);
    let several = CLEAR.replace("172.17.0.1", "172.17.0.0/16,fd00::1");
    let flags = "--trust-gateway 172.17.0.0/16 --trust-gateway fd00::1";
    check(&line(flags), LOCAL, &[&several]);
    for all in ["0.0.0.0/0", "::/0"] {
        let every = format!(
            "risk: --trust-gateway {all} trusts every address: no address proves whose data \
             connection it is, active mode is refused, and --max-cons-per-ip has no effect; give \
             only the addresses of gateways"
        );
        let clear = CLEAR.replace("172.17.0.1", all);
        let flags = format!("--trust-gateway {all}");
        check(&line(&flags), LOCAL, &[&every, &clear]);
    }
}

/// TLS proves whose data connection it is, if clients cannot do without.
#[cfg(feature = "tls")]
#[test]
fn trusted_gateways_with_tls() {
    let line = format!("{ROUTED} --trust-gateway 172.17.0.1 --tls");
    let optional = "note: --trust-gateway 172.17.0.1: clients that do not use TLS can take files \
                    from each other, because in clear text nothing proves whose data connection \
                    comes through a gateway; add --tls-data-required";
    check(&line, LOCAL, &[optional]);
    let line = format!("{line} --tls-data-required");
    check(&line, LOCAL, &[]);
    let line = format!("{line} --gateway-resumption off");
    let off = "risk: --trust-gateway 172.17.0.1 and --gateway-resumption off: nothing proves whose data \
               connection comes through a gateway, so that one client can take the file of another; \
               leave out --gateway-resumption off";
    check(&line, LOCAL, &[off]);
    check(&format!("{line} --tls-require-resumption"), LOCAL, &[]);
}

#[test]
fn behind_a_carriers_nat() {
    for address in ["100.64.0.1", "100.127.255.255"] {
        let expected = format!("PASV replies will carry {address}, {BEHIND_CARRIER}");
        check("", address, &[&expected]);
    }
    // A tunnel uses such addresses too. Then the other address decides.
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

fn host_name() -> AddressSource {
    AddressSource::Name("ftp.home.example".to_owned())
}

#[test]
fn names() {
    let flag = "--masquerade-address ftp.home.example";
    let line = "-n ftp.home.example -r 60000-60009";
    let resolved = |address: &str| Evidence {
        known: KnownAddresses::from([(host_name(), address.parse().unwrap())]),
        ..evidence(LOCAL)
    };
    // The name is not resolved yet, as at start, or has a good address.
    check(line, LOCAL, &[]);
    check_on(line, &resolved("203.0.113.1"), &[]);
    for (address, problem) in [
        (
            "192.168.77.1",
            "the router's address in the local network: clients outside cannot reach it; give the \
             router's public address",
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
        let expected = format!("{flag} resolves to {address}, which is {problem}");
        check_on(line, &resolved(address), &[&expected]);
    }
    let unresolved = Evidence {
        unresolved: BTreeMap::from([(host_name(), "no such name".to_owned())]),
        ..evidence(LOCAL)
    };
    let rest = "cannot be resolved: no such name; until it is resolved, its clients are given the \
                address that they connected to; give a name that has an IPv4 address, or the address \
                itself";
    check_on(line, &unresolved, &[&format!("{flag} {rest}")]);
    let flag = "--masquerade-address-map 192.168.77.2=ftp.home.example";
    let map = format!("{flag} -r 60000-60009");
    check_on(&map, &unresolved, &[&format!("{flag} {rest}")]);
    let flag = "--masquerade-client 10.8.0.0/24=ftp.home.example";
    let client = format!("{flag} {ROUTED}");
    check_on(&client, &unresolved, &[&format!("{flag} {rest}")]);
    // A private address may be right for a network of clients. A loopback address never is.
    check_on(&client, &resolved("10.8.0.1"), &[]);
    let expected = format!(
        "{flag} resolves to 127.0.0.1, which is a loopback address: each client will connect to \
         itself; give the router's public address"
    );
    check_on(&client, &resolved("127.0.0.1"), &[&expected]);
}

#[test]
fn the_routers_control_port_in_the_range() {
    let found = |range: &str, control: u16| {
        format!(
            "outside the router, the passive ports {range} contain the control port {control}: a \
             client that is sent there reaches the control port; give --passive-ports without it, or \
             the control port that the router forwards with --outer-port"
        )
    };
    let expected = found("2020-2029", 2021);
    check(
        "-n 203.0.113.1 -r 2020-2029 --outer-port 2021",
        LOCAL,
        &[&expected],
    );
    let ten = "-n 203.0.113.1 -r 60000-60009";
    let expected = found("60000-60009", 60009);
    check(&format!("{ten} --outer-port 60009"), LOCAL, &[&expected]);
    // The range on this machine does not matter to clients outside.
    for line in [
        "--outer-port 60009 --outer-ports 50000-50009",
        "--outer-port 60010",
        "",
    ] {
        check(&format!("{ten} {line}"), LOCAL, &[]);
    }
    // Without a router there is no such control port.
    check("-i 198.51.100.7 -r 2020-2029 --outer-port 2021", LOCAL, &[]);
}

/// A server that may not open them has another finding.
#[test]
fn passive_ports_of_other_services() {
    let note = |range: &str, ports: &str| {
        format!(
            "note: --passive-ports {range}: {ports} may be other services' (80 HTTP, 443 HTTPS), and \
             some clients and firewalls refuse data connections to ports below 1024; give a range \
             above, such as 60000-60009"
        )
    };
    for (range, ports) in [
        ("80-90", "ports 80-90"),
        ("1000-1050", "ports 1000-1023"),
        ("1023-1040", "port 1023"),
    ] {
        check(
            &format!("-n 203.0.113.1 -r {range}"),
            LOCAL,
            &[&note(range, ports)],
        );
    }
    check("-n 203.0.113.1 -r 1024-1040", LOCAL, &[]);
    let denied = UnavailablePorts {
        denied: (80..=90).collect(),
        ..UnavailablePorts::default()
    };
    let evidence = Evidence {
        unavailable_ports: denied,
        ..evidence(LOCAL)
    };
    let found = diagnose(&settings("-n 203.0.113.1 -r 80-90"), &evidence);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].text.contains("need root"), "{found:?}");
}

#[test]
fn a_control_port_that_no_router_can_forward_to() {
    let found = "--port 0: the kernel chooses the control port, and no router can forward its port 21 \
                 to it; give a number with --port";
    check("-n 203.0.113.1 -r 60000-60009 -p 0", LOCAL, &[found]);
    check("-n 203.0.113.1 -r 60000-60009 -p 21", LOCAL, &[]);
    check("-i 198.51.100.7 -p 0", LOCAL, &[]);
}

#[test]
fn ports_in_use_by_other_programs() {
    let in_use = |ports: &[(&str, &[u16])], denied: &[u16]| Evidence {
        unavailable_ports: UnavailablePorts {
            in_use: ports
                .iter()
                .map(|(address, ports)| (address.parse().unwrap(), ports.iter().copied().collect()))
                .collect(),
            denied: denied.iter().copied().collect(),
        },
        ..evidence(LOCAL)
    };
    let free: &[u16] = &[];
    let some = [60003, 60007, 60008, 60009];
    let all: Vec<u16> = (60000..=60009).collect();
    check_on(ROUTED, &in_use(&[("192.168.77.2", free)], &[]), &[]);
    check_on(
        ROUTED,
        &in_use(&[("192.168.77.2", &some), ("::1", &some)], &[]),
        &[
            "note: passive ports 60003, 60007-60009 are in use by other programs: the server \
             skips them, which leaves 6 of 10; give other ports with --passive-ports",
        ],
    );
    check_on(
        ROUTED,
        &in_use(&[("192.168.77.2", &some), ("::1", free)], &[]),
        &[
            "note: passive ports 60003, 60007-60009 of 192.168.77.2 are in use by other programs: \
             the server skips them, which leaves 6 of 10; give other ports with --passive-ports",
        ],
    );
    // The more severe one comes first.
    check_on(
        ROUTED,
        &in_use(&[("127.0.0.1", &some), ("192.168.77.2", &all)], &[]),
        &[
            "passive ports 60000-60009 of 192.168.77.2, the whole range, are in use by other \
             programs: no client can open a data connection in passive mode; give other ports with \
             --passive-ports",
            "note: passive ports 60003, 60007-60009 of 127.0.0.1 are in use by other programs: \
             the server skips them, which leaves 6 of 10; give other ports with --passive-ports",
        ],
    );
    let low: Vec<u16> = (1000..=1009).collect();
    check_on(
        "-n 203.0.113.1 -r 1000-1009",
        &in_use(&[("192.168.77.2", free)], &low),
        &[
            "passive ports 1000-1009 may not be opened by this user: ports below 1024 need root or \
           CAP_NET_BIND_SERVICE; give a range above with --passive-ports",
        ],
    );
}

#[test]
fn too_little_space_is_free_for_uploads() {
    let full = Evidence {
        lacks_space: true,
        ..evidence("127.0.0.1")
    };
    let refused = "less than 1073741824 bytes are free on the disk of the shared directory: every \
                   upload is refused; make space, or lower --free-space-min";
    let user = "-u bob -P secret";
    check_on(&format!("{user} -w --free-space-min 1G"), &full, &[refused]);
    check_on(&format!("{user} --free-space-min 1G"), &full, &[]);
    check_on(&format!("{user} -w"), &full, &[]);
}

#[test]
fn the_shared_directory_cannot_be_written() {
    let share = |unwritable| Evidence {
        unwritable: Some(unwritable),
        ..evidence("127.0.0.1")
    };
    let denied = "note: clients cannot store files in the shared directory itself, only in \
                  directories in it: the server's user may not write there; give it that right, or \
                  leave --write out";
    let line = "-u bob -P secret -w";
    check_on(line, &share(Errno::ACCESS), &[denied]);
    let read_only = "note: clients cannot store files: the shared directory is on a read-only file \
                     system; mount that for writing, or leave --write out";
    check_on(line, &share(Errno::ROFS), &[read_only]);
    check_on("-u bob -P secret", &share(Errno::ACCESS), &[]);
    // The start fails.
    check_on(line, &share(Errno::NOENT), &[]);
}
