//! The state of a session between login and logout. The handlers of its commands are in `ready/`, one file for
//! each group of commands.

mod data;
mod dispatch;
mod files;
mod parameters;
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

/// The state after a login.
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
    /// The offset of the next transfer (REST).
    pub(super) restart: u64,
    /// The umask that SITE UMASK has set.
    pub(super) umask: Option<u32>,
}

/// How the next transfer gets its data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataSetup {
    None,
    /// A passive port is announced to the client.
    Passive,
    /// The client has connected to the passive port.
    Connected,
    Active(SocketAddr),
    /// The client did not connect in time; the reply to the next transfer command says so.
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

    /// The timer of the transfer.
    pub(super) fn transfer_timer(&self) -> Option<TimeoutKind> {
        match &self.transfer {
            Transfer::Running(running) => running.timer(),
            Transfer::None | Transfer::Opening(_) => None,
        }
    }

    /// Whether a passive port is announced and the client has not connected.
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

    /// Takes the data connection that was set up for a transfer, and whether it is established already.
    /// `last`: the last one that was never opened.
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

    /// Returns whether bytes have moved since the last call.
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

    /// The transfer to abort because its data connection was not opened or not protected in time.
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
