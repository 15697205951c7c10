//! Why a session or a transfer ended, for the log: the core's actions do not carry the reason.

use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

use ftp_proto::{Timeout, TimeoutKind};

/// The reason, where it is not a command of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndReason {
    /// The control connection ended, and no QUIT had come.
    ClientGone(LostClient),
    /// The client does not speak FTP.
    ForeignProtocol,
    /// No command came for this long.
    Idle(Duration),
    /// No login came for this long.
    NoLogin(Duration),
    /// No byte of the transfer moved for this long.
    Stalled(Duration),
    /// Another session of the same login stores the file that a stalled upload had.
    GaveWay,
    /// Another client got the place of one that had not logged in.
    Evicted,
    /// The operator has ended the session.
    Kicked,
    /// The user was removed from the file, has another home, or may not log in so any more.
    AccountChanged,
    /// The system's user is gone, or has another number or home, or those of the flag are others.
    SystemUserChanged,
    /// The server is shutting down.
    ServerEnds,
}

/// How the control connection of a client ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LostClient {
    /// `None`: the client closed its side.
    pub(super) error: Option<ErrorKind>,
    /// How long no command had come.
    pub(super) quiet: Duration,
    /// A transfer had its data connection.
    pub(super) was_transferring: bool,
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
            Self::ClientGone(client) => client.fmt(f),
            Self::ForeignProtocol => f.write_str("the client does not speak FTP"),
            Self::Idle(time) => write!(f, "no command came for {} s", time.as_secs()),
            Self::NoLogin(time) => {
                let seconds = time.as_secs();
                write!(f, "no login came for {seconds} s (see --login-timeout)")
            }
            Self::Stalled(time) => write!(f, "no byte moved for {} s", time.as_secs()),
            Self::GaveWay => f.write_str("it stalled, and another session stores the file"),
            Self::Evicted => f.write_str("no login came, and another client needs the place"),
            Self::Kicked => f.write_str("the operator has ended the session"),
            Self::AccountChanged => f.write_str(
                "the user was removed from --users, has expired, has another home, or may not log in \
                 like this any more (options allow, deny and tls)",
            ),
            Self::SystemUserChanged => f.write_str(
                "the user is gone from the system, has another number or home, or is not one of \
                 --system-users any more",
            ),
            Self::ServerEnds => f.write_str("the server ends"),
        }
    }
}

impl fmt::Display for LostClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client is gone: its control connection ")?;
        match self.error {
            None => f.write_str("was closed")?,
            Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => f.write_str("was reset")?,
            Some(ErrorKind::TimedOut) => f.write_str("timed out")?,
            Some(kind) => write!(f, "failed ({kind})")?,
        }
        write!(f, " {} s after its last command", self.quiet.as_secs())?;
        if self.was_transferring {
            f.write_str(", during a transfer")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_the_client_went() {
        let gone = |error, seconds, was_transferring| {
            let quiet = Duration::from_secs(seconds);
            let client = LostClient {
                error,
                quiet,
                was_transferring,
            };
            EndReason::ClientGone(client).to_string()
        };
        assert_eq!(
            gone(None, 2, true),
            "the client is gone: its control connection was closed 2 s after its last command, \
             during a transfer"
        );
        for (error, how) in [
            (ErrorKind::ConnectionReset, "was reset"),
            (ErrorKind::TimedOut, "timed out"),
            (ErrorKind::HostUnreachable, "failed (host unreachable)"),
        ] {
            let expected = format!(
                "the client is gone: its control connection {how} 0 s after its last command"
            );
            assert_eq!(gone(Some(error), 0, false), expected);
        }
    }
}
