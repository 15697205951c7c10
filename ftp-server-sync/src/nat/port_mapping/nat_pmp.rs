//! Messages of NAT-PMP (RFC 6886), for TCP: requests to the router, and what answers them.
//!
//! Pure, and self-contained: a fuzz target compiles this file too.

use std::fmt;
use std::net::Ipv4Addr;

/// What the router is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NatPmpRequest {
    /// Its public address (RFC 6886, section 3.2).
    PublicAddress,
    /// To forward a port, or no longer: then `outer` and `lifetime` are 0 (sections 3.3 and 3.4).
    Map {
        inner: u16,
        /// The number that the router should have for it.
        outer: u16,
        /// In seconds.
        lifetime: u32,
    },
}

/// The answer of the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NatPmpResponse {
    /// The seconds since the router has forgotten its mappings.
    pub(crate) epoch: u32,
    pub(crate) result: Result<NatPmpAnswer, NatPmpRefusal>,
}

/// What the router grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NatPmpAnswer {
    PublicAddress(Ipv4Addr),
    /// The router's number for the port, and the seconds that it is forwarded for.
    Mapped {
        outer: u16,
        lifetime: u32,
    },
    /// The port is not forwarded any more.
    Removed,
}

/// Why the router does not do it; a result code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NatPmpRefusal(pub(crate) u16);

/// Why a datagram answers nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NatPmpProblem {
    /// Its length is not that of a response.
    Length,
    /// The router speaks this version only, of which 2 is PCP.
    OtherVersion(u8),
    /// The response to another kind of request, or a request.
    OtherRequest,
    /// The response to a request for another port.
    OtherPort,
    /// It forwards from port 0, or for no time.
    NoPort,
}

impl NatPmpRequest {
    pub(crate) fn encode(self) -> Vec<u8> {
        match self {
            Self::PublicAddress => vec![VERSION, PUBLIC_ADDRESS],
            Self::Map {
                inner,
                outer,
                lifetime,
            } => {
                let mut message = vec![VERSION, MAP_TCP, 0, 0];
                message.extend(inner.to_be_bytes());
                message.extend(outer.to_be_bytes());
                message.extend(lifetime.to_be_bytes());
                message
            }
        }
    }

    /// Reads a datagram of the router as the response to this request. What it announces to all
    /// hosts after a restart is the response to [`PublicAddress`](Self::PublicAddress).
    ///
    /// # Errors
    ///
    /// Why it is none. The right one may still come.
    pub(crate) fn response(self, datagram: &[u8]) -> Result<NatPmpResponse, NatPmpProblem> {
        let (header, rest) = datagram
            .split_first_chunk::<HEADER_BYTES>()
            .ok_or(NatPmpProblem::Length)?;
        let [version, operation, code_high, code_low, epoch @ ..] = *header;
        if version != VERSION {
            return Err(NatPmpProblem::OtherVersion(version));
        }
        let wanted = match self {
            Self::PublicAddress => PUBLIC_ADDRESS,
            Self::Map { .. } => MAP_TCP,
        };
        if operation != wanted | RESPONSE {
            return Err(NatPmpProblem::OtherRequest);
        }
        let code = u16::from_be_bytes([code_high, code_low]);
        let result = match code {
            0 => Ok(self.answer(rest)?),
            // What follows is undefined (section 3.5), but the port is often there.
            code if rest.len() <= REST_BYTES_MAX => Err(NatPmpRefusal(code)),
            _ => return Err(NatPmpProblem::Length),
        };
        let epoch = u32::from_be_bytes(epoch);
        Ok(NatPmpResponse { epoch, result })
    }

    fn answer(self, rest: &[u8]) -> Result<NatPmpAnswer, NatPmpProblem> {
        match self {
            Self::PublicAddress => {
                let address = <[u8; 4]>::try_from(rest).map_err(|_| NatPmpProblem::Length)?;
                Ok(NatPmpAnswer::PublicAddress(address.into()))
            }
            Self::Map {
                inner, lifetime, ..
            } => {
                let body = <[u8; REST_BYTES_MAX]>::try_from(rest);
                let [p0, p1, o0, o1, granted @ ..] = body.map_err(|_| NatPmpProblem::Length)?;
                if u16::from_be_bytes([p0, p1]) != inner {
                    return Err(NatPmpProblem::OtherPort);
                }
                let outer = u16::from_be_bytes([o0, o1]);
                match (lifetime, u32::from_be_bytes(granted)) {
                    (0, 0) => Ok(NatPmpAnswer::Removed),
                    (0, _) | (_, 0) => Err(NatPmpProblem::NoPort),
                    _ if outer == 0 => Err(NatPmpProblem::NoPort),
                    (_, lifetime) => Ok(NatPmpAnswer::Mapped { outer, lifetime }),
                }
            }
        }
    }
}

/// It completes "the router …".
impl fmt::Display for NatPmpRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("does not support this version of NAT-PMP"),
            2 => f.write_str("does not permit it; permit NAT-PMP in its settings"),
            3 => f.write_str("has no connection to the Internet"),
            4 => f.write_str("has no room for more mappings"),
            5 => f.write_str("does not support that request"),
            code => write!(f, "answers with the error {code}"),
        }
    }
}

impl fmt::Display for NatPmpProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str("no message of NAT-PMP"),
            Self::OtherVersion(version) => write!(f, "a message of version {version}"),
            Self::OtherRequest => f.write_str("no response to this kind of request"),
            Self::OtherPort => f.write_str("a response about another port"),
            Self::NoPort => f.write_str("a response without a usable port"),
        }
    }
}

/// The bytes of a response before its answer.
const HEADER_BYTES: usize = 8;
/// The longest answer: that to a mapping.
const REST_BYTES_MAX: usize = 8;

const VERSION: u8 = 0;
const PUBLIC_ADDRESS: u8 = 0;
const MAP_TCP: u8 = 2;
/// This bit marks a response.
const RESPONSE: u8 = 0x80;
