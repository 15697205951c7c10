//! Transfers: REST, and the commands that move bytes.
//!
//! A transfer's final reply is produced by `TransferEnded` alone, whatever was asked in between.

use alloc::format;
use alloc::vec::Vec;

use super::Session;
use super::phase::Phase;
use super::ready::Ready;
use super::refusal::{path_refusal, refusal};
use super::transfer_state::{AbortReason, Running, Transfer, TransferInfo};
use crate::action::{
    Action, DataConnection, ListStyle, Representation, TransferId, TransferKind, TransferRequest,
};
use crate::address::parse_decimal;
use crate::command::Verb;
use crate::listing::Selection;
use crate::outcome::{Opened, Refusal, TransferError};
use crate::reply::Reply;

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
        if !ready.permissions.allow(verb) {
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
