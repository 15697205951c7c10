//! What a driver answers: what happened. How the client is informed is the core's decision.

use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

use crate::account::Account;
use crate::action::{Action, TransferId};
use crate::exceeded_quota::ExceededQuota;
use crate::hash::Digest;
use crate::listing::{Entry, EntryBatch};
use crate::masquerade::Bound;
use crate::refusal::Refusal;
use crate::space::{QuotaUse, Space};

/// The answer to an [`Action`](crate::Action).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// To `Authenticate`: the account, or `None` if the name or the password is wrong.
    Authenticated(Option<Account>),
    /// To `Authenticate`: name and password are right, but the directory that is shared with this
    /// account is not there, such as a disk that is not mounted. The client gets 421 and the
    /// session closes: clients take 421 for temporary and connect again later, whereas 530
    /// makes them ask for another password.
    ShareUnavailable,
    /// To `Authenticate`: too many logins have failed from the client's address, so the password
    /// was not checked. The client gets 421 and the session closes, as with
    /// [`too_many_failed_logins`](crate::Reply::too_many_failed_logins).
    AddressBlocked,
    /// To `Authenticate`: name and password are right, but the user has as many sessions as the
    /// operator permits. The client gets 421 and the session closes: a later attempt may succeed.
    TooManySessions,
    /// To `Authenticate`: name and password are right, but this user must use TLS, and the
    /// connection is in clear text. The client gets 530 and may send AUTH TLS. It is not counted as
    /// a failed login.
    TlsRequired,
    /// To `File`.
    File(Result<FileAnswer, Refusal>),
    /// To `OpenPassive`: the port that is bound; [`Refusal::Busy`] if no port is free.
    PassiveOpened(Result<Bound, Refusal>),
    /// To `OpenTransfer`.
    TransferOpened(Result<Opened, Refusal>),
    /// To `StartTransfer` and `StartProtectedTransfer`. `Ok` only when all bytes have been
    /// transferred, the data connection is closed, and an upload is safely stored.
    ///
    /// FTP has no other sign for the end of an upload than the end of its data connection, and the
    /// kernel makes the same sign for a client that is killed. So where the control connection has
    /// ended too, and the client has sent no QUIT ([`has_quit`](crate::Session::has_quit)):
    ///
    /// - If bytes came after the end of the control connection, and then a clean end, the upload is
    ///   complete.
    /// - If none came, both connections ended together: the client was killed, and the upload is
    ///   [`Aborted`](TransferError::Aborted).
    TransferEnded {
        /// Which transfer.
        transfer: TransferId,
        /// How it ended.
        result: Result<(), TransferError>,
    },
    /// To `StartTls`, when the handshake is over.
    Tls {
        /// Whether TLS is established. Otherwise the session closes.
        established: bool,
        /// How many bytes the driver had received in clear text before the handshake and not
        /// passed to [`handle_input`](crate::Session::handle_input). An attacker may have
        /// inserted them, so that they count as protected; where there are any, the
        /// session closes, and the driver discards them.
        leftover: usize,
    },
}

/// What a file request found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileAnswer {
    /// The operation succeeded, or the condition holds; for requests that ask for no value.
    Done,
    /// In bytes.
    Size(u64),
    /// In seconds since 1970, UTC.
    Modified(i64),
    /// One entry.
    Entry(Entry),
    /// Some of the entries, to `Status`. The answer consists of one batch or several, the last of
    /// which says so: until then the action is open.
    Entries(EntryBatch),
    /// To `Hash`.
    Digest(Digest),
    /// To `Space`.
    Space(Space),
    /// To `Quota`; `None`: the login has none.
    Quota(Option<QuotaUse>),
}

/// An opened transfer; the default knows nothing about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// How many bytes a download will send, if that is known.
    pub bytes: Option<u64>,
    /// The name that the driver chose for STOU.
    pub name: Option<Vec<u8>>,
}

/// Why a transfer failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransferError {
    /// The data connection was not established: 425.
    NotConnected,
    /// The TLS handshake on the data connection failed: 522 (RFC 4217).
    NotProtected,
    /// The data connection did not resume the TLS session of the control connection: 522.
    NotResumed,
    /// The data connection was lost: 426.
    ConnectionLost,
    /// The data of an upload ended without TLS's close_notify, and the driver does not accept that:
    /// 426.
    NoCloseNotify,
    /// Ended by [`AbortTransfer`](crate::Action::AbortTransfer), or an upload whose client has
    /// ended both its connections together: 426.
    Aborted,
    /// Reading a file or a directory failed, or the file became shorter: 451.
    LocalRead,
    /// Writing or closing a file failed: 451.
    LocalWrite,
    /// The disk or a quota is full: 452.
    NoSpace,
    /// The file would become larger than the server accepts: 552.
    FileTooLarge,
    /// What is free has to stay free: 452.
    SpaceReserved,
    /// What the login has stored would become more than it may have: 552.
    QuotaExceeded(ExceededQuota),
}

impl Error for TransferError {}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotConnected => "no data connection",
            Self::NotProtected => "no TLS on the data connection",
            Self::NotResumed => "TLS session of the control connection not resumed",
            Self::ConnectionLost => "data connection lost",
            Self::NoCloseNotify => "data ended without close_notify",
            Self::Aborted => "aborted",
            Self::LocalRead => "local read error",
            Self::LocalWrite => "local write error",
            Self::NoSpace => "no space left",
            Self::FileTooLarge => "file too large",
            Self::SpaceReserved => "free space reserved",
            Self::QuotaExceeded(_) => "quota exceeded",
        })
    }
}

/// The driver sent an outcome that answers no open action. Only a bug in the driver causes this,
/// never the client.
///
/// An action that waits for another outcome counts as refused, so that the session goes on. A
/// running transfer goes on too: its outcome may come at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Misuse {
    /// The name of the outcome, such as `File(Size)`.
    pub outcome: &'static str,
    /// The name of the outcome that the session waited for.
    pub expected: Option<&'static str>,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outcome::{} answers no open action", self.outcome)?;
        match self.expected {
            Some(expected) => write!(
                f,
                "; the action that waits for Outcome::{expected} is refused"
            ),
            None => Ok(()),
        }
    }
}

impl Error for Misuse {}

// Here and not beside `Action`, so that actions do not depend on outcomes.
impl Action {
    /// The outcome that refuses this action, for a driver that does not support it. `None`: the
    /// action has no outcome, and must be performed.
    #[must_use]
    pub fn decline(&self) -> Option<Outcome> {
        Some(match *self {
            Self::Authenticate { .. } => Outcome::Authenticated(None),
            Self::File(_) => Outcome::File(Err(Refusal::Unsupported)),
            Self::OpenPassive(_) => Outcome::PassiveOpened(Err(Refusal::Unsupported)),
            Self::OpenTransfer(_) => Outcome::TransferOpened(Err(Refusal::Unsupported)),
            Self::StartTransfer(start) => Outcome::TransferEnded {
                transfer: start.transfer,
                result: Err(TransferError::NotConnected),
            },
            Self::StartProtectedTransfer(start) => Outcome::TransferEnded {
                transfer: start.transfer,
                result: Err(TransferError::NotProtected),
            },
            Self::StartTls => Outcome::Tls {
                established: false,
                leftover: 0,
            },
            Self::CloseData(_)
            | Self::AbortTransfer(_)
            | Self::AbortFile
            | Self::Close
            | Self::CloseNow => return None,
        })
    }
}

impl Opened {
    /// The same with the number of bytes that a download will send.
    #[must_use]
    pub fn with_bytes(self, bytes: u64) -> Self {
        Self {
            bytes: Some(bytes),
            ..self
        }
    }

    /// The same with the name that the driver chose for STOU.
    #[must_use]
    pub fn with_name(self, name: Vec<u8>) -> Self {
        Self {
            name: Some(name),
            ..self
        }
    }
}

impl FileAnswer {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Done => "File(Done)",
            Self::Size(_) => "File(Size)",
            Self::Modified(_) => "File(Modified)",
            Self::Entry(_) => "File(Entry)",
            Self::Entries(_) => "File(Entries)",
            Self::Digest(_) => "File(Digest)",
            Self::Space(_) => "File(Space)",
            Self::Quota(_) => "File(Quota)",
        }
    }
}

impl Outcome {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Authenticated(_) => "Authenticated",
            Self::ShareUnavailable => "ShareUnavailable",
            Self::AddressBlocked => "AddressBlocked",
            Self::TooManySessions => "TooManySessions",
            Self::TlsRequired => "TlsRequired",
            Self::File(Ok(answer)) => answer.name(),
            Self::File(Err(_)) => "File(Err)",
            Self::PassiveOpened(_) => "PassiveOpened",
            Self::TransferOpened(_) => "TransferOpened",
            Self::TransferEnded { .. } => "TransferEnded",
            Self::Tls { .. } => "Tls",
        }
    }
}
