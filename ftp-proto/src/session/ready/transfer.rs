//! Transfers: the commands that transfer bytes over a data connection.
//!
//! Only `TransferEnded` produces the final reply of a transfer, whatever commands arrive before it.

use alloc::vec::Vec;
use core::mem;
use core::num::NonZeroU64;

use super::Ready;
use crate::action::{
    Action, DataConnection, Representation, TransferId, TransferKind, TransferRequest,
    TransferStart, UploadStart,
};
use crate::command::{CommandInfo, TransferVerb, Verb};
use crate::listing::style::ListStyle;
use crate::listing::{ListRequest, Selection};
use crate::outcome::{Opened, TransferError};
use crate::path::FtpPath;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::rights::Right;
use crate::session::context::Context;
use crate::session::file_hash::ByteRange;
use crate::session::permitted::Permitted;
use crate::session::refusal::{path_refusal, refusal};
use crate::session::transfer_state::{Running, Transfer, TransferInfo};

impl Ready {
    #[inline(never)]
    pub(super) fn transfer_command(
        &mut self,
        context: &mut Context,
        command: &'static CommandInfo,
        verb: TransferVerb,
        argument: &[u8],
    ) {
        let offset = mem::take(&mut self.restart);
        let range = self.range.take();
        let kind = self
            .transfer_kind(context, verb, argument, offset)
            .and_then(|kind| match range {
                Some(range) => self.with_range(context, kind, range),
                None => Ok(kind),
            })
            .and_then(|kind| Permitted::check(&self.account, command, kind));
        match kind {
            Ok(kind) => self.open_transfer(context, command, verb, kind),
            Err(reply) => {
                context.is_offer_refused = true;
                let reply = self.refusing(context, command, argument, reply);
                context.reply(reply);
            }
        }
    }

    /// The reply that refuses a transfer, with the file that it is about.
    #[inline(never)]
    pub(super) fn refusing(
        &self,
        context: &Context,
        command: &CommandInfo,
        argument: &[u8],
        reply: Reply,
    ) -> Reply {
        let has_path = match command.verb {
            // Their arguments may begin with flags.
            Verb::Transfer(TransferVerb::List | TransferVerb::Nlst) => false,
            Verb::Transfer(_) => !argument.is_empty() && reply.refused().is_none(),
            _ => false,
        };
        match self.resolve(context, argument) {
            Ok(path) if has_path => reply.refusing(command.name, &path),
            _ => reply,
        }
    }

    fn open_transfer(
        &mut self,
        context: &mut Context,
        command: &'static CommandInfo,
        verb: TransferVerb,
        kind: Permitted<TransferKind>,
    ) {
        let kind = kind.into_inner();
        context.transfers_started += 1;
        let id = TransferId(context.transfers_started);
        self.transfer = Transfer::Opening(TransferInfo {
            id,
            command,
            verb,
            directory: kind.path().parent(),
            file_name: match &kind {
                TransferKind::Retrieve { path, .. } | TransferKind::Store { path, .. } => {
                    Some(path.name().to_vec())
                }
                TransferKind::List(_) => None,
            },
        });
        context.push_action(Action::OpenTransfer(TransferRequest {
            id,
            kind,
            representation: self.representation(context),
            umask: self.umask,
        }));
    }

    /// The outcome of `OpenTransfer`. `false`: no such action is open.
    #[inline(never)]
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
        if self.retries(context, result.as_ref().err().copied()) {
            return true;
        }
        let opened = match result {
            Ok(opened) => opened,
            Err(reason) => {
                context.is_offer_refused = true;
                context.reply(refusal(info.command, reason));
                return true;
            }
        };
        // Checked after the file: for a client it is more useful to learn that the file does not
        // exist than that PASV is missing.
        match self.take_data(context, info.id) {
            Ok((start, connected)) => {
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
    #[inline(never)]
    pub(in crate::session) fn transfer_ended(
        &mut self,
        context: &mut Context,
        transfer: TransferId,
        result: Result<(), TransferError>,
    ) -> bool {
        let reply = match &self.transfer {
            Transfer::Running(running) if running.info.id == transfer => {
                context.one_to_one_nat.update(running, result);
                running.final_reply(result, context.never_connected.as_deref())
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
        let unique_name = opened.name.map(|name| {
            let name = self.usable_name(&info, name);
            self.names(context).encode(&name).into_owned()
        });
        let reply = match (&unique_name, opened.bytes) {
            (Some(name), _) => Reply::opening_unique(name),
            (None, bytes) => match &info.file_name {
                Some(name) => Reply::opening_file(&self.names(context).encode(name), bytes),
                None => Reply::OPENING,
            },
        };
        // In passive mode the timer for the connection has run since the 227. In active mode it
        // starts here, and so does the timer for the TLS handshake of a client that has
        // already connected.
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
            entries: None,
            kept: None,
        });
        context.is_offer_refused = false;
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
        context: &Context,
        verb: TransferVerb,
        argument: &[u8],
        offset: u64,
    ) -> Result<TransferKind, Reply> {
        let resolve = |argument| self.resolve(context, argument);
        Ok(match verb {
            TransferVerb::Retr => TransferKind::Retrieve {
                path: resolve(argument)?,
                offset,
                end: None,
            },
            TransferVerb::Stor => {
                let path = resolve(argument)?;
                let start = self.store_start(context, &path, offset)?;
                TransferKind::Store { path, start }
            }
            TransferVerb::Stou if offset > 0 => {
                return Err(Reply::RESTART_MEANINGLESS);
            }
            TransferVerb::Appe => TransferKind::Store {
                path: resolve(argument)?,
                start: self.append_start(context, offset)?,
            },
            TransferVerb::Stou => TransferKind::Store {
                path: self.suggested_path(resolve(argument)?, argument)?,
                start: UploadStart::Unique,
            },
            TransferVerb::Mlsd => {
                let selection = Selection::of_path(resolve(argument)?);
                let style = ListStyle::Facts(self.facts);
                TransferKind::List(self.list_request(context, selection, style))
            }
            TransferVerb::Nlst => {
                let selection = self.select(context, argument)?;
                TransferKind::List(self.list_request(context, selection, ListStyle::Names))
            }
            TransferVerb::List => {
                let selection = self.select(context, argument)?;
                TransferKind::List(self.list_request(context, selection, ListStyle::Long))
            }
        })
    }

    /// The transfer of these bytes only (RANG). A listing has no bytes of a file.
    fn with_range(
        &self,
        context: &Context,
        kind: TransferKind,
        range: ByteRange,
    ) -> Result<TransferKind, Reply> {
        match kind {
            // The client's numbers count each line end as two bytes.
            TransferKind::Retrieve { .. }
                if self.representation(context) == Representation::Ascii =>
            {
                Err(Reply::RANGE_IN_ASCII)
            }
            TransferKind::Retrieve { path, .. } => Ok(TransferKind::Retrieve {
                path,
                offset: range.start,
                end: range.end,
            }),
            TransferKind::Store { .. } => Err(Reply::RANGE_OF_UPLOAD),
            TransferKind::List(_) => Ok(kind),
        }
    }

    /// What STOR keeps of a file that exists. `offset`: that of REST.
    fn store_start(
        &self,
        context: &Context,
        path: &FtpPath,
        offset: u64,
    ) -> Result<UploadStart, Reply> {
        let is_ascii = self.representation(context) == Representation::Ascii;
        let replace = self.account.allows(path, Right::Overwrite);
        match NonZeroU64::new(offset) {
            None if replace => Ok(UploadStart::Replace),
            None => Ok(UploadStart::Create),
            // The client's offset counts each line end as two bytes, so its place in the file is
            // unknown.
            Some(_) if is_ascii => Err(Reply::RESTART_IN_ASCII),
            Some(offset) => Ok(UploadStart::At { offset, replace }),
        }
    }

    /// Where APPE begins. `offset`: that of REST, which must be the size of the file: clients that
    /// resume with APPE say so once more.
    fn append_start(&self, context: &Context, offset: u64) -> Result<UploadStart, Reply> {
        let is_ascii = self.representation(context) == Representation::Ascii;
        match NonZeroU64::new(offset) {
            None => Ok(UploadStart::End),
            Some(_) if is_ascii => Err(Reply::RESTART_IN_ASCII),
            Some(offset) => Ok(UploadStart::At {
                offset,
                replace: false,
            }),
        }
    }

    /// The path of STOU. Without a name in the argument, the name begins with "upload".
    fn suggested_path(&self, path: FtpPath, argument: &[u8]) -> Result<FtpPath, Reply> {
        if argument.is_empty() || path.is_root() {
            path.resolve(b"upload").map_err(path_refusal)
        } else {
            Ok(path)
        }
    }

    pub(super) fn list_request(
        &self,
        context: &Context,
        selection: Selection,
        style: ListStyle,
    ) -> ListRequest {
        let names = self.names(context).clone();
        ListRequest::with_names(selection, style, self.account.clone(), names)
    }
}
