//! A simulated driver around [`Session`]: no socket, no clock, one ordered log.
//!
//! It also is the judge: whatever happens in any test or fuzz run, the rules that hold always are
//! checked here, and a broken one panics.

mod describe;
mod outputs;
mod replies;
mod timers;
mod values;

use std::sync::Arc;

use ftp_proto::{
    Config, Endpoints, FileRequest, Misuse, Outcome, Permissions, Session, Timeout, TimeoutKind,
    TransferError, TransferId, TransferRequest,
};

use replies::Unanswered;
use timers::Epochs;
use values::is_answer_to;

/// The driver, and what it knows.
pub struct Sim {
    session: Session,
    config: Arc<Config>,
    endpoints: Endpoints,
    /// What the client has sent and the session has not taken.
    buffer: Vec<u8>,
    question: Option<Question>,
    running: Option<Running>,
    /// The port that the next 227 or 229 must tell.
    bound: Option<u16>,
    log: Vec<String>,
    codes: Vec<u16>,
    unanswered: Unanswered,
    actions: usize,
    lines_taken: usize,
    /// Whether a line has been answered, as too long, whose end is still to come.
    mid_line: bool,
    transfers: Vec<TransferId>,
    /// The transfer that has been opened and not been started.
    opened: Option<TransferId>,
    /// A passive port is open, and nobody has come to it.
    is_listening: bool,
    /// What was announced last is neither connected nor missed.
    offer_open: bool,
    /// How many data connections have been missed.
    never_connected: u32,
    closing: bool,
    epochs: Epochs,
}

/// The action that waits for its outcome.
#[derive(Clone, Debug)]
pub enum Question {
    /// With the password.
    Authenticate(Vec<u8>),
    File(FileRequest),
    Passive,
    Transfer(TransferRequest),
    Tls,
}

#[derive(Clone, Debug)]
struct Running {
    id: TransferId,
    passive: bool,
    connected: bool,
    aborted: bool,
}

impl Sim {
    /// A new connection; the greeting is in the log.
    pub fn new(config: Config, endpoints: Endpoints) -> Self {
        let config = Arc::new(config);
        let session = Session::new(config.clone(), endpoints);
        Self::with(session, config, endpoints)
    }

    /// A new connection with a client that begins with TLS; the greeting comes after it.
    pub fn with_implicit_tls(config: Config, endpoints: Endpoints) -> Self {
        let config = Arc::new(config);
        let session = Session::with_implicit_tls(config.clone(), endpoints);
        Self::with(session, config, endpoints)
    }

    fn with(session: Session, config: Arc<Config>, endpoints: Endpoints) -> Self {
        let mut sim = Self {
            session,
            config,
            endpoints,
            buffer: Vec::new(),
            question: None,
            running: None,
            bound: None,
            log: Vec::new(),
            codes: Vec::new(),
            unanswered: Unanswered::default(),
            actions: 0,
            lines_taken: 0,
            mid_line: false,
            transfers: Vec::new(),
            opened: None,
            is_listening: false,
            offer_open: false,
            never_connected: 0,
            closing: false,
            epochs: Epochs::default(),
        };
        sim.drain();
        sim
    }

    /// Logs in, so that a test may begin there.
    pub fn log_in(&mut self, permissions: Permissions) {
        self.send(b"USER joe\r\nPASS secret\r\n");
        self.answer(Outcome::Authenticated(Some(permissions)));
        assert_eq!(self.session.user(), Some(&b"joe"[..]));
    }

    /// The client sends bytes, and they arrive at once.
    pub fn send(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.take();
    }

    /// The client sends bytes, and they arrive one by one.
    pub fn send_bytewise(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.send(&[*byte]);
        }
    }

    /// The client sends bytes, and between two lines the driver does what `act` does, until it
    /// returns false.
    pub fn send_with(&mut self, bytes: &[u8], mut act: impl FnMut(&mut Self) -> bool) {
        self.buffer.extend_from_slice(bytes);
        while self.take_line() || act(self) {
            while act(self) {}
        }
    }

    /// Answers an action, which must fit, and offers the input that has waited for it.
    pub fn answer(&mut self, outcome: Outcome) {
        self.answer_only(outcome);
        self.take();
    }

    /// Answers an action and leaves the input alone.
    pub fn answer_only(&mut self, outcome: Outcome) {
        let shown = format!("{outcome:?}");
        self.try_answer(outcome)
            .unwrap_or_else(|misuse| panic!("{misuse}: {shown}\n{}", self.log.join("\n")));
    }

    /// Answers an action; an answer that does not fit must change nothing.
    pub fn try_answer(&mut self, outcome: Outcome) -> Result<(), Misuse> {
        let closed = self.session.is_closed();
        let fits = closed || self.fits(&outcome);
        let timeout = self.session.poll_timeout();
        let codes = self.codes.len();
        if let Outcome::PassiveOpened(Ok(port)) = outcome {
            self.bound = Some(port);
        }
        let ended = match &outcome {
            Outcome::TransferEnded { result, .. } if fits && !closed => Some(*result),
            _ => None,
        };
        let result = self.session.handle_outcome(outcome.clone());
        assert_eq!(result.is_ok(), fits, "{outcome:?}\n{}", self.log.join("\n"));
        if result.is_err() {
            assert_eq!(self.session.poll_output(), None);
            assert_eq!(self.session.poll_timeout(), timeout);
            return result;
        }
        if let Outcome::TransferOpened(Ok(_)) = outcome
            && !closed
        {
            self.opened = self.transfers.last().copied();
        }
        match ended {
            Some(_) => self.running = None,
            None => self.question = None,
        }
        self.drain();
        if let Some(result) = ended {
            let code = self.codes[codes];
            assert_eq!(
                code == 226,
                result.is_ok(),
                "{result:?} was answered {code}"
            );
        }
        Ok(())
    }

    /// The running transfer ends; without one nothing happens.
    pub fn end_transfer(&mut self, result: Result<(), TransferError>) {
        self.end_only(result);
        self.take();
    }

    /// The running transfer ends, and the input is left alone.
    pub fn end_only(&mut self, result: Result<(), TransferError>) {
        if let Some(Running { id, .. }) = self.running {
            self.answer_only(Outcome::TransferEnded {
                transfer: id,
                result,
            });
        }
    }

    /// The data connection is established.
    pub fn data_connected(&mut self) {
        self.offer_open = false;
        self.is_listening = false;
        if let Some(running) = &mut self.running {
            running.connected = true;
        }
        self.session.handle_data_connected();
        self.drain();
    }

    /// TLS is established on the data connection.
    pub fn data_protected(&mut self) {
        self.session.handle_data_protected();
        self.drain();
    }

    /// A passive port has been closed, and nobody came.
    pub fn data_never_connected(&mut self) {
        self.count_never_connected();
        let outputs = self.codes.len() + self.actions;
        self.session.handle_data_never_connected();
        self.drain();
        assert_eq!(outputs, self.codes.len() + self.actions);
    }

    /// A passive port is needed by others. That only ever ends the wait for a client.
    pub fn port_withdrawn(&mut self) {
        let awaits_client = match &self.running {
            Some(running) => running.passive && !running.connected && !running.aborted,
            None => self.is_listening,
        };
        if awaits_client {
            self.count_never_connected();
        }
        let actions = self.actions;
        self.session.handle_port_withdrawn();
        self.drain();
        assert_eq!(self.actions - actions, usize::from(awaits_client));
    }

    /// Bytes of the running transfer have moved; without one the report is about an old one.
    pub fn progress(&mut self, bytes_total: u64) {
        if let Some(transfer) = self.transfers.last() {
            self.session.handle_progress(*transfer, bytes_total);
            self.drain();
        }
    }

    /// A timer fires; one that does not run now must change nothing.
    pub fn fire(&mut self, timeout: Timeout) {
        let current = self.session.poll_timeout();
        let outputs = self.codes.len() + self.actions;
        let passive = self.running.as_ref().is_none_or(|running| running.passive);
        if current == Some(timeout) && timeout.kind == TimeoutKind::DataOpen && passive {
            self.count_never_connected();
        }
        self.session.handle_timeout(timeout);
        self.drain();
        if current != Some(timeout) {
            assert_eq!(
                outputs,
                self.codes.len() + self.actions,
                "stale: {timeout:?}"
            );
            assert_eq!(current, self.session.poll_timeout());
        }
    }

    /// The client's end of the control connection is gone.
    pub fn eof(&mut self) {
        self.session.handle_eof();
        self.drain();
        assert!(self.session.is_closed());
    }

    /// The server stops.
    pub fn shutdown(&mut self) {
        self.session.handle_shutdown();
        self.drain();
        assert!(self.session.is_closed());
    }

    /// New settings, from a change of the old ones.
    pub fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        let mut config = Config::clone(&self.config);
        change(&mut config);
        self.config = Arc::new(config);
        self.session.handle_config(self.config.clone());
        self.drain();
    }

    /// Answers whatever is open, ends what runs, until nothing is left to do.
    pub fn settle(&mut self, mut answer: impl FnMut(&Question) -> Outcome) {
        while !self.session.is_closed() {
            if let Some(question) = &self.question {
                let outcome = answer(question);
                self.answer(outcome);
            } else if self.running.is_some() {
                self.end_transfer(Ok(()));
            } else {
                return;
            }
        }
    }

    /// Whether the session still is of use: it takes input and answers a NOOP. A line that was left
    /// unfinished is finished first.
    pub fn assert_alive(&mut self, mut answer: impl FnMut(&Question) -> Outcome) {
        self.settle(&mut answer);
        self.send(b"\r\n");
        self.settle(&mut answer);
        if self.session.is_closed() {
            return;
        }
        assert!(self.session.wants_input(), "{}", self.log.join("\n"));
        assert_eq!(self.buffer, b"", "input is left\n{}", self.log.join("\n"));
        let before = self.codes.len();
        self.send(b"NOOP\r\n");
        assert_eq!(self.codes[before..], [200], "{}", self.log.join("\n"));
    }

    /// Whether each command line has had exactly one final reply. The greeting is one more, and a
    /// session that closes owes none for lines that it holds.
    pub fn assert_replies_counted(&self) {
        let final_replies = self.codes.iter().filter(|&&code| code >= 200).count();
        let expected = 1 + self.lines_taken + usize::from(self.mid_line);
        let log = self.log.join("\n");
        if self.session.is_closed() {
            assert!(final_replies <= expected + 1, "{log}");
        } else {
            assert_eq!(final_replies, expected, "{log}");
        }
    }

    pub fn question(&self) -> Option<&Question> {
        self.question.as_ref()
    }

    /// Whether a transfer runs.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether the transfer that runs has been told to end.
    pub fn is_aborting(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.aborted)
    }

    /// Every reply and action so far, one line of text or several for each.
    pub fn log(&self) -> &[String] {
        &self.log
    }

    /// What has been sent and not been taken.
    pub fn waiting(&self) -> &[u8] {
        &self.buffer
    }

    /// The codes of the replies so far.
    pub fn codes(&self) -> &[u16] {
        &self.codes
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Timers that have run at some time, and perhaps still do.
    pub fn timeouts_seen(&self) -> &[Timeout] {
        &self.epochs.seen
    }

    /// The transfers that have been asked for, the one that runs included.
    pub fn transfers(&self) -> &[TransferId] {
        &self.transfers
    }

    fn fits(&self, outcome: &Outcome) -> bool {
        match (outcome, &self.question) {
            (Outcome::Authenticated(_), Some(Question::Authenticate(_)))
            | (Outcome::PassiveOpened(_), Some(Question::Passive))
            | (Outcome::TransferOpened(_), Some(Question::Transfer(_)))
            | (Outcome::Tls(_), Some(Question::Tls))
            | (Outcome::File(Err(_)), Some(Question::File(_))) => true,
            (Outcome::File(Ok(answer)), Some(Question::File(request))) => {
                is_answer_to(answer, request)
            }
            (Outcome::TransferEnded { transfer, .. }, _) => {
                matches!(&self.running, Some(running) if running.id == *transfer)
            }
            _ => false,
        }
    }

    /// Offers the buffer until nothing more is taken, as a driver does.
    pub fn take(&mut self) {
        while self.take_line() {}
    }

    fn take_line(&mut self) -> bool {
        let wanted = self.session.wants_input();
        let used = self.session.handle_input(&self.buffer);
        assert!(wanted || used == 0, "input taken that was not wanted");
        let taken: Vec<u8> = self.buffer.drain(..used).collect();
        self.lines_taken += taken.iter().filter(|&&byte| byte == b'\n').count();
        if let Some(last) = taken.last() {
            if !self.mid_line {
                self.unanswered.took(&taken);
            }
            self.mid_line = *last != b'\n';
        }
        self.drain();
        used > 0
    }
}
