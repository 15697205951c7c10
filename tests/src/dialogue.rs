//! The smallest driver: it answers every action at once, and a file always exists. What the core
//! costs is measured with it, so it does nothing else.

use std::num::NonZeroU16;
use std::sync::Arc;

use ftp_proto::{
    Account, Action, Bound, Config, DataEvent, Endpoints, FileAnswer, FileRequest, Opened, Outcome,
    Output, Rights, Session, Space,
};

/// The passive port that is always free.
const PORT: NonZeroU16 = NonZeroU16::new(60_000).expect("a port");

/// The commands whose cost is measured one by one, in a session that has logged in.
pub const COMMANDS: [(&str, &[u8]); 3] = [
    ("NOOP", b"NOOP\r\n"),
    ("CWD", b"CWD /music\r\n"),
    ("PASV", b"PASV\r\n"),
];

/// A whole session: login, a download, and the end.
pub const DOWNLOAD: [&[u8]; 10] = [
    b"USER bob\r\n",
    b"PASS secret\r\n",
    b"SYST\r\n",
    b"PWD\r\n",
    b"TYPE I\r\n",
    b"CWD /music\r\n",
    b"SIZE two words.flac\r\n",
    b"PASV\r\n",
    b"RETR two words.flac\r\n",
    b"QUIT\r\n",
];

/// A session and what it has sent since the last [`clear`](Self::clear).
pub struct Dialogue {
    session: Session,
    sent: Vec<u8>,
}

impl Dialogue {
    /// A new connection, whose greeting has been sent.
    pub fn new(config: &Arc<Config>, sent: Vec<u8>) -> Self {
        let session = Session::new(config.clone(), endpoints());
        let mut dialogue = Self { session, sent };
        dialogue.drain();
        dialogue
    }

    /// A session that has logged in.
    pub fn logged_in() -> Self {
        let mut dialogue = Self::new(&Arc::new(Config::default()), Vec::new());
        dialogue.say(b"USER bob\r\n");
        dialogue.say(b"PASS secret\r\n");
        dialogue
    }

    /// One line of the client's, and all that follows from it.
    pub fn say(&mut self, line: &[u8]) {
        let used = self.session.handle_input(line);
        assert_eq!(used, line.len());
        self.drain();
    }

    /// What has been sent.
    pub fn sent(&self) -> &[u8] {
        &self.sent
    }

    /// Forgets what has been sent; its memory stays.
    pub fn clear(&mut self) {
        self.sent.clear();
    }

    /// The buffer, for the next session.
    pub fn into_sent(self) -> Vec<u8> {
        self.sent
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Reply(reply) => reply.encode(&mut self.sent),
                Output::Action(action) => self.perform(action),
            }
        }
    }

    fn perform(&mut self, action: Action) {
        let outcome = match action {
            Action::Authenticate { .. } => {
                Outcome::Authenticated(Some(Account::new(Rights::READ_WRITE)))
            }
            Action::File(request) => Outcome::File(Ok(match request {
                FileRequest::Size { .. } => FileAnswer::Size(1234),
                FileRequest::Space(_) => FileAnswer::Space(Space::default()),
                FileRequest::Quota => FileAnswer::Quota(None),
                _ => FileAnswer::Done,
            })),
            Action::OpenPassive(_) => Outcome::PassiveOpened(Ok(Bound::new(PORT))),
            Action::OpenTransfer(_) => Outcome::TransferOpened(Ok(Opened::default())),
            Action::StartTransfer(start) => {
                let peer = self.session.endpoints().peer().ip();
                let mut report = |event| self.session.handle_data(start.data, event);
                report(DataEvent::Connected(peer));
                report(DataEvent::Progress(1234));
                Outcome::TransferEnded {
                    transfer: start.transfer,
                    result: Ok(()),
                }
            }
            _ => match action.decline() {
                Some(refusal) => refusal,
                None => return,
            },
        };
        let answered = self.session.handle_outcome(outcome);
        answered.expect("the outcome of the action");
    }
}

fn endpoints() -> Endpoints {
    let address = |text: &str| text.parse().expect("an address and a port");
    Endpoints::new(address("192.168.77.2:21"), address("192.0.2.7:40000"))
}
