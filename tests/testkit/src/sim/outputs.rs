//! The outputs of the session: each reply and action is checked and logged, and changes the
//! driver's state.

use std::net::{IpAddr, SocketAddr};

use ftp_proto::limits::HELD_LINES_MAX;
use ftp_proto::{
    Action, DataConnection, DataId, FileRequest, FtpPath, Output, Reach, Reply, Right, TimeoutKind,
    TransferRequest, TransferStart,
};

use super::describe::describe;
use super::values::{check_path, file_paths, right_of_request, rights_of_transfer, translated};
use super::{Question, Running, Sim};
use crate::reply_parser;
use crate::text::show;

/// The maximum number of outputs for one input: two for each held line, and a few more.
const OUTPUTS_MAX: usize = 2 * HELD_LINES_MAX + 4;

impl Sim {
    pub(super) fn drain(&mut self) {
        // An offer whose transfer was refused does not count.
        let never_connected = self.session.never_connected().map_or(0, |last| last.number);
        if self.has_refused && never_connected + 1 == self.never_connected {
            self.never_connected = never_connected;
        }
        let mut outputs = 0;
        let mut last_code = None;
        while let Some(output) = self.session.poll_output() {
            outputs += 1;
            assert!(outputs <= OUTPUTS_MAX, "too many outputs for one input");
            let is_last = matches!(output, Output::Action(Action::CloseNow));
            assert!(
                !self.closing || is_last,
                "an output after Close: {output:?}"
            );
            last_code = match output {
                Output::Reply(reply) => Some(self.reply(&reply)),
                Output::Action(action) => {
                    self.action(action, last_code);
                    None
                }
            };
        }
        assert!(
            !matches!(last_code, Some(150 | 234)),
            "an action is missing after the reply"
        );
        assert_eq!(self.session.is_closed(), self.closing);
        self.check_end();
        assert_eq!(self.session.passive_offer().is_some(), self.offer.is_some());
        let never_connected = self.session.never_connected().map_or(0, |last| last.number);
        assert_eq!(never_connected, self.never_connected);
        if let Some(timeout) = self.session.poll_timeout() {
            let is_flush = timeout.kind == TimeoutKind::Flush;
            assert_eq!(is_flush, self.closing, "{timeout:?}");
            let running = self.running.as_ref().map(|running| running.id);
            let logged_in = self.session.user().is_some();
            self.epochs.check(timeout, logged_in, running);
        }
    }

    fn reply(&mut self, reply: &Reply) -> u16 {
        let mut bytes = Vec::new();
        reply.encode(&mut bytes);
        let read = reply_parser::parse(&bytes)
            .unwrap_or_else(|fault| panic!("{fault}: {}", bytes.escape_ascii()));
        assert_eq!(read.code, reply.code());
        let lines = bytes.strip_suffix(b"\r\n").unwrap_or(&bytes);
        for line in show(lines).split("\\r\\n") {
            self.log.push(format!("S: {line}"));
        }
        self.codes.push(read.code);
        self.has_refused |= read.code >= 400;
        let is_status = bytes.starts_with(b"211-Status:");
        self.unanswered
            .replied(read.code, is_status, &self.config.denied_commands);
        self.epochs.login_renewed |= read.code == 230;
        self.check_announcement(&read);
        if is_status {
            self.check_status(&show(&bytes));
        }
        read.code
    }

    /// STAT reports the data connections that the client never opened.
    fn check_status(&self, status: &str) {
        if status.contains(" Logged in as ") {
            assert_eq!(
                status.contains(" did not arrive"),
                self.never_connected > 0,
                "{status}"
            );
        }
    }

    /// 227 and 229 announce the port that was just bound, and the result of the lookup.
    fn check_announcement(&mut self, reply: &reply_parser::ParsedReply) {
        let bound = self.bound.take();
        let announced = match reply.code {
            227 => reply_parser::parse_227(reply).map(|(address, port)| (Some(address), port)),
            229 => reply_parser::parse_229(reply).map(|port| (None, port)),
            _ => return,
        };
        let (address, port) = announced.expect("the reply parser has parsed it");
        let rules = &self.config.masquerade;
        let lookup = rules.lookup(&self.endpoints);
        if let Some(address) = address {
            assert_eq!(IpAddr::from(address), lookup.address);
        }
        let bound = bound.expect("no port has been bound for this reply");
        assert_eq!(port, translated(rules, lookup.port, bound));
        let offer = self.session.passive_offer().expect("a passive offer");
        assert_eq!((offer.announcement, offer.port), (lookup, port));
        assert_eq!(offer.with_address, address.is_some());
        self.offer = self.last_data();
        self.has_refused = false;
        self.listening = self.last_data();
        self.epochs.data_open_renewed = true;
    }

    fn action(&mut self, action: Action, last_code: Option<u16>) {
        self.actions += 1;
        self.log.push(format!("A: {}", describe(&action)));
        match action {
            Action::CloseData(data) => {
                assert_eq!(Some(data), self.last_data(), "another one was set up");
                self.listening = None;
            }
            Action::AbortTransfer(id) => {
                // A transfer that is only opened is dropped.
                if self.opened.take() == Some(id) {
                    return;
                }
                let running = self.running.as_mut().expect("nothing runs");
                assert_eq!(running.id, id);
                assert!(!running.aborted, "aborted twice");
                running.aborted = true;
            }
            Action::StartTransfer(start) => self.start(start, false, last_code),
            Action::StartProtectedTransfer(start) => self.start(start, true, last_code),
            Action::Close => {
                self.closing = true;
                self.listening = None;
            }
            Action::CloseNow => assert!(self.closing, "only after Close"),
            Action::Authenticate { password, .. } => {
                self.ask(Question::Authenticate(password.expose().to_vec()));
            }
            Action::OpenPassive(data) => {
                self.new_data(data);
                self.ask(Question::Passive);
            }
            Action::StartTls => {
                // Implicit TLS is the first action of a session.
                assert!(last_code == Some(234) || self.log.len() == 1);
                self.ask(Question::Tls);
            }
            Action::File(request) => self.file_request(request),
            Action::AbortFile => {
                assert!(self.is_hashing(), "no digest is being computed");
                assert!(!self.is_hash_aborted, "aborted twice");
                self.is_hash_aborted = true;
            }
            Action::OpenTransfer(request) => self.transfer_request(request),
        }
    }

    fn file_request(&mut self, request: FileRequest) {
        let right = right_of_request(&request);
        for path in file_paths(&request) {
            check_path(path);
            self.check_right(path, right);
        }
        if let FileRequest::Rename { to, replace, .. } = &request {
            let may_replace = self.account.allows(to, Right::Overwrite);
            assert_eq!(*replace, may_replace, "{to}");
        }
        self.is_hash_aborted = false;
        self.ask(Question::File(request));
    }

    fn transfer_request(&mut self, request: TransferRequest) {
        let path = request.kind.path();
        check_path(path);
        for right in rights_of_transfer(&request.kind) {
            self.check_right(path, right);
        }
        let is_unique = request.kind.command() == "STOU";
        assert!(!is_unique || !path.is_root(), "a file without a name");
        assert!(self.running.is_none(), "two transfers");
        let is_new = self.transfers.last().is_none_or(|last| *last < request.id);
        assert!(is_new, "an id used twice");
        self.transfers.push(request.id);
        self.is_upload = request.kind.is_upload();
        assert!(
            self.opened.is_none(),
            "an opened transfer was neither started nor aborted"
        );
        self.ask(Question::Transfer(request));
    }

    /// No request may use a path that the account has no right for.
    fn check_right(&self, path: &FtpPath, right: Right) {
        let log = || self.log.join("\n");
        assert!(
            self.account.allows(path, right),
            "{right:?} for {path}\n{}",
            log()
        );
    }

    /// Counts the last passive offer as never connected, once.
    pub(super) fn count_never_connected(&mut self) {
        self.never_connected += u32::from(self.offer.take().is_some());
    }

    fn ask(&mut self, question: Question) {
        assert!(self.question.is_none(), "two questions: {question:?}");
        self.question = Some(question);
    }

    /// An id that the driver gets, which no data connection had before.
    fn new_data(&mut self, data: DataId) {
        let is_new = self.last_data().is_none_or(|last| last < data);
        assert!(is_new, "an id used twice");
        self.data.push(data);
    }

    /// Active mode leads to the client, and only where foreign addresses are permitted to others.
    fn check_active(&self, target: SocketAddr, named: Option<IpAddr>) {
        let peer = self.endpoints.peer().ip();
        let is_replaced = named.is_some();
        assert!(self.may_be_foreign || target.ip() == peer, "{target}");
        assert!(!is_replaced || target.ip() == peer, "{target}, {named:?}");
        let outside = |address| Reach::of(address) == Reach::Public;
        assert!(!is_replaced || outside(peer), "{peer} is not outside");
        assert!(!named.is_some_and(outside), "{named:?} is not private");
    }

    fn start(&mut self, start: TransferStart, protected: bool, last_code: Option<u16>) {
        assert_eq!(last_code, Some(150), "data before 150");
        let id = start.transfer;
        assert_eq!(self.opened.take(), Some(id), "started without being opened");
        assert!(self.running.is_none(), "two transfers");
        assert!(!protected || self.config.tls, "TLS that is not offered");
        let passive = start.connection == DataConnection::Passive;
        if let DataConnection::Active(target) = start.connection {
            self.check_active(target, start.named);
        }
        if passive {
            assert_eq!(Some(start.data), self.last_data());
        } else {
            self.new_data(start.data);
        }
        let connected = passive && self.listening.take().is_none();
        self.running = Some(Running {
            id,
            data: start.data,
            passive,
            connected,
            aborted: false,
        });
        // The timer of a passive port has run since the 227. It starts again only for a TLS
        // handshake.
        self.epochs.data_open_renewed |= (protected && connected) || !passive;
    }
}
