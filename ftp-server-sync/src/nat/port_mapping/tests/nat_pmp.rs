use crate::nat::port_mapping::nat_pmp::{
    NatPmpAnswer, NatPmpProblem, NatPmpRefusal, NatPmpRequest, NatPmpResponse,
};

const MAP: NatPmpRequest = NatPmpRequest::Map {
    inner: 60_000,
    outer: 60_001,
    lifetime: 3600,
};
const REMOVE: NatPmpRequest = NatPmpRequest::Map {
    inner: 60_000,
    outer: 0,
    lifetime: 0,
};

/// A response with this operation and result, after 258 s.
fn datagram(operation: u8, code: u8, rest: &[u8]) -> Vec<u8> {
    [&[0, operation, 0, code, 0, 0, 1, 2][..], rest].concat()
}

#[track_caller]
fn check(request: NatPmpRequest, datagram: &[u8], expected: Result<NatPmpAnswer, NatPmpRefusal>) {
    let result = expected;
    let response = NatPmpResponse { epoch: 258, result };
    assert_eq!(request.response(datagram), Ok(response));
}

#[track_caller]
fn check_problem(request: NatPmpRequest, datagram: &[u8], expected: NatPmpProblem) {
    assert_eq!(request.response(datagram), Err(expected));
}

/// The figures of RFC 6886, sections 3.2 and 3.3.
#[test]
fn requests_are_those_of_the_rfc() {
    assert_eq!(NatPmpRequest::PublicAddress.encode(), [0, 0]);
    assert_eq!(
        MAP.encode(),
        [0, 2, 0, 0, 0xea, 0x60, 0xea, 0x61, 0, 0, 0x0e, 0x10]
    );
    assert_eq!(REMOVE.encode(), [0, 2, 0, 0, 0xea, 0x60, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn answers_are_read() {
    check(
        NatPmpRequest::PublicAddress,
        &datagram(128, 0, &[203, 0, 113, 1]),
        Ok(NatPmpAnswer::PublicAddress([203, 0, 113, 1].into())),
    );
    let mapped = [0xea, 0x60, 0xea, 0x62, 0, 0, 0, 120];
    check(
        MAP,
        &datagram(130, 0, &mapped),
        Ok(NatPmpAnswer::Mapped {
            outer: 60_002,
            lifetime: 120,
        }),
    );
    let removed = [0xea, 0x60, 0, 0, 0, 0, 0, 0];
    check(
        REMOVE,
        &datagram(130, 0, &removed),
        Ok(NatPmpAnswer::Removed),
    );
}

#[test]
fn refusals_are_read_with_and_without_the_rest() {
    let refused = Err(NatPmpRefusal(2));
    check(
        NatPmpRequest::PublicAddress,
        &datagram(128, 2, &[]),
        refused,
    );
    check(MAP, &datagram(130, 2, &[0; 8]), refused);
    check_problem(MAP, &datagram(130, 2, &[0; 9]), NatPmpProblem::Length);
    for code in [1, 2, 3, 4, 5, 6] {
        assert!(!NatPmpRefusal(code).to_string().is_empty());
    }
}

#[test]
fn what_answers_nothing_is_no_response() {
    use NatPmpProblem::{Length, NoPort, OtherPort, OtherRequest, OtherVersion};
    let address = NatPmpRequest::PublicAddress;
    check_problem(address, b"", Length);
    check_problem(address, &[0; 7], Length);
    check_problem(address, &datagram(128, 0, &[203, 0, 113]), Length);
    check_problem(address, &datagram(128, 0, &[203, 0, 113, 1, 0]), Length);
    check_problem(address, &[2, 128, 0, 1, 0, 0, 0, 0], OtherVersion(2));
    // A request, and the response for UDP.
    check_problem(MAP, &datagram(2, 0, &[0; 8]), OtherRequest);
    check_problem(MAP, &datagram(129, 0, &[0; 8]), OtherRequest);
    check_problem(address, &datagram(130, 0, &[0; 8]), OtherRequest);
    let answer = |inner: [u8; 2], outer: [u8; 2], lifetime: u8| {
        datagram(130, 0, &[&inner[..], &outer, &[0, 0, 0, lifetime]].concat())
    };
    check_problem(MAP, &answer([0xea, 0x61], [0xea, 0x61], 9), OtherPort);
    check_problem(MAP, &answer([0xea, 0x60], [0, 0], 9), NoPort);
    check_problem(MAP, &answer([0xea, 0x60], [0xea, 0x61], 0), NoPort);
    check_problem(REMOVE, &answer([0xea, 0x60], [0xea, 0x61], 9), NoPort);
    for problem in [Length, OtherVersion(2), OtherRequest, OtherPort, NoPort] {
        assert!(!problem.to_string().is_empty());
    }
}
