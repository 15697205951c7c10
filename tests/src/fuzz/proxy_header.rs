//! What a balancer may send before the bytes of a client.

#[path = "../../../ftp-server-sync/src/net/proxy_header/codec.rs"]
mod codec;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use codec::{HEADER_BYTES_MAX, LINE_BYTES_MAX, ParsedHeader, ProxiedEnds, SIGNATURE, parse};

/// The codec reads a header of version 2 as this file does, its results are final, and it needs no
/// more bytes than its bound.
///
/// The first byte chooses how the bytes begin; the rest follows.
pub fn proxy_header(data: &[u8]) {
    let Some((style, rest)) = data.split_first() else {
        return;
    };
    let start: &[u8] = match style % 4 {
        0 => b"",
        1 => b"PROXY ",
        2 => b"PROXY TCP4 198.51.100.7 203.0.113.5 ",
        _ => SIGNATURE,
    };
    let bytes = [start, rest].concat();
    let result = parse(&bytes);
    match result {
        ParsedHeader::Incomplete(needed) => {
            assert!(
                bytes.len() < needed && needed <= HEADER_BYTES_MAX,
                "{needed}"
            );
            return;
        }
        ParsedHeader::Complete(ends, length) => {
            assert!(length <= bytes.len());
            assert_eq!(parse(&bytes[..length]), result);
            for shorter in 0..length {
                let part = parse(&bytes[..shorter]);
                assert!(
                    matches!(part, ParsedHeader::Incomplete(_)),
                    "{shorter}: {part:?}"
                );
            }
            if bytes[0] == b'P' {
                assert!(length <= LINE_BYTES_MAX && bytes[..length].ends_with(b"\r\n"));
                check_line(ends, &bytes[..length]);
            } else {
                assert_eq!(ends, read(&bytes), "{bytes:?}");
            }
        }
        ParsedHeader::Invalid(fault) => assert!(!fault.to_string().is_empty()),
    }
    assert_eq!(parse(&[&bytes[..], b"\r\n"].concat()), result);
}

/// A line with addresses is the one that says the same, but for the shape of IPv6 addresses.
fn check_line(ends: Option<ProxiedEnds>, line: &[u8]) {
    match ends {
        None => assert!(line.starts_with(b"PROXY UNKNOWN")),
        Some(ends) if line.starts_with(b"PROXY TCP4 ") => {
            let (from, to) = (ends.source, ends.destination);
            let ports = (from.port(), to.port());
            let text = format!(
                "PROXY TCP4 {} {} {} {}\r\n",
                from.ip(),
                to.ip(),
                ports.0,
                ports.1
            );
            assert_eq!(text.as_bytes(), line);
        }
        Some(ends) => {
            assert!(line.starts_with(b"PROXY TCP6 "));
            let ports = format!(" {} {}\r\n", ends.source.port(), ends.destination.port());
            assert!(line.ends_with(ports.as_bytes()));
        }
    }
}

/// The addresses of a complete header of version 2, in another way.
fn read(bytes: &[u8]) -> Option<ProxiedEnds> {
    if bytes[12] == 0x20 || bytes[13] == 0 {
        return None;
    }
    let port = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let (source, destination): (SocketAddr, SocketAddr) = if bytes[13] == 0x11 {
        let address = |at: usize| {
            let octets: [u8; 4] = bytes[at..at + 4].try_into().expect("four bytes");
            Ipv4Addr::from(octets)
        };
        let ends = (address(16), address(20));
        ((ends.0, port(24)).into(), (ends.1, port(26)).into())
    } else {
        let address = |at: usize| {
            let octets: [u8; 16] = bytes[at..at + 16].try_into().expect("sixteen bytes");
            Ipv6Addr::from(octets).to_canonical()
        };
        let ends = (address(16), address(32));
        ((ends.0, port(48)).into(), (ends.1, port(50)).into())
    };
    Some(ProxiedEnds {
        source,
        destination,
    })
}
