//! Headers as balancers send them, and those that the specification forbids.

use proptest::prelude::*;

use super::codec::*;

fn complete(source: &str, destination: &str, length: usize) -> ParsedHeader {
    let ends = ProxiedEnds {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
    };
    ParsedHeader::Complete(Some(ends), length)
}

/// The result is the same with what follows, and each beginning is incomplete.
#[track_caller]
fn check(header: &[u8], expected: ParsedHeader) {
    assert_eq!(parse(header), expected, "{header:?}");
    let followed = [header, b"USER joe\r\n"].concat();
    assert_eq!(parse(&followed), expected, "{followed:?}");
    for length in 0..header.len() {
        let ParsedHeader::Incomplete(needed) = parse(&header[..length]) else {
            panic!(
                "{length} bytes of {header:?}: {:?}",
                parse(&header[..length])
            );
        };
        assert!(
            length < needed && needed <= header.len(),
            "{length}: {needed}"
        );
    }
}

#[track_caller]
fn check_invalid(bytes: &[u8], fault: HeaderFault) {
    assert_eq!(parse(bytes), ParsedHeader::Invalid(fault), "{bytes:?}");
    assert!(!fault.to_string().is_empty());
}

fn binary(command: u8, family: u8, length: u16, rest: &[u8]) -> Vec<u8> {
    let length = length.to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

/// 198.51.100.7:40000 to 203.0.113.5:21.
const IPV4: &[u8] = &[198, 51, 100, 7, 203, 0, 113, 5, 0x9c, 0x40, 0, 21];

fn ipv6() -> Vec<u8> {
    let address = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
    let ports = [0x9c, 0x40, 0, 21];
    [
        &address("2001:db8::7")[..],
        &address("2001:db8:1::5"),
        &ports,
    ]
    .concat()
}

#[test]
fn lines_of_version_1() {
    for (line, source, destination) in [
        (
            "PROXY TCP4 198.51.100.7 203.0.113.5 40000 21\r\n",
            "198.51.100.7:40000",
            "203.0.113.5:21",
        ),
        (
            "PROXY TCP4 255.255.255.254 223.255.255.255 65535 65535\r\n",
            "255.255.255.254:65535",
            "223.255.255.255:65535",
        ),
        (
            "PROXY TCP6 2001:db8::7 2001:DB8:1:0:0:0:0:5 0 21\r\n",
            "[2001:db8::7]:0",
            "[2001:db8:1::5]:21",
        ),
        (
            "PROXY TCP6 ::ffff:198.51.100.7 ::ffff:203.0.113.5 40000 21\r\n",
            "198.51.100.7:40000",
            "203.0.113.5:21",
        ),
    ] {
        check(line.as_bytes(), complete(source, destination, line.len()));
    }
}

#[test]
fn a_line_may_say_that_its_addresses_are_unknown() {
    let longest = "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
                   ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
    assert_eq!(longest.len(), LINE_BYTES_MAX);
    for line in [
        "PROXY UNKNOWN\r\n",
        "PROXY UNKNOWN any thing\0\r\n",
        longest,
    ] {
        check(line.as_bytes(), ParsedHeader::Complete(None, line.len()));
    }
}

#[test]
fn malformed_lines_of_version_1() {
    for line in [
        "PROXY \r\n",
        "PROXY UNKNOWN\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY UNKNOWN \r \r\n",
        "PROXY UDP4 198.51.100.7 203.0.113.5 40000 21\r\n",
        "PROXY  TCP4 198.51.100.7 203.0.113.5 40000 21\r\n",
        "PROXY TCP4 198.51.100.7 203.0.113.5 40000 21\n",
        "PROXY TCP4 198.51.100.7 203.0.113.5 40000 21 \r\n",
        "PROXY TCP4 198.51.100.7 203.0.113.5 40000\r\n",
        "PROXY TCP4 198.51.100.7\r\n",
        "PROXY TCP4 198.51.100.007 203.0.113.5 40000 21\r\n",
        "PROXY TCP4 198.51.100.256 203.0.113.5 40000 21\r\n",
        "PROXY TCP4 2001:db8::7 2001:db8::5 40000 21\r\n",
        "PROXY TCP6 198.51.100.7 203.0.113.5 40000 21\r\n",
        "PROXY TCP6 fe80::1%eth0 2001:db8::5 40000 21\r\n",
        "PROXY TCP4 198.51.100.7 203.0.113.5 +40000 21\r\n",
        "PROXY TCP4 198.51.100.7 203.0.113.5 40000 021\r\n",
        "PROXY TCP4 198.51.100.7 203.0.113.5 65536 21\r\n",
        "PROXY TCP4 198.51.100.7 203.0.113.5  21\r\n",
    ] {
        check_invalid(line.as_bytes(), HeaderFault::Line);
    }
    let long = ["PROXY UNKNOWN ", &"x".repeat(92), "\r\n"].concat();
    check_invalid(long.as_bytes(), HeaderFault::LongLine);
}

#[test]
fn headers_of_version_2() {
    let ends = ["198.51.100.7:40000", "203.0.113.5:21"];
    check(
        &binary(0x21, 0x11, 12, IPV4),
        complete(ends[0], ends[1], 28),
    );
    let of_ipv6 = complete("[2001:db8::7]:40000", "[2001:db8:1::5]:21", 52);
    check(&binary(0x21, 0x21, 36, &ipv6()), of_ipv6);
    // With a TLV, and with bytes that are none.
    for more in [&[4, 0, 1, 0][..], &[1, 255, 255], &[7; 2036]] {
        let length = 12 + more.len();
        let header = [IPV4, more].concat();
        let header = binary(0x21, 0x11, u16::try_from(length).unwrap(), &header);
        check(&header, complete(ends[0], ends[1], 16 + length));
    }
}

/// Those of a health check, and of a connection that the balancer knows nothing of.
#[test]
fn headers_of_version_2_without_addresses() {
    check(&binary(0x20, 0, 0, b""), ParsedHeader::Complete(None, 16));
    check(
        &binary(0x20, 0x11, 12, IPV4),
        ParsedHeader::Complete(None, 28),
    );
    check(
        &binary(0x20, 0x11, 3, b"abc"),
        ParsedHeader::Complete(None, 19),
    );
    check(
        &binary(0x20, 0xff, 1, b"a"),
        ParsedHeader::Complete(None, 17),
    );
    check(&binary(0x21, 0, 2, b"ab"), ParsedHeader::Complete(None, 18));
}

#[test]
fn malformed_headers_of_version_2() {
    for command in [0x11, 0x22, 0x2f, 0x00] {
        check_invalid(&binary(command, 0x11, 12, IPV4), HeaderFault::Binary);
    }
    check_invalid(&binary(0x21, 0x11, 11, &IPV4[..11]), HeaderFault::Binary);
    check_invalid(&binary(0x21, 0x21, 12, IPV4), HeaderFault::Binary);
    // Followed by enough bytes.
    let short = [IPV4, IPV4].concat();
    check_invalid(&binary(0x21, 0x11, 11, &short), HeaderFault::Binary);
    for family in [0x01, 0x10, 0x12, 0x13, 0x22, 0x31, 0x32, 0x41, 0xff] {
        check_invalid(&binary(0x21, family, 216, &[1; 216]), HeaderFault::Family);
    }
    check_invalid(&binary(0x21, 0x11, 2049, IPV4), HeaderFault::LongHeader);
    check_invalid(&binary(0x20, 0x00, 65535, b""), HeaderFault::LongHeader);
}

#[test]
fn addresses_that_no_connection_has() {
    for (source, destination) in [
        ("0.0.0.0", "203.0.113.5"),
        ("198.51.100.7", "0.0.0.0"),
        ("224.0.0.1", "203.0.113.5"),
        ("255.255.255.255", "203.0.113.5"),
    ] {
        let line = format!("PROXY TCP4 {source} {destination} 40000 21\r\n");
        check_invalid(line.as_bytes(), HeaderFault::Addresses);
    }
    for source in ["::", "ff02::1", "::ffff:0.0.0.0", "::ffff:198.51.100.7"] {
        let line = format!("PROXY TCP6 {source} 2001:db8::5 40000 21\r\n");
        check_invalid(line.as_bytes(), HeaderFault::Addresses);
    }
}

#[test]
fn what_is_no_header() {
    for bytes in [
        &b"USER joe\r\n"[..],
        b"PROXYTCP4",
        b"proxy TCP4",
        b"\r\n\r\nUSER",
        b"\r\nUSER joe\r\n",
        b"\x16\x03\x01",
        b"\0",
    ] {
        check_invalid(bytes, HeaderFault::NoHeader);
    }
}

fn any_start() -> impl Strategy<Value = Vec<u8>> {
    let starts = [
        Vec::new(),
        b"PROXY ".to_vec(),
        b"PROXY TCP4 198.51.100.7 ".to_vec(),
        b"PROXY UNKNOWN".to_vec(),
        SIGNATURE.to_vec(),
        binary(0x21, 0x11, 12, b""),
        binary(0x21, 0x21, 40, b""),
        binary(0x20, 0, 300, b""),
    ];
    let rest = prop::collection::vec(any::<u8>(), 0..400);
    (prop::sample::select(starts.to_vec()), rest).prop_map(|(start, rest)| [start, rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes: a result is final, and none needs more bytes than the bound.
    #[test]
    fn results_are_bounded_and_final(bytes in any_start()) {
        let result = parse(&bytes);
        match result {
            ParsedHeader::Incomplete(needed) => {
                prop_assert!(bytes.len() < needed && needed <= HEADER_BYTES_MAX);
            }
            ParsedHeader::Complete(_, length) => {
                prop_assert!(length <= bytes.len() && length <= HEADER_BYTES_MAX);
                for shorter in 0..length {
                    let part = parse(&bytes[..shorter]);
                    prop_assert!(matches!(part, ParsedHeader::Incomplete(_)), "{shorter}: {part:?}");
                }
                prop_assert_eq!(parse(&[&bytes[..length], b"\r\n"].concat()), result);
            }
            ParsedHeader::Invalid(_) => {
                prop_assert_eq!(parse(&[&bytes[..], b"\r\n"].concat()), result);
            }
        }
    }
}
