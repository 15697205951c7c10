//! Transfers: the commands that transfer bytes over a data connection.
//!
//! Only `TransferEnded` produces the final reply of a transfer, whatever commands arrive before it.

use alloc::vec::Vec;
use core::mem;

use super::Ready;
use crate::action::{
    Action, DataConnection, Representation, TransferId, TransferKind, TransferRequest,
    TransferStart,
};
use crate::command::{CommandInfo, TransferVerb};
use crate::listing::Selection;
use crate::listing::style::ListStyle;
use crate::outcome::{Opened, TransferError};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::session::context::Context;
use crate::session::refusal::{path_refusal, refusal};
use crate::session::transfer_state::{Running, Transfer, TransferInfo};

impl Ready {
    pub(super) fn transfer_command(
        &mut self,
        context: &mut Context,
        command: &'static CommandInfo,
        verb: TransferVerb,
        argument: &[u8],
    ) {
        let offset = mem::take(&mut self.restart);
        let kind = self
            .check_right(command)
            .and_then(|()| self.transfer_kind(verb, argument, offset));
        let kind = match kind {
            Ok(kind) => kind,
            Err(reply) => return context.reply(reply),
        };
        context.transfers_started += 1;
        let id = TransferId(context.transfers_started);
        self.transfer = Transfer::Opening(TransferInfo {
            id,
            command,
            verb,
            directory: kind.path().clone(),
        });
        context.push_action(Action::OpenTransfer(TransferRequest {
            id,
            kind,
            representation: self.representation,
            umask: self.umask,
        }));
    }

    /// The outcome of `OpenTransfer`. `false`: no such action is open.
    pub(in crate::session) fn transfer_opened(
        &mut self,
        context: &mut Context,
        result: Result<Opened, Refusal>,
    ) -> bool {
        let info = match mem::replace(&mut self.transfer, Transfer::None) {
            Transfer::Opening(info) => info,
            other => {
                self.transfer = other;
                return false;
            }
        };
        let opened = match result {
            Ok(opened) => opened,
            Err(reason) => {
                context.reply(refusal(info.command, reason));
                return true;
            }
        };
        // Checked after the file: for a client it is more useful to learn that the file does not exist than
        // that PASV is missing.
        match self.take_data(context) {
            Ok((data, connection, connected)) => {
                let transfer = info.id;
                let start = TransferStart {
                    transfer,
                    data,
                    connection,
                };
                self.start_transfer(context, info, opened, start, connected);
            }
            Err(reply) => {
                context.push_action(Action::AbortTransfer(info.id));
                context.reply(reply);
            }
        }
        true
    }

    /// The outcome of `StartTransfer`. `false`: no such transfer runs.
    pub(in crate::session) fn transfer_ended(
        &mut self,
        context: &mut Context,
        transfer: TransferId,
        result: Result<(), TransferError>,
    ) -> bool {
        let reply = match &self.transfer {
            Transfer::Running(running) if running.info.id == transfer => {
                running.final_reply(result, context.never_connected.as_ref())
            }
            Transfer::None | Transfer::Opening(_) | Transfer::Running(_) => return false,
        };
        self.transfer = Transfer::None;
        context.epochs.idle += 1;
        context.reply(reply);
        true
    }

    fn start_transfer(
        &mut self,
        context: &mut Context,
        info: TransferInfo,
        opened: Opened,
        start: TransferStart,
        connected: bool,
    ) {
        let protected = context.protection.is_data_private();
        let unique_name = opened.name.map(|name| self.usable_name(&info, name));
        let reply = match (&unique_name, opened.bytes) {
            (Some(name), _) => Reply::opening_unique(name),
            (None, Some(bytes)) => Reply::opening_bytes(bytes),
            (None, None) => Reply::OPENING,
        };
        // In passive mode the timer for the connection has run since the 227. In active mode it starts here,
        // and so does the timer for the TLS handshake of a client that has already connected.
        if (connected && protected) || matches!(start.connection, DataConnection::Active(_)) {
            context.epochs.data_open += 1;
        }
        context.epochs.data_stall += 1;
        self.transfer = Transfer::Running(Running {
            info,
            start,
            bytes: 0,
            connected,
            protected: !protected,
            abort_reason: None,
            unique_name,
        });
        context.reply(reply);
        context.push_action(if protected {
            Action::StartProtectedTransfer(start)
        } else {
            Action::StartTransfer(start)
        });
    }

    /// The name of STOU's file, in a form that the client can use in its next command.
    fn usable_name(&self, info: &TransferInfo, name: Vec<u8>) -> Vec<u8> {
        if info.directory == self.directory {
            return name;
        }
        match info.directory.resolve(&name) {
            Ok(path) => path.as_bytes().to_vec(),
            Err(_) => name,
        }
    }

    fn transfer_kind(
        &self,
        verb: TransferVerb,
        argument: &[u8],
        offset: u64,
    ) -> Result<TransferKind, Reply> {
        let select = || Selection::parse(argument, &self.directory).map_err(path_refusal);
        let kind = match verb {
            TransferVerb::Retr => TransferKind::Retrieve {
                path: self.resolve(argument)?,
                offset,
            },
            TransferVerb::Stor => TransferKind::Store {
                path: self.resolve(argument)?,
                offset,
            },
            TransferVerb::Appe => TransferKind::Append {
                path: self.resolve(argument)?,
            },
            TransferVerb::Stou if argument.is_empty() => TransferKind::StoreUnique {
                directory: self.directory.clone(),
                suggested_name: Vec::new(),
            },
            TransferVerb::Stou => {
                let path = self.resolve(argument)?;
                TransferKind::StoreUnique {
                    directory: path.parent(),
                    suggested_name: path.name().to_vec(),
                }
            }
            TransferVerb::Mlsd => TransferKind::List {
                selection: Selection::of_path(self.resolve(argument)?),
                style: ListStyle::Facts {
                    facts: self.facts,
                    permissions: self.permissions,
                },
            },
            TransferVerb::Nlst => TransferKind::List {
                selection: select()?,
                style: ListStyle::Names,
            },
            TransferVerb::List => TransferKind::List {
                selection: select()?,
                style: ListStyle::Long,
            },
        };
        match kind {
            TransferKind::Append { .. } | TransferKind::StoreUnique { .. } if offset > 0 => {
                Err(Reply::RESTART_MEANINGLESS)
            }
            // The client's offset counts each line end as two bytes, so its place in the file is unknown.
            TransferKind::Store { .. }
                if offset > 0 && self.representation == Representation::Ascii =>
            {
                Err(Reply::RESTART_IN_ASCII)
            }
            kind => Ok(kind),
        }
    }
}
