//! The state of one control connection: its inputs, its outputs, and which phase handles them.
//!
//! Replies and actions leave through one queue, because their order matters in FTP. At most one
//! action waits for its outcome at a time; until it has come, no further command is executed.
//!
//! The phase is matched once for each input. A handler of a logged-in command is a method of
//! `Ready`, and gets the state that outlasts a login as `Context`, so it cannot run without a
//! login.

mod account;
mod active_target;
mod auth;
mod busy;
mod context;
mod data;
mod end;
mod file_hash;
mod file_status;
mod flow;
mod held;
mod info;
mod login;
mod name_encoding;
mod one_to_one_nat;
mod passive;
mod permitted;
mod protection;
mod ready;
mod refusal;
mod transfer_state;

use alloc::borrow::Cow;
use alloc::sync::Arc;

use crate::action::{Action, Output};
use crate::address::Endpoints;
use crate::codec::WireNames;
use crate::command::CommandLine;
use crate::config::Config;
use crate::line::{LineReader, Scan, strip_telnet, wipe, without_telnet};
use crate::outcome::{Misuse, Outcome};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::timeout::{Timeout, TimeoutKind};

use context::{Context, FileQuestion, Question};
use flow::{Flow, Login, Phase};
use held::Held;
use protection::Protection;
use transfer_state::AbortReason;

/// The server's side of an FTP control connection.
///
/// Feed it with the `handle_*` methods. After each call, call [`poll_output`](Self::poll_output)
/// until it returns `None`; send the replies and perform the actions in that order. No method
/// blocks, and no input from the client makes one fail.
#[derive(Debug)]
pub struct Session {
    context: Context,
    phase: Phase,
    lines: LineReader,
    held: Held,
    /// The client has sent QUIT.
    has_quit: bool,
    /// The client can send no more.
    has_ended: bool,
    /// The control connection is gone in both directions.
    is_lost: bool,
    /// The session has closed, and the driver has to send its last replies in a limited time.
    is_flushing: bool,
}

impl Session {
    /// A new session; the 220 greeting is already queued.
    #[must_use]
    pub fn new(config: Arc<Config>, endpoints: Endpoints) -> Self {
        let first = Output::Reply(Reply::greeting(&config.banner));
        Self::start(config, endpoints, first, Question::None, Protection::Clear)
    }

    /// A new session with a client that starts TLS at once (implicit FTPS): [`Action::StartTls`] is
    /// queued, and the greeting follows the handshake. Data connections are protected unless
    /// PROT changes that.
    #[must_use]
    pub fn with_implicit_tls(config: Arc<Config>, endpoints: Endpoints) -> Self {
        let first = Output::Action(Action::StartTls);
        let question = Question::Tls { greet: true };
        Self::start(config, endpoints, first, question, Protection::IMPLICIT)
    }

    fn start(
        config: Arc<Config>,
        endpoints: Endpoints,
        first: Output,
        question: Question,
        protection: Protection,
    ) -> Self {
        Self {
            context: Context::new(config, endpoints, first, question, protection),
            phase: Phase::Login(Login::default()),
            lines: LineReader::default(),
            held: Held::default(),
            has_quit: false,
            has_ended: false,
            is_lost: false,
            is_flushing: false,
        }
    }

    /// Uses at most one command line from the beginning of `input` and returns how many bytes it
    /// used. Zero means that the line is not complete, or that input is not wanted now. The
    /// caller then passes the same bytes again, with more input or after the next outcome.
    ///
    /// A client that begins with another protocol than FTP closes the session, even with an
    /// incomplete line: see [`foreign_protocol`](Self::foreign_protocol).
    ///
    /// Input while a TLS handshake is requested closes the session: it came in clear text, and
    /// would count as protected.
    pub fn handle_input(&mut self, input: &[u8]) -> usize {
        if let Question::Tls { .. } = self.context.question
            && !input.is_empty()
        {
            // The client has to wait for the reply to AUTH: an attacker may have inserted this.
            self.close(None);
        }
        if !self.wants_input() {
            return 0;
        }
        if let Some(used) = self.close_for_foreign_protocol(input) {
            return used;
        }
        match self.lines.scan(input) {
            Scan::Incomplete => 0,
            Scan::Discarded(used) => used,
            Scan::TooLong(used) => {
                self.context.epochs.idle += 1;
                if self.is_busy() {
                    self.held.push_reply(Reply::LINE_TOO_LONG);
                } else {
                    self.context.reply(Reply::LINE_TOO_LONG);
                }
                used
            }
            Scan::Line(line, used) => {
                let plain = strip_telnet(line);
                // A user of Telnet, or a client's sign of life: no command, so no reply.
                if plain.is_empty() {
                    return used;
                }
                // What needs no change has no FF.
                let is_changed = matches!(plain, Cow::Owned(_));
                let with_doubled = is_changed.then(|| without_telnet(line)).flatten();
                let mut line = CommandLine::parse(&plain);
                let with_doubled = with_doubled.as_ref().map(|line| CommandLine::parse(line));
                line.with_doubled = with_doubled.map(|line| line.argument);
                self.has_quit |= line.is_quit();
                self.context.epochs.idle += 1;
                if self.is_busy() {
                    self.receive_while_busy(line);
                } else {
                    self.execute(line, used < input.len());
                }
                wipe(plain);
                used
            }
        }
    }

    /// The outcome of an action.
    ///
    /// # Errors
    ///
    /// [`Misuse`] if `outcome` answers no open action: this is a bug in the driver. If an action
    /// waits for another outcome, it counts as refused now. After the session has closed, every
    /// outcome is accepted and ignored.
    pub fn handle_outcome(&mut self, outcome: Outcome) -> Result<(), Misuse> {
        if let Phase::Closed = self.phase {
            return Ok(());
        }
        let name = outcome.name();
        let (flow, result) = match self.answer(outcome) {
            Some(flow) => (flow, Ok(())),
            None => {
                let (expected, flow) = self.refuse_open_action();
                (
                    flow,
                    Err(Misuse {
                        outcome: name,
                        expected,
                    }),
                )
            }
        };
        self.apply(flow);
        self.run_held();
        self.close_if_done();
        result
    }

    /// A timer has expired. Ignored unless it is the one that [`poll_timeout`](Self::poll_timeout)
    /// returns now.
    pub fn handle_timeout(&mut self, timeout: Timeout) {
        if self.poll_timeout() != Some(timeout) {
            return;
        }
        match (timeout.kind, &mut self.phase) {
            (TimeoutKind::Login, _) => self.close(Some(Reply::LOGIN_TIMEOUT)),
            (TimeoutKind::Idle, _) => self.close(Some(Reply::IDLE_TIMEOUT)),
            (TimeoutKind::DataOpen, Phase::Ready(ready)) => {
                ready.expire_data(&mut self.context, false);
            }
            (TimeoutKind::DataStall, Phase::Ready(ready)) => {
                ready.abort_transfer(&mut self.context, AbortReason::Stalled);
            }
            (TimeoutKind::Flush, _) => {
                self.context.outputs.clear();
                self.context.push_action(Action::CloseNow);
                self.is_flushing = false;
            }
            (TimeoutKind::DataOpen | TimeoutKind::DataStall, Phase::Login(_) | Phase::Closed) => {}
        }
    }

    /// Replaces the settings. The new ones apply from now on.
    pub fn handle_config(&mut self, config: Arc<Config>) {
        self.context.config = config;
    }

    /// The next reply to send or action to perform.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.context.outputs.pop_front()
    }

    /// The timer that runs now.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timeout> {
        let (config, epochs) = (&self.context.config, &self.context.epochs);
        let data_open = self.phase.data_open_timeout(&self.context);
        let kind = self.timer()?;
        let (after, epoch) = match kind {
            TimeoutKind::Login => (config.login_timeout, epochs.login),
            TimeoutKind::Idle => (config.idle_timeout, epochs.idle),
            TimeoutKind::DataOpen => (data_open, epochs.data_open),
            TimeoutKind::DataStall => (self.data_stall_timeout(), epochs.data_stall),
            TimeoutKind::Flush => (config.flush_timeout, 0),
        };
        after.map(|after| Timeout { kind, after, epoch })
    }

    /// Whether the session would use a further command line now. It is false until all outputs are
    /// drained, and after the client's end. While it is false, leave the bytes in the socket, so
    /// that TCP stops the client.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        if self.has_ended || !self.context.outputs.is_empty() {
            return false;
        }
        let is_opening = match &self.phase {
            Phase::Closed => return false,
            Phase::Login(_) => false,
            Phase::Ready(ready) => ready.is_opening(),
        };
        match &self.context.question {
            Question::None | Question::Passive { .. } => !is_opening && !self.held.is_full(),
            // ABOR stops a digest.
            Question::File(_, FileQuestion::Hash(_)) => !self.held.is_full(),
            Question::Authenticate | Question::Tls { .. } | Question::File(..) => false,
        }
    }

    /// The two ends of the control connection.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.context.endpoints
    }

    /// The name that logged in.
    #[must_use]
    pub fn user(&self) -> Option<&[u8]> {
        match &self.phase {
            Phase::Ready(ready) => Some(&ready.user),
            Phase::Login(_) | Phase::Closed => None,
        }
    }

    /// How the client writes names now, for logs. Before a login, nothing is converted.
    #[must_use]
    pub fn names(&self) -> &WireNames {
        match &self.phase {
            Phase::Ready(ready) => ready.names(&self.context),
            Phase::Login(_) | Phase::Closed => &WireNames::IDENTITY,
        }
    }

    /// The command whose [`Action::File`] waits for its outcome, in upper case: several commands
    /// may ask for the same.
    #[must_use]
    pub fn file_command(&self) -> Option<&'static str> {
        match &self.context.question {
            Question::File(command, _) => Some(command.name),
            _ => None,
        }
    }

    /// Whether commands must wait for a transfer or for an outcome.
    fn is_busy(&self) -> bool {
        let is_transferring = match &self.phase {
            Phase::Ready(ready) => ready.has_transfer(),
            Phase::Login(_) | Phase::Closed => false,
        };
        is_transferring || self.context.has_question()
    }

    /// Executes one command line. `followed`: the client has sent more bytes after it.
    fn execute(&mut self, line: CommandLine<'_>, followed: bool) {
        let flow = match &mut self.phase {
            Phase::Login(login) => login.execute(&mut self.context, line, followed),
            Phase::Ready(ready) => ready.execute(&mut self.context, line, followed),
            Phase::Closed => Flow::Stay,
        };
        self.apply(flow);
    }

    /// Passes an outcome to the phase that requested the action. `None`: no such action is open.
    fn answer(&mut self, outcome: Outcome) -> Option<Flow> {
        let context = &mut self.context;
        let was_asked = match (outcome, &mut self.phase) {
            (
                Outcome::Tls {
                    established,
                    leftover,
                },
                _,
            ) => return self.tls_ended(established, leftover),
            (Outcome::Authenticated(account), Phase::Login(login)) => {
                return login.authenticated(context, account);
            }
            (Outcome::ShareUnavailable, Phase::Login(_)) => {
                return Login::ended(context, Reply::share_unavailable(421));
            }
            (Outcome::AddressBlocked, Phase::Login(_)) => {
                return Login::ended(context, Reply::too_many_failed_logins());
            }
            (Outcome::TooManySessions, Phase::Login(_)) => {
                return Login::ended(context, Reply::too_many_of_user());
            }
            (Outcome::TlsRequired, Phase::Login(login)) => return login.needs_tls(context),
            (Outcome::File(result), Phase::Ready(ready)) => ready.file_answered(context, result),
            (Outcome::PassiveOpened(result), Phase::Ready(ready)) => {
                ready.passive_opened(context, result)
            }
            (Outcome::TransferOpened(result), Phase::Ready(ready)) => {
                ready.transfer_opened(context, result)
            }
            (Outcome::TransferEnded { transfer, result }, Phase::Ready(ready)) => {
                ready.transfer_ended(context, transfer, result)
            }
            (
                Outcome::Authenticated(_)
                | Outcome::ShareUnavailable
                | Outcome::AddressBlocked
                | Outcome::TooManySessions
                | Outcome::TlsRequired
                | Outcome::File(_)
                | Outcome::PassiveOpened(_)
                | Outcome::TransferOpened(_)
                | Outcome::TransferEnded { .. },
                Phase::Login(_) | Phase::Ready(_) | Phase::Closed,
            ) => false,
        };
        was_asked.then_some(Flow::Stay)
    }

    /// Answers the action that waits for an outcome with a refusal. Returns the outcome that it
    /// needed.
    fn refuse_open_action(&mut self) -> (Option<&'static str>, Flow) {
        let is_opening = matches!(&self.phase, Phase::Ready(ready) if ready.is_opening());
        let failed = Refusal::Failed;
        let (expected, refusal) = match &self.context.question {
            Question::Authenticate => ("Authenticated", Outcome::Authenticated(None)),
            Question::Tls { .. } => {
                let (established, leftover) = (false, 0);
                let refusal = Outcome::Tls {
                    established,
                    leftover,
                };
                ("Tls", refusal)
            }
            Question::File(_, question) => (question.expected(), Outcome::File(Err(failed))),
            Question::Passive { .. } => ("PassiveOpened", Outcome::PassiveOpened(Err(failed))),
            Question::None if is_opening => {
                ("TransferOpened", Outcome::TransferOpened(Err(failed)))
            }
            Question::None => return (None, Flow::Stay),
        };
        (Some(expected), self.answer(refusal).unwrap_or(Flow::Stay))
    }

    fn apply(&mut self, flow: Flow) {
        match flow {
            Flow::Stay => {}
            Flow::Login(login) => self.phase = Phase::Login(login),
            Flow::Ready(ready) => self.phase = Phase::Ready(ready),
            Flow::Close(farewell) => self.close(farewell),
        }
    }

    /// Which timer runs. Its length may be unlimited.
    fn timer(&self) -> Option<TimeoutKind> {
        let ready = match &self.phase {
            Phase::Login(_) => return Some(TimeoutKind::Login),
            Phase::Ready(ready) => ready,
            Phase::Closed => return self.is_flushing.then_some(TimeoutKind::Flush),
        };
        if ready.has_transfer() {
            return ready.transfer_timer();
        }
        // While a passive port is open, this timer replaces the idle timer, also during other
        // actions. Without a limit it does not: an open port must not keep an idle client
        // connected.
        if ready.awaits_client() && self.context.config.data_open_timeout.is_some() {
            return Some(TimeoutKind::DataOpen);
        }
        match self.context.question {
            // During a TLS handshake the client must act, so it counts as idle.
            Question::None | Question::Tls { .. } => Some(TimeoutKind::Idle),
            Question::Authenticate | Question::File(..) | Question::Passive { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
