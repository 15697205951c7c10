//! Which address is announced to which client, and which of two port numbers: one table for all
//! rules.
//!
//! `rules:` gives rules, in the words of the transcripts, and `also:` adds some; any other line is
//! a client: our address, its address, the announced address, the side of the port, and why.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

use ftp_proto::{
    AnnounceReason, Bound, Endpoints, Masquerade, OuterPorts, OuterPortsError, PortNumber,
};
use ftp_tests::transcript::set_masquerade;

const ROWS_MIN: usize = 40;

const TABLE: &str = "
# Nothing is known: the announced address is the one that the client connected to.
rules:
192.168.77.2          192.0.2.7              192.168.77.2   Inner  nothing
192.168.77.2          192.168.77.9           192.168.77.2   Inner  nothing
203.0.113.1           192.0.2.7              203.0.113.1    Inner  nothing
127.0.0.1             127.0.0.1              127.0.0.1      Inner  nothing
::ffff:192.168.77.2   ::ffff:192.0.2.7       192.168.77.2   Inner  nothing
2001:db8::2           2001:db8::7            2001:db8::2    Inner  ipv6

# One masquerade address serves all clients on IPv4.
rules: address=203.0.113.1
192.168.77.2          192.0.2.7              203.0.113.1    Outer  address
192.168.77.3          192.0.2.7              203.0.113.1    Outer  address
192.168.77.2          192.168.77.9           203.0.113.1    Outer  address
::ffff:192.168.77.2   ::ffff:192.0.2.7       203.0.113.1    Outer  address
2001:db8::2           2001:db8::7            2001:db8::2    Inner  ipv6
fe80::2               fe80::7                fe80::2        Inner  ipv6

# A map by local address; other addresses get the masquerade address.
rules: map=192.168.77.2>203.0.113.2 map=192.168.77.3>203.0.113.3 address=203.0.113.1
192.168.77.2          192.0.2.7              203.0.113.2    Outer  map 192.168.77.2
192.168.77.3          192.0.2.7              203.0.113.3    Outer  map 192.168.77.3
192.168.77.4          192.0.2.7              203.0.113.1    Outer  address
# The key is IPv4, the listener dual stack: this is where other servers miss.
::ffff:192.168.77.2   ::ffff:192.0.2.7       203.0.113.2    Outer  map 192.168.77.2
::ffff:192.168.77.3   192.0.2.7              203.0.113.3    Outer  map 192.168.77.3
::ffff:192.168.77.4   ::ffff:192.0.2.7       203.0.113.1    Outer  address
2001:db8::2           2001:db8::7            2001:db8::2    Inner  ipv6

# A map alone: other addresses get the local address.
rules: map=192.168.77.2>203.0.113.2
192.168.77.2          192.0.2.7              203.0.113.2    Outer  map 192.168.77.2
192.168.77.4          192.0.2.7              192.168.77.4   Inner  nothing

# The address learned from the router is used when the operator gave none.
rules: learned=203.0.113.8
192.168.77.2          192.0.2.7              203.0.113.8    Outer  learned
2001:db8::2           2001:db8::7            2001:db8::2    Inner  ipv6
rules: learned=203.0.113.8 map=192.168.77.2>203.0.113.2
192.168.77.2          192.0.2.7              203.0.113.2    Outer  map 192.168.77.2
192.168.77.3          192.0.2.7              203.0.113.8    Outer  learned
rules: learned=203.0.113.8 address=203.0.113.1
192.168.77.2          192.0.2.7              203.0.113.1    Outer  address

# A name that is not resolved yet: no other rule's address takes its place.
rules: address=? local-network=192.168.77.0/24
192.168.77.2          192.0.2.7              192.168.77.2   Inner  unknown
192.168.77.2          192.168.77.9           192.168.77.2   Inner  local 192.168.77.0/24
2001:db8::2           2001:db8::7            2001:db8::2    Inner  ipv6
rules: map=192.168.77.2>? address=203.0.113.1
192.168.77.2          192.0.2.7              192.168.77.2   Inner  unknown
192.168.77.3          192.0.2.7              203.0.113.1    Outer  address
rules: map=192.168.77.2>203.0.113.2 address=?
192.168.77.2          192.0.2.7              203.0.113.2    Outer  map 192.168.77.2
192.168.77.3          192.0.2.7              192.168.77.3   Inner  unknown

rules: client=192.0.2.0/24>? address=203.0.113.1
192.168.77.2          192.0.2.7              192.168.77.2   Inner  unknown
192.168.77.2          198.51.100.7           203.0.113.1    Outer  address

# Local clients connect directly; the router, which hairpins others, is not local.
rules: address=203.0.113.1 local-network=192.168.77.0/24 gateway=192.168.77.1
192.168.77.2          192.168.77.9           192.168.77.2   Inner  local 192.168.77.0/24
192.168.77.2          192.168.77.0           192.168.77.2   Inner  local 192.168.77.0/24
192.168.77.2          192.168.77.255         192.168.77.2   Inner  local 192.168.77.0/24
192.168.77.2          192.168.76.255         203.0.113.1    Outer  address
192.168.77.2          192.168.78.0           203.0.113.1    Outer  address
192.168.77.2          192.168.77.1           203.0.113.1    Outer  address
::ffff:192.168.77.2   ::ffff:192.168.77.9    192.168.77.2   Inner  local 192.168.77.0/24
::ffff:192.168.77.2   ::ffff:192.168.77.1    203.0.113.1    Outer  address
# Which of our addresses it reached does not matter.
192.168.78.2          192.168.77.9           192.168.78.2   Inner  local 192.168.77.0/24

# Of two networks that hold a client the longer prefix is named; loopback is a network like others.
rules: address=203.0.113.1 local-network=192.168.0.0/16 local-network=192.168.77.0/24
also: local-network=127.0.0.0/8
192.168.77.2          192.168.77.9           192.168.77.2   Inner  local 192.168.77.0/24
192.168.77.2          192.168.78.9           192.168.77.2   Inner  local 192.168.0.0/16
127.0.0.1             127.0.0.5              127.0.0.1      Inner  local 127.0.0.0/8

# The gateway matters only to local networks, and may be any of several.
rules: map=192.168.77.2>203.0.113.2 local-network=0.0.0.0/0 gateway=192.168.77.1 gateway=10.0.0.1
192.168.77.2          192.0.2.7              192.168.77.2   Inner  local 0.0.0.0/0
192.168.77.2          10.0.0.1               203.0.113.2    Outer  map 192.168.77.2
192.168.77.3          192.168.77.1           192.168.77.3   Inner  nothing
# A gateway may be given in IPv6 form.
rules: address=203.0.113.1 local-network=192.168.77.0/24 gateway=::ffff:192.168.77.1
192.168.77.2          192.168.77.1           203.0.113.1    Outer  address
::ffff:192.168.77.2   ::ffff:192.168.77.1    203.0.113.1    Outer  address
192.168.77.2          192.168.77.9           192.168.77.2   Inner  local 192.168.77.0/24

# Rules by client network come first, the longest prefix before all, in whatever order they stand.
rules: client=10.0.0.0/8>203.0.113.10 client=10.9.0.0/16>local client=10.9.9.9/32>203.0.113.99
also: address=203.0.113.1 local-network=10.9.0.0/16 map=192.168.77.2>203.0.113.2
192.168.77.2          10.1.2.3               203.0.113.10   Outer  rule 10.0.0.0/8
192.168.77.2          10.9.1.1               192.168.77.2   Inner  rule 10.9.0.0/16
192.168.77.2          10.9.9.9               203.0.113.99   Outer  rule 10.9.9.9/32
::ffff:192.168.77.2   ::ffff:10.9.9.9        203.0.113.99   Outer  rule 10.9.9.9/32
192.168.77.2          192.0.2.7              203.0.113.2    Outer  map 192.168.77.2
192.168.77.3          192.0.2.7              203.0.113.1    Outer  address
2001:db8::2           2001:db8::7            2001:db8::2    Inner  ipv6
rules: client=10.9.9.9/32>203.0.113.99 client=10.9.0.0/16>local client=10.0.0.0/8>203.0.113.10
192.168.77.2          10.9.9.9               203.0.113.99   Outer  rule 10.9.9.9/32
192.168.77.2          10.9.1.1               192.168.77.2   Inner  rule 10.9.0.0/16
192.168.77.2          192.0.2.7              192.168.77.2   Inner  nothing

# A rule beats the local network, also where it differs for one host in it.
rules: client=192.168.77.9/32>203.0.113.1 local-network=192.168.77.0/24
192.168.77.2          192.168.77.9           203.0.113.1    Outer  rule 192.168.77.9/32
192.168.77.2          192.168.77.8           192.168.77.2   Inner  local 192.168.77.0/24
# A rule for all clients, and rules of the other family, which no IPv4 client is in.
rules: client=0.0.0.0/0>203.0.113.1 client=::/0>local local-network=192.168.77.0/24
192.168.77.2          192.0.2.7              203.0.113.1    Outer  rule 0.0.0.0/0
192.168.77.2          192.168.77.9           203.0.113.1    Outer  rule 0.0.0.0/0
2001:db8::2           2001:db8::7            2001:db8::2    Inner  ipv6
";

#[test]
fn each_row_of_the_table_holds() {
    let mut rules = Masquerade::default();
    let mut rows = 0;
    for line in TABLE.lines() {
        if let Some(text) = line.strip_prefix("rules:") {
            rules = Masquerade::default();
            read_rules(&mut rules, text);
        } else if let Some(text) = line.strip_prefix("also:") {
            read_rules(&mut rules, text);
        } else if !line.is_empty() && !line.starts_with('#') {
            check(&rules, line);
            rows += 1;
        }
    }
    assert!(rows >= ROWS_MIN, "{rows} rows");
}

#[test]
fn outer_ports_are_translated() {
    let ports = |inner, outer, count| OuterPorts::new(inner, outer, count).expect("ports");
    for (ports, inner, outer) in [
        (ports(60_000, 50_000, 10), 59_999, 59_999),
        (ports(60_000, 50_000, 10), 60_000, 50_000),
        (ports(60_000, 50_000, 10), 60_009, 50_009),
        (ports(60_000, 50_000, 10), 60_010, 60_010),
        (ports(60_000, 60_000, 10), 60_005, 60_005),
        (ports(60_000, 60_001, 1), 60_000, 60_001),
        (ports(60_000, 60_001, 1), 60_001, 60_001),
        (ports(65_535, 1024, 1), 65_535, 1024),
        (ports(1024, 65_535, 1), 1024, 65_535),
        (ports(1, 1, 65_535), 65_535, 65_535),
    ] {
        assert_eq!(ports.outer(inner), outer, "{inner} in {ports:?}");
        let mut rules = Masquerade::default();
        rules.outer_ports = Some(ports);
        let port = |number| NonZeroU16::new(number).expect("a port");
        let bound = Bound::new(port(inner));
        assert_eq!(rules.announced_port(PortNumber::Outer, bound), outer);
        assert_eq!(rules.announced_port(PortNumber::Inner, bound), inner);
        // What the driver knows about this port comes before the rule for all of them.
        let mapped = bound.with_outer(port(4711));
        assert_eq!(rules.announced_port(PortNumber::Outer, mapped), 4711);
        assert_eq!(rules.announced_port(PortNumber::Inner, mapped), inner);
    }
    let five = Bound::new(NonZeroU16::new(5).expect("a port"));
    let announced = Masquerade::default().announced_port(PortNumber::Outer, five);
    assert_eq!(announced, 5);
}

#[test]
fn ports_that_do_not_exist_are_refused() {
    use OuterPortsError::{Empty, PortZero, TooLong};
    for (inner, outer, count, expected) in [
        (0, 1, 1, PortZero),
        (1, 0, 1, PortZero),
        (1, 1, 0, Empty),
        (65_535, 1, 2, TooLong),
        (1, 65_535, 2, TooLong),
        (2, 1, 65_535, TooLong),
    ] {
        assert_eq!(OuterPorts::new(inner, outer, count), Err(expected));
    }
}

fn read_rules(rules: &mut Masquerade, text: &str) {
    for rule in text.split_whitespace() {
        let (key, value) = rule.split_once('=').expect("a rule");
        let value = value.replace('>', "=");
        set_masquerade(rules, key, &value).unwrap_or_else(|| panic!("bad rule: {rule}"));
    }
}

fn check(rules: &Masquerade, row: &str) {
    let mut columns = row.split_whitespace();
    let mut column = || columns.next().unwrap_or_else(|| panic!("too short: {row}"));
    let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
    let local = SocketAddr::new(ip(column()), 21);
    let peer = SocketAddr::new(ip(column()), 40_000);
    let (address, side) = (ip(column()), column());
    let why: Vec<&str> = columns.collect();

    let found = rules.lookup(&Endpoints::new(local, peer));
    assert_eq!(found.address, address, "{row}");
    assert_eq!(format!("{:?}", found.port), side, "{row}");
    assert_eq!(short(found.reason), why.join(" "), "{row}");
}

fn short(why: AnnounceReason) -> String {
    match why {
        AnnounceReason::ClientRule(network) => format!("rule {network}"),
        AnnounceReason::LocalClient(network) => format!("local {network}"),
        AnnounceReason::Map(local) => format!("map {local}"),
        AnnounceReason::MasqueradeAddress => "address".into(),
        AnnounceReason::PortMapping => "learned".into(),
        AnnounceReason::Unknown => "unknown".into(),
        AnnounceReason::LocalAddress => "nothing".into(),
        AnnounceReason::Ipv6 => "ipv6".into(),
        other => panic!("a reason without a name here: {other:?}"),
    }
}
