//! What comes of a request to the router.

use std::fmt;
use std::time::Duration;

use super::link::NoAnswer;
use super::pcp::PcpRefusal;
use super::public_address::PublicSide;
use crate::settings::file::reason;

/// What the router forwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GrantedPort {
    pub(super) outer: u16,
    pub(super) lease: Duration,
    pub(super) public: PublicSide,
    /// Someone else has made the mapping, and it stays at the end.
    pub(super) is_foreign: bool,
}

/// Why the router does not forward a port.
#[derive(Debug)]
pub(super) enum MappingFailure {
    /// This port: a text that completes "the router …".
    Refused(String),
    /// Another machine has that number, or none may have it. NAT-PMP chooses another one instead.
    Taken,
    /// It does not speak this protocol, for this reason.
    OtherProtocol(String),
    /// What it answers cannot be right: a text that completes "the router answers …".
    Unbelievable(String),
    /// It does not answer.
    NoAnswer(NoAnswer),
}

impl MappingFailure {
    /// By the result code of PCP.
    pub(super) fn from_pcp(code: u8) -> Self {
        let text = PcpRefusal(code).to_string();
        match code {
            1 | 4 | 5 | 9 => Self::OtherProtocol(text),
            _ => Self::Refused(text),
        }
    }
}

/// Whether a datagram of the other protocol says that it does not know this one's version (RFC
/// 6887, section 9 and appendix A): both have the version and then the response's bit, and the
/// result 1 in the fourth byte.
pub(super) fn is_refusal(datagram: &[u8]) -> bool {
    matches!(datagram, [0 | 2, operation, _, 1, ..] if operation & 0x80 != 0) && datagram.len() >= 8
}

/// The router speaks this version only; `name` is the other protocol of the same port.
pub(super) fn other_version(version: u8, name: &str) -> MappingFailure {
    MappingFailure::OtherProtocol(match version {
        0 | 2 => format!("speaks {name} only"),
        version => format!("speaks version {version} only"),
    })
}

/// It completes "it …".
impl fmt::Display for MappingFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) | Self::OtherProtocol(reason) => f.write_str(reason),
            Self::Taken => f.write_str(TAKEN),
            Self::Unbelievable(answer) => write!(f, "answers {answer}, which is ignored"),
            Self::NoAnswer(NoAnswer::Failed(error)) => {
                write!(f, "cannot be asked: {}", reason(error))
            }
            Self::NoAnswer(_) => f.write_str("does not answer"),
        }
    }
}

impl From<NoAnswer> for MappingFailure {
    fn from(no_answer: NoAnswer) -> Self {
        Self::NoAnswer(no_answer)
    }
}

/// It completes "the router …".
pub(super) const TAKEN: &str = "has given that number to another machine, or does not permit it";
