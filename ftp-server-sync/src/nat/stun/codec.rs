//! Messages of STUN (RFC 8489): a Binding request without attributes, and what answers it.
//!
//! Pure, and self-contained: a fuzz target compiles this file too.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a client recognizes the response to its request by; random (RFC 8489, section 5).
pub(crate) type TransactionId = [u8; 12];

/// The answer of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StunResponse {
    /// The address and port that the request came from.
    Mapped(SocketAddr),
    /// An error response: its code, 300 to 699, and its text.
    Refused(u16, String),
}

/// Why a datagram answers nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StunProblem {
    /// Not a message of STUN, or its lengths contradict each other.
    NotStun,
    /// A message, but not a response to a Binding request.
    NotAResponse,
    /// The response to another request.
    OtherTransaction,
    /// An attribute that a client has to understand, and that this one does not.
    UnknownAttribute(u16),
    /// A success response without an address, or with one that cannot be read.
    NoAddress,
}

/// A Binding request without attributes (RFC 8489, section 6.1).
pub(crate) fn request(id: TransactionId) -> [u8; HEADER_BYTES] {
    let mut message = [0; HEADER_BYTES];
    message[..2].copy_from_slice(&REQUEST.to_be_bytes());
    message[4..8].copy_from_slice(&COOKIE.to_be_bytes());
    message[8..].copy_from_slice(&id);
    message
}

/// Reads a datagram as the response to the request with this transaction id (RFC 8489, sections
/// 6.3.3 and 6.3.4).
///
/// # Errors
///
/// Why it is none. Those that show another sender, all but the last two of [`StunProblem`], are no
/// reason to stop waiting for the response.
pub(crate) fn response(datagram: &[u8], id: TransactionId) -> Result<StunResponse, StunProblem> {
    let (header, body) = datagram
        .split_first_chunk::<HEADER_BYTES>()
        .ok_or(StunProblem::NotStun)?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let is_stun = header[0] & 0xc0 == 0
        && header[4..8] == COOKIE.to_be_bytes()
        && length == body.len()
        && length.is_multiple_of(PADDING);
    if !is_stun {
        return Err(StunProblem::NotStun);
    }
    let kind = u16::from_be_bytes([header[0], header[1]]);
    if ![SUCCESS, ERROR].contains(&kind) {
        return Err(StunProblem::NotAResponse);
    }
    if header[8..] != id {
        return Err(StunProblem::OtherTransaction);
    }
    let attributes = Attributes::read(body, id)?;
    if kind == ERROR {
        let (code, text) = attributes.error.unwrap_or_default();
        return Ok(StunResponse::Refused(code, text));
    }
    if let Some(unknown) = attributes.unknown {
        return Err(StunProblem::UnknownAttribute(unknown));
    }
    let mapped = attributes.xor_mapped.or(attributes.mapped);
    mapped
        .map(StunResponse::Mapped)
        .ok_or(StunProblem::NoAddress)
}

/// What is of use among the attributes. Of several of one type, the first counts (RFC 8489, section
/// 14).
#[derive(Debug, Default)]
struct Attributes {
    xor_mapped: Option<SocketAddr>,
    mapped: Option<SocketAddr>,
    error: Option<(u16, String)>,
    unknown: Option<u16>,
}

impl Attributes {
    fn read(mut body: &[u8], id: TransactionId) -> Result<Self, StunProblem> {
        let mut found = Self::default();
        while let Some((header, rest)) = body.split_first_chunk::<ATTRIBUTE_HEADER_BYTES>() {
            let kind = u16::from_be_bytes([header[0], header[1]]);
            let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
            let padded = length.next_multiple_of(PADDING);
            let (Some(value), Some(rest)) = (rest.get(..length), rest.get(padded..)) else {
                return Err(StunProblem::NotStun);
            };
            body = rest;
            match kind {
                XOR_MAPPED_ADDRESS if found.xor_mapped.is_none() => {
                    let address = address(value).ok_or(StunProblem::NoAddress)?;
                    found.xor_mapped = Some(unmask(address, id));
                }
                MAPPED_ADDRESS if found.mapped.is_none() => {
                    found.mapped = Some(address(value).ok_or(StunProblem::NoAddress)?);
                }
                ERROR_CODE if found.error.is_none() => {
                    found.error = Some(error(value).unwrap_or_default());
                }
                _ if kind < OPTIONAL && !KNOWN.contains(&kind) => {
                    found.unknown.get_or_insert(kind);
                }
                _ => {}
            }
        }
        // The length of the body is a multiple of the padding, and so is each attribute's.
        Ok(found)
    }
}

/// An address attribute, as it stands (RFC 8489, section 14.1).
fn address(value: &[u8]) -> Option<SocketAddr> {
    let (&[_, family, high, low], bytes) = value.split_first_chunk::<4>()?;
    let address = match family {
        1 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        2 => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
        _ => return None,
    };
    Some((address, u16::from_be_bytes([high, low])).into())
}

/// What XOR-MAPPED-ADDRESS stands for (RFC 8489, section 14.2).
fn unmask(address: SocketAddr, id: TransactionId) -> SocketAddr {
    let [cookie_high, cookie_low, ..] = COOKIE.to_be_bytes();
    let port = address.port() ^ u16::from_be_bytes([cookie_high, cookie_low]);
    let address: IpAddr = match address.ip() {
        IpAddr::V4(address) => Ipv4Addr::from(address.to_bits() ^ COOKIE).into(),
        IpAddr::V6(address) => {
            let mut mask = [0; 16];
            mask[..4].copy_from_slice(&COOKIE.to_be_bytes());
            mask[4..].copy_from_slice(&id);
            Ipv6Addr::from(address.to_bits() ^ u128::from_be_bytes(mask)).into()
        }
    };
    (address, port).into()
}

/// The code and the text of ERROR-CODE (RFC 8489, section 14.8).
fn error(value: &[u8]) -> Option<(u16, String)> {
    let (&[_, _, class, number], text) = value.split_first_chunk::<4>()?;
    let (class, number) = (u16::from(class & 7), u16::from(number));
    let is_code = (3..=6).contains(&class) && number < 100;
    is_code.then(|| {
        let text = String::from_utf8_lossy(text);
        let text = text.chars().filter(|character| !character.is_control());
        (class * 100 + number, text.take(TEXT_MAX).collect())
    })
}

impl fmt::Display for StunProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStun => f.write_str("no message of STUN"),
            Self::NotAResponse => f.write_str("no response to a Binding request"),
            Self::OtherTransaction => f.write_str("a response to another request"),
            Self::UnknownAttribute(kind) => {
                write!(f, "a response with the unknown attribute {kind:#06x}")
            }
            Self::NoAddress => f.write_str("a response without a readable address"),
        }
    }
}

/// The bytes of a message before its attributes.
pub(crate) const HEADER_BYTES: usize = 20;

const ATTRIBUTE_HEADER_BYTES: usize = 4;
/// Attributes begin at multiples of it.
const PADDING: usize = 4;
const COOKIE: u32 = 0x2112_a442;

const REQUEST: u16 = 0x0001;
const SUCCESS: u16 = 0x0101;
const ERROR: u16 = 0x0111;

const MAPPED_ADDRESS: u16 = 0x0001;
const ERROR_CODE: u16 = 0x0009;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
/// Attributes from here on need not be understood.
const OPTIONAL: u16 = 0x8000;
/// Attributes below it that change nothing here: those named before, other addresses that servers
/// of RFC 3489 name (0x0002 to 0x0005, 0x000b), and those of authentication and padding.
const KNOWN: [u16; 18] = [
    0x0001, 0x0002, 0x0003, 0x0004, 0x0005, 0x0006, 0x0007, 0x0008, 0x0009, 0x000a, 0x000b, 0x0014,
    0x0015, 0x001c, 0x001d, 0x001e, 0x0020, 0x0026,
];

/// Characters of an error's text that are shown.
const TEXT_MAX: usize = 100;
