//! The state of a session between login and logout. The handlers of its commands are in `ready/`,
//! one file for each group of commands.

mod data;
mod dispatch;
mod files;
mod hash;
mod home;
mod parameters;
mod retry;
mod site;
mod space;
mod transfer;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::active_target::ActiveTarget;
use super::context::{Context, FileQuestion};
use super::file_hash::ByteRange;
use super::name_encoding::NameEncoding;
use super::permitted::Permitted;
use super::refusal::path_refusal;
use super::transfer_state::{AbortReason, Transfer};
use crate::account::Account;
use crate::action::{DataConnection, FileRequest, Representation, TransferId, TransferStart};
use crate::allowed_peers::PeerVerdict;
use crate::codec::WireNames;
use crate::command::CommandInfo;
use crate::config::AsciiConversion;
use crate::event::DataId;
use crate::hash::HashAlgorithm;
use crate::kept::Kept;
use crate::listing::{FactSet, Selection};
use crate::never_connected::LastNeverConnected;
use crate::path::FtpPath;
use crate::reply::Reply;
use crate::timeout::TimeoutKind;

use retry::Retry;

/// The state after a login.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) user: Vec<u8>,
    pub(super) account: Arc<Account>,
    pub(super) directory: FtpPath,
    pub(super) rename_from: Option<FtpPath>,
    /// What TYPE has asked for; `None`: no TYPE command yet.
    requested_type: Option<Representation>,
    pub(super) facts: FactSet,
    pub(super) data: DataSetup,
    /// The driver has reported a connection that is not the client's: what that moves does not
    /// count.
    stranger: Option<DataId>,
    pub(super) transfer: Transfer,
    /// The offset of the next transfer (REST).
    pub(super) restart: u64,
    /// The bytes that the next RETR or HASH is about (RANG).
    range: Option<ByteRange>,
    /// What OPTS HASH has selected.
    hash_algorithm: HashAlgorithm,
    /// The umask that SITE UMASK has set.
    pub(super) umask: Option<u32>,
    /// The last command, if its argument may mean another name.
    retry: Option<Box<Retry>>,
    /// `~` at the begin of a path is the home directory, in the command that is executed now.
    tilde_is_home: bool,
}

/// How the next transfer gets its data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataSetup {
    None,
    /// A passive port is announced to the client.
    Passive(DataId),
    /// The client has connected to the passive port.
    Connected(DataId),
    Active(ActiveTarget),
    /// The client did not connect in time; the reply to the next transfer command says so.
    Expired,
}

impl Ready {
    pub(super) fn new(user: Vec<u8>, account: Account) -> Self {
        Self {
            user,
            directory: account.home().clone(),
            account: Arc::new(account),
            rename_from: None,
            requested_type: None,
            facts: FactSet::default(),
            data: DataSetup::None,
            stranger: None,
            transfer: Transfer::None,
            restart: 0,
            range: None,
            hash_algorithm: HashAlgorithm::DEFAULT,
            umask: None,
            retry: None,
            tilde_is_home: false,
        }
    }

    /// Sends a file request to the driver if the account has the right of the command, or replies
    /// that it cannot.
    pub(super) fn ask(
        &self,
        context: &mut Context,
        command: &'static CommandInfo,
        request: Result<(FileQuestion, FileRequest), Reply>,
    ) {
        let permitted = request.and_then(|(question, request)| {
            Ok((question, Permitted::check(&self.account, command, request)?))
        });
        match permitted {
            Ok((question, request)) => context.ask(command, question, request),
            Err(reply) => context.reply(reply),
        }
    }

    /// The path that an argument names.
    pub(super) fn resolve(&self, context: &Context, argument: &[u8]) -> Result<FtpPath, Reply> {
        let name = self.decode(context, argument)?;
        let path = self.directory.resolve_with_home(&name, self.tilde());
        path.map_err(path_refusal)
    }

    /// What LIST, NLST and STAT list.
    pub(super) fn select(&self, context: &Context, argument: &[u8]) -> Result<Selection, Reply> {
        let argument = self.decode(context, argument)?;
        let selection = Selection::parse(&argument, &self.directory, self.tilde());
        selection.map_err(path_refusal)
    }

    /// How file bytes are represented on a data connection that is opened now.
    pub(super) fn representation(&self, context: &Context) -> Representation {
        match (context.config.ascii, self.requested_type) {
            (AsciiConversion::Never, _) | (AsciiConversion::Requested, None) => {
                Representation::Image
            }
            (AsciiConversion::Rfc959, None) => Representation::Ascii,
            (AsciiConversion::Requested | AsciiConversion::Rfc959, Some(requested)) => requested,
        }
    }

    /// The codec in force.
    pub(super) fn names(&self, context: &Context) -> &WireNames {
        match context.name_encoding {
            NameEncoding::Utf8 => &WireNames::IDENTITY,
            NameEncoding::OfAccount | NameEncoding::OfAccountRequested => self.account.names(),
        }
    }

    fn decode<'a>(&self, context: &Context, name: &'a [u8]) -> Result<Cow<'a, [u8]>, Reply> {
        let decoded = self.names(context).decode(name);
        decoded.ok_or(Reply::NAME_UNDECODABLE)
    }

    pub(super) fn has_transfer(&self) -> bool {
        !matches!(self.transfer, Transfer::None)
    }

    /// Whether `OpenTransfer` is not answered yet.
    pub(super) fn is_opening(&self) -> bool {
        matches!(self.transfer, Transfer::Opening(_))
    }

    /// Whether an upload is opened or runs.
    pub(super) fn is_uploading(&self) -> bool {
        match &self.transfer {
            Transfer::None => false,
            Transfer::Opening(info) => info.is_upload(),
            Transfer::Running(running) => running.info.is_upload(),
        }
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
        matches!(self.data, DataSetup::Passive(_))
    }

    /// A data connection is established. Returns whether it is the one that is awaited.
    pub(super) fn data_connected(&mut self, data: DataId, verdict: PeerVerdict) -> bool {
        let is_active = match &self.transfer {
            Transfer::Running(running) if running.awaits(data) => running.is_active(),
            Transfer::Running(_) => return false,
            Transfer::None | Transfer::Opening(_) if self.data != DataSetup::Passive(data) => {
                return false;
            }
            Transfer::None | Transfer::Opening(_) => false,
        };
        // In active mode the address was judged when the client sent it.
        if verdict == PeerVerdict::Stranger && !is_active {
            self.stranger = Some(data);
            return false;
        }
        self.stranger = None;
        match &mut self.transfer {
            Transfer::Running(running) => running.connected = true,
            Transfer::None | Transfer::Opening(_) => self.data = DataSetup::Connected(data),
        }
        true
    }

    /// The data connection of the transfer is ready for bytes, or has moved them. Returns whether
    /// that is new.
    pub(super) fn data_moved(&mut self, data: DataId, bytes_total: Option<u64>) -> bool {
        match &mut self.transfer {
            Transfer::Running(running)
                if running.start.data == data && self.stranger != Some(data) =>
            {
                running.data_moved(bytes_total)
            }
            Transfer::None | Transfer::Opening(_) | Transfer::Running(_) => false,
        }
    }

    /// A listing over this data connection has shown this number of entries.
    pub(super) fn entries_shown(&mut self, data: DataId, entries: u64) {
        if let Transfer::Running(running) = &mut self.transfer
            && running.start.data == data
            && running.info.is_listing()
        {
            running.entries = Some(entries);
        }
    }

    /// Remembers what an upload that fails leaves, for its last reply.
    pub(super) fn upload_kept(&mut self, data: DataId, kept: Kept) {
        if let Transfer::Running(running) = &mut self.transfer
            && running.start.data == data
            && running.info.is_upload()
        {
            running.kept = Some(kept);
        }
    }

    /// Takes the data connection that was set up for this transfer, and whether it is established
    /// already.
    pub(super) fn take_data(
        &mut self,
        context: &mut Context,
        transfer: TransferId,
    ) -> Result<(TransferStart, bool), Reply> {
        let last = context.never_connected.as_deref();
        let passive = |data| TransferStart {
            transfer,
            data,
            connection: DataConnection::Passive,
            named: None,
        };
        match core::mem::replace(&mut self.data, DataSetup::None) {
            DataSetup::None => Err(context.data_setup_first()),
            DataSetup::Expired => {
                Err(last.map_or(Reply::DATA_NOT_OPENED, LastNeverConnected::reply))
            }
            DataSetup::Passive(data) => Ok((passive(data), false)),
            DataSetup::Connected(data) => Ok((passive(data), true)),
            DataSetup::Active(target) => {
                let start = TransferStart {
                    transfer,
                    data: context.new_data_id(),
                    connection: DataConnection::Active(target.address),
                    named: target.named,
                };
                Ok((start, false))
            }
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
