//! Datagrams that a STUN server may send.

use std::net::{IpAddr, SocketAddr};

#[path = "../../../ftp-server-sync/src/nat/stun/codec.rs"]
mod codec;

use codec::{HEADER_BYTES, StunResponse, TransactionId, request, response};

/// The codec reads any bytes as this file does, and no message that is cut.
///
/// The first byte chooses the variant, the next ones are the transaction; the rest is the datagram,
/// as it is or with the header of a response in front.
pub fn stun(data: &[u8]) {
    let Some((style, data)) = data.split_first() else {
        return;
    };
    let Some((id, rest)) = data.split_first_chunk::<12>() else {
        return;
    };
    let datagram = match style % 4 {
        0 => rest.to_vec(),
        variant => {
            let kind: u16 = if variant == 3 { 0x0111 } else { 0x0101 };
            let body = &rest[..rest.len().min(BODY_BYTES_MAX) / 4 * 4];
            let mut header = request(*id);
            header[..2].copy_from_slice(&kind.to_be_bytes());
            header[2..4].copy_from_slice(&(body.len() as u16).to_be_bytes());
            [&header, body].concat()
        }
    };
    let found = response(&datagram, *id);
    assert_eq!(found.clone().ok(), read(&datagram, *id), "{datagram:x?}");
    if let Err(problem) = &found {
        assert!(!problem.to_string().is_empty());
        return;
    }
    for length in 0..datagram.len() {
        assert!(response(&datagram[..length], *id).is_err(), "{length}");
    }
    let mut other = *id;
    other[11] ^= 1;
    assert!(response(&datagram, other).is_err());
}

/// The same as the codec, in another way.
fn read(datagram: &[u8], id: TransactionId) -> Option<StunResponse> {
    let word = |at: usize| {
        Some(u16::from_be_bytes([
            *datagram.get(at)?,
            *datagram.get(at + 1)?,
        ]))
    };
    let kind = word(0)?;
    let is_mine = datagram.get(4..8)? == MASK && datagram.get(8..HEADER_BYTES)? == id;
    if !is_mine
        || !datagram.len().is_multiple_of(4)
        || datagram.len() - HEADER_BYTES != usize::from(word(2)?)
    {
        return None;
    }
    let mut attributes = Vec::new();
    let mut at = HEADER_BYTES;
    while at < datagram.len() {
        let length = usize::from(word(at + 2)?);
        attributes.push((word(at)?, datagram.get(at + 4..at + 4 + length)?));
        at += 4 + length.div_ceil(4) * 4;
    }
    let first = |kind| attributes.iter().find(|attribute| attribute.0 == kind);
    let masked = first(0x20).map(|(_, value)| mapped(value, &[&MASK, &id[..]].concat()));
    let plain = first(1).map(|(_, value)| mapped(value, &[0; 16]));
    // One that cannot be read makes the whole message void.
    if matches!(masked, Some(None)) || matches!(plain, Some(None)) {
        return None;
    }
    match kind {
        0x0111 => {
            let error = first(9).map(|(_, value)| *value);
            let (code, text) = error.and_then(error_code).unwrap_or_default();
            Some(StunResponse::Refused(code, text))
        }
        0x0101 if attributes.iter().any(|(kind, _)| is_unknown(*kind)) => None,
        0x0101 => masked.or(plain).flatten().map(StunResponse::Mapped),
        _ => None,
    }
}

fn mapped(value: &[u8], mask: &[u8]) -> Option<SocketAddr> {
    let plain = |at: usize| {
        value
            .iter()
            .skip(at)
            .zip(mask)
            .map(|(byte, mask)| byte ^ mask)
    };
    let address: Vec<u8> = plain(4).collect();
    let address = match (value.get(1)?, value.len()) {
        (1, 8) => IpAddr::from(<[u8; 4]>::try_from(address).ok()?),
        (2, 20) => IpAddr::from(<[u8; 16]>::try_from(address).ok()?),
        _ => return None,
    };
    let port = plain(2)
        .take(2)
        .fold(0, |port, byte| port << 8 | u16::from(byte));
    Some(SocketAddr::new(address, port))
}

fn error_code(value: &[u8]) -> Option<(u16, String)> {
    let code = u16::from(value.get(2)? % 8) * 100 + u16::from(*value.get(3)?);
    let is_code = (300..700).contains(&code) && value[3] < 100;
    let text = String::from_utf8_lossy(&value[4..]).into_owned();
    let text = text.chars().filter(|character| !character.is_control());
    is_code.then(|| (code, text.take(100).collect()))
}

/// RFC 8489, section 18.3, with those of RFC 3489 and 5780.
fn is_unknown(attribute: u16) -> bool {
    let known = [1..=0x0b, 0x14..=0x15, 0x1c..=0x1e, 0x20..=0x20, 0x26..=0x26];
    attribute < 0x8000 && !known.iter().any(|range| range.contains(&attribute))
}

const MASK: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// The longest body whose length fits, and far more than a datagram has.
const BODY_BYTES_MAX: usize = 4000;
