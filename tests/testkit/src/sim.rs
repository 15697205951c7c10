//! A simulated driver of a [`Session`]: no socket, no clock, one ordered log.
//!
//! It also checks the rules that hold in every session, in all tests and fuzz runs, and panics if
//! one is broken.

mod describe;
mod end;
mod outputs;
mod replies;
mod timers;
mod values;

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use ftp_proto::{
    Account, Bound, Config, DataEvent, DataId, Endpoints, FileAnswer, FileRequest, Kept, Misuse,
    Outcome, PeerVerdict, Rights, Session, Timeout, TimeoutKind, TransferError, TransferId,
    TransferRequest,
};

use replies::Unanswered;
use timers::Epochs;
use values::is_answer_to;

/// The driver and its state.
pub struct Sim {
    session: Session,
    config: Arc<Config>,
    /// Foreign addresses are permitted, or were so before.
    may_be_foreign: bool,
    endpoints: Endpoints,
    /// What the client has sent and the session has not taken.
    buffer: Vec<u8>,
    question: Option<Question>,
    /// The digest that is being computed is being aborted.
    is_hash_aborted: bool,
    running: Option<Running>,
    /// The port that the next 227 or 229 must announce.
    bound: Option<Bound>,
    log: Vec<String>,
    codes: Vec<u16>,
    unanswered: Unanswered,
    actions: usize,
    lines_taken: usize,
    /// Whether an overlong line already has its reply, but its end has not arrived.
    mid_line: bool,
    transfers: Vec<TransferId>,
    /// The last transfer is an upload.
    is_upload: bool,
    /// The transfer that is opened and not started.
    opened: Option<TransferId>,
    /// All data connections and passive listeners so far.
    data: Vec<DataId>,
    /// The passive port that is open while the client has not connected.
    listening: Option<DataId>,
    /// The data connection that was reported for another host and is the client's no sooner than
    /// it connects.
    stranger: Option<DataId>,
    /// The last passive offer, while it is neither connected nor counted as never connected.
    offer: Option<DataId>,
    /// A command was refused since that offer. If it was a transfer, that is why the client need
    /// not connect.
    has_refused: bool,
    /// The number of data connections that the client never opened.
    never_connected: u32,
    /// The client has sent QUIT.
    has_quit: bool,
    /// The client can send no more.
    has_ended: bool,
    closing: bool,
    epochs: Epochs,
    /// The account of the last login.
    account: Account,
}

/// The action that waits for its outcome.
#[derive(Clone, Debug)]
pub enum Question {
    /// The password.
    Authenticate(Vec<u8>),
    /// The operation.
    File(FileRequest),
    /// A passive port.
    Passive,
    /// The transfer to open.
    Transfer(TransferRequest),
    /// The handshake on the control connection.
    Tls,
}

#[derive(Clone, Debug)]
struct Running {
    id: TransferId,
    data: DataId,
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

    /// A new connection with a client that starts TLS at once; the greeting follows the handshake.
    pub fn with_implicit_tls(config: Config, endpoints: Endpoints) -> Self {
        let config = Arc::new(config);
        let session = Session::with_implicit_tls(config.clone(), endpoints);
        Self::with(session, config, endpoints)
    }

    fn with(session: Session, config: Arc<Config>, endpoints: Endpoints) -> Self {
        let mut sim = Self {
            session,
            may_be_foreign: config.permit_foreign_addresses,
            config,
            endpoints,
            buffer: Vec::new(),
            question: None,
            is_hash_aborted: false,
            running: None,
            bound: None,
            log: Vec::new(),
            codes: Vec::new(),
            unanswered: Unanswered::default(),
            actions: 0,
            lines_taken: 0,
            mid_line: false,
            transfers: Vec::new(),
            is_upload: false,
            opened: None,
            data: Vec::new(),
            listening: None,
            stranger: None,
            offer: None,
            has_refused: false,
            never_connected: 0,
            has_quit: false,
            has_ended: false,
            closing: false,
            epochs: Epochs::default(),
            account: Account::new(Rights::NONE),
        };
        sim.drain();
        sim
    }

    /// Logs in, for tests that begin after a login.
    pub fn log_in(&mut self, account: impl Into<Account>) {
        self.send(b"USER joe\r\nPASS secret\r\n");
        self.answer(Outcome::Authenticated(Some(account.into())));
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

    /// The client sends bytes. Between two lines the driver calls `act` until it returns false.
    pub fn send_with(&mut self, bytes: &[u8], mut act: impl FnMut(&mut Self) -> bool) {
        self.buffer.extend_from_slice(bytes);
        while self.take_line() || act(self) {
            while act(self) {}
        }
    }

    /// Answers an action with a valid outcome, then passes the input that waited for it.
    pub fn answer(&mut self, outcome: Outcome) {
        self.answer_only(outcome);
        self.take();
    }

    /// Answers `OpenPassive` with this port, which is not 0.
    pub fn open_port(&mut self, port: u16) {
        let port = NonZeroU16::new(port).expect("a port");
        self.answer(Outcome::PassiveOpened(Ok(Bound::new(port))));
    }

    /// Answers an action without passing waiting input.
    pub fn answer_only(&mut self, outcome: Outcome) {
        let shown = format!("{outcome:?}");
        self.try_answer(outcome)
            .unwrap_or_else(|misuse| panic!("{misuse}: {shown}\n{}", self.log.join("\n")));
    }

    /// Answers an action. An outcome that answers no open action refuses the one that is open, if
    /// there is one.
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
        if let Outcome::Authenticated(Some(account)) = &outcome
            && fits
        {
            self.account = account.clone();
        }
        // Other batches follow.
        let is_open =
            matches!(&outcome, Outcome::File(Ok(FileAnswer::Entries(batch))) if !batch.is_last);
        let result = self.session.handle_outcome(outcome.clone());
        assert_eq!(result.is_ok(), fits, "{outcome:?}\n{}", self.log.join("\n"));
        if result.is_err() {
            if self.question.take().is_none() {
                assert_eq!(self.session.poll_timeout(), timeout);
                assert!(self.session.poll_output().is_none());
            }
            self.drain();
            return result;
        }
        if let Outcome::TransferOpened(Ok(_)) = outcome
            && !closed
        {
            self.opened = self.transfers.last().copied();
        }
        match ended {
            Some(_) => self.running = None,
            None if is_open => {}
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

    /// The running transfer ends; without one this does nothing.
    pub fn end_transfer(&mut self, result: Result<(), TransferError>) {
        self.end_only(result);
        self.take();
    }

    /// The running transfer ends; waiting input is not passed.
    pub fn end_only(&mut self, result: Result<(), TransferError>) {
        if let Some(Running { id, .. }) = self.running {
            self.answer_only(Outcome::TransferEnded {
                transfer: id,
                result,
            });
        }
    }

    /// The client opens the data connection; without one to open, this is an event that comes late.
    pub fn data_connected(&mut self) {
        let Some(data) = self.last_data() else {
            return;
        };
        let peer = match (&self.running, self.endpoints.peer().ip()) {
            // Where the server connects to, its peer need not be the client.
            (Some(running), _) if !running.passive => IpAddr::from([203, 0, 113, 99]),
            (_, client) => {
                assert_eq!(self.session.judge_peer(client), PeerVerdict::Client);
                client
            }
        };
        self.connected(data);
        self.event(data, DataEvent::Connected(peer));
    }

    /// Another host connects to the passive port, and the driver reports it. If the settings do not
    /// permit it, this must change nothing, and neither may what the stranger sends.
    pub fn stranger_connected(&mut self) {
        let stranger = IpAddr::from([203, 0, 113, 99]);
        let is_passive = self.running.as_ref().is_none_or(|running| running.passive);
        let Some(data) = self.last_data().filter(|_| is_passive) else {
            return;
        };
        match self.session.judge_peer(stranger) {
            PeerVerdict::Client => {
                self.connected(data);
                self.event(data, DataEvent::Connected(stranger));
            }
            PeerVerdict::Stranger => {
                let is_awaited = match &self.running {
                    Some(running) => !running.connected,
                    None => self.listening == Some(data),
                };
                if is_awaited {
                    self.stranger = Some(data);
                }
                self.ignored_event(data, DataEvent::Connected(stranger));
            }
        }
    }

    /// An event of a data connection that is not set up any more: it must change nothing.
    pub fn late_event(&mut self, event: DataEvent) {
        let late = self.data.iter().rev().nth(1).copied();
        if let Some(data) = late.filter(|data| Some(*data) != self.offer) {
            self.ignored_event(data, event);
        }
    }

    fn ignored_event(&mut self, data: DataId, event: DataEvent) {
        let outputs = self.codes.len() + self.actions;
        let timeout = self.session.poll_timeout();
        self.event(data, event);
        assert_eq!(outputs, self.codes.len() + self.actions, "{event:?}");
        assert_eq!(timeout, self.session.poll_timeout(), "{event:?}");
    }

    fn event(&mut self, data: DataId, event: DataEvent) {
        self.session.handle_data(data, event);
        self.drain();
    }

    /// What a connection of the client changes.
    fn connected(&mut self, data: DataId) {
        if self.session.is_closed() {
            return;
        }
        match &mut self.running {
            Some(running) if running.data == data => running.connected = true,
            None if self.listening == Some(data) => self.listening = None,
            Some(_) | None => return,
        }
        self.stranger = None;
        self.offer.take_if(|offer| *offer == data);
    }

    /// Bytes move, or could: this implies that the client has connected, unless it was another host
    /// that did.
    fn moved(&mut self, event: DataEvent) {
        let Some(data) = self.last_data() else {
            return;
        };
        if self.stranger == Some(data) {
            return self.ignored_event(data, event);
        }
        if self.running.is_some() {
            self.connected(data);
        }
        self.event(data, event);
    }

    /// TLS is established on the data connection.
    pub fn data_protected(&mut self) {
        self.moved(DataEvent::Protected);
    }

    /// A passive port has been closed, and the client had not connected.
    pub fn data_never_connected(&mut self) {
        if let Some(data) = self.offer.or(self.last_data()) {
            self.count_never_connected();
            self.ignored_event(data, DataEvent::NeverConnected);
        }
    }

    /// Other sessions need the passive port. This may only end the wait for the client.
    pub fn port_withdrawn(&mut self) {
        let awaits_client = match &self.running {
            Some(running) => running.passive && !running.connected && !running.aborted,
            None => self.listening.is_some(),
        };
        let Some(data) = self.last_data() else {
            return;
        };
        if awaits_client {
            self.count_never_connected();
        }
        let actions = self.actions;
        self.event(data, DataEvent::Withdrawn);
        assert_eq!(self.actions - actions, usize::from(awaits_client));
    }

    /// Bytes of the running transfer have moved; without one the report is for an old transfer.
    pub fn progress(&mut self, bytes_total: u64) {
        self.moved(DataEvent::Progress(bytes_total));
    }

    /// The running listing has shown this number of entries.
    pub fn entries(&mut self, shown: u64) {
        if let Some(data) = self.last_data() {
            self.event(data, DataEvent::Entries(shown));
        }
    }

    /// What the running upload, which fails, leaves.
    pub fn kept(&mut self, kept: Kept) {
        if let Some(data) = self.last_data() {
            self.event(data, DataEvent::Kept(kept));
        }
    }

    fn last_data(&self) -> Option<DataId> {
        self.data.last().copied()
    }

    /// A timer expires; if it does not run now, this must change nothing.
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

    /// Changes the settings.
    pub fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        let mut config = Config::clone(&self.config);
        change(&mut config);
        self.may_be_foreign |= config.permit_foreign_addresses;
        self.config = Arc::new(config);
        self.session.handle_config(self.config.clone());
        self.drain();
    }

    /// Answers open actions and ends transfers until none is left.
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

    /// Checks that the session still works: it uses input and replies to NOOP. An incomplete line
    /// is completed first.
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

    /// Checks that each command line has exactly one final reply, and the greeting is one more. A
    /// session that closes sends no reply to held lines.
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

    /// The action that waits for its outcome.
    pub fn question(&self) -> Option<&Question> {
        self.question.as_ref()
    }

    /// Whether a transfer runs.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether the running transfer is being aborted.
    pub fn is_aborting(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.aborted)
    }

    /// Whether a digest is being computed: the session takes input meanwhile.
    pub fn is_hashing(&self) -> bool {
        matches!(self.question, Some(Question::File(FileRequest::Hash(_))))
    }

    /// All replies and actions so far, one or more lines of text for each.
    pub fn log(&self) -> &[String] {
        &self.log
    }

    /// The bytes that the client has sent and the session has not used.
    pub fn waiting(&self) -> &[u8] {
        &self.buffer
    }

    /// The codes of the replies so far.
    pub fn codes(&self) -> &[u16] {
        &self.codes
    }

    /// The session, to look at.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// All timers that have run so far, with the one that runs now.
    pub fn timeouts_seen(&self) -> &[Timeout] {
        &self.epochs.seen
    }

    /// All transfers so far, with the one that runs now.
    pub fn transfers(&self) -> &[TransferId] {
        &self.transfers
    }

    fn fits(&self, outcome: &Outcome) -> bool {
        match (outcome, &self.question) {
            (
                Outcome::Authenticated(_)
                | Outcome::ShareUnavailable
                | Outcome::AddressBlocked
                | Outcome::TooManySessions
                | Outcome::TlsRequired,
                Some(Question::Authenticate(_)),
            )
            | (Outcome::PassiveOpened(_), Some(Question::Passive))
            | (Outcome::TransferOpened(_), Some(Question::Transfer(_)))
            | (Outcome::Tls { .. }, Some(Question::Tls))
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

    /// Passes waiting input until the session uses no more, as a driver does.
    pub fn take(&mut self) {
        while self.take_line() {}
    }

    fn take_line(&mut self) -> bool {
        let wanted = self.session.wants_input();
        let may_be_foreign = self.session.user().is_none() && !self.session.is_closed();
        let used = self.session.handle_input(&self.buffer);
        assert!(wanted || used == 0, "input taken that was not wanted");
        let taken: Vec<u8> = self.buffer.drain(..used).collect();
        self.lines_taken += taken.iter().filter(|&&byte| byte == b'\n').count();
        if let Some(last) = taken.last() {
            if !self.mid_line {
                let has_reply = self.unanswered.took(&taken);
                self.lines_taken -= usize::from(!has_reply);
                self.note_quit(&taken);
            }
            self.mid_line = *last != b'\n';
        }
        let replies = self.codes.len();
        self.drain();
        if may_be_foreign && self.session.foreign_protocol().is_some() {
            assert!(self.session.is_closed() && used > 0, "it goes on");
            assert_eq!(self.codes.len(), replies, "a reply to what is not FTP");
        }
        used > 0
    }
}
