//! The header of the PROXY protocol, versions 1 and 2, with which a balancer says where a
//! connection comes from (`doc/proxy-protocol.txt` of HAProxy).
//!
//! Nothing in this file touches a socket. The library decodes a header that is complete; what it
//! reads more generously than the specification is checked here.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ftp_proto::canonical;
use proxy_header::{ParseConfig, Protocol, ProxiedAddress, ProxyHeader};

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParsedHeader {
    /// The beginning of a header, which has at least this number of bytes.
    Incomplete(usize),
    /// A header of this length in bytes; `None`: the connection is the balancer's own, such as a
    /// health check.
    Complete(Option<ProxiedEnds>, usize),
    /// No header that is accepted, whatever follows.
    Invalid(HeaderFault),
}

/// Where a connection through a balancer comes from, as its header says. Both addresses are
/// canonical, and of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProxiedEnds {
    /// The client.
    pub(crate) source: SocketAddr,
    /// The address that the client connected to.
    pub(crate) destination: SocketAddr,
}

/// Why bytes are no header that is accepted. Displayed as what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// They begin like neither version.
    NoHeader,
    /// A line of version 1 that is too long.
    LongLine,
    /// A line of version 1 that is not as the specification has it.
    Line,
    /// A header of version 2 that says it is longer than [`HEADER_BYTES_MAX`].
    LongHeader,
    /// A header of version 2 with an unknown version or command, or with fewer bytes than its
    /// addresses need.
    Binary,
    /// The connection is one of another kind than TCP over IPv4 or IPv6.
    Family,
    /// No connection has such addresses.
    Addresses,
}

/// Reads the header at the beginning of a connection.
pub(crate) fn parse(bytes: &[u8]) -> ParsedHeader {
    let begins = |signature: &[u8]| {
        let length = bytes.len().min(signature.len());
        bytes[..length] == signature[..length]
    };
    if bytes.is_empty() {
        ParsedHeader::Incomplete(LINE_BYTES_MIN)
    } else if begins(LINE_START) {
        parse_line(bytes)
    } else if begins(SIGNATURE) {
        parse_binary(bytes)
    } else {
        ParsedHeader::Invalid(HeaderFault::NoHeader)
    }
}

/// Version 1: the first line feed ends the line.
fn parse_line(bytes: &[u8]) -> ParsedHeader {
    let shown = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    let Some(end) = shown.iter().position(|&byte| byte == b'\n') else {
        return if bytes.len() < LINE_BYTES_MAX {
            ParsedHeader::Incomplete((bytes.len() + 1).max(LINE_BYTES_MIN))
        } else {
            ParsedHeader::Invalid(HeaderFault::LongLine)
        };
    };
    let line = &bytes[..=end];
    let Some(text) = line
        .strip_suffix(b"\r\n")
        .filter(|text| !text.contains(&b'\r'))
    else {
        return ParsedHeader::Invalid(HeaderFault::Line);
    };
    let words: Vec<&[u8]> = text.split(|&byte| byte == b' ').collect();
    match words[..] {
        // The rest of the line may be anything.
        [b"PROXY", b"UNKNOWN", ..] => ParsedHeader::Complete(None, line.len()),
        [b"PROXY", _, _, _, source, destination] if is_number(source) && is_number(destination) => {
            decode(line, HeaderFault::Line)
        }
        _ => ParsedHeader::Invalid(HeaderFault::Line),
    }
}

/// A decimal number without a sign and without leading zeros: the library takes those too.
fn is_number(word: &[u8]) -> bool {
    let is_short = word == b"0" || !word.starts_with(b"0");
    is_short && word.iter().all(u8::is_ascii_digit)
}

/// Version 2: the header says how long it is.
fn parse_binary(bytes: &[u8]) -> ParsedHeader {
    let Some((start, _)) = bytes.split_first_chunk::<FIXED_BYTES>() else {
        return ParsedHeader::Incomplete(FIXED_BYTES);
    };
    let [version_and_command, family, high, low] = start[SIGNATURE.len()..] else {
        return ParsedHeader::Invalid(HeaderFault::Binary);
    };
    let is_local = match version_and_command {
        0x20 => true,
        0x21 => false,
        _ => return ParsedHeader::Invalid(HeaderFault::Binary),
    };
    let length = FIXED_BYTES + usize::from(u16::from_be_bytes([high, low]));
    if length > HEADER_BYTES_MAX {
        return ParsedHeader::Invalid(HeaderFault::LongHeader);
    }
    match (is_local, family) {
        (true, _) | (false, FAMILY_UNKNOWN) => {}
        (false, TCP_OVER_IPV4 | TCP_OVER_IPV6) => {}
        (false, _) => return ParsedHeader::Invalid(HeaderFault::Family),
    }
    let Some(header) = bytes.get(..length) else {
        return ParsedHeader::Incomplete(length);
    };
    if is_local || family == FAMILY_UNKNOWN {
        // What else it says does not count.
        return ParsedHeader::Complete(None, length);
    }
    decode(header, HeaderFault::Binary)
}

/// Has the library decode a header that is complete.
fn decode(header: &[u8], fault: HeaderFault) -> ParsedHeader {
    let config = ParseConfig {
        include_tlvs: false,
        ..ParseConfig::default()
    };
    let Ok((decoded, length)) = ProxyHeader::parse(header, config) else {
        return ParsedHeader::Invalid(fault);
    };
    match decoded.proxied_address() {
        Some(addresses) if length == header.len() => ends(addresses)
            .map_or_else(ParsedHeader::Invalid, |ends| {
                ParsedHeader::Complete(Some(ends), length)
            }),
        _ => ParsedHeader::Invalid(fault),
    }
}

fn ends(addresses: &ProxiedAddress) -> Result<ProxiedEnds, HeaderFault> {
    let source = canonical(addresses.source);
    let destination = canonical(addresses.destination);
    if addresses.protocol != Protocol::Stream {
        return Err(HeaderFault::Family);
    }
    let is_usable = |address: IpAddr| {
        let is_broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
        !address.is_unspecified() && !address.is_multicast() && !is_broadcast
    };
    let is_one_family = source.is_ipv4() == destination.is_ipv4();
    if is_one_family && is_usable(source.ip()) && is_usable(destination.ip()) {
        Ok(ProxiedEnds {
            source,
            destination,
        })
    } else {
        Err(HeaderFault::Addresses)
    }
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::NoHeader => "no PROXY header",
            Self::LongLine => "a PROXY header without a line end",
            Self::Line => "a malformed PROXY header (version 1)",
            Self::LongHeader => {
                return write!(f, "a PROXY header of more than {HEADER_BYTES_MAX} bytes");
            }
            Self::Binary => "a malformed PROXY header (version 2)",
            Self::Family => "a PROXY header of a connection that is not TCP",
            Self::Addresses => "a PROXY header with addresses that no connection has",
        };
        f.write_str(text)
    }
}

/// The longest header that is accepted: that of version 2 with 2 KiB after its fixed part.
/// Balancers send less than 600 bytes, unless they send a client's certificate.
pub(crate) const HEADER_BYTES_MAX: usize = FIXED_BYTES + 2048;

/// The longest line of version 1, as the specification has it.
pub(crate) const LINE_BYTES_MAX: usize = 107;

/// `PROXY UNKNOWN` with its line end.
const LINE_BYTES_MIN: usize = 15;

const LINE_START: &[u8] = b"PROXY ";

/// How version 2 begins.
pub(crate) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The signature, version and command, family and protocol, and the length of the rest.
const FIXED_BYTES: usize = 16;

/// The families and protocols of version 2 that are served.
const FAMILY_UNKNOWN: u8 = 0x00;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;
