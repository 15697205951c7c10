//! Transfers: REST, and the commands that move bytes.
//!
//! A transfer's final reply is produced by `TransferEnded` alone, whatever was asked in between.

use alloc::format;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::files::{path_refusal, refusal};
use super::ready::Ready;
use super::{Phase, Session};
use crate::action::{
    Action, DataConnection, ListStyle, Representation, TransferId, TransferKind, TransferRequest,
};
use crate::address::parse_decimal;
use crate::command::Verb;
use crate::listing::Selection;
use crate::never_connected::NeverConnected;
use crate::outcome::{Opened, Refusal, TransferError};
use crate::path::FtpPath;
use crate::permissions::Permissions;
use crate::reply::Reply;
use crate::timeout::TimeoutKind;

/// At most one transfer exists.
#[derive(Debug)]
pub(super) enum Transfer {
    None,
    /// `OpenTransfer` is not answered yet.
    Opening(TransferInfo),
    /// From `StartTransfer` to `TransferEnded`.
    Running(Running),
}

/// What is being moved, for replies.
#[derive(Debug)]
pub(super) struct TransferInfo {
    id: TransferId,
    verb: Verb,
    pub(super) command: &'static str,
    /// Where STOU makes its file.
    directory: FtpPath,
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) info: TransferInfo,
    pub(super) bytes: u64,
    pub(super) connected: bool,
    /// No handshake of TLS is to come.
    pub(super) protected: bool,
    connection: DataConnection,
    abort_reason: Option<AbortReason>,
    /// The name that STOU chose, as the client may use it.
    unique_name: Option<Vec<u8>>,
}

/// Why the core itself ends a transfer.
#[derive(Clone, Copy, Debug)]
pub(super) enum AbortReason {
    Requested,
    NeverConnected,
    NeverProtected,
    Stalled,
}

impl Ready {
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

impl TransferInfo {
    fn is_upload(&self) -> bool {
        matches!(self.verb, Verb::Stor | Verb::Appe | Verb::Stou)
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

    /// Whether it goes on as soon as the client connects to a passive port.
    pub(super) fn awaits_client(&self) -> bool {
        self.connection == DataConnection::Passive && !self.connected && self.abort_reason.is_none()
    }

    /// `last`: the last data connection that never came.
    fn final_reply(
        &self,
        result: Result<(), TransferError>,
        last: Option<&NeverConnected>,
    ) -> Reply {
        match (result, self.abort_reason) {
            (Ok(()), _) => match &self.unique_name {
                Some(name) => Reply::line(226, [b"Transfer complete; FILE: ", &name[..]].concat()),
                None => Reply::TRANSFER_COMPLETE,
            },
            (Err(_), Some(AbortReason::Requested)) => Reply::TRANSFER_ABORTED,
            (Err(_), Some(AbortReason::NeverConnected)) => self.not_connected(last),
            (Err(_), Some(AbortReason::NeverProtected)) => Reply::DATA_NEVER_PROTECTED,
            (Err(_), Some(AbortReason::Stalled)) => Reply::TRANSFER_STALLED,
            (Err(error), None) => match error {
                TransferError::NotConnected => self.not_connected(None),
                TransferError::NotProtected => Reply::DATA_NOT_PROTECTED,
                TransferError::NotResumed => Reply::DATA_NOT_RESUMED,
                TransferError::ConnectionLost => Reply::TRANSFER_CUT,
                TransferError::Aborted => Reply::TRANSFER_ABORTED,
                TransferError::NoSpace if self.info.is_upload() => Reply::STORAGE_FULL,
                TransferError::LocalRead | TransferError::LocalWrite | TransferError::NoSpace => {
                    Reply::LOCAL_ERROR
                }
            },
        }
    }

    fn not_connected(&self, last: Option<&NeverConnected>) -> Reply {
        match self.connection {
            DataConnection::Passive => last.map_or(Reply::DATA_NOT_OPENED, NeverConnected::reply),
            DataConnection::Active(target) => {
                // Without the scope of a link-local address, which means nothing to the client.
                let target = SocketAddr::new(target.ip(), target.port());
                Reply::line(425, format!("Cannot connect to {target}."))
            }
        }
    }
}

impl Session {
    pub(super) fn restart(&mut self, argument: &[u8]) {
        let Phase::Ready(ready) = &mut self.phase else {
            return;
        };
        let Some(offset) = parse_decimal(argument.trim_ascii()) else {
            return self.reply(Reply::ARGUMENT_SYNTAX);
        };
        ready.restart = offset;
        self.reply(Reply::line(
            350,
            format!("Restarting at {offset}; send RETR or STOR."),
        ));
    }

    pub(super) fn transfer_command(&mut self, verb: Verb, argument: &[u8]) {
        match self.transfer_request(verb, argument) {
            Err(reply) => self.reply(reply),
            Ok(request) => {
                let info = TransferInfo {
                    id: request.id,
                    verb,
                    command: request.kind.command(),
                    directory: request.kind.path().clone(),
                };
                if let Phase::Ready(ready) = &mut self.phase {
                    ready.transfer = Transfer::Opening(info);
                }
                self.push_action(Action::OpenTransfer(request));
            }
        }
    }

    /// Returns whether that was asked.
    pub(super) fn transfer_opened(&mut self, result: Result<Opened, Refusal>) -> bool {
        let Phase::Ready(ready) = &mut self.phase else {
            return false;
        };
        let info = match core::mem::replace(&mut ready.transfer, Transfer::None) {
            Transfer::Opening(info) => info,
            other => {
                ready.transfer = other;
                return false;
            }
        };
        let opened = match result {
            Ok(opened) => opened,
            Err(why) => {
                self.reply(refusal(info.verb, why));
                return true;
            }
        };
        // Only now: that there is no such file is worth more to a client than that it forgot PASV.
        match ready.take_data(self.never_connected.as_ref()) {
            Ok((connection, connected)) => self.start(info, opened, connection, connected),
            Err(reply) => {
                self.push_action(Action::AbortTransfer(info.id));
                self.reply(reply);
            }
        }
        true
    }

    fn start(
        &mut self,
        info: TransferInfo,
        opened: Opened,
        connection: DataConnection,
        connected: bool,
    ) {
        let protected = self.data_is_private();
        let Phase::Ready(ready) = &mut self.phase else {
            return;
        };
        let transfer = info.id;
        let unique_name = opened.name.map(|name| {
            if info.directory == ready.directory {
                return name;
            }
            match info.directory.resolve(&name) {
                Ok(path) => path.as_bytes().to_vec(),
                Err(_) => name,
            }
        });
        let reply = match (&unique_name, opened.bytes) {
            // The form that RFC 1123, section 4.1.2.9, asks for.
            (Some(name), _) => Reply::line(150, [b"FILE: ", &name[..]].concat()),
            (None, Some(bytes)) => {
                Reply::line(150, format!("Opening data connection ({bytes} bytes)."))
            }
            (None, None) => Reply::OPENING,
        };
        // The client of a passive port has had its time since the 227; an active one has it from here,
        // and so has the handshake of one that has connected already.
        if (connected && protected) || matches!(connection, DataConnection::Active(_)) {
            self.epochs.data_open += 1;
        }
        self.epochs.data_stall += 1;
        ready.transfer = Transfer::Running(Running {
            info,
            bytes: 0,
            connected,
            protected: !protected,
            connection,
            abort_reason: None,
            unique_name,
        });
        self.reply(reply);
        self.push_action(Action::StartTransfer {
            transfer,
            connection,
            protected,
        });
    }

    /// Returns whether that was asked.
    pub(super) fn transfer_ended(
        &mut self,
        transfer: TransferId,
        result: Result<(), TransferError>,
    ) -> bool {
        let Phase::Ready(ready) = &mut self.phase else {
            return false;
        };
        let reply = match &ready.transfer {
            Transfer::Running(running) if running.info.id == transfer => {
                running.final_reply(result, self.never_connected.as_ref())
            }
            _ => return false,
        };
        ready.transfer = Transfer::None;
        self.epochs.idle += 1;
        self.reply(reply);
        true
    }

    pub(super) fn data_stalled(&mut self) {
        if let Phase::Ready(ready) = &mut self.phase
            && let Some(transfer) = ready.abort(AbortReason::Stalled)
        {
            self.push_action(Action::AbortTransfer(transfer));
        }
    }

    fn transfer_request(&mut self, verb: Verb, argument: &[u8]) -> Result<TransferRequest, Reply> {
        let Phase::Ready(ready) = &mut self.phase else {
            return Err(Reply::NOT_LOGGED_IN);
        };
        let offset = core::mem::take(&mut ready.restart);
        if !permitted(verb, &ready.permissions) {
            return Err(refusal(verb, Refusal::Denied));
        }
        let kind = ready.transfer_kind(verb, argument, offset)?;
        if offset > 0 {
            match kind {
                TransferKind::List { .. } => {}
                TransferKind::Append { .. } | TransferKind::StoreUnique { .. } => {
                    return Err(Reply::RESTART_MEANINGLESS);
                }
                // Where the client's offset lies in a file of ours nobody could say.
                TransferKind::Store { .. } if ready.representation == Representation::Ascii => {
                    return Err(Reply::RESTART_IN_ASCII);
                }
                TransferKind::Retrieve { .. } | TransferKind::Store { .. } => {}
            }
        }
        self.transfers_started += 1;
        let request = TransferRequest {
            id: TransferId(self.transfers_started),
            kind,
            representation: ready.representation,
            umask: ready.umask,
        };
        Ok(request)
    }
}

impl Ready {
    fn transfer_kind(
        &self,
        verb: Verb,
        argument: &[u8],
        offset: u64,
    ) -> Result<TransferKind, Reply> {
        let resolve = |argument| self.directory.resolve(argument).map_err(path_refusal);
        Ok(match verb {
            Verb::Retr => TransferKind::Retrieve {
                path: resolve(argument)?,
                offset,
            },
            Verb::Stor => TransferKind::Store {
                path: resolve(argument)?,
                offset,
            },
            Verb::Appe => TransferKind::Append {
                path: resolve(argument)?,
            },
            Verb::Stou if argument.is_empty() => TransferKind::StoreUnique {
                directory: self.directory.clone(),
                suggested_name: Vec::new(),
            },
            Verb::Stou => {
                let path = resolve(argument)?;
                TransferKind::StoreUnique {
                    directory: path.parent(),
                    suggested_name: path.name().to_vec(),
                }
            }
            Verb::Mlsd => TransferKind::List {
                selection: Selection::of_path(resolve(argument)?),
                style: ListStyle::Facts {
                    facts: self.facts,
                    permissions: self.permissions,
                },
            },
            _ => TransferKind::List {
                selection: Selection::parse(argument, &self.directory).map_err(path_refusal)?,
                style: match verb {
                    Verb::Nlst => ListStyle::Names,
                    _ => ListStyle::Long,
                },
            },
        })
    }
}

fn permitted(verb: Verb, permissions: &Permissions) -> bool {
    match verb {
        Verb::Retr => permissions.read,
        Verb::Stor | Verb::Stou => permissions.store,
        Verb::Appe => permissions.append,
        _ => permissions.list,
    }
}
