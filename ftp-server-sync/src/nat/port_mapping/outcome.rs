//! What comes of a request to the router.

use std::fmt;
use std::time::Duration;

use super::link::NoAnswer;
use super::public_address::PublicSide;
use crate::settings::file::reason;

/// What the router forwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GrantedPort {
    pub(super) outer: u16,
    pub(super) lease: Duration,
    pub(super) public: PublicSide,
}

/// Why the router does not forward a port.
#[derive(Debug)]
pub(super) enum MappingFailure {
    /// This port: a text that completes "the router …".
    Refused(String),
    /// Another machine has that number. UPnP only: the other protocols choose another one.
    Taken,
    /// It does not speak this protocol, for this reason.
    OtherProtocol(String),
    /// What it answers cannot be right: a text that completes "the router answers …".
    Unbelievable(String),
    /// It does not answer.
    NoAnswer(NoAnswer),
}

/// It completes "it …".
impl fmt::Display for MappingFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) | Self::OtherProtocol(reason) => f.write_str(reason),
            Self::Taken => f.write_str("has given that number to another machine"),
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
