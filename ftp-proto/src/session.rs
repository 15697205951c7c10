//! The state of one control connection: inputs, outputs, and who may say what when.
//!
//! Replies and actions leave through one queue, because FTP's correctness is order. At most one
//! question to the driver is open at a time; while it is, no further command is carried out.

mod busy;
mod data;
mod file_question;
mod files;
mod held;
mod info;
mod login;
mod parameters;
mod phase;
mod protection;
mod ready;
mod refusal;
mod site;
mod transfer;
mod transfer_state;

use alloc::collections::VecDeque;
use alloc::sync::Arc;

use crate::action::{Action, Output, TransferId};
use crate::address::Endpoints;
use crate::command::{self, Access, Argument, Command, Verb};
use crate::config::Config;
use crate::line::{LineReader, Scan, strip_telnet};
use crate::masquerade::Announcement;
use crate::never_connected::NeverConnected;
use crate::offer::PassiveOffer;
use crate::outcome::{Misuse, Outcome};
use crate::reply::Reply;
use crate::timeout::{Timeout, TimeoutKind};

use held::Held;
use phase::{Login, PassiveCommand, Pending, Phase};
use protection::Protection;
use ready::DataSetup;
use transfer_state::Transfer;

/// The server's side of an FTP control connection.
///
/// Feed it with the `handle_*` methods; after each call drain [`poll_output`](Self::poll_output) to
/// `None`, sending replies and performing actions in that order. Nothing here blocks, calls out, or
/// fails on what the peer sends.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    endpoints: Endpoints,
    lines: LineReader,
    outputs: VecDeque<Output>,
    phase: Phase,
    pending: Pending,
    held: Held,
    protection: Protection,
    login_failures: u32,
    /// `EPSV ALL` has been sent: for the rest of the session (RFC 2428, section 4).
    extended_only: bool,
    transfers_started: u64,
    /// What the client was told last, unless it has come since, or counts as missed.
    offer: Option<PassiveOffer>,
    never_connected: Option<NeverConnected>,
    epochs: Epochs,
}

/// When each timer began anew; see [`Timeout::epoch`].
#[derive(Debug, Default)]
struct Epochs {
    login: u64,
    idle: u64,
    data_open: u64,
    data_stall: u64,
}

impl Session {
    /// A fresh session; the 220 greeting is already queued.
    pub fn new(config: Arc<Config>, endpoints: Endpoints) -> Self {
        let greeting = Reply::greeting(&config.banner);
        let first = Output::Reply(greeting);
        Self::begin(config, endpoints, first, Pending::None, Protection::Clear)
    }

    /// A fresh session with a client that begins with TLS at once (implicit FTPS):
    /// [`Action::StartTls`] is queued, and the greeting comes after the handshake. Data connections are
    /// private unless PROT says otherwise.
    pub fn with_implicit_tls(config: Arc<Config>, endpoints: Endpoints) -> Self {
        let first = Output::Action(Action::StartTls);
        let pending = Pending::Tls { greet: true };
        Self::begin(config, endpoints, first, pending, Protection::IMPLICIT)
    }

    fn begin(
        config: Arc<Config>,
        endpoints: Endpoints,
        first: Output,
        pending: Pending,
        protection: Protection,
    ) -> Self {
        Self {
            config,
            endpoints,
            lines: LineReader::default(),
            outputs: VecDeque::from([first]),
            phase: Phase::Login(Login::default()),
            pending,
            held: Held::default(),
            protection,
            login_failures: 0,
            extended_only: false,
            transfers_started: 0,
            offer: None,
            never_connected: None,
            epochs: Epochs::default(),
        }
    }

    /// Takes at most one command line from the beginning of `input` and returns how many bytes it
    /// used. Zero: there is no whole line yet, or input is not wanted now; the caller keeps the bytes
    /// and offers them again with what follows, or after the next outcome.
    pub fn handle_input(&mut self, input: &[u8]) -> usize {
        if !self.outputs.is_empty() || !self.wants_input() {
            return 0;
        }
        match self.lines.scan(input) {
            Scan::Incomplete => 0,
            Scan::Discarded(used) => used,
            Scan::TooLong(used) => {
                self.epochs.idle += 1;
                if self.is_busy() {
                    self.held.push_reply(Reply::LINE_TOO_LONG);
                } else {
                    self.reply(Reply::LINE_TOO_LONG);
                }
                used
            }
            Scan::Line(line, used) => {
                let plain = strip_telnet(line);
                self.epochs.idle += 1;
                if self.is_busy() {
                    self.receive_while_busy(&plain);
                } else {
                    self.execute(&plain, used < input.len());
                }
                used
            }
        }
    }

    /// The client will send no more: the session ends at once, and a transfer with it.
    pub fn handle_eof(&mut self) {
        self.close(None);
    }

    /// Takes the answer to an action.
    ///
    /// # Errors
    ///
    /// [`Misuse`] when no question is open that `outcome` answers. After the session has closed every
    /// outcome is accepted and ignored.
    pub fn handle_outcome(&mut self, outcome: Outcome) -> Result<(), Misuse> {
        if let Phase::Closed = self.phase {
            return Ok(());
        }
        let name = outcome.name();
        let answered = match outcome {
            Outcome::Authenticated(permissions) => self.authenticated(permissions),
            Outcome::File(result) => self.file_answered(result),
            Outcome::PassiveOpened(result) => self.passive_opened(result),
            Outcome::TransferOpened(result) => self.transfer_opened(result),
            Outcome::TransferEnded { transfer, result } => self.transfer_ended(transfer, result),
            Outcome::Tls(result) => self.tls_ended(result.is_ok()),
        };
        if !answered {
            return Err(Misuse { outcome: name });
        }
        self.run_held();
        Ok(())
    }

    /// The data connection is established, and the peer is the right one. It may come before the transfer
    /// is started. Where it is to be protected, [`handle_data_protected`](Self::handle_data_protected)
    /// follows.
    pub fn handle_data_connected(&mut self) {
        self.offer = None;
        if let Phase::Ready(ready) = &mut self.phase {
            ready.data_connected();
            self.epochs.data_stall += 1;
        }
    }

    /// The TLS handshake on the data connection of the running transfer is over. Until then it has the time
    /// that there is for opening the connection.
    pub fn handle_data_protected(&mut self) {
        if let Phase::Ready(ready) = &mut self.phase {
            ready.data_protected();
            self.epochs.data_stall += 1;
        }
    }

    /// The passive port that was announced last has been closed and nobody came, although there was time:
    /// the client has turned to something else, or is gone. For STAT and for [`never_connected`](Self::never_connected);
    /// each announcement counts once. When [`TimeoutKind::DataOpen`] has run out that is counted already.
    pub fn handle_data_never_connected(&mut self) {
        self.record_never_connected(false);
    }

    /// Others need the passive port, and its client has not come: its time is over early. Ignored unless
    /// a passive port is open, or a transfer waits for a connection to one.
    pub fn handle_port_withdrawn(&mut self) {
        if self.is_port_open() {
            self.expire_data(true);
        }
    }

    /// So many bytes of the transfer have moved by now, in all. Cheap; call it as often as you like.
    pub fn handle_progress(&mut self, transfer: TransferId, bytes_total: u64) {
        if let Phase::Ready(ready) = &mut self.phase
            && ready.progressed(transfer, bytes_total)
        {
            self.epochs.data_stall += 1;
        }
    }

    /// A timer has run out. Ignored unless it is the one that [`poll_timeout`](Self::poll_timeout)
    /// returns now.
    pub fn handle_timeout(&mut self, timeout: Timeout) {
        if self.poll_timeout() != Some(timeout) {
            return;
        }
        match timeout.kind {
            TimeoutKind::Login => self.close(Some(Reply::LOGIN_TIMEOUT)),
            TimeoutKind::Idle => self.close(Some(Reply::IDLE_TIMEOUT)),
            TimeoutKind::DataOpen => self.expire_data(false),
            TimeoutKind::DataStall => self.data_stalled(),
        }
    }

    /// The server ends: 421, whatever runs is aborted, the session closes.
    pub fn handle_shutdown(&mut self) {
        self.close(Some(Reply::SHUTTING_DOWN));
    }

    /// The settings have changed; the new ones are used from now on.
    pub fn handle_config(&mut self, config: Arc<Config>) {
        self.config = config;
    }

    /// The next reply to send or action to perform.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The timer that runs now.
    pub fn poll_timeout(&self) -> Option<Timeout> {
        let kind = self.timer()?;
        let (after, epoch) = match kind {
            TimeoutKind::Login => (self.config.login_timeout, self.epochs.login),
            TimeoutKind::Idle => (self.config.idle_timeout, self.epochs.idle),
            TimeoutKind::DataOpen => (self.config.data_open_timeout, self.epochs.data_open),
            TimeoutKind::DataStall => (self.config.data_stall_timeout, self.epochs.data_stall),
        };
        after.map(|after| Timeout { kind, after, epoch })
    }

    /// Whether a further command line would be taken now. While it is false, leave the bytes in the
    /// socket: the client is held by TCP.
    pub fn wants_input(&self) -> bool {
        match (&self.phase, &self.pending) {
            (Phase::Closed, _) => false,
            (_, Pending::None | Pending::Passive { .. }) => {
                !self.is_opening() && !self.held.is_full()
            }
            _ => false,
        }
    }

    /// What this client would be told by PASV now, and why.
    pub fn announcement(&self) -> Announcement {
        self.config.masquerade.lookup(&self.endpoints)
    }

    /// What the client was told last, as long as it may still come.
    pub fn passive_offer(&self) -> Option<&PassiveOffer> {
        self.offer.as_ref()
    }

    /// The last data connection that never came.
    pub fn never_connected(&self) -> Option<&NeverConnected> {
        self.never_connected.as_ref()
    }

    /// The two ends of the control connection.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The name that logged in.
    pub fn user(&self) -> Option<&[u8]> {
        match &self.phase {
            Phase::Ready(ready) => Some(&ready.user),
            _ => None,
        }
    }

    /// Whether the session is over; nothing but the outputs that are still queued will come.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Whether commands must wait: for a transfer, or for a passive port.
    fn is_busy(&self) -> bool {
        let transferring = match &self.phase {
            Phase::Ready(ready) => !matches!(ready.transfer, Transfer::None),
            _ => false,
        };
        transferring || !matches!(self.pending, Pending::None)
    }

    fn is_opening(&self) -> bool {
        matches!(&self.phase, Phase::Ready(ready) if matches!(ready.transfer, Transfer::Opening(_)))
    }

    /// Carries out one command line. `followed`: the client has sent more bytes after it.
    fn execute(&mut self, line: &[u8], followed: bool) {
        let Command { verb, argument } = Command::parse(line);
        let refusal = self.refuse(verb, argument);
        // What RNFR named holds for the very next line, whatever that is.
        if let Phase::Ready(ready) = &mut self.phase
            && (verb != Verb::Rnto || refusal.is_some())
        {
            ready.rename_from = None;
        }
        if let Some(refusal) = refusal {
            return self.reply(refusal);
        }
        match verb {
            Verb::User => self.user_name(argument),
            Verb::Pass => self.password(argument),
            Verb::Acct => self.reply(Reply::ACCOUNT_SUPERFLUOUS),
            Verb::Rein => self.reinitialize(),
            Verb::Quit => self.close(Some(Reply::GOODBYE)),
            Verb::Auth => self.auth(argument, followed),
            Verb::Pbsz => self.protection_buffer_size(argument),
            Verb::Prot => self.protection_level(argument),
            Verb::Ccc => self.clear_command_channel(),
            Verb::Noop => self.reply(Reply::OKAY),
            Verb::Stat if argument.is_empty() => self.status(),
            Verb::Syst => self.reply(Reply::SYSTEM),
            Verb::Feat => self.features(),
            Verb::Opts => self.options(argument),
            Verb::Help => self.help(argument),
            Verb::Host => self.host(argument),
            Verb::Lang => self.language(argument),
            Verb::Clnt => self.reply(Reply::OKAY),
            Verb::NotImplemented => self.reply(Reply::NOT_IMPLEMENTED),
            Verb::Unknown => self.reply(Reply::UNKNOWN_COMMAND),
            _ if self.user().is_none() => self.reply(Reply::NOT_LOGGED_IN),
            _ => self.execute_logged_in(verb, argument),
        }
    }

    fn execute_logged_in(&mut self, verb: Verb, argument: &[u8]) {
        match verb {
            Verb::Type => self.representation_type(argument),
            Verb::Mode => self.transfer_mode(argument),
            Verb::Stru => self.file_structure(argument),
            Verb::Allo => self.allocate(argument),
            Verb::Pwd => self.print_directory(),
            Verb::Cwd
            | Verb::Cdup
            | Verb::Mkd
            | Verb::Rmd
            | Verb::Dele
            | Verb::Rnfr
            | Verb::Rnto
            | Verb::Size
            | Verb::Mdtm
            | Verb::Mfmt
            | Verb::Mlst
            | Verb::Stat => self.file_command(verb, argument),
            Verb::Site => self.site(argument),
            Verb::Pasv => self.passive(PassiveCommand::Pasv),
            Verb::Epsv => self.extended_passive(argument),
            Verb::Port => self.port(argument),
            Verb::Eprt => self.extended_port(argument),
            Verb::Rest => self.restart(argument),
            Verb::Retr
            | Verb::Stor
            | Verb::Appe
            | Verb::Stou
            | Verb::List
            | Verb::Nlst
            | Verb::Mlsd => self.transfer_command(verb, argument),
            Verb::Abor => self.abort_idle(),
            _ => self.reply(Reply::UNKNOWN_COMMAND),
        }
    }

    /// What the table and the settings forbid: no login, no argument, one too many, no TLS here.
    fn refuse(&self, verb: Verb, argument: &[u8]) -> Option<Reply> {
        let info = command::info(verb)?;
        match info.access {
            Access::AfterLogin if !matches!(self.phase, Phase::Ready(_)) => {
                return Some(Reply::NOT_LOGGED_IN);
            }
            Access::Tls if !self.config.tls => return Some(Reply::NOT_IMPLEMENTED),
            _ => {}
        }
        if let Some(refusal) = self.refuse_clear_text(verb) {
            return Some(refusal);
        }
        match info.argument {
            Argument::Required if argument.is_empty() => Some(Reply::ARGUMENT_NEEDED),
            Argument::None if !argument.trim_ascii().is_empty() => Some(Reply::NO_ARGUMENT_TAKEN),
            _ => None,
        }
    }

    /// What is being waited for, whether or not it is limited.
    fn timer(&self) -> Option<TimeoutKind> {
        let ready = match &self.phase {
            Phase::Login(_) => return Some(TimeoutKind::Login),
            Phase::Ready(ready) => ready,
            Phase::Closed => return None,
        };
        let unlimited = self.config.data_open_timeout.is_none();
        match (&ready.transfer, &self.pending) {
            (Transfer::Running(running), _) => running.timer(),
            (Transfer::Opening(_), _) => None,
            // A port that may wait for ever must not keep an idle client alive. Other questions give
            // its client no more time.
            (Transfer::None, _) if ready.data == DataSetup::Passive && !unlimited => {
                Some(TimeoutKind::DataOpen)
            }
            // Of these, a TLS handshake is the client's to get on with.
            (Transfer::None, Pending::None | Pending::Tls { .. }) => Some(TimeoutKind::Idle),
            (Transfer::None, _) => None,
        }
    }

    fn close(&mut self, farewell: Option<Reply>) {
        if let Phase::Closed = self.phase {
            return;
        }
        self.abort_transfer();
        // In the middle of a handshake clear text would only look like a broken one.
        let in_handshake = matches!(self.pending, Pending::Tls { .. });
        if let Some(farewell) = farewell.filter(|_| !in_handshake) {
            self.reply(farewell);
        }
        self.push_action(Action::Close);
        self.phase = Phase::Closed;
        self.pending = Pending::None;
        self.held = Held::default();
    }

    fn reply(&mut self, reply: Reply) {
        self.outputs.push_back(Output::Reply(reply));
    }

    fn push_action(&mut self, action: Action) {
        self.outputs.push_back(Output::Action(action));
    }
}
