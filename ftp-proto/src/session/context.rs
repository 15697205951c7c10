//! What every handler of a session may use, before and after login.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use super::protection::Protection;
use crate::action::{Action, FileRequest, Output};
use crate::address::Endpoints;
use crate::command::{Access, Argument, CommandInfo, ControlVerb, Verb};
use crate::config::Config;
use crate::masquerade::Announcement;
use crate::never_connected::NeverConnected;
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
    /// `EPSV ALL` has been sent: for the rest of the session (RFC 2428, section 4).
    pub(super) extended_only: bool,
    pub(super) transfers_started: u64,
    /// The last passive port that the client was sent to, until it connects or counts as never connected.
    pub(super) offer: Option<PassiveOffer>,
    pub(super) never_connected: Option<NeverConnected>,
}

/// The question that the driver has not answered yet. The one that opens a transfer is in `Transfer`.
#[derive(Debug)]
pub(super) enum Question {
    None,
    Authenticate,
    /// `greet`: the greeting follows the handshake.
    Tls {
        greet: bool,
    },
    File(&'static CommandInfo, FileQuestion),
    /// `cancelled`: a `CloseData` has been sent after it.
    Passive {
        command: PassiveCommand,
        cancelled: bool,
    },
}

/// What the answer to a file request is used for.
#[derive(Debug)]
pub(super) enum FileQuestion {
    ChangeDirectory(FtpPath),
    MakeDirectory(FtpPath),
    RemoveDirectory,
    DeleteFile,
    RenameFrom(FtpPath),
    Rename,
    Size,
    ModifiedTime,
    /// The time, and the name as the client wrote it.
    SetModified(i64, Vec<u8>),
    /// `reduced`: some of the bits that the client sent are not among them.
    ChangeMode {
        mode: u32,
        reduced: bool,
    },
    Facts(FtpPath),
    Status,
}

/// Which command a passive listener is for.
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
        Self {
            config,
            endpoints,
            outputs: VecDeque::from([first]),
            question,
            protection,
            epochs: Epochs::default(),
            login_failures: 0,
            extended_only: false,
            transfers_started: 0,
            offer: None,
            never_connected: None,
        }
    }

    pub(super) fn reply(&mut self, reply: Reply) {
        self.outputs.push_back(Output::Reply(reply));
    }

    pub(super) fn push_action(&mut self, action: Action) {
        self.outputs.push_back(Output::Action(action));
    }

    /// Asks the driver about files, for this command.
    pub(super) fn ask(
        &mut self,
        command: &'static CommandInfo,
        (question, request): (FileQuestion, FileRequest),
    ) {
        self.question = Question::File(command, question);
        self.push_action(Action::File(request));
    }

    /// Takes the question about files if this answers it.
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

    pub(super) fn has_question(&self) -> bool {
        !matches!(self.question, Question::None)
    }

    pub(super) fn awaits_port(&self) -> bool {
        matches!(self.question, Question::Passive { .. })
    }

    /// Tells the driver that the port it is asked for is not needed any more.
    pub(super) fn cancel_passive(&mut self) {
        if let Question::Passive { cancelled, .. } = &mut self.question
            && !mem::replace(cancelled, true)
        {
            self.push_action(Action::CloseData);
        }
    }

    pub(super) fn announcement(&self) -> Announcement {
        self.config.masquerade.lookup(&self.endpoints)
    }

    /// Counts the current offer as never connected. `withdrawn`: other clients needed the port.
    pub(super) fn record_never_connected(&mut self, withdrawn: bool) {
        if let Some(offer) = self.offer.take() {
            let before = self.never_connected.map_or(0, |last| last.number);
            self.never_connected = Some(NeverConnected {
                number: before.saturating_add(1),
                offer,
                withdrawn,
            });
        }
    }

    /// Refuses what the table and the settings do not permit: TLS where there is none, a password or data
    /// in clear text, a missing argument, or one too many.
    pub(super) fn check(&self, command: &CommandInfo, argument: &[u8]) -> Result<(), Reply> {
        if command.access == Access::Tls && !self.config.tls {
            return Err(Reply::NOT_IMPLEMENTED);
        }
        self.check_protection(command.verb)?;
        match command.argument {
            Argument::Required if argument.is_empty() => Err(Reply::ARGUMENT_NEEDED),
            Argument::None if !argument.trim_ascii().is_empty() => Err(Reply::NO_ARGUMENT_TAKEN),
            Argument::None | Argument::Optional | Argument::Required => Ok(()),
        }
    }

    fn check_protection(&self, verb: Verb) -> Result<(), Reply> {
        let config = &self.config;
        match verb {
            // USER is refused already: else the password would follow it.
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
