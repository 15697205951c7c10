//! Messages of PCP (RFC 6887), for TCP: the opcode MAP, what answers it, and what a router
//! announces after a restart.
//!
//! Pure, and self-contained: a fuzz target compiles this file too.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What the router recognizes the owner of a mapping by; secret (RFC 6887, section 11.2).
pub(crate) type MappingNonce = [u8; 12];

/// To forward a port, or no longer: then `outer` and `lifetime` are 0 (sections 11.1 and 15.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PcpMapRequest {
    /// The address that the request is sent from, and that connections are forwarded to. With an
    /// IPv6 address, the router's firewall lets them in (section 11.2).
    pub(crate) client: IpAddr,
    pub(crate) nonce: MappingNonce,
    pub(crate) inner: u16,
    /// The number that the router should have for it.
    pub(crate) outer: u16,
    /// In seconds.
    pub(crate) lifetime: u32,
    /// No other number than `outer` is of use: the option PREFER_FAILURE (section 13.2).
    pub(crate) exact: bool,
}

/// The answer of the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PcpMapResponse {
    /// The seconds since the router has forgotten its mappings.
    pub(crate) epoch: u32,
    pub(crate) result: Result<PcpMapping, PcpRefusal>,
}

/// What the router grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PcpMapping {
    pub(crate) address: IpAddr,
    pub(crate) outer: u16,
    /// In seconds; 0: the port is not forwarded any more.
    pub(crate) lifetime: u32,
}

/// Why the router does not do it; a result code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PcpRefusal(pub(crate) u8);

/// Why a datagram answers nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PcpProblem {
    /// Its length is not that of a message.
    Length,
    /// The router speaks this version only, of which 0 is NAT-PMP.
    OtherVersion(u8),
    /// The response to another opcode, or a request.
    OtherRequest,
    /// The response to a request with another nonce.
    OtherNonce,
    /// The response about another port: late, or repeated.
    OtherPort,
    /// It forwards from no port or no address of the same family, or for no time.
    NoPort,
}

impl PcpMapRequest {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut message = vec![VERSION, MAP, 0, 0];
        message.extend(self.lifetime.to_be_bytes());
        message.extend(as_ipv6(self.client).octets());
        message.extend(self.nonce);
        message.extend([TCP, 0, 0, 0]);
        message.extend(self.inner.to_be_bytes());
        message.extend(self.outer.to_be_bytes());
        // No address in particular, of this family (section 11.1).
        let any = match self.client {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        message.extend(as_ipv6(any).octets());
        if self.exact {
            message.extend([PREFER_FAILURE, 0, 0, 0]);
        }
        message
    }

    /// Reads a datagram of the router as the response to this request.
    ///
    /// # Errors
    ///
    /// Why it is none. The right one may still come.
    pub(crate) fn response(&self, datagram: &[u8]) -> Result<PcpMapResponse, PcpProblem> {
        let (header, rest) = header(datagram, MAP)?;
        let map = rest.first_chunk::<MAP_BYTES>();
        let Some(map) = map else {
            // A router that does not know the opcode need not repeat what it was sent.
            return match header.code {
                0 => Err(PcpProblem::Length),
                code => Ok(PcpMapResponse {
                    epoch: header.epoch,
                    result: Err(PcpRefusal(code)),
                }),
            };
        };
        let word = |at: usize| u16::from_be_bytes([map[at], map[at + 1]]);
        if map[..12] != self.nonce {
            return Err(PcpProblem::OtherNonce);
        }
        if map[12] != TCP || word(16) != self.inner {
            return Err(PcpProblem::OtherPort);
        }
        let result = match header.code {
            0 => Ok(self.mapping(header.lifetime, word(18), &map[20..])?),
            code => Err(PcpRefusal(code)),
        };
        let epoch = header.epoch;
        Ok(PcpMapResponse { epoch, result })
    }

    fn mapping(&self, lifetime: u32, outer: u16, address: &[u8]) -> Result<PcpMapping, PcpProblem> {
        let address = <[u8; 16]>::try_from(address).map_err(|_| PcpProblem::Length)?;
        let address = Ipv6Addr::from(address).to_canonical();
        let is_usable = outer != 0 && address.is_ipv4() == self.client.is_ipv4();
        match (self.lifetime, lifetime) {
            // The rest is of no use then.
            (0, 0) => {}
            (0, _) | (_, 0) => return Err(PcpProblem::NoPort),
            _ if is_usable => {}
            _ => return Err(PcpProblem::NoPort),
        }
        Ok(PcpMapping {
            address,
            outer,
            lifetime,
        })
    }
}

/// All addresses in PCP have 16 bytes (section 5).
fn as_ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// The epoch in what a router announces to all hosts after a restart (section 14.1.3).
///
/// # Errors
///
/// Why it announces nothing.
pub(crate) fn announcement(datagram: &[u8]) -> Result<u32, PcpProblem> {
    let (header, _) = header(datagram, ANNOUNCE)?;
    match header.code {
        0 => Ok(header.epoch),
        _ => Err(PcpProblem::OtherRequest),
    }
}

/// What all responses begin with (section 7.2).
struct Header {
    code: u8,
    lifetime: u32,
    epoch: u32,
}

fn header(datagram: &[u8], opcode: u8) -> Result<(Header, &[u8]), PcpProblem> {
    let Some(&version) = datagram.first() else {
        return Err(PcpProblem::Length);
    };
    // Before the length: NAT-PMP has shorter messages.
    if version != VERSION {
        return Err(PcpProblem::OtherVersion(version));
    }
    let (header, rest) = datagram
        .split_first_chunk::<HEADER_BYTES>()
        .ok_or(PcpProblem::Length)?;
    if datagram.len() > MESSAGE_BYTES_MAX || !datagram.len().is_multiple_of(4) {
        return Err(PcpProblem::Length);
    }
    if header[1] != opcode | RESPONSE {
        return Err(PcpProblem::OtherRequest);
    }
    let number = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let header = Header {
        code: header[3],
        lifetime: number(4),
        epoch: number(8),
    };
    Ok((header, rest))
}

/// It completes "the router …".
impl fmt::Display for PcpRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            1 => "does not support this version of PCP",
            2 => "does not permit it; permit PCP in its settings",
            4 | 5 => "does not support that request",
            7 => "has no connection to the Internet",
            8 => "has no room for more mappings",
            9 => "does not forward TCP",
            10 => "forwards no more ports to this machine",
            11 => "cannot have that port number",
            12 => "is not the only one in between: another router translates addresses",
            code => return write!(f, "answers with the error {code}"),
        })
    }
}

impl fmt::Display for PcpProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str("no message of PCP"),
            Self::OtherVersion(version) => write!(f, "a message of version {version}"),
            Self::OtherRequest => f.write_str("no response to this kind of request"),
            Self::OtherNonce => f.write_str("a response with another nonce"),
            Self::OtherPort => f.write_str("a response about another port"),
            Self::NoPort => f.write_str("a response without a usable address and port"),
        }
    }
}

/// The bytes before what the opcode defines.
const HEADER_BYTES: usize = 24;
/// Those that MAP defines.
const MAP_BYTES: usize = 36;
/// RFC 6887, section 7.
const MESSAGE_BYTES_MAX: usize = 1100;

const VERSION: u8 = 2;
const ANNOUNCE: u8 = 0;
const MAP: u8 = 1;
/// This bit marks a response.
const RESPONSE: u8 = 0x80;
/// The number of the protocol.
const TCP: u8 = 6;
/// The option's code (section 13.2); it has no content.
const PREFER_FAILURE: u8 = 2;
