//! The state between login and logout. The handlers of its commands are in `ready/`, a file for each group
//! of commands.

mod data;
mod dispatch;
mod files;
mod local;
mod site;
mod transfer;

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::transfer_state::{AbortReason, Transfer};
use crate::action::{DataConnection, Representation, TransferId};
use crate::listing::FactSet;
use crate::never_connected::NeverConnected;
use crate::path::FtpPath;
use crate::permissions::Permissions;
use crate::reply::Reply;
use crate::timeout::TimeoutKind;

/// After a login.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) user: Vec<u8>,
    pub(super) permissions: Permissions,
    pub(super) directory: FtpPath,
    pub(super) rename_from: Option<FtpPath>,
    pub(super) representation: Representation,
    pub(super) facts: FactSet,
    pub(super) data: DataSetup,
    pub(super) transfer: Transfer,
    /// Where the next transfer begins (REST).
    pub(super) restart: u64,
    /// What SITE UMASK has set.
    pub(super) umask: Option<u32>,
}

/// How the next transfer will get its data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataSetup {
    None,
    /// The client has been told a port.
    Passive,
    /// The client has connected to it.
    Connected,
    Active(SocketAddr),
    /// The client did not come in time; the next transfer command is told so.
    Expired,
}

impl Ready {
    pub(super) fn new(user: Vec<u8>, permissions: Permissions) -> Self {
        Self {
            user,
            permissions,
            directory: FtpPath::root(),
            rename_from: None,
            representation: Representation::Ascii,
            facts: FactSet::default(),
            data: DataSetup::None,
            transfer: Transfer::None,
            restart: 0,
            umask: None,
        }
    }

    pub(super) fn has_transfer(&self) -> bool {
        !matches!(self.transfer, Transfer::None)
    }

    /// Whether `OpenTransfer` is not answered yet.
    pub(super) fn is_opening(&self) -> bool {
        matches!(self.transfer, Transfer::Opening(_))
    }

    /// What the transfer waits for.
    pub(super) fn transfer_timer(&self) -> Option<TimeoutKind> {
        match &self.transfer {
            Transfer::Running(running) => running.timer(),
            Transfer::None | Transfer::Opening(_) => None,
        }
    }

    /// Whether a port has been announced and its client has not connected.
    pub(super) fn awaits_client(&self) -> bool {
        self.data == DataSetup::Passive
    }

    pub(super) fn data_connected(&mut self) {
        match &mut self.transfer {
            Transfer::Running(running) => running.connected = true,
            _ if self.data == DataSetup::Passive => self.data = DataSetup::Connected,
            _ => {}
        }
    }

    pub(super) fn data_protected(&mut self) {
        if let Transfer::Running(running) = &mut self.transfer {
            running.protected = true;
        }
    }

    /// Uses up what was set up for a transfer; whether it is connected already. `last`: the last one.
    pub(super) fn take_data(
        &mut self,
        last: Option<&NeverConnected>,
    ) -> Result<(DataConnection, bool), Reply> {
        match core::mem::replace(&mut self.data, DataSetup::None) {
            DataSetup::None => Err(Reply::DATA_SETUP_FIRST),
            DataSetup::Expired => Err(last.map_or(Reply::DATA_NOT_OPENED, NeverConnected::reply)),
            DataSetup::Passive => Ok((DataConnection::Passive, false)),
            DataSetup::Connected => Ok((DataConnection::Passive, true)),
            DataSetup::Active(address) => Ok((DataConnection::Active(address), false)),
        }
    }

    /// Returns whether anything has moved since the last time.
    pub(super) fn progressed(&mut self, transfer: TransferId, bytes_total: u64) -> bool {
        match &mut self.transfer {
            Transfer::Running(running)
                if running.info.id == transfer && running.bytes != bytes_total =>
            {
                running.bytes = bytes_total;
                true
            }
            _ => false,
        }
    }

    /// The transfer to abort because its data connection has not come, or TLS on it has not been established.
    pub(super) fn abort_unconnected(&mut self) -> Option<TransferId> {
        match &self.transfer {
            Transfer::Running(running) if running.connected => {
                self.abort(AbortReason::NeverProtected)
            }
            _ => self.abort(AbortReason::NeverConnected),
        }
    }

    /// The transfer to abort for this reason, unless it is being aborted already.
    pub(super) fn abort(&mut self, reason: AbortReason) -> Option<TransferId> {
        match &mut self.transfer {
            Transfer::Running(running) if running.abort_reason.is_none() => {
                running.abort_reason = Some(reason);
                Some(running.info.id)
            }
            _ => None,
        }
    }
}
