//! The state of a transfer, and its final reply.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::action::{DataConnection, TransferId, TransferStart};
use crate::command::{CommandInfo, TransferVerb};
use crate::event::DataId;
use crate::kept::Kept;
use crate::never_connected::LastNeverConnected;
use crate::outcome::TransferError;
use crate::path::FtpPath;
use crate::reply::Reply;
use crate::timeout::TimeoutKind;

/// The transfer of a session; there is at most one.
#[derive(Debug)]
pub(super) enum Transfer {
    None,
    /// `OpenTransfer` waits for its outcome.
    Opening(TransferInfo),
    /// From `StartTransfer` to `TransferEnded`.
    Running(Running),
}

/// What is transferred, for replies.
#[derive(Debug)]
pub(super) struct TransferInfo {
    pub(super) id: TransferId,
    pub(super) command: &'static CommandInfo,
    pub(super) verb: TransferVerb,
    /// The directory in which STOU creates its file.
    pub(super) directory: FtpPath,
    /// The name of the file; `None` for a listing.
    pub(super) file_name: Option<Vec<u8>>,
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) info: TransferInfo,
    pub(super) start: TransferStart,
    pub(super) bytes: u64,
    pub(super) connected: bool,
    /// TLS is established, or not needed.
    pub(super) protected: bool,
    pub(super) abort_reason: Option<AbortReason>,
    /// The name of STOU's file, in a form that the client can use in its next command.
    pub(super) unique_name: Option<Vec<u8>>,
    /// How many entries a listing has shown, if the driver reports it.
    pub(super) entries: Option<u64>,
    /// What an upload that failed has left, if the driver reports it.
    pub(super) kept: Option<Kept>,
}

/// Why the core aborts a transfer.
#[derive(Clone, Copy, Debug)]
pub(super) enum AbortReason {
    Requested,
    NeverConnected,
    NeverProtected,
    Stalled,
}

impl TransferInfo {
    pub(super) fn is_upload(&self) -> bool {
        matches!(
            self.verb,
            TransferVerb::Stor | TransferVerb::Appe | TransferVerb::Stou
        )
    }

    pub(super) fn is_listing(&self) -> bool {
        matches!(
            self.verb,
            TransferVerb::List | TransferVerb::Nlst | TransferVerb::Mlsd
        )
    }
}

impl Running {
    pub(super) fn timer(&self) -> Option<TimeoutKind> {
        match (self.abort_reason, self.connected && self.protected) {
            (Some(_), _) => None,
            (None, false) => Some(TimeoutKind::DataOpen),
            (None, true) => Some(TimeoutKind::DataStall),
        }
    }

    pub(super) fn is_active(&self) -> bool {
        matches!(self.start.connection, DataConnection::Active(_))
    }

    /// Whether this data connection is the one to be established.
    pub(super) fn awaits(&self, data: DataId) -> bool {
        self.start.data == data && !self.connected
    }

    /// The passive port that is open while the client has not connected.
    pub(super) fn awaited_port(&self) -> Option<DataId> {
        let is_awaited = self.start.connection == DataConnection::Passive
            && !self.connected
            && self.abort_reason.is_none();
        is_awaited.then_some(self.start.data)
    }

    /// The data connection is ready for bytes, or has moved them. Returns whether that is new.
    pub(super) fn data_moved(&mut self, bytes_total: Option<u64>) -> bool {
        let before = (self.connected, self.protected, self.bytes);
        self.connected = true;
        self.protected = true;
        self.bytes = bytes_total.map_or(self.bytes, |total| total.max(self.bytes));
        before != (self.connected, self.protected, self.bytes)
    }

    /// `last`: the last data connection that was never opened.
    pub(super) fn final_reply(
        &self,
        result: Result<(), TransferError>,
        last: Option<&LastNeverConnected>,
    ) -> Reply {
        let Err(error) = result else {
            return match (&self.unique_name, self.entries) {
                (Some(name), _) => Reply::unique_complete(name),
                (None, Some(entries)) => Reply::listing_complete(entries),
                (None, None) => Reply::TRANSFER_COMPLETE,
            };
        };
        let reply = self.failure(error, last);
        match self.kept {
            Some(kept) if self.connected => reply.with_kept(self.bytes, kept),
            _ => reply,
        }
    }

    fn failure(&self, error: TransferError, last: Option<&LastNeverConnected>) -> Reply {
        match (self.abort_reason, error) {
            (Some(AbortReason::Requested), _) => Reply::TRANSFER_ABORTED,
            (Some(AbortReason::NeverConnected), _) => self.not_connected(last),
            (Some(AbortReason::NeverProtected), _) => Reply::DATA_NEVER_PROTECTED,
            (Some(AbortReason::Stalled), _) => Reply::TRANSFER_STALLED,
            (None, error) => match error {
                TransferError::NotConnected => self.not_connected(None),
                TransferError::NotProtected => Reply::DATA_NOT_PROTECTED,
                TransferError::NotResumed => Reply::DATA_NOT_RESUMED,
                TransferError::ConnectionLost => Reply::TRANSFER_CUT,
                TransferError::NoCloseNotify => Reply::TRANSFER_WITHOUT_CLOSE_NOTIFY,
                TransferError::Aborted => Reply::TRANSFER_ABORTED,
                TransferError::LocalRead | TransferError::LocalWrite => Reply::LOCAL_ERROR,
                TransferError::NoSpace
                | TransferError::FileTooLarge
                | TransferError::SpaceReserved
                | TransferError::QuotaExceeded(_)
                    if !self.info.is_upload() =>
                {
                    Reply::LOCAL_ERROR
                }
                TransferError::NoSpace => Reply::STORAGE_FULL,
                TransferError::FileTooLarge => Reply::FILE_TOO_LARGE,
                TransferError::SpaceReserved => Reply::SPACE_RESERVED,
                TransferError::QuotaExceeded(quota) => Reply::quota_exceeded_by_transfer(quota),
            },
        }
    }

    fn not_connected(&self, last: Option<&LastNeverConnected>) -> Reply {
        match self.start.connection {
            DataConnection::Passive => {
                last.map_or(Reply::DATA_NOT_OPENED, LastNeverConnected::reply)
            }
            DataConnection::Active(target) => {
                // Without the scope of a link-local address, which only this machine knows.
                let target = SocketAddr::new(target.ip(), target.port());
                match self.start.named {
                    Some(named) => Reply::cannot_connect_instead(target, named),
                    None => Reply::cannot_connect(target),
                }
            }
        }
    }
}
