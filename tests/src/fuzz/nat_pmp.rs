//! Datagrams that a router with NAT-PMP may send.

#[path = "../../../ftp-server-sync/src/nat/port_mapping/nat_pmp.rs"]
mod codec;

use codec::{NatPmpAnswer, NatPmpRefusal, NatPmpRequest, NatPmpResponse};

/// The codec reads any bytes as this file does, and no answer that is cut.
///
/// The first byte chooses the request, the next two are its port; the rest is the datagram, as it
/// is or with the header of a response in front.
pub fn nat_pmp(data: &[u8]) {
    let Some(([style, high, low], rest)) = data.split_first_chunk() else {
        return;
    };
    let inner = u16::from_be_bytes([*high, *low]);
    let map = |outer, lifetime| NatPmpRequest::Map {
        inner,
        outer,
        lifetime,
    };
    let request = match style % 3 {
        0 => NatPmpRequest::PublicAddress,
        1 => map(inner, 3600),
        _ => map(0, 0),
    };
    let sent = request.encode();
    assert_eq!(sent.len(), if sent[1] == 0 { 2 } else { 12 });
    let datagram = match style & 4 {
        0 => rest.to_vec(),
        _ => [&[0, sent[1] | 0x80, 0, style >> 5, 0, 0, 1, 0], rest].concat(),
    };
    let found = request.response(&datagram);
    assert_eq!(found.ok(), read(request, &sent, &datagram), "{datagram:x?}");
    match found {
        Err(problem) => assert!(!problem.to_string().is_empty()),
        Ok(NatPmpResponse {
            result: Err(refusal),
            ..
        }) => assert!(!refusal.to_string().is_empty()),
        Ok(_) => {
            for length in 0..datagram.len() {
                assert!(request.response(&datagram[..length]).is_err(), "{length}");
            }
        }
    }
}

/// The same as the codec, in another way.
fn read(request: NatPmpRequest, sent: &[u8], datagram: &[u8]) -> Option<NatPmpResponse> {
    let number = |at: usize, count: usize| {
        let bytes = datagram.get(at..at + count)?.iter();
        Some(bytes.fold(0, |number, byte| number << 8 | u32::from(*byte)))
    };
    let (code, epoch) = (number(2, 2)?, number(4, 4)?);
    if datagram[0] != 0 || datagram[1] != 128 + sent[1] {
        return None;
    }
    if code != 0 {
        let refusal = NatPmpRefusal(u16::try_from(code).ok()?);
        return (datagram.len() <= 16).then_some(NatPmpResponse {
            epoch,
            result: Err(refusal),
        });
    }
    let answer = match (request, datagram.len()) {
        (NatPmpRequest::PublicAddress, 12) => NatPmpAnswer::PublicAddress(number(8, 4)?.into()),
        (NatPmpRequest::Map { lifetime, .. }, 16) if datagram[8..10] == sent[4..6] => {
            let (outer, granted) = (number(10, 2)?, number(12, 4)?);
            match (lifetime == 0, granted == 0, outer == 0) {
                (true, true, _) => NatPmpAnswer::Removed,
                (false, false, false) => NatPmpAnswer::Mapped {
                    outer: u16::try_from(outer).ok()?,
                    lifetime: granted,
                },
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(NatPmpResponse {
        epoch,
        result: Ok(answer),
    })
}
