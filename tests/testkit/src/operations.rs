//! The operations of a session as data, for properties and fuzz targets.
//!
//! The lines of a client consist of words of FTP, so that most of them are valid commands; some are
//! raw bytes. A number chooses an item of a list by its remainder, so that every value is valid.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

#[cfg(feature = "arbitrary")]
use arbitrary::Arbitrary;
use ftp_proto::listing::{Entry, EntryBatch, EntryKind};
use ftp_proto::{
    Account, Bound, Config, DataEvent, DeniedCommands, Digest, Endpoints, ExceededQuota,
    FileAnswer, FileRequest, FtpPath, IpNet, Kept, Opened, Outcome, OuterPorts, QuotaUse, Refusal,
    Right, Rights, Space, TransferError, TransferId,
};

use crate::sim::{Question, Sim};

/// One operation on a session.
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[derive(Clone, Debug)]
pub enum Operation {
    /// The client sends a command line.
    Line(Line),
    /// The client sends any bytes.
    Raw(Vec<u8>),
    /// The client sends this number of bytes without a line end.
    NoLineEnd(u16),
    /// The driver answers the open action, or the running transfer ends.
    Answer(Answer),
    /// The client's data connection is established.
    DataConnected,
    /// Another host connects to the passive port.
    StrangerConnected,
    /// Something happens to an earlier data connection.
    LateEvent(u8),
    /// TLS is established on the data connection.
    DataProtected,
    /// The passive port has been closed, and the client had not connected.
    DataNeverConnected,
    /// Other sessions need the passive port.
    PortWithdrawn,
    /// The transfer has moved this number of bytes in total.
    Progress(u64),
    /// The timer that runs expires.
    Timeout,
    /// A timer that ran before expires late.
    LateTimeout(u8),
    /// A setting changes.
    Configure(Setting),
    /// The client ends its sending side of the control connection.
    Eof,
    /// The control connection is lost.
    ConnectionLost,
    /// The server stops.
    Shutdown,
}

/// A command line.
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[derive(Clone, Debug)]
pub struct Line {
    /// One of [`VERBS`].
    pub verb: u8,
    /// What follows the verb.
    pub argument: Argument,
    /// Its bits: Telnet before the verb, lower case, LF without CR.
    pub style: u8,
}

/// The argument of a command line.
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[derive(Clone, Debug)]
pub enum Argument {
    /// Not even a space.
    None,
    /// Components, each one of [`COMPONENTS`].
    Path(Vec<u8>),
    /// A decimal number.
    Number(u64),
    /// One of [`WORDS`].
    Word(u8),
    /// Any bytes.
    Raw(Vec<u8>),
}

/// How the driver answers.
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[derive(Clone, Debug)]
pub enum Answer {
    /// With success: [`good`].
    Good(u8),
    /// With a refusal, or a transfer's error.
    Refused(u8),
    /// Any outcome; it may not answer the open action.
    Any(u8),
}

/// A setting to change.
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[derive(Clone, Copy, Debug)]
pub enum Setting {
    /// Whether AUTH TLS is offered.
    Tls(bool),
    /// Whether PASV announces a public address.
    Masquerade(bool),
    /// Whether the router has other port numbers.
    OuterPorts(bool),
    /// Whether the timers are limited.
    Timeouts(bool),
    /// Whether data connections may lead to other hosts.
    Foreign(bool),
    /// Whether login and data need TLS.
    TlsRequired(bool),
    /// Whether some commands are denied.
    Denied(bool),
    /// Whether clients come through a gateway.
    Gateway(bool),
}

/// The start of a session.
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[derive(Clone, Debug)]
pub struct Setup {
    /// The addresses of both ends: IPv4, IPv4 as IPv6, or IPv6.
    pub ends: u8,
    /// Applied in this order.
    pub settings: Vec<Setting>,
    /// The rights of a user who is logged in at the start; `None`: no login.
    pub logged_in: Option<u8>,
}

/// The commands that [`Setting::Denied`] is about.
const DENIED: [&str; 8] = [
    "ABOR", "CWD", "EPSV", "HASH", "PORT", "RETR", "SITE", "STAT",
];

/// The commands, with words that are none.
pub const VERBS: &[&str] = &[
    "ABOR", "ACCT", "ALLO", "APPE", "AUTH", "AVBL", "CCC", "CDUP", "CWD", "DELE", "EPRT", "EPSV",
    "FEAT", "HELP", "LIST", "MDTM", "MKD", "MLSD", "MLST", "MODE", "NLST", "NOOP", "OPTS", "PASS",
    "PASV", "PBSZ", "PORT", "PROT", "PWD", "QUIT", "REIN", "REST", "RETR", "RMD", "RNFR", "RNTO",
    "SIZE", "STAT", "STOR", "STOU", "STRU", "SYST", "TYPE", "USER", "XCUP", "XCWD", "XMKD", "XPWD",
    "XRMD", "HASH", "RANG", "XCRC", "XSHA256", "SITE", "LANG", "HOST", "CLNT", "MFMT", "SMNT",
    "MFF", "NOSUCH", "", // The commands of transfers again, so that transfers are frequent.
    "PASV", "EPSV", "RETR", "STOR", "LIST", "PASV", "RETR", "ABOR",
];

/// Arguments that some command accepts.
pub const WORDS: &[&str] = &[
    "A",
    "A N",
    "I",
    "L 8",
    "E",
    "S",
    "F",
    "TLS",
    "P",
    "C",
    "0",
    "ALL",
    "1",
    "2",
    "3",
    "UTF8 ON",
    "HASH MD5",
    "HASH",
    "0 49",
    "1 0",
    "file 0 49",
    "\"two words\" 5",
    "MLST type;size;",
    "MLST",
    "anonymous",
    "joe",
    "-la",
    "-a sub",
    "192,0,2,7,200,10",
    "192,0,2,8,200,10",
    "192,0,2,7,0,20",
    "10,0,0,7,200,10",
    "|1|192.0.2.7|51210|",
    "|2|2001:db8::7|51210|",
    "|1|192.0.2.7|80|",
    "|2|fd00::7|51210|",
    "|3|x|1|",
    "100 R 20",
    "CHMOD 640 file",
    "CHMOD 4755 sub/file",
    "CHMOD 888 file",
    "UMASK",
    "UMASK 027",
    "HELP",
    "20251122130709 file",
    "20251122130709.5 two words",
    "20251322130709 file",
    "[2001:db8::2]",
    "en-GB",
    "de",
    "MLST unix.owner;unix.group;",
    "MLST type",
    " ",
    "RETR",
];

/// Components of paths, many of them unusual.
pub const COMPONENTS: &[&[u8]] = &[
    b"",
    b".",
    b"..",
    b"...",
    b"sub",
    b"file",
    b"two words",
    b"\xe4\xb8\xad",
    b"\xff\xff",
    b"\xff",
    b"quote\"d",
    b"cr\rin",
    b"cr\r\0nul",
    b"nul\0",
    b"-l",
    b" ",
    b"\x1b[2J",
    b"227 forged",
];

/// Performs an operation with the simulated driver.
pub fn apply(sim: &mut Sim, operation: &Operation) {
    match operation {
        Operation::Line(line) => sim.send(&line.bytes()),
        Operation::Raw(bytes) => sim.send(bytes),
        Operation::NoLineEnd(count) => sim.send(&vec![b'A'; usize::from(*count) % 10_000]),
        Operation::Answer(answer) => apply_answer(sim, answer),
        Operation::DataConnected => sim.data_connected(),
        Operation::StrangerConnected => sim.stranger_connected(),
        Operation::LateEvent(choice) => sim.late_event(late_event(*choice)),
        Operation::DataProtected => sim.data_protected(),
        Operation::DataNeverConnected => sim.data_never_connected(),
        Operation::PortWithdrawn => sim.port_withdrawn(),
        Operation::Progress(bytes) => sim.progress(*bytes),
        Operation::Timeout => {
            if let Some(timeout) = sim.session().poll_timeout() {
                sim.fire(timeout);
            }
        }
        Operation::LateTimeout(choice) => {
            let seen = sim.timeouts_seen();
            if !seen.is_empty() {
                let timeout = *pick(seen, *choice);
                let late = Some(timeout) != sim.session().poll_timeout();
                let mut stale = timeout;
                stale.epoch = timeout.epoch.wrapping_sub(u64::from(!late));
                sim.fire(stale);
            }
        }
        Operation::Configure(setting) => sim.configure(|config| setting.apply(config)),
        Operation::Eof => sim.eof(),
        Operation::ConnectionLost => sim.connection_lost(),
        Operation::Shutdown => sim.shutdown(),
    }
}

fn late_event(choice: u8) -> DataEvent {
    match choice % 7 {
        0 => DataEvent::Connected(IpAddr::from([192, 0, 2, 7])),
        1 => DataEvent::Protected,
        2 => DataEvent::Progress(choice.into()),
        3 => DataEvent::NeverConnected,
        4 => DataEvent::Entries(choice.into()),
        5 => DataEvent::Kept(Kept::Bytes(choice.into())),
        _ => DataEvent::Withdrawn,
    }
}

fn apply_answer(sim: &mut Sim, answer: &Answer) {
    let question = sim.question().cloned();
    match (answer, question) {
        (Answer::Any(choice), _) => {
            // The simulated driver checks whether it is valid.
            let _ = sim.try_answer(any_outcome(*choice, sim.transfers()));
            sim.take();
        }
        (Answer::Good(choice), Some(question)) => sim.answer(good(&question, *choice)),
        (Answer::Refused(choice), Some(question)) => sim.answer(refused(&question, *choice)),
        (Answer::Good(_), None) => sim.end_transfer(Ok(())),
        (Answer::Refused(choice), None) => sim.end_transfer(Err(*pick(&ERRORS, *choice))),
    }
}

/// The end of a TLS handshake with a driver that had passed all its input.
pub(crate) fn tls(established: bool) -> Outcome {
    Outcome::Tls {
        established,
        leftover: 0,
    }
}

/// A successful outcome of an action.
pub fn good(question: &Question, choice: u8) -> Outcome {
    match question {
        Question::Authenticate(_) => Outcome::Authenticated(Some(account(choice))),
        Question::File(request) => Outcome::File(Ok(file_answer(request, choice))),
        Question::Passive => Outcome::PassiveOpened(Ok(bound(choice))),
        Question::Tls => tls(true),
        Question::Transfer(request) => {
            let unique = request.kind.command() == "STOU";
            let components = COMPONENTS.iter().filter(|name| !name.is_empty());
            let names: Vec<&[u8]> = components.copied().collect();
            let mut opened = Opened::default();
            opened.bytes = choice.is_multiple_of(2).then_some(choice.into());
            opened.name = unique.then(|| pick(&names, choice).to_vec());
            Outcome::TransferOpened(Ok(opened))
        }
    }
}

/// A passive port; of a few, the driver knows the router's number.
fn bound(choice: u8) -> Bound {
    let port = |base: u16| NonZeroU16::new(base + u16::from(choice)).expect("a port");
    match choice % 8 {
        7 => Bound::new(port(60_000)).with_outer(port(40_000)),
        _ => Bound::new(port(60_000)),
    }
}

fn file_answer(request: &FileRequest, choice: u8) -> FileAnswer {
    match request {
        FileRequest::Size { .. } => FileAnswer::Size(u64::MAX >> (choice % 64)),
        FileRequest::ModifiedTime(_) => FileAnswer::Modified(i64::MIN >> (choice % 64)),
        FileRequest::Facts(_) => FileAnswer::Entry(entry(choice)),
        FileRequest::Space(_) => FileAnswer::Space(space(choice)),
        FileRequest::Quota => FileAnswer::Quota(quota(choice)),
        FileRequest::Hash(_) => FileAnswer::Digest(Digest::new([choice; 4], choice.into())),
        FileRequest::Status(_) => {
            let entries = (0..choice % 128).map(entry).collect();
            // Others follow: the action stays open.
            let is_last = choice < 128;
            FileAnswer::Entries(EntryBatch::new(entries, 1_700_000_000, is_last))
        }
        _ => FileAnswer::Done,
    }
}

/// How much can be stored: of some, the driver does not know it.
fn space(choice: u8) -> Space {
    let mut space = Space::default();
    space.available = (choice % 4 != 3).then_some(u64::MAX >> (choice % 64));
    space.total = (choice % 8 < 3).then_some(u64::MAX >> (choice % 32));
    space.file_max = (choice % 4 == 1).then_some(choice.into());
    space
}

/// What is used of a quota; some logins have none.
fn quota(choice: u8) -> Option<QuotaUse> {
    let mut quota = QuotaUse::default();
    (quota.bytes, quota.files) = (choice.into(), 1);
    quota.bytes_max = (choice % 4 != 2).then_some(100);
    quota.files_max = (choice % 4 != 1).then_some(5);
    quota.is_incomplete = choice % 8 == 7;
    (choice % 4 != 3).then_some(quota)
}

/// An entry of a listing.
pub fn entry(choice: u8) -> Entry {
    const KINDS: [EntryKind; 4] = [
        EntryKind::File,
        EntryKind::Directory,
        EntryKind::Symlink,
        EntryKind::Fifo,
    ];
    let name = *pick(COMPONENTS, choice);
    let mut entry = Entry::new(name, *pick(&KINDS, choice), 1234, 1_700_000_000);
    (entry.mode, entry.uid, entry.gid) = (0o644, 1000, 1000);
    entry.owner = Some(name.into());
    entry.group = (!choice.is_multiple_of(2)).then(|| (*b"users").into());
    (entry.device, entry.inode) = (1, choice.into());
    entry
}

fn refused(question: &Question, choice: u8) -> Outcome {
    let refusal = *pick(&REFUSALS, choice);
    match question {
        Question::Authenticate(_) if refusal == Refusal::ShareUnavailable => {
            Outcome::ShareUnavailable
        }
        Question::Authenticate(_) if refusal == Refusal::Busy => Outcome::AddressBlocked,
        Question::Authenticate(_) if refusal == Refusal::Changed => Outcome::TooManySessions,
        Question::Authenticate(_) if refusal == Refusal::LoginDenied => Outcome::TlsRequired,
        Question::Authenticate(_) => Outcome::Authenticated(None),
        Question::File(_) => Outcome::File(Err(refusal)),
        Question::Passive => Outcome::PassiveOpened(Err(refusal)),
        Question::Transfer(_) => Outcome::TransferOpened(Err(refusal)),
        Question::Tls => tls(false),
    }
}

fn any_outcome(choice: u8, transfers: &[TransferId]) -> Outcome {
    let refusal = *pick(&REFUSALS, choice / 8);
    // One of the last two transfers, of which at most one still runs.
    let transfer = transfers.iter().rev().nth(usize::from(choice / 8 % 2));
    match (choice % 8, transfer) {
        (0, _) if refusal == Refusal::ShareUnavailable => Outcome::ShareUnavailable,
        (0, _) if refusal == Refusal::Busy => Outcome::AddressBlocked,
        (0, _) if refusal == Refusal::Changed => Outcome::TooManySessions,
        (0, _) if refusal == Refusal::LoginDenied => Outcome::TlsRequired,
        (0, _) => Outcome::Authenticated(None),
        (1, _) => Outcome::File(Ok(FileAnswer::Done)),
        (2, _) => Outcome::File(Ok(FileAnswer::Size(1))),
        (3, _) => Outcome::File(Err(refusal)),
        (4, _) => Outcome::PassiveOpened(Err(refusal)),
        (5, _) => Outcome::TransferOpened(Err(refusal)),
        (6, Some(&transfer)) => Outcome::TransferEnded {
            transfer,
            result: Err(*pick(&ERRORS, choice / 8)),
        },
        _ => tls(true),
    }
}

impl Line {
    /// What the client sends.
    pub fn bytes(&self) -> Vec<u8> {
        let verb = *pick(VERBS, self.verb);
        let mut bytes = Vec::new();
        if self.style & 1 != 0 {
            bytes.extend_from_slice(b"\xff\xf4\xff\xf2");
        }
        if self.style & 2 != 0 {
            bytes.extend_from_slice(verb.to_ascii_lowercase().as_bytes());
        } else {
            bytes.extend_from_slice(verb.as_bytes());
        }
        self.argument.write(&mut bytes);
        // Some clients, and users at a terminal, end lines with LF only.
        let end: &[u8] = if self.style & 4 != 0 { b"\n" } else { b"\r\n" };
        bytes.extend_from_slice(end);
        bytes
    }
}

impl Argument {
    fn write(&self, bytes: &mut Vec<u8>) {
        if !matches!(self, Self::None) {
            bytes.push(b' ');
        }
        match self {
            Self::None => {}
            Self::Path(choices) => {
                let components = choices.iter().map(|&choice| *pick(COMPONENTS, choice));
                bytes.extend(components.collect::<Vec<_>>().join(&b'/'));
            }
            Self::Number(number) => bytes.extend(number.to_string().bytes()),
            Self::Word(choice) => bytes.extend(pick(WORDS, *choice).bytes()),
            Self::Raw(raw) => bytes.extend_from_slice(raw),
        }
    }
}

impl Setting {
    /// Changes the settings.
    pub fn apply(self, config: &mut Config) {
        let rules = &mut config.masquerade;
        match self {
            Self::Tls(on) => config.tls = on,
            Self::Masquerade(on) => {
                rules.address = on.then(|| Ipv4Addr::new(203, 0, 113, 1).into());
            }
            Self::OuterPorts(on) => {
                let ports = OuterPorts::new(60_010, 50_000, 100).expect("ports");
                rules.outer_ports = on.then_some(ports);
            }
            Self::Timeouts(on) => {
                let timeout = on.then_some(Duration::from_secs(30));
                config.login_timeout = timeout;
                config.idle_timeout = timeout;
                config.data_open_timeout = timeout;
                config.data_stall_timeout = timeout;
            }
            Self::Foreign(on) => config.permit_foreign_addresses = on,
            Self::TlsRequired(on) => {
                config.tls_control_required = on;
                config.tls_data_required = on;
            }
            Self::Denied(on) => {
                config.denied_commands = DeniedCommands::default();
                for name in DENIED.iter().filter(|_| on) {
                    config.denied_commands.deny(name).expect("it can be denied");
                }
            }
            Self::Gateway(on) => {
                let gateway = IpNet::from(IpAddr::from([192, 0, 2, 7]));
                config.trusted_gateways = on.then_some(gateway).into_iter().collect();
            }
        }
    }
}

impl Setup {
    /// A session that begins so.
    pub fn begin(&self) -> Sim {
        let mut config = Config::default();
        config.digests = true;
        for setting in &self.settings {
            setting.apply(&mut config);
        }
        let (local, peer) = *pick(ENDS, self.ends);
        // Who is logged in already has done so before this was required.
        let tls_required = std::mem::take(&mut config.tls_control_required);
        let mut sim = Sim::new(config, Endpoints::new(address(local), address(peer)));
        if let Some(rights) = self.logged_in {
            sim.log_in(account(rights));
        }
        sim.configure(|config| config.tls_control_required = tls_required);
        sim
    }
}

/// Mostly everything is permitted, so that commands get somewhere.
fn account(choice: u8) -> Account {
    let below = || FtpPath::parse(b"/sub").expect("a path");
    match choice % 8 {
        0 => Account::new(Rights::READ_ONLY),
        1 => Account::new(Rights::NONE),
        2 => Account::new(Rights::READ_ONLY).with_rights_below(below(), Rights::READ_WRITE),
        3 => Account::new(Rights::READ_WRITE)
            .with_rights_below(below(), Rights::READ_WRITE.without(Right::Overwrite))
            .with_home(below()),
        _ => Account::new(Rights::READ_WRITE),
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}

fn pick<T>(table: &[T], choice: u8) -> &T {
    &table[usize::from(choice) % table.len()]
}

const ENDS: &[(&str, &str)] = &[
    ("192.168.77.2:21", "192.0.2.7:40000"),
    ("[::ffff:192.168.77.2]:21", "[::ffff:192.0.2.7]:40000"),
    ("[2001:db8::2]:21", "[2001:db8::7]:40000"),
];

pub(crate) const REFUSALS: [Refusal; 27] = [
    Refusal::NotFound,
    Refusal::NoMatch,
    Refusal::Denied,
    Refusal::ReadOnlyFileSystem,
    Refusal::Exists,
    Refusal::NotEmpty,
    Refusal::NotADirectory,
    Refusal::IsADirectory,
    Refusal::NotARegularFile,
    Refusal::NoSpace,
    Refusal::FileTooLarge,
    Refusal::SpaceReserved,
    Refusal::QuotaExceeded(ExceededQuota::Bytes { quota: 10, left: 3 }),
    Refusal::QuotaExceeded(ExceededQuota::Files { quota: 5 }),
    Refusal::NameRejected,
    Refusal::TooManyEntries,
    Refusal::OffsetTooLarge,
    Refusal::ShareUnavailable,
    Refusal::NotResumable,
    Refusal::TextNotCounted,
    Refusal::Changed,
    Refusal::Busy,
    Refusal::Unsupported,
    Refusal::Failed,
    Refusal::LoginDenied,
    Refusal::OtherFileSystem,
    Refusal::MountPoint,
];

pub(crate) const ERRORS: [TransferError; 12] = [
    TransferError::NotConnected,
    TransferError::NotProtected,
    TransferError::NotResumed,
    TransferError::ConnectionLost,
    TransferError::NoCloseNotify,
    TransferError::Aborted,
    TransferError::LocalRead,
    TransferError::LocalWrite,
    TransferError::NoSpace,
    TransferError::FileTooLarge,
    TransferError::SpaceReserved,
    TransferError::QuotaExceeded(ExceededQuota::Bytes { quota: 10, left: 3 }),
];
