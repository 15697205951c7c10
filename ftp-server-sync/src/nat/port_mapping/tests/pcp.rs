use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::nat::port_mapping::pcp::{
    PcpMapRequest, PcpMapResponse, PcpMapping, PcpProblem, PcpRefusal, announcement,
};

const REQUEST: PcpMapRequest = PcpMapRequest {
    client: IpAddr::V4(Ipv4Addr::new(192, 168, 77, 2)),
    nonce: *b"abcdefghijkl",
    inner: 60_000,
    outer: 60_001,
    lifetime: 3600,
    exact: false,
};
const REMOVE: PcpMapRequest = PcpMapRequest {
    outer: 0,
    lifetime: 0,
    ..REQUEST
};

/// A response with this opcode, result and lifetime, after 258 s.
fn header_bytes(opcode: u8, code: u8, lifetime: u8) -> Vec<u8> {
    let mut header = vec![2, opcode, 0, code, 0, 0, 0, lifetime, 0, 0, 1, 2];
    header.resize(24, 0);
    header
}

/// What MAP defines, for the request's port.
fn map_bytes(outer: u16, address: Ipv6Addr) -> Vec<u8> {
    let mut map = REQUEST.nonce.to_vec();
    map.extend([6, 0, 0, 0, 0xea, 0x60]);
    map.extend(outer.to_be_bytes());
    map.extend(address.octets());
    map
}

fn mapped(code: u8, lifetime: u8, outer: u16, address: &str) -> Vec<u8> {
    let address = address.parse().unwrap();
    [header_bytes(129, code, lifetime), map_bytes(outer, address)].concat()
}

#[track_caller]
fn check(request: &PcpMapRequest, datagram: &[u8], expected: Result<PcpMapping, PcpRefusal>) {
    let result = expected;
    let response = PcpMapResponse { epoch: 258, result };
    assert_eq!(request.response(datagram), Ok(response));
}

#[track_caller]
fn check_problem(datagram: &[u8], expected: PcpProblem) {
    assert_eq!(REQUEST.response(datagram), Err(expected));
}

/// The figures 2 and 9 of RFC 6887.
#[test]
fn a_request_is_that_of_the_rfc() {
    let v4 = |last: [u8; 4]| [&[0; 10][..], &[0xff, 0xff], &last].concat();
    let expected = [
        &[2, 1, 0, 0, 0, 0, 0x0e, 0x10][..],
        &v4([192, 168, 77, 2]),
        b"abcdefghijkl",
        &[6, 0, 0, 0, 0xea, 0x60, 0xea, 0x61],
        &v4([0; 4]),
    ];
    assert_eq!(REQUEST.encode(), expected.concat());
    assert_eq!(REQUEST.encode().len(), 60);
}

/// The figures 4 and 11: an option has a code, a reserved byte and a length.
#[test]
fn a_request_for_an_exact_number_has_the_option() {
    let exact = PcpMapRequest {
        exact: true,
        ..REQUEST
    };
    assert_eq!(
        exact.encode(),
        [&REQUEST.encode()[..], &[2, 0, 0, 0]].concat()
    );
    let address = Ipv4Addr::new(203, 0, 113, 1).into();
    let mapping = PcpMapping {
        address,
        outer: 60_001,
        lifetime: 120,
    };
    // The router repeats the option.
    let datagram = mapped(0, 120, 60_001, "::ffff:203.0.113.1");
    check(&exact, &[datagram, vec![2, 0, 0, 0]].concat(), Ok(mapping));
    check(&exact, &mapped(11, 30, 60_001, "::"), Err(PcpRefusal(11)));
}

#[test]
fn an_ipv6_address_stays_as_it_is() {
    let own: Ipv6Addr = "2001:db8:77::2".parse().unwrap();
    let request = PcpMapRequest {
        client: own.into(),
        outer: 60_000,
        ..REQUEST
    };
    let sent = request.encode();
    assert_eq!(sent[8..24], own.octets());
    assert_eq!(sent[44..60], [0; 16]);
    let mapping = PcpMapping {
        address: own.into(),
        outer: 60_000,
        lifetime: 120,
    };
    check(
        &request,
        &mapped(0, 120, 60_000, "2001:db8:77::2"),
        Ok(mapping),
    );
    // That would be a translation to IPv4.
    let other = mapped(0, 120, 60_000, "::ffff:203.0.113.1");
    assert_eq!(request.response(&other), Err(PcpProblem::NoPort));
}

#[test]
fn answers_are_read() {
    let address = Ipv4Addr::new(203, 0, 113, 1).into();
    let mapping = PcpMapping {
        address,
        outer: 60_002,
        lifetime: 120,
    };
    let datagram = mapped(0, 120, 60_002, "::ffff:203.0.113.1");
    check(&REQUEST, &datagram, Ok(mapping));
    // Options follow.
    check(&REQUEST, &[datagram, vec![0; 8]].concat(), Ok(mapping));
    let removed = PcpMapping {
        address: Ipv6Addr::UNSPECIFIED.into(),
        outer: 0,
        lifetime: 0,
    };
    check(&REMOVE, &mapped(0, 0, 0, "::"), Ok(removed));
}

#[test]
fn refusals_are_read_with_and_without_the_rest() {
    check(&REQUEST, &mapped(2, 30, 0, "::"), Err(PcpRefusal(2)));
    check(&REQUEST, &header_bytes(129, 4, 30), Err(PcpRefusal(4)));
    for code in 1..=14 {
        assert!(!PcpRefusal(code).to_string().is_empty());
    }
}

#[test]
fn what_answers_nothing_is_no_response() {
    use PcpProblem::{Length, NoPort, OtherNonce, OtherPort, OtherRequest, OtherVersion};
    let good = mapped(0, 120, 60_002, "::ffff:203.0.113.1");
    check_problem(b"", Length);
    check_problem(&good[..good.len() - 4], Length);
    check_problem(&good[..good.len() - 1], Length);
    check_problem(&[&good[..], &[0; 1044]].concat(), Length);
    // A router with NAT-PMP only answers so (RFC 6887, appendix A).
    check_problem(&[0, 0, 0, 1, 0, 0, 0, 9], OtherVersion(0));
    for opcode in [1, 128, 130] {
        let mut other = good.clone();
        other[1] = opcode;
        check_problem(&other, OtherRequest);
    }
    for (at, problem) in [
        (24, OtherNonce),
        (35, OtherNonce),
        (36, OtherPort),
        (40, OtherPort),
        (41, OtherPort),
    ] {
        let mut other = good.clone();
        other[at] ^= 1;
        check_problem(&other, problem);
    }
    check_problem(&mapped(0, 120, 0, "::ffff:203.0.113.1"), NoPort);
    check_problem(&mapped(0, 0, 60_002, "::ffff:203.0.113.1"), NoPort);
    check_problem(&mapped(0, 120, 60_002, "2001:db8::1"), NoPort);
    assert_eq!(REMOVE.response(&good), Err(NoPort));
    for problem in [
        Length,
        OtherVersion(0),
        OtherRequest,
        OtherNonce,
        OtherPort,
        NoPort,
    ] {
        assert!(!problem.to_string().is_empty());
    }
}

#[test]
fn an_announcement_has_the_epoch() {
    assert_eq!(announcement(&header_bytes(128, 0, 0)), Ok(258));
    let problem = Err(PcpProblem::OtherRequest);
    assert_eq!(announcement(&header_bytes(128, 1, 0)), problem);
    assert_eq!(announcement(&header_bytes(0, 0, 0)), problem);
    assert_eq!(announcement(&[2, 128]), Err(PcpProblem::Length));
}
