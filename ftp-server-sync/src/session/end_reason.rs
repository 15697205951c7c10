//! Why a session or a transfer ended, for the log: the core's actions do not carry the reason.

use std::fmt;
use std::time::Duration;

use ftp_proto::{Timeout, TimeoutKind};

/// The reason, where it is not a command of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndReason {
    /// The client closed the control connection, or the connection was lost.
    ClientGone,
    /// The client does not speak FTP.
    ForeignProtocol,
    /// No command came for this long.
    Idle(Duration),
    /// No login came for this long.
    NoLogin(Duration),
    /// No byte of the transfer moved for this long.
    Stalled(Duration),
    /// The server is shutting down.
    ServerEnds,
}

impl EndReason {
    /// For a timer that has expired; `None` for a data connection that was not opened in time and
    /// for last replies that were not read, which have log lines of their own.
    pub(super) fn of(timeout: Timeout) -> Option<Self> {
        match timeout.kind {
            TimeoutKind::Login => Some(Self::NoLogin(timeout.after)),
            TimeoutKind::Idle => Some(Self::Idle(timeout.after)),
            TimeoutKind::DataStall => Some(Self::Stalled(timeout.after)),
            _ => None,
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientGone => f.write_str("the client is gone"),
            Self::ForeignProtocol => f.write_str("the client does not speak FTP"),
            Self::Idle(time) => write!(f, "no command came for {} s", time.as_secs()),
            Self::NoLogin(time) => write!(f, "no login came for {} s", time.as_secs()),
            Self::Stalled(time) => write!(f, "no byte moved for {} s", time.as_secs()),
            Self::ServerEnds => f.write_str("the server ends"),
        }
    }
}
