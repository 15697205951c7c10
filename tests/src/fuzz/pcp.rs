//! Datagrams that a router with PCP may send.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[path = "../../../ftp-server-sync/src/nat/port_mapping/pcp.rs"]
mod codec;

use codec::{MappingNonce, PcpMapRequest, PcpMapResponse, PcpMapping, PcpRefusal, announcement};

/// The codec reads any bytes as this file does, and nothing granted in a message that is cut.
///
/// The first byte chooses the request, the next ones are its port and nonce; the rest is the
/// datagram, as it is, or with the header of a response in front, or with what MAP repeats too.
pub fn pcp(data: &[u8]) {
    let Some(([style, high, low], rest)) = data.split_first_chunk() else {
        return;
    };
    let Some((nonce, rest)) = rest.split_first_chunk() else {
        return;
    };
    let nonce: MappingNonce = *nonce;
    let inner = u16::from_be_bytes([*high, *low]);
    let lifetime = if style & 1 == 0 { 3600 } else { 0 };
    let request = PcpMapRequest {
        client: if style & 8 == 0 {
            Ipv4Addr::new(192, 168, 77, 2).into()
        } else {
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2).into()
        },
        nonce,
        inner,
        outer: if lifetime == 0 { 0 } else { inner },
        lifetime,
        exact: high & 1 != 0,
    };
    let sent = request.encode();
    assert_eq!(sent.len(), if request.exact { 64 } else { 60 });
    let mut header = vec![2, 0x81, 0, style >> 4, 0, 0, 0, (style & 1) ^ 1];
    header.resize(24, 0);
    let datagram = match style & 6 {
        0 | 2 => rest.to_vec(),
        4 => [&header, rest].concat(),
        _ => [&header, &sent[24..42], rest].concat(),
    };
    let found = request.response(&datagram);
    assert_eq!(found.ok(), read(&sent, &datagram), "{datagram:x?}");
    let announced = datagram.get(1) == Some(&0x80) && datagram.get(3) == Some(&0);
    assert_eq!(
        announcement(&datagram).is_ok(),
        announced && is_message(&datagram)
    );
    match found {
        Err(problem) => assert!(!problem.to_string().is_empty()),
        Ok(PcpMapResponse {
            result: Err(PcpRefusal(code)),
            ..
        }) => assert!(!PcpRefusal(code).to_string().is_empty()),
        Ok(_) => {
            for length in 0..60 {
                assert!(request.response(&datagram[..length]).is_err(), "{length}");
            }
            let mut other = request;
            other.nonce[11] ^= 1;
            assert!(other.response(&datagram).is_err());
        }
    }
}

fn is_message(datagram: &[u8]) -> bool {
    let lengths = (24..=1100).step_by(4);
    lengths.into_iter().any(|length| length == datagram.len()) && datagram[0] == 2
}

/// The same as the codec, in another way.
fn read(sent: &[u8], datagram: &[u8]) -> Option<PcpMapResponse> {
    if !is_message(datagram) || datagram[1] != 0x81 {
        return None;
    }
    let number = |at: usize, count: usize| {
        let bytes = datagram[at..at + count].iter();
        bytes.fold(0, |number, byte| number << 8 | u32::from(*byte))
    };
    let (code, lifetime, epoch) = (datagram[3], number(4, 4), number(8, 4));
    let refused = Some(PcpMapResponse {
        epoch,
        result: Err(PcpRefusal(code)),
    });
    if datagram.len() < 60 {
        return refused.filter(|_| code != 0);
    }
    let repeats = datagram[24..37] == sent[24..37] && datagram[40..42] == sent[40..42];
    if !repeats {
        return None;
    }
    if code != 0 {
        return refused;
    }
    let address: [u8; 16] = datagram[44..60].try_into().ok()?;
    let address = IpAddr::from(Ipv6Addr::from(address)).to_canonical();
    // The prefix of IPv4 addresses.
    let was_v4 = sent[8..20] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255];
    let outer = u16::try_from(number(42, 2)).ok()?;
    let is_removal = sent[4..8] == [0; 4];
    let is_good = match (is_removal, lifetime) {
        (true, 0) => true,
        (true, _) | (false, 0) => false,
        (false, _) => outer != 0 && address.is_ipv4() == was_v4,
    };
    is_good.then_some(PcpMapResponse {
        epoch,
        result: Ok(PcpMapping {
            address,
            outer,
            lifetime,
        }),
    })
}
