//! The state of one control connection: inputs, outputs, and which phase handles them.
//!
//! Replies and actions leave through one queue, because FTP's correctness is order. At most one
//! question to the driver is open at a time; while it is, no further command is executed.
//!
//! The phase is matched once for each input. A handler of a logged-in command is a method of `Ready`, and
//! gets what outlasts the login as `Context`: it cannot be reached without a login.

mod auth;
mod busy;
mod context;
mod flow;
mod held;
mod info;
mod login;
mod protection;
mod ready;
mod refusal;
mod transfer_state;

use alloc::sync::Arc;
use core::mem;

use crate::action::{Action, Output, TransferId};
use crate::address::Endpoints;
use crate::command::CommandLine;
use crate::config::Config;
use crate::line::{LineReader, Scan, strip_telnet};
use crate::masquerade::Announcement;
use crate::never_connected::NeverConnected;
use crate::offer::PassiveOffer;
use crate::outcome::{Misuse, Outcome};
use crate::reply::Reply;
use crate::timeout::{Timeout, TimeoutKind};

use context::{Context, Question};
use flow::{Flow, Login, Phase};
use held::Held;
use protection::Protection;
use transfer_state::AbortReason;

/// The server's side of an FTP control connection.
///
/// Feed it with the `handle_*` methods; after each call drain [`poll_output`](Self::poll_output) to
/// `None`, sending replies and performing actions in that order. Nothing here blocks, calls out, or
/// fails on what the peer sends.
#[derive(Debug)]
pub struct Session {
    context: Context,
    phase: Phase,
    lines: LineReader,
    held: Held,
}

impl Session {
    /// A fresh session; the 220 greeting is already queued.
    pub fn new(config: Arc<Config>, endpoints: Endpoints) -> Self {
        let first = Output::Reply(Reply::greeting(&config.banner));
        Self::start(config, endpoints, first, Question::None, Protection::Clear)
    }

    /// A fresh session with a client that begins with TLS at once (implicit FTPS):
    /// [`Action::StartTls`] is queued, and the greeting comes after the handshake. Data connections are
    /// private unless PROT says otherwise.
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
        }
    }

    /// Takes at most one command line from the beginning of `input` and returns how many bytes it
    /// used. Zero: there is no whole line yet, or input is not wanted now; the caller keeps the bytes
    /// and offers them again with what follows, or after the next outcome.
    pub fn handle_input(&mut self, input: &[u8]) -> usize {
        if !self.context.outputs.is_empty() || !self.wants_input() {
            return 0;
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
                self.context.epochs.idle += 1;
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
        let misuse = Misuse {
            outcome: outcome.name(),
        };
        let flow = match &self.phase {
            Phase::Closed => return Ok(()),
            Phase::Login(_) | Phase::Ready(_) => self.answer(outcome).ok_or(misuse)?,
        };
        self.apply(flow);
        self.run_held();
        Ok(())
    }

    /// The data connection is established, and the peer is the right one. It may come before the transfer
    /// is started. Where it is to be protected, [`handle_data_protected`](Self::handle_data_protected)
    /// follows.
    pub fn handle_data_connected(&mut self) {
        self.context.offer = None;
        if let Phase::Ready(ready) = &mut self.phase {
            ready.data_connected();
            self.context.epochs.data_stall += 1;
        }
    }

    /// The TLS handshake on the data connection of the running transfer is over. Until then it has the time
    /// that there is for opening the connection.
    pub fn handle_data_protected(&mut self) {
        if let Phase::Ready(ready) = &mut self.phase {
            ready.data_protected();
            self.context.epochs.data_stall += 1;
        }
    }

    /// The passive port that was announced last has been closed and nobody came, although there was time:
    /// the client has turned to something else, or is gone. For STAT and for [`never_connected`](Self::never_connected);
    /// each announcement counts once. When [`TimeoutKind::DataOpen`] has run out that is counted already.
    pub fn handle_data_never_connected(&mut self) {
        self.context.record_never_connected(false);
    }

    /// Others need the passive port, and its client has not come: its time is over early. Ignored unless
    /// a passive port is open, or a transfer waits for a connection to one.
    pub fn handle_port_withdrawn(&mut self) {
        if let Phase::Ready(ready) = &mut self.phase
            && ready.is_port_open()
        {
            ready.expire_data(&mut self.context, true);
        }
    }

    /// So many bytes of the transfer have moved by now, in all. Cheap; call it as often as you like.
    pub fn handle_progress(&mut self, transfer: TransferId, bytes_total: u64) {
        if let Phase::Ready(ready) = &mut self.phase
            && ready.progressed(transfer, bytes_total)
        {
            self.context.epochs.data_stall += 1;
        }
    }

    /// A timer has run out. Ignored unless it is the one that [`poll_timeout`](Self::poll_timeout)
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
            (TimeoutKind::DataOpen | TimeoutKind::DataStall, Phase::Login(_) | Phase::Closed) => {}
        }
    }

    /// The server ends: 421, whatever runs is aborted, the session closes.
    pub fn handle_shutdown(&mut self) {
        self.close(Some(Reply::SHUTTING_DOWN));
    }

    /// The settings have changed; the new ones are used from now on.
    pub fn handle_config(&mut self, config: Arc<Config>) {
        self.context.config = config;
    }

    /// The next reply to send or action to perform.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.context.outputs.pop_front()
    }

    /// The timer that runs now.
    pub fn poll_timeout(&self) -> Option<Timeout> {
        let (config, epochs) = (&self.context.config, &self.context.epochs);
        let kind = self.timer()?;
        let (after, epoch) = match kind {
            TimeoutKind::Login => (config.login_timeout, epochs.login),
            TimeoutKind::Idle => (config.idle_timeout, epochs.idle),
            TimeoutKind::DataOpen => (config.data_open_timeout, epochs.data_open),
            TimeoutKind::DataStall => (config.data_stall_timeout, epochs.data_stall),
        };
        after.map(|after| Timeout { kind, after, epoch })
    }

    /// Whether a further command line would be taken now. While it is false, leave the bytes in the
    /// socket: the client is held by TCP.
    pub fn wants_input(&self) -> bool {
        let is_opening = match &self.phase {
            Phase::Closed => return false,
            Phase::Login(_) => false,
            Phase::Ready(ready) => ready.is_opening(),
        };
        match &self.context.question {
            Question::None | Question::Passive { .. } => !is_opening && !self.held.is_full(),
            Question::Authenticate | Question::Tls { .. } | Question::File(..) => false,
        }
    }

    /// What this client would be told by PASV now, and why.
    pub fn announcement(&self) -> Announcement {
        self.context.announcement()
    }

    /// What the client was told last, as long as it may still come.
    pub fn passive_offer(&self) -> Option<&PassiveOffer> {
        self.context.offer.as_ref()
    }

    /// The last data connection that never came.
    pub fn never_connected(&self) -> Option<&NeverConnected> {
        self.context.never_connected.as_ref()
    }

    /// The two ends of the control connection.
    pub fn endpoints(&self) -> &Endpoints {
        &self.context.endpoints
    }

    /// The name that logged in.
    pub fn user(&self) -> Option<&[u8]> {
        match &self.phase {
            Phase::Ready(ready) => Some(&ready.user),
            Phase::Login(_) | Phase::Closed => None,
        }
    }

    /// Whether the session is over; nothing but the outputs that are still queued will come.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Whether commands must wait: for a transfer, or for the answer to a question.
    fn is_busy(&self) -> bool {
        let is_transferring = match &self.phase {
            Phase::Ready(ready) => ready.has_transfer(),
            Phase::Login(_) | Phase::Closed => false,
        };
        is_transferring || self.context.has_question()
    }

    /// Executes one command line. `followed`: the client has sent more bytes after it.
    fn execute(&mut self, line: &[u8], followed: bool) {
        let line = CommandLine::parse(line);
        let flow = match &mut self.phase {
            Phase::Login(login) => login.execute(&mut self.context, line, followed),
            Phase::Ready(ready) => ready.execute(&mut self.context, line, followed),
            Phase::Closed => Flow::Stay,
        };
        self.apply(flow);
    }

    /// Hands an outcome to the phase that has asked for it. `None`: it was not asked.
    fn answer(&mut self, outcome: Outcome) -> Option<Flow> {
        let context = &mut self.context;
        let was_asked = match (outcome, &mut self.phase) {
            (Outcome::Tls(result), _) => return self.tls_ended(result.is_ok()),
            (Outcome::Authenticated(permissions), Phase::Login(login)) => {
                return login.authenticated(context, permissions);
            }
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
                | Outcome::File(_)
                | Outcome::PassiveOpened(_)
                | Outcome::TransferOpened(_)
                | Outcome::TransferEnded { .. },
                Phase::Login(_) | Phase::Ready(_) | Phase::Closed,
            ) => false,
        };
        was_asked.then_some(Flow::Stay)
    }

    /// The TLS handshake on the control connection is over. `None`: it was not asked.
    fn tls_ended(&mut self, is_protected: bool) -> Option<Flow> {
        let Question::Tls { greet } = self.context.question else {
            return None;
        };
        self.context.question = Question::None;
        if !is_protected {
            return Some(Flow::Close(None));
        }
        if greet {
            let greeting = Reply::greeting(&self.context.config.banner);
            self.context.reply(greeting);
            return Some(Flow::Stay);
        }
        // An earlier login was in clear text: it does not count.
        if let Phase::Ready(ready) = &mut self.phase {
            ready.log_out(&mut self.context);
        }
        Some(Flow::Login(Login::default()))
    }

    fn apply(&mut self, flow: Flow) {
        match flow {
            Flow::Stay => {}
            Flow::Login(login) => self.phase = Phase::Login(login),
            Flow::Ready(ready) => self.phase = Phase::Ready(ready),
            Flow::Close(farewell) => self.close(farewell),
        }
    }

    /// What the session waits for, whether or not the time is limited.
    fn timer(&self) -> Option<TimeoutKind> {
        let ready = match &self.phase {
            Phase::Login(_) => return Some(TimeoutKind::Login),
            Phase::Ready(ready) => ready,
            Phase::Closed => return None,
        };
        if ready.has_transfer() {
            return ready.transfer_timer();
        }
        // Where a port may wait without limit, it must not keep an idle client connected. A question that is
        // open meanwhile gives the client no more time.
        if ready.awaits_client() && self.context.config.data_open_timeout.is_some() {
            return Some(TimeoutKind::DataOpen);
        }
        match self.context.question {
            // Of the questions, the TLS handshake is the one that waits for the client.
            Question::None | Question::Tls { .. } => Some(TimeoutKind::Idle),
            Question::Authenticate | Question::File(..) | Question::Passive { .. } => None,
        }
    }

    fn close(&mut self, farewell: Option<Reply>) {
        match &mut self.phase {
            Phase::Closed => return,
            Phase::Login(_) => {}
            Phase::Ready(ready) => {
                ready.abort_transfer(&mut self.context, AbortReason::Requested);
            }
        }
        // During a handshake, a reply in clear text would only look like a broken handshake.
        let question = mem::replace(&mut self.context.question, Question::None);
        if let Some(farewell) = farewell.filter(|_| !matches!(question, Question::Tls { .. })) {
            self.context.reply(farewell);
        }
        self.context.push_action(Action::Close);
        self.phase = Phase::Closed;
        self.held = Held::default();
    }
}
