//! Why a session, or its transfer, ends, for the log: the core's actions do not tell.

use std::fmt;
use std::time::Duration;

use ftp_proto::{Timeout, TimeoutKind};

/// What has ended something, if it was not the client's own command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndReason {
    /// The client closed the control connection, or lost it.
    ClientGone,
    /// No command came for so long.
    Idle(Duration),
    /// No login came for so long.
    NoLogin(Duration),
    /// No byte moved for so long.
    Stalled(Duration),
    /// The server itself ends.
    ServerEnds,
}

impl EndReason {
    /// A timer that has run out; one for a data connection to open has lines of its own.
    pub(super) fn of(timeout: Timeout) -> Option<Self> {
        match timeout.kind {
            TimeoutKind::Login => Some(Self::NoLogin(timeout.after)),
            TimeoutKind::Idle => Some(Self::Idle(timeout.after)),
            TimeoutKind::DataStall => Some(Self::Stalled(timeout.after)),
            TimeoutKind::DataOpen => None,
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientGone => f.write_str("the client is gone"),
            Self::Idle(time) => write!(f, "no command came for {} s", time.as_secs()),
            Self::NoLogin(time) => write!(f, "no login came for {} s", time.as_secs()),
            Self::Stalled(time) => write!(f, "no byte moved for {} s", time.as_secs()),
            Self::ServerEnds => f.write_str("the server ends"),
        }
    }
}
