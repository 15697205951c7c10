//! A small model of a session, in lock-step with the real one: what it predicts must be what comes, in order.
//!
//! It knows the rules as a reader of the RFCs knows them, and shares no code with the core. The driver's answers
//! are a function of the question: whatever is called `missing` is not there, all else is.

use std::collections::VecDeque;

use arbitrary::Arbitrary;
use ftp_proto::{Config, Endpoints, Outcome, Permissions, Refusal, TransferError};

use crate::ops;
use crate::sim::{Question, Sim};

/// One thing that happens.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Step {
    Say(Spoken),
    /// The client opens its data connection.
    Connected,
    /// The running transfer ends, well or not.
    End(bool),
    /// The timer that runs fires.
    Timeout,
}

/// A command line.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    User,
    Password(bool),
    Reinitialize,
    Host,
    PrintDirectory,
    ChangeDirectory(Name),
    Up,
    MakeDirectory(Name),
    RenameFrom(Name),
    RenameTo(Name),
    Delete(Name),
    Size(Name),
    Type(bool),
    Restart(u8),
    Passive,
    ExtendedPassive,
    ExtendedOnly,
    Active,
    Foreign,
    Retrieve(Name),
    Store(Name),
    Append(Name),
    List,
    Abort,
    Status,
    Noop,
    Quit,
    Nonsense,
    Superfluous,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    Plain,
    Absolute,
    Climbing,
    Missing,
}

/// Puts the steps through both and compares what each of them comes to.
pub fn run(steps: &[Step]) {
    let mut sim = Sim::new(Config::default(), endpoints());
    let mut model = Model::default();
    for (index, step) in steps.iter().enumerate() {
        let seen = sim.log().len();
        let expected = model.step(*step);
        perform(&mut sim, *step);
        let came: Vec<String> = sim.log()[seen..]
            .iter()
            .filter_map(|line| essence(line))
            .collect();
        let story = || {
            format!(
                "step {index}, {step:?}, of {steps:?}\n{}",
                sim.log().join("\n")
            )
        };
        assert_eq!(came, expected, "{}", story());
        assert_eq!(
            sim.session().is_closed(),
            model.phase == Phase::Closed,
            "{}",
            story()
        );
        assert_eq!(
            sim.session().wants_input(),
            model.wants_input(),
            "{}",
            story()
        );
    }
}

fn perform(sim: &mut Sim, step: Step) {
    match step {
        Step::Say(spoken) if sim.session().wants_input() => {
            sim.send(format!("{}\r\n", spoken.line()).as_bytes());
        }
        Step::Say(_) => {}
        Step::Connected => sim.data_connected(),
        Step::End(true) => sim.end_transfer(Ok(())),
        Step::End(false) => sim.end_transfer(Err(TransferError::LocalRead)),
        Step::Timeout => {
            if let Some(timeout) = sim.session().poll_timeout() {
                sim.fire(timeout);
            }
        }
    }
    while let Some(question) = sim
        .question()
        .filter(|_| !sim.session().is_closed())
        .cloned()
    {
        sim.answer(answer(&question));
    }
}

fn answer(question: &Question) -> Outcome {
    let text = format!("{question:?}");
    let missing = text.contains("/missing");
    match question {
        Question::Authenticate(password) => {
            let right = password == b"secret";
            Outcome::Authenticated(right.then_some(Permissions::READ_WRITE))
        }
        Question::File(_) if missing => Outcome::File(Err(Refusal::NotFound)),
        Question::Transfer(_) if missing => Outcome::TransferOpened(Err(Refusal::NotFound)),
        _ => ops::good(question, 0),
    }
}

/// What the model has an opinion on: codes, whole replies that tell a path, and what is done about transfers.
fn essence(line: &str) -> Option<String> {
    if let Some(action) = line.strip_prefix("A: ") {
        let is_about = [
            "OpenTransfer",
            "AbortTransfer",
            "CloseData",
            "StartTransfer",
        ];
        let known = is_about.iter().any(|word| action.starts_with(word)) || action == "Close";
        return known.then(|| action.to_owned());
    }
    let reply = line.strip_prefix("S: ")?;
    let is_last = reply.as_bytes().get(3) == Some(&b' ') && !reply.starts_with(' ');
    match is_last {
        false => None,
        true if reply.starts_with("257") => Some(reply.to_owned()),
        true => Some(reply[..3].to_owned()),
    }
}

#[derive(Default)]
struct Model {
    phase: Phase,
    failures: u32,
    extended_only: bool,
    ready: Ready,
    held: VecDeque<Spoken>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Unknown,
    Named,
    In,
    Closed,
}

/// What a login begins with.
#[derive(Default)]
struct Ready {
    directory: Vec<&'static str>,
    renaming: bool,
    image: bool,
    restart: u8,
    data: Data,
    transfer: Option<Transfer>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Data {
    #[default]
    None,
    Waiting,
    Connected,
    Active,
    Expired,
}

#[derive(Default)]
struct Transfer {
    connected: bool,
    /// What the client is told when it ends badly, where we end it.
    cut: Option<&'static str>,
}

impl Model {
    fn step(&mut self, step: Step) -> Vec<String> {
        let mut out = Vec::new();
        match step {
            Step::Say(spoken) if self.wants_input() => self.hear(spoken, &mut out),
            Step::Say(_) => {}
            Step::Connected => self.connected(),
            Step::End(well) => self.end(well, &mut out),
            Step::Timeout => self.time_out(&mut out),
        }
        out
    }

    fn wants_input(&self) -> bool {
        self.phase != Phase::Closed && self.held.len() < ftp_proto::limits::HELD_LINES_MAX
    }

    fn hear(&mut self, spoken: Spoken, out: &mut Vec<String>) {
        let Some(transfer) = &mut self.ready.transfer else {
            return self.execute(spoken, out);
        };
        match spoken {
            Spoken::Status => out.push("211".into()),
            Spoken::Abort => {
                cut(transfer, "426", out);
                self.held.push_back(spoken);
            }
            _ => self.held.push_back(spoken),
        }
    }

    fn connected(&mut self) {
        match &mut self.ready.transfer {
            Some(transfer) => transfer.connected = true,
            None if self.ready.data == Data::Waiting => self.ready.data = Data::Connected,
            None => {}
        }
    }

    fn end(&mut self, well: bool, out: &mut Vec<String>) {
        let Some(transfer) = self.ready.transfer.take() else {
            return;
        };
        out.push(match (well, transfer.cut) {
            (true, _) => "226".into(),
            (false, cut) => cut.unwrap_or("451").into(),
        });
        while self.ready.transfer.is_none()
            && let Some(spoken) = self.held.pop_front()
        {
            match spoken {
                // It has acted already, and a logout behind it takes nothing back.
                Spoken::Abort => {
                    self.close_data(out);
                    out.push("226".into());
                }
                _ if spoken.needs_data() && self.held.contains(&Spoken::Abort) => {
                    out.push("426".into());
                }
                _ => self.execute(spoken, out),
            }
        }
    }

    fn time_out(&mut self, out: &mut Vec<String>) {
        if self.phase == Phase::Closed {
            return;
        }
        match &mut self.ready.transfer {
            Some(transfer) if transfer.connected => cut(transfer, "426", out),
            Some(transfer) => cut(transfer, "425", out),
            None if self.ready.data == Data::Waiting => {
                self.ready.data = Data::Expired;
                out.push("CloseData".into());
            }
            None => self.close("421", out),
        }
    }

    fn close(&mut self, code: &str, out: &mut Vec<String>) {
        out.extend([code.to_owned(), "Close".to_owned()]);
        self.phase = Phase::Closed;
        self.held.clear();
        self.ready = Ready::default();
    }

    /// Back to before USER, or to behind it.
    fn log_out(&mut self, phase: Phase, out: &mut Vec<String>) {
        self.close_data(out);
        self.ready = Ready::default();
        self.phase = phase;
    }

    fn close_data(&mut self, out: &mut Vec<String>) {
        let old = std::mem::take(&mut self.ready.data);
        if matches!(old, Data::Waiting | Data::Connected) {
            out.push("CloseData".into());
        }
    }

    fn execute(&mut self, spoken: Spoken, out: &mut Vec<String>) {
        let renaming = std::mem::take(&mut self.ready.renaming);
        let code = match spoken {
            Spoken::User => {
                self.log_out(Phase::Named, out);
                "331"
            }
            Spoken::Password(_) if self.phase != Phase::Named => "503",
            Spoken::Password(true) => {
                self.phase = Phase::In;
                "230"
            }
            Spoken::Password(false) => {
                self.failures += 1;
                self.phase = Phase::Unknown;
                if self.failures == LOGINS_MAX {
                    return self.close("421", out);
                }
                "530"
            }
            Spoken::Reinitialize => {
                self.log_out(Phase::Unknown, out);
                "220"
            }
            Spoken::Host if self.phase == Phase::Unknown => "220",
            Spoken::Host => "503",
            Spoken::Noop => "200",
            Spoken::Status => "211",
            Spoken::Quit => return self.close("221", out),
            Spoken::Nonsense => "500",
            _ if self.phase != Phase::In => "530",
            _ => return self.carry_out_logged_in(spoken, renaming, out),
        };
        out.push(code.into());
    }

    fn carry_out_logged_in(&mut self, spoken: Spoken, renaming: bool, out: &mut Vec<String>) {
        let found = |name: Name, good: &str| match name {
            Name::Missing => "550".to_owned(),
            _ => good.to_owned(),
        };
        let reply = match spoken {
            Spoken::Superfluous => "501".into(),
            Spoken::PrintDirectory => {
                format!(
                    "257 \"{}\" is the current directory.",
                    shown(&self.ready.directory)
                )
            }
            Spoken::ChangeDirectory(name) => {
                if name != Name::Missing {
                    self.ready.directory = self.resolve(name);
                }
                found(name, "250")
            }
            Spoken::Up => {
                self.ready.directory.pop();
                "250".into()
            }
            Spoken::MakeDirectory(name) => {
                let path = shown(&self.resolve(name));
                found(name, &format!("257 \"{path}\" created."))
            }
            Spoken::RenameFrom(name) => {
                self.ready.renaming = name != Name::Missing;
                found(name, "350")
            }
            Spoken::RenameTo(_) if !renaming => "503".into(),
            Spoken::RenameTo(Name::Missing) => "553".into(),
            Spoken::RenameTo(_) => "250".into(),
            Spoken::Delete(name) => found(name, "250"),
            Spoken::Size(_) if !self.ready.image => "550".into(),
            Spoken::Size(name) => found(name, "213"),
            Spoken::Type(image) => {
                self.ready.image = image;
                "200".into()
            }
            Spoken::Restart(offset) => {
                self.ready.restart = offset;
                "350".into()
            }
            Spoken::Abort => {
                self.close_data(out);
                "226".into()
            }
            Spoken::ExtendedOnly => {
                self.extended_only = true;
                "200".into()
            }
            Spoken::Passive | Spoken::Active | Spoken::Foreign if self.extended_only => {
                "501".into()
            }
            Spoken::Foreign => "501".into(),
            Spoken::Active => self.set_up(Data::Active, "200", out),
            Spoken::Passive => self.set_up(Data::Waiting, "227", out),
            Spoken::ExtendedPassive => self.set_up(Data::Waiting, "229", out),
            _ => return self.transfer(spoken, out),
        };
        out.push(reply);
    }

    fn set_up(&mut self, data: Data, code: &str, out: &mut Vec<String>) -> String {
        self.close_data(out);
        self.ready.data = data;
        code.to_owned()
    }

    fn transfer(&mut self, spoken: Spoken, out: &mut Vec<String>) {
        let offset = std::mem::take(&mut self.ready.restart);
        let (verb, name, has_offset) = match spoken {
            Spoken::Retrieve(name) => ("RETR", Some(name), true),
            Spoken::Store(name) => ("STOR", Some(name), true),
            Spoken::Append(name) => ("APPE", Some(name), false),
            _ => ("LIST", None, false),
        };
        let in_vain = verb == "APPE" || (verb == "STOR" && !self.ready.image);
        if offset > 0 && in_vain {
            return out.push("501".into());
        }
        let path = name.map_or_else(|| self.ready.directory.clone(), |name| self.resolve(name));
        let path = shown(&path);
        let kind = if self.ready.image { "Image" } else { "Ascii" };
        let from = match has_offset {
            true => format!(" from {offset}"),
            false => String::new(),
        };
        out.push(format!("OpenTransfer {verb} {path}{from}, {kind}"));
        if name == Some(Name::Missing) {
            return out.push(if verb == "STOR" { "553" } else { "550" }.into());
        }
        let data = std::mem::take(&mut self.ready.data);
        let connection = match data {
            Data::None | Data::Expired => {
                return out.extend(["AbortTransfer".to_owned(), "425".to_owned()]);
            }
            Data::Waiting | Data::Connected => "passive",
            Data::Active => "active to 192.0.2.7:51210",
        };
        out.extend(["150".to_owned(), format!("StartTransfer {connection}")]);
        self.ready.transfer = Some(Transfer {
            connected: data == Data::Connected,
            cut: None,
        });
    }

    fn resolve(&self, name: Name) -> Vec<&'static str> {
        let mut path = self.ready.directory.clone();
        match name {
            Name::Plain => path.push("plain"),
            Name::Missing => path.push("missing"),
            Name::Absolute => path = vec!["top", "below"],
            Name::Climbing => {
                path.truncate(path.len().saturating_sub(2));
                path.push("aside");
            }
        }
        path
    }
}

fn cut(transfer: &mut Transfer, code: &'static str, out: &mut Vec<String>) {
    if transfer.cut.is_none() {
        transfer.cut = Some(code);
        out.push("AbortTransfer".into());
    }
}

fn shown(path: &[&str]) -> String {
    format!("/{}", path.join("/"))
}

impl Spoken {
    fn line(self) -> String {
        let with = |verb: &str, name: Name| format!("{verb} {}", name.spelt());
        match self {
            Self::User => "USER joe".into(),
            Self::Password(true) => "PASS secret".into(),
            Self::Password(false) => "PASS wrong".into(),
            Self::Reinitialize => "REIN".into(),
            Self::Host => "HOST ftp.example".into(),
            Self::PrintDirectory => "PWD".into(),
            Self::ChangeDirectory(name) => with("CWD", name),
            Self::Up => "CDUP".into(),
            Self::MakeDirectory(name) => with("MKD", name),
            Self::RenameFrom(name) => with("RNFR", name),
            Self::RenameTo(name) => with("RNTO", name),
            Self::Delete(name) => with("DELE", name),
            Self::Size(name) => with("SIZE", name),
            Self::Type(true) => "TYPE I".into(),
            Self::Type(false) => "TYPE A".into(),
            Self::Restart(offset) => format!("REST {offset}"),
            Self::Passive => "PASV".into(),
            Self::ExtendedPassive => "EPSV".into(),
            Self::ExtendedOnly => "EPSV ALL".into(),
            Self::Active => "PORT 192,0,2,7,200,10".into(),
            Self::Foreign => "PORT 192,0,2,8,200,10".into(),
            Self::Retrieve(name) => with("RETR", name),
            Self::Store(name) => with("STOR", name),
            Self::Append(name) => with("APPE", name),
            Self::List => "LIST".into(),
            Self::Abort => "ABOR".into(),
            Self::Status => "STAT".into(),
            Self::Noop => "NOOP".into(),
            Self::Quit => "QUIT".into(),
            Self::Nonsense => "NOSUCH".into(),
            Self::Superfluous => "PWD x".into(),
        }
    }

    /// Whether it would begin to move data, which an ABOR behind it prevents.
    fn needs_data(self) -> bool {
        matches!(
            self,
            Self::Passive
                | Self::ExtendedPassive
                | Self::ExtendedOnly
                | Self::Retrieve(_)
                | Self::Store(_)
                | Self::Append(_)
                | Self::List
        )
    }
}

impl Name {
    fn spelt(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Absolute => "/top/./below",
            Self::Climbing => "../../aside",
            Self::Missing => "missing",
        }
    }
}

fn endpoints() -> Endpoints {
    let address = |text: &str| text.parse().expect("an address and a port");
    Endpoints::new(address("192.168.77.2:21"), address("192.0.2.7:40000"))
}

/// Failed logins after which a session ends.
const LOGINS_MAX: u32 = 3;
