//! The state of a session that every handler may use, before and after login.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use super::file_hash::FileHash;
use super::file_status::FileStatus;
use super::name_encoding::NameEncoding;
use super::one_to_one_nat::OneToOneNat;
use super::permitted::Permitted;
use super::protection::Protection;
use crate::action::{Action, FileRequest, Output};
use crate::address::Endpoints;
use crate::allowed_peers::AllowedPeers;
use crate::command::{Access, Argument, Command, CommandInfo, ControlVerb, Verb};
use crate::config::Config;
use crate::event::DataId;
use crate::foreign_protocol::ForeignProtocolDetector;
use crate::masquerade::Announcement;
use crate::never_connected::{LastNeverConnected, NeverConnected};
use crate::offer::PassiveOffer;
use crate::path::FtpPath;
use crate::reply::Reply;

/// The part of a session that outlasts its login.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) config: Arc<Config>,
    pub(super) endpoints: Endpoints,
    pub(super) outputs: VecDeque<Output>,
    pub(super) question: Question,
    pub(super) protection: Protection,
    pub(super) epochs: Epochs,
    pub(super) login_failures: u32,
    /// Before a login.
    pub(super) unknown_commands: u32,
    pub(super) foreign_protocols: ForeignProtocolDetector,
    /// The client has sent `EPSV ALL`, which applies for the rest of the session (RFC 2428,
    /// section 4).
    pub(super) extended_only: bool,
    pub(super) name_encoding: NameEncoding,
    pub(super) transfers_started: u64,
    data_ids: u64,
    /// Who may connect to the passive port, by the settings that were in force when it was opened.
    pub(super) allowed_peers: AllowedPeers,
    /// The last passive offer, until the client connects or the connection counts as never opened.
    pub(super) offer: Option<(DataId, PassiveOffer)>,
    /// The last transfer was refused: that is why the client may not connect, and not the network.
    pub(super) is_offer_refused: bool,
    pub(super) never_connected: Option<Box<LastNeverConnected>>,
    /// Whether the client can be reached in active mode although it names a private address.
    pub(super) one_to_one_nat: OneToOneNat,
}

/// The action that waits for its outcome. Actions of transfers are in `Transfer`.
#[derive(Debug)]
pub(super) enum Question {
    None,
    Authenticate,
    /// `greet`: implicit TLS; the greeting follows the handshake.
    Tls {
        greet: bool,
    },
    File(&'static CommandInfo, FileQuestion),
    /// `cancelled`: `CloseData` has followed it.
    Passive {
        data: DataId,
        command: PassiveCommand,
        cancelled: bool,
    },
}

/// A file request, with what its reply needs.
#[derive(Debug)]
pub(super) enum FileQuestion {
    ChangeDirectory(FtpPath),
    MakeDirectory(FtpPath),
    RemoveDirectory,
    DeleteFile,
    RenameFrom(FtpPath),
    Rename,
    Size,
    /// What to do if nothing has the whole argument as its name.
    ModifiedTime(Option<SetTime>),
    /// The time, and the name as the client sent it.
    SetModified(i64, Vec<u8>),
    /// The time of SITE UTIME.
    SetTime,
    /// `reduced`: the client also asked for bits that it may not set.
    ChangeMode {
        mode: u32,
        reduced: bool,
    },
    Facts(FtpPath),
    /// What is executed after a look at the name `~`.
    Home(WaitingCommand),
    Status(FileStatus),
    Hash(FileHash),
    /// ALLO, with its number of bytes.
    Allocate(u64),
    /// AVBL.
    Available,
    /// SITE QUOTA.
    Quota,
}

/// MDTM with a time before the path, which sets the time.
#[derive(Debug)]
pub(super) struct SetTime {
    pub(super) modified: i64,
    /// The path as the client sent it.
    pub(super) name: Vec<u8>,
    pub(super) path: FtpPath,
}

/// A command whose path begins with `~`, which may be the name of an entry.
#[derive(Debug)]
pub(super) struct WaitingCommand {
    pub(super) command: &'static CommandInfo,
    pub(super) argument: Vec<u8>,
    /// The path of RNFR, if that was the previous line.
    pub(super) rename_from: Option<FtpPath>,
}

impl FileQuestion {
    /// The name of the answer that this request needs; see [`FileAnswer::name`].
    pub(super) fn expected(&self) -> &'static str {
        match self {
            Self::Size => "File(Size)",
            Self::ModifiedTime(_) => "File(Modified)",
            Self::Facts(_) | Self::Home(_) => "File(Entry)",
            Self::Status(_) => "File(Entries)",
            Self::Hash(_) => "File(Digest)",
            Self::Allocate(_) | Self::Available => "File(Space)",
            Self::Quota => "File(Quota)",
            Self::ChangeDirectory(_)
            | Self::MakeDirectory(_)
            | Self::RemoveDirectory
            | Self::DeleteFile
            | Self::RenameFrom(_)
            | Self::Rename
            | Self::SetModified(..)
            | Self::SetTime
            | Self::ChangeMode { .. } => "File(Done)",
        }
    }
}

/// Which command requested the passive port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PassiveCommand {
    Pasv,
    Epsv,
}

/// How often each timer has been started; see [`Timeout::epoch`](crate::Timeout::epoch).
#[derive(Debug, Default)]
pub(super) struct Epochs {
    pub(super) login: u64,
    pub(super) idle: u64,
    pub(super) data_open: u64,
    pub(super) data_stall: u64,
}

impl Context {
    pub(super) fn new(
        config: Arc<Config>,
        endpoints: Endpoints,
        first: Output,
        question: Question,
        protection: Protection,
    ) -> Self {
        let allowed_peers = AllowedPeers::new(&config, endpoints.peer().ip());
        Self {
            config,
            endpoints,
            outputs: VecDeque::from([first]),
            question,
            protection,
            epochs: Epochs::default(),
            login_failures: 0,
            unknown_commands: 0,
            foreign_protocols: ForeignProtocolDetector::default(),
            extended_only: false,
            name_encoding: NameEncoding::default(),
            transfers_started: 0,
            data_ids: 0,
            allowed_peers,
            offer: None,
            is_offer_refused: false,
            never_connected: None,
            one_to_one_nat: OneToOneNat::default(),
        }
    }

    pub(super) fn reply(&mut self, reply: Reply) {
        self.outputs.push_back(Output::Reply(reply));
    }

    pub(super) fn push_action(&mut self, action: Action) {
        self.outputs.push_back(Output::Action(action));
    }

    /// Sends a file request of this command to the driver.
    pub(super) fn ask(
        &mut self,
        command: &'static CommandInfo,
        question: FileQuestion,
        request: Permitted<FileRequest>,
    ) {
        self.question = Question::File(command, question);
        self.push_action(Action::File(request.into_inner()));
    }

    /// Takes the open file request, if `accepts` agrees.
    pub(super) fn take_file_question(
        &mut self,
        accepts: impl FnOnce(&FileQuestion) -> bool,
    ) -> Option<(&'static CommandInfo, FileQuestion)> {
        match mem::replace(&mut self.question, Question::None) {
            Question::File(command, question) if accepts(&question) => Some((command, question)),
            other => {
                self.question = other;
                None
            }
        }
    }

    /// A new data connection: the settings of now say who may open it.
    pub(super) fn new_data_id(&mut self) -> DataId {
        self.allowed_peers = AllowedPeers::new(&self.config, self.endpoints.peer().ip());
        self.data_ids += 1;
        DataId(self.data_ids)
    }

    pub(super) fn has_question(&self) -> bool {
        !matches!(self.question, Question::None)
    }

    pub(super) fn awaits_port(&self) -> bool {
        matches!(self.question, Question::Passive { .. })
    }

    /// Aborts the digest that is being computed, unless it is being aborted already.
    pub(super) fn abort_hash(&mut self) {
        if let Question::File(_, FileQuestion::Hash(hash)) = &mut self.question
            && !mem::replace(&mut hash.is_aborted, true)
        {
            self.push_action(Action::AbortFile);
        }
    }

    /// The command whose digest is being computed.
    pub(super) fn hash_command(&self) -> Option<&'static CommandInfo> {
        match &self.question {
            Question::File(command, FileQuestion::Hash(_)) => Some(command),
            _ => None,
        }
    }

    /// Cancels the request for a passive port.
    pub(super) fn cancel_passive(&mut self) {
        if let Question::Passive {
            data, cancelled, ..
        } = &mut self.question
            && !mem::replace(cancelled, true)
        {
            let data = *data;
            self.push_action(Action::CloseData(data));
        }
    }

    pub(super) fn announcement(&self) -> Announcement {
        self.config.masquerade.lookup(&self.endpoints)
    }

    /// The client has connected to the offered port.
    pub(super) fn offer_taken(&mut self, data: DataId) {
        self.offer.take_if(|(id, _)| *id == data);
    }

    /// Counts this offer as never connected, unless a refusal is the reason. `withdrawn`: other
    /// clients needed the port.
    pub(super) fn record_never_connected(&mut self, data: DataId, withdrawn: bool) {
        if let Some((_, offer)) = self.offer.take_if(|(id, _)| *id == data)
            && !self.is_offer_refused
        {
            let before = self.never_connected.as_ref();
            let before = before.map_or(0, |last| last.connection.number);
            let last = LastNeverConnected::new(NeverConnected {
                number: before.saturating_add(1),
                offer,
                withdrawn,
            });
            self.never_connected = Some(Box::new(last));
        }
    }

    /// Checks what the table and the settings require: that TLS is offered, that a password or data
    /// is not sent in clear text, and whether the command has an argument.
    pub(super) fn check(&self, command: &CommandInfo, argument: &[u8]) -> Result<(), Reply> {
        if !self.is_offered(command) {
            return Err(Reply::NOT_IMPLEMENTED);
        }
        self.check_protection(command.verb)?;
        match command.argument {
            Argument::Required if argument.is_empty() => Err(Reply::ARGUMENT_NEEDED),
            Argument::None if !argument.trim_ascii().is_empty() => Err(Reply::NO_ARGUMENT_TAKEN),
            Argument::None | Argument::Optional | Argument::Required => Ok(()),
        }
    }

    /// Whether the settings offer this command.
    pub(super) fn is_offered(&self, command: &CommandInfo) -> bool {
        !self.is_denied(command)
            && match command.access {
                Access::Always | Access::AfterLogin => true,
                Access::Digests => self.config.digests,
                Access::Tls => self.config.tls,
            }
    }

    /// Whether this command gets the reply 502 in every state.
    pub(super) fn is_denied(&self, command: &CommandInfo) -> bool {
        self.config.denied_commands.contains(command.name)
    }

    /// The same, for the command of a line.
    pub(super) fn denies_line(&self, command: Command) -> bool {
        matches!(command, Command::Known(command) if self.is_denied(command))
    }

    /// The same, for a command by its name.
    pub(super) fn denies(&self, name: &str) -> bool {
        self.config.denied_commands.denies(name)
    }

    /// The reply to a transfer command that no data connection was set up for.
    pub(super) fn data_setup_first(&self) -> Reply {
        let mut names = Vec::from(["EPSV", "PASV", "EPRT", "PORT"]);
        names.retain(|name| !self.denies(name));
        Reply::data_setup_first(&names)
    }

    /// Whether only EPSV may set up data connections. Without EPSV, nothing could.
    pub(super) fn is_extended_only(&self) -> bool {
        self.extended_only && !self.denies("EPSV")
    }

    fn check_protection(&self, verb: Verb) -> Result<(), Reply> {
        let config = &self.config;
        match verb {
            // USER is refused too, because a client sends the password after it.
            Verb::Control(ControlVerb::User | ControlVerb::Pass)
                if config.tls
                    && config.tls_control_required
                    && self.protection == Protection::Clear =>
            {
                Err(Reply::LOGIN_NEEDS_TLS)
            }
            // The commands that set up the data connection are not refused: PROT P may follow them.
            Verb::Transfer(_)
                if config.tls && config.tls_data_required && !self.protection.is_data_private() =>
            {
                Err(Reply::DATA_NEEDS_TLS)
            }
            _ => Ok(()),
        }
    }
}
