//! The codec against the test vectors of RFC 5769 and against bytes of any kind, and the exchange
//! with servers that lie.

use std::thread;

use proptest::prelude::*;

use super::codec::{request, response};
use super::*;

const ID: TransactionId = *b"\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae";

/// RFC 5769, section 2.2.
const RESPONSE_V4: &[u8] = b"\x01\x01\x00\x3c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\
    \xdf\xae\x80\x22\x00\x0btest vector\x20\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43\x00\x08\
    \x00\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9\x2a\xf9\xba\x53\xf0\x6b\xe7\xd7\x80\x28\
    \x00\x04\xc0\x7d\x4c\x96";

/// RFC 5769, section 2.3.
const RESPONSE_V6: &[u8] = b"\x01\x01\x00\x48\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\
    \xdf\xae\x80\x22\x00\x0btest vector\x20\x00\x20\x00\x14\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\
    \xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9\x00\x08\x00\x14\xa3\x82\x95\x4e\x4b\xe6\x7b\xf1\x17\x84\
    \xc9\x7c\x82\x92\xc2\x75\xbf\xe3\xed\x41\x80\x28\x00\x04\xc8\xfb\x0b\x4c";

/// A message with these attributes.
fn message(kind: u16, id: TransactionId, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (attribute, value) in attributes {
        body.extend(attribute.to_be_bytes());
        body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut message = kind.to_be_bytes().to_vec();
    message.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    message.extend(b"\x21\x12\xa4\x42");
    message.extend(id);
    message.extend(body);
    message
}

fn mapped(address: &str) -> Result<StunResponse, StunProblem> {
    Ok(StunResponse::Mapped(address.parse().unwrap()))
}

#[test]
fn a_request_has_no_attributes() {
    assert_eq!(request(ID), message(0x0001, ID, &[]).as_slice());
}

#[test]
fn the_test_vectors_of_the_rfc() {
    assert_eq!(response(RESPONSE_V4, ID), mapped("192.0.2.1:32853"));
    let v6 = mapped("[2001:db8:1234:5678:11:2233:4455:6677]:32853");
    assert_eq!(response(RESPONSE_V6, ID), v6);
}

#[test]
fn each_kind_of_message() {
    const PLAIN: &[u8] = b"\0\x01\x12\x34\xcb\0\x71\x01";
    const MASKED: &[u8] = b"\0\x01\x33\x26\xea\x12\xd5\x40";
    let success = |attributes: &[(u16, &[u8])]| response(&message(0x0101, ID, attributes), ID);
    let address = mapped("203.0.113.1:4660");
    let other = b"\0\x01\0\0\x0a\0\0\x01";
    // Servers of RFC 3489 know no other attribute than the first; some send both.
    assert_eq!(success(&[(1, PLAIN)]), address);
    assert_eq!(success(&[(0x20, MASKED)]), mapped("203.0.113.2:4660"));
    assert_eq!(
        success(&[(1, other), (0x20, MASKED)]),
        mapped("203.0.113.2:4660")
    );
    assert_eq!(
        success(&[(4, other), (5, other), (1, PLAIN), (1, other)]),
        address
    );
    assert_eq!(
        success(&[(0x802b, b"x"), (1, PLAIN), (0xffff, b"")]),
        address
    );
    assert_eq!(
        success(&[(1, PLAIN), (0x7f00, b"")]),
        Err(StunProblem::UnknownAttribute(0x7f00))
    );
    for wrong in [
        &b"\0\x01\0\0\x0a\0\0"[..],
        b"\0\x01\0\0\x0a\0\0\x01\0",
        b"\0\x02\0\0\x0a\0\0\x01",
        b"\0\x03\0\0\x0a\0\0\x01",
        b"\0",
    ] {
        assert_eq!(
            success(&[(1, wrong)]),
            Err(StunProblem::NoAddress),
            "{wrong:?}"
        );
        assert_eq!(
            success(&[(0x20, wrong)]),
            Err(StunProblem::NoAddress),
            "{wrong:?}"
        );
    }
    assert_eq!(
        success(&[(0x8022, b"no address")]),
        Err(StunProblem::NoAddress)
    );
}

#[test]
fn each_kind_of_error() {
    let error = |value: &[u8]| response(&message(0x0111, ID, &[(9, value)]), ID);
    let refused = |code, text: &str| Ok(StunResponse::Refused(code, text.to_owned()));
    assert_eq!(
        error(b"\0\0\x04\x14Unknown\r\n Attribute"),
        refused(420, "Unknown Attribute")
    );
    assert_eq!(error(b"\0\0\x03\0"), refused(300, ""));
    assert_eq!(error(b"\0\0\x07\0no code"), refused(0, ""));
    let twice: &[(u16, &[u8])] = &[(9, b"?"), (9, b"\0\0\x04\0")];
    let first = response(&message(0x0111, ID, twice), ID);
    assert_eq!(first, refused(0, ""));
}

#[test]
fn what_is_no_response() {
    const PLAIN: &[u8] = b"\0\x01\x12\x34\xcb\0\x71\x01";
    for (kind, problem) in [
        (0x0001, StunProblem::NotAResponse),
        (0x0011, StunProblem::NotAResponse),
        (0x0103, StunProblem::NotAResponse),
        (0x4101, StunProblem::NotStun),
    ] {
        assert_eq!(
            response(&message(kind, ID, &[(1, PLAIN)]), ID),
            Err(problem),
            "{kind:#x}"
        );
    }
    let other = message(0x0101, [7; 12], &[(1, PLAIN)]);
    assert_eq!(response(&other, ID), Err(StunProblem::OtherTransaction));
    let mut without_cookie = message(0x0101, ID, &[(1, PLAIN)]);
    without_cookie[4] = 0;
    assert_eq!(response(&without_cookie, ID), Err(StunProblem::NotStun));
}

/// Lengths that contradict each other are never read past.
#[test]
fn every_truncated_message_is_refused() {
    for whole in [RESPONSE_V4, RESPONSE_V6] {
        for length in 0..whole.len() {
            assert_eq!(
                response(&whole[..length], ID),
                Err(StunProblem::NotStun),
                "{length}"
            );
        }
        let longer = [whole, &[0; 4]].concat();
        assert_eq!(response(&longer, ID), Err(StunProblem::NotStun));
    }
    // The attribute is longer than the message.
    let mut long = message(0x0101, ID, &[(1, &[0; 8])]);
    for length in 9..=u8::MAX {
        long[23] = length;
        assert_eq!(response(&long, ID), Err(StunProblem::NotStun), "{length}");
    }
}

proptest! {
    /// What a server sends comes out, among attributes of any kind that need no understanding.
    #[test]
    fn addresses_come_back(
        address: SocketAddr,
        id: TransactionId,
        around in prop::collection::vec((0x8000_u16.., prop::collection::vec(any::<u8>(), 0..9)), 0..5),
        place in 0_usize..5,
    ) {
        let mut value = vec![0, if address.is_ipv4() { 1 } else { 2 }];
        let mask = [&b"\x21\x12\xa4\x42"[..], &id].concat();
        let port = address.port().to_be_bytes();
        let octets = match address.ip() {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        value.extend(port.iter().zip(&mask).map(|(byte, mask)| byte ^ mask));
        value.extend(octets.iter().zip(&mask).map(|(byte, mask)| byte ^ mask));
        let mut attributes: Vec<(u16, &[u8])> = Vec::new();
        attributes.extend(around.iter().map(|(kind, value)| (*kind, value.as_slice())));
        attributes.insert(place.min(attributes.len()), (0x20, &value));
        let found = response(&message(0x0101, id, &attributes), id);
        let expected = SocketAddr::new(address.ip(), address.port());
        prop_assert_eq!(found, Ok(StunResponse::Mapped(expected)));
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(response(&bytes, ID).is_err());
    }
}

/// A server for one request after the other. `answer` gets the request and the number of it, and
/// says what is sent.
fn server(answer: impl Fn(&[u8], usize) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 100];
        let mut count = 0;
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            for datagram in answer(&buffer[..length], count) {
                let _ = socket.send_to(&datagram, peer);
            }
            count += 1;
        }
    });
    address
}

/// The attribute of an address whose port is not of interest.
fn plain(address: [u8; 4]) -> Vec<u8> {
    [&[0, 1, 0, 0][..], &address].concat()
}

fn id_of(request: &[u8]) -> TransactionId {
    request[8..20].try_into().unwrap()
}

fn success(request: &[u8], address: [u8; 4]) -> Vec<u8> {
    message(0x0101, id_of(request), &[(1, &plain(address))])
}

const SHORT: [Duration; 3] = [Duration::from_millis(200); 3];

#[test]
fn the_answer_of_a_server() {
    let good = server(|request, _| vec![success(request, [203, 0, 113, 1])]);
    assert_eq!(ask(good).unwrap(), Ipv4Addr::new(203, 0, 113, 1));
    // The first two requests are lost.
    let lossy = server(|request, count| match count {
        0 | 1 => Vec::new(),
        _ => vec![success(request, [203, 0, 113, 1])],
    });
    assert_eq!(
        ask_within(lossy, &SHORT).unwrap(),
        Ipv4Addr::new(203, 0, 113, 1)
    );
    let refusing = server(|request, _| {
        vec![message(
            0x0111,
            id_of(request),
            &[(9, b"\0\0\x04\x00Bad Request")],
        )]
    });
    let problem = ask_within(refusing, &SHORT).unwrap_err();
    assert_eq!(
        problem,
        format!("{refusing} answers with the error 400 Bad Request")
    );
    let closed = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let problem = ask_within(closed, &SHORT).unwrap_err();
    assert_eq!(problem, format!("no STUN server answers at {closed}"));
}

/// What others send, or the server before its answer, changes nothing.
#[test]
fn what_is_no_answer_is_ignored() {
    let lying = server(|request, _| {
        let good = success(request, [203, 0, 113, 1]);
        vec![
            b"x".to_vec(),
            good[..good.len() - 1].to_vec(),
            request.to_vec(),
            message(0x0101, [7; 12], &[(1, &plain([192, 0, 2, 7]))]),
            good,
        ]
    });
    assert_eq!(
        ask_within(lying, &SHORT).unwrap(),
        Ipv4Addr::new(203, 0, 113, 1)
    );
    let wrong = server(|_, _| vec![message(0x0101, [7; 12], &[(1, &plain([192, 0, 2, 7]))])]);
    let problem = ask_within(wrong, &SHORT).unwrap_err();
    let expected = format!(
        "{wrong} does not answer within 0.6 s, but sends 3 datagrams, the last one a response to \
         another request"
    );
    assert_eq!(problem, expected);
    // A stranger that knows the transaction answers sooner.
    let stranger = UdpSocket::bind("127.0.0.2:0").unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 100];
        let (length, peer) = socket.recv_from(&mut buffer).unwrap();
        let request = &buffer[..length];
        stranger
            .send_to(&success(request, [192, 0, 2, 7]), peer)
            .unwrap();
        socket
            .send_to(&success(request, [203, 0, 113, 1]), peer)
            .unwrap();
    });
    assert_eq!(
        ask_within(address, &SHORT).unwrap(),
        Ipv4Addr::new(203, 0, 113, 1)
    );
}

/// A server that never stops is given up long before its datagrams are all read.
#[test]
fn an_endless_server_is_given_up() {
    let endless = server(|_, _| vec![b"x".to_vec(); 100]);
    let long = [Duration::from_secs(60)];
    let problem = ask_within(endless, &long).unwrap_err();
    let expected =
        format!("{endless} sends something else: 64 datagrams, the last one no message of STUN");
    assert_eq!(problem, expected);
    let useless = server(|request, _| vec![message(0x0101, id_of(request), &[])]);
    let problem = ask_within(useless, &long).unwrap_err();
    assert_eq!(
        problem,
        format!("{useless} sends a response without a readable address")
    );
}

#[test]
fn transactions_differ() {
    let ids: Vec<TransactionId> = (0..8).map(|_| transaction_id().unwrap()).collect();
    for (index, id) in ids.iter().enumerate() {
        assert!(!ids[..index].contains(id), "{ids:?}");
    }
}
