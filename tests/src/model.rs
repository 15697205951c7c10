//! A small reference model of a session that runs step by step with the real one and predicts its
//! outputs.
//!
//! It follows the rules of the RFCs and shares no code with the core. The driver's answers depend
//! only on the action: a path with the name `missing` does not exist, all others do.

mod command;

use std::collections::VecDeque;

use arbitrary::Arbitrary;
use ftp_proto::{Account, Config, Endpoints, Outcome, Refusal, Rights, TransferError};

use crate::operations;
use crate::sim::{Question, Sim};

pub use command::{ModelCommand, Name};

/// One step of a session.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Step {
    Send(ModelCommand),
    /// The client opens its data connection.
    Connected,
    /// The running transfer ends, successfully or not.
    End(bool),
    /// The timer that runs expires.
    Timeout,
    /// The client ends its sending side of the control connection.
    Eof,
    /// The control connection is gone in both directions.
    ConnectionLost,
}

/// Runs the steps in the session and in the model, and compares the outputs of each step.
pub fn run(steps: &[Step]) {
    run_without(&[], steps);
}

/// The same, where these commands are denied.
pub fn run_without(denied: &[&'static str], steps: &[Step]) {
    let mut config = Config::default();
    for name in denied {
        config.denied_commands.deny(name).expect("it can be denied");
    }
    let mut sim = Sim::new(config, endpoints());
    let mut model = Model {
        denied: denied.to_vec(),
        ..Model::default()
    };
    for (index, step) in steps.iter().enumerate() {
        let seen = sim.log().len();
        let expected = model.step(*step);
        perform(&mut sim, *step);
        let observed: Vec<String> = sim.log()[seen..]
            .iter()
            .filter_map(|line| relevant(line))
            .collect();
        let context = || {
            format!(
                "step {index}, {step:?}, of {steps:?}\n{}",
                sim.log().join("\n")
            )
        };
        assert_eq!(observed, expected, "{}", context());
        assert_eq!(
            sim.session().is_closed(),
            model.phase == Phase::Closed,
            "{}",
            context()
        );
        assert_eq!(
            sim.session().wants_input(),
            model.wants_input(),
            "{}",
            context()
        );
    }
}

fn perform(sim: &mut Sim, step: Step) {
    match step {
        Step::Send(command) if sim.session().wants_input() => {
            sim.send(format!("{}\r\n", command.line()).as_bytes());
        }
        Step::Send(_) => {}
        Step::Connected => sim.data_connected(),
        Step::End(true) => sim.end_transfer(Ok(())),
        Step::End(false) => sim.end_transfer(Err(TransferError::LocalRead)),
        Step::Timeout => {
            if let Some(timeout) = sim.session().poll_timeout() {
                sim.fire(timeout);
            }
        }
        Step::Eof => sim.eof(),
        Step::ConnectionLost => sim.connection_lost(),
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
            Outcome::Authenticated(right.then(|| Account::new(Rights::READ_WRITE)))
        }
        Question::File(_) if missing => Outcome::File(Err(Refusal::NotFound)),
        Question::Transfer(_) if missing => Outcome::TransferOpened(Err(Refusal::NotFound)),
        _ => operations::good(question, 0),
    }
}

/// The outputs that the model predicts: codes, whole replies that contain a path, and actions of
/// transfers.
fn relevant(line: &str) -> Option<String> {
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
    if !is_last {
        return None;
    }
    let shown = if reply.starts_with("257") {
        reply
    } else {
        &reply[..3]
    };
    Some(shown.to_owned())
}

#[derive(Default)]
struct Model {
    /// The names of the commands that are denied.
    denied: Vec<&'static str>,
    phase: Phase,
    failures: u32,
    /// Lines without a command, before a login.
    unknown: u32,
    extended_only: bool,
    /// Whether a client that names a private address can be reached, once that is known.
    is_reachable: Option<bool>,
    ready: Ready,
    held: VecDeque<ModelCommand>,
    /// The client can send no more.
    ended: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    NoUser,
    NeedPassword,
    LoggedIn,
    Closed,
}

/// The state after a login.
#[derive(Default)]
struct Ready {
    directory: Vec<&'static str>,
    renaming: bool,
    ascii: bool,
    restart: u8,
    data: Data,
    transfer: Option<Transfer>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Data {
    #[default]
    None,
    Passive,
    Connected,
    Active,
    /// The client has named a private address.
    ActivePrivate,
    Expired,
}

#[derive(Default)]
struct Transfer {
    upload: bool,
    passive: bool,
    connected: bool,
    is_private: bool,
    /// The code of the final reply, if the server aborts the transfer.
    abort_code: Option<&'static str>,
}

impl Model {
    fn step(&mut self, step: Step) -> Vec<String> {
        let mut out = Vec::new();
        match step {
            Step::Send(command) if self.wants_input() => self.receive(command, &mut out),
            Step::Send(_) => {}
            Step::Connected => self.connected(),
            Step::End(success) => self.end(success, &mut out),
            Step::Timeout => self.time_out(&mut out),
            Step::Eof => self.end_input(false, &mut out),
            Step::ConnectionLost => self.end_input(true, &mut out),
        }
        out
    }

    fn wants_input(&self) -> bool {
        self.phase != Phase::Closed
            && !self.ended
            && self.held.len() < ftp_proto::limits::HELD_LINES_MAX
    }

    fn receive(&mut self, command: ModelCommand, out: &mut Vec<String>) {
        let Some(transfer) = &mut self.ready.transfer else {
            if command == ModelCommand::HttpRequest && self.phase != Phase::LoggedIn {
                return self.close(None, out);
            }
            return self.execute(command, out);
        };
        match command {
            _ if self.denied.contains(&command.name()) => self.held.push_back(command),
            ModelCommand::Status => out.push("211".into()),
            ModelCommand::Abort => {
                abort(transfer, "426", out);
                self.held.push_back(command);
            }
            _ => self.held.push_back(command),
        }
    }

    fn connected(&mut self) {
        match &mut self.ready.transfer {
            Some(transfer) => transfer.connected = true,
            None if self.ready.data == Data::Passive => self.ready.data = Data::Connected,
            None => {}
        }
    }

    fn end(&mut self, success: bool, out: &mut Vec<String>) {
        let Some(transfer) = self.ready.transfer.take() else {
            return;
        };
        if transfer.is_private && transfer.connected {
            self.is_reachable = Some(true);
        } else if transfer.is_private && !success && transfer.abort_code == Some("425") {
            self.is_reachable = self.is_reachable.or(Some(false));
        }
        out.push(match (success, transfer.abort_code) {
            (true, _) => "226".into(),
            (false, code) => code.unwrap_or("451").into(),
        });
        while self.ready.transfer.is_none()
            && let Some(command) = self.held.pop_front()
        {
            match command {
                _ if self.denied.contains(&"ABOR") => self.execute(command, out),
                // It has been executed already; a logout after it does not change that.
                ModelCommand::Abort => {
                    self.close_data(out);
                    out.push("226".into());
                }
                _ if command.needs_data() && self.held.contains(&ModelCommand::Abort) => {
                    if command.transfers() {
                        self.ready.restart = 0;
                    }
                    out.push("426".into());
                }
                _ => self.execute(command, out),
            }
        }
        if self.ended && self.ready.transfer.is_none() {
            self.leave(out);
        }
    }

    /// No command can come any more.
    fn end_input(&mut self, lost: bool, out: &mut Vec<String>) {
        let again = std::mem::replace(&mut self.ended, true);
        let transfer = self.ready.transfer.as_ref();
        let is_uploading = transfer.is_some_and(|transfer| transfer.upload);
        let awaits_client = transfer.is_some_and(Transfer::awaits_client);
        let receives = is_uploading && !awaits_client;
        let has_quit = self.held.contains(&ModelCommand::Quit);
        if lost && receives && !has_quit {
            // What the client sent before may still arrive, but no reply reaches it.
            self.held.clear();
        }
        let goes_on = receives || (has_quit && (is_uploading || !awaits_client));
        if !goes_on && (lost || !again) {
            self.leave(out);
        }
    }

    /// Closes without a reply.
    fn leave(&mut self, out: &mut Vec<String>) {
        if self.phase == Phase::Closed {
            return;
        }
        if let Some(transfer) = &mut self.ready.transfer {
            abort(transfer, "426", out);
        }
        self.close(None, out);
    }

    fn time_out(&mut self, out: &mut Vec<String>) {
        if self.phase == Phase::Closed {
            return;
        }
        match &mut self.ready.transfer {
            Some(transfer) if transfer.connected => abort(transfer, "426", out),
            Some(transfer) => abort(transfer, "425", out),
            None if self.ready.data == Data::Passive => {
                self.ready.data = Data::Expired;
                out.push("CloseData".into());
            }
            None => self.close(Some("421"), out),
        }
    }

    fn close(&mut self, code: Option<&str>, out: &mut Vec<String>) {
        out.extend(code.map(str::to_owned));
        out.push("Close".into());
        self.phase = Phase::Closed;
        self.held.clear();
        self.ready = Ready::default();
    }

    /// Returns to the phase before or after USER.
    fn log_out(&mut self, phase: Phase, out: &mut Vec<String>) {
        self.close_data(out);
        self.ready = Ready::default();
        self.phase = phase;
    }

    fn close_data(&mut self, out: &mut Vec<String>) {
        let old = std::mem::take(&mut self.ready.data);
        if matches!(old, Data::Passive | Data::Connected) {
            out.push("CloseData".into());
        }
    }

    fn execute(&mut self, command: ModelCommand, out: &mut Vec<String>) {
        let renaming = std::mem::take(&mut self.ready.renaming);
        if self.denied.contains(&command.name()) {
            return self.deny(command, out);
        }
        let code = match command {
            ModelCommand::User => {
                self.log_out(Phase::NeedPassword, out);
                "331"
            }
            ModelCommand::Password(_) if self.phase != Phase::NeedPassword => "503",
            ModelCommand::Password(true) => {
                self.phase = Phase::LoggedIn;
                "230"
            }
            ModelCommand::Password(false) => {
                self.failures += 1;
                self.phase = Phase::NoUser;
                if self.failures == LOGINS_MAX {
                    return self.close(Some("421"), out);
                }
                "530"
            }
            ModelCommand::Reinitialize => {
                self.log_out(Phase::NoUser, out);
                "220"
            }
            ModelCommand::Host if self.phase == Phase::NoUser => "220",
            ModelCommand::Host => "503",
            ModelCommand::Noop => "200",
            ModelCommand::Status => "211",
            ModelCommand::Quit => return self.close(Some("221"), out),
            ModelCommand::Unknown | ModelCommand::HttpRequest => {
                self.unknown += u32::from(self.phase != Phase::LoggedIn);
                if self.unknown > UNKNOWN_MAX {
                    return self.close(Some("421"), out);
                }
                "500"
            }
            _ if self.phase != Phase::LoggedIn => "530",
            _ => return self.execute_logged_in(command, renaming, out),
        };
        out.push(code.into());
    }

    /// A denied command does nothing, but what was prepared for it is gone.
    fn deny(&mut self, command: ModelCommand, out: &mut Vec<String>) {
        if command.sets_up() || command == ModelCommand::ExtendedPassiveAll {
            self.close_data(out);
        }
        if command.transfers() {
            self.ready.restart = 0;
        }
        out.push("502".into());
    }

    fn execute_logged_in(&mut self, command: ModelCommand, renaming: bool, out: &mut Vec<String>) {
        // A refused one makes the earlier one void.
        if command.sets_up() {
            self.close_data(out);
        }
        let found = |name: Name, good: &str| match name {
            Name::Missing => "550".to_owned(),
            _ => good.to_owned(),
        };
        let reply = match command {
            ModelCommand::ExtraArgument => "501".into(),
            ModelCommand::PrintDirectory => {
                format!(
                    "257 \"{}\" is the current directory.",
                    display(&self.ready.directory)
                )
            }
            ModelCommand::ChangeDirectory(name) => {
                if name != Name::Missing {
                    self.ready.directory = self.resolve(name);
                }
                found(name, "250")
            }
            ModelCommand::ChangeToParent => {
                self.ready.directory.pop();
                "250".into()
            }
            ModelCommand::MakeDirectory(name) => {
                let path = display(&self.resolve(name));
                found(name, &format!("257 \"{path}\" created."))
            }
            ModelCommand::RenameFrom(name) => {
                self.ready.renaming = name != Name::Missing;
                found(name, "350")
            }
            ModelCommand::RenameTo(_) if !renaming => "503".into(),
            ModelCommand::RenameTo(Name::Missing) => "553".into(),
            ModelCommand::RenameTo(_) => "250".into(),
            ModelCommand::Delete(name) => found(name, "250"),
            ModelCommand::Size(name) => found(name, "213"),
            ModelCommand::Type(image) => {
                self.ready.ascii = !image;
                "200".into()
            }
            ModelCommand::Restart(offset) => {
                self.ready.restart = offset;
                "350".into()
            }
            ModelCommand::Abort => {
                self.close_data(out);
                "226".into()
            }
            ModelCommand::ExtendedPassiveAll => {
                self.extended_only = true;
                "200".into()
            }
            _ if command.needs_address() && self.extended_only => "501".into(),
            ModelCommand::ActiveForeign => "501".into(),
            ModelCommand::ActivePrivate if self.is_reachable == Some(false) => "501".into(),
            ModelCommand::ActivePrivate => self.set_up(Data::ActivePrivate, "200"),
            ModelCommand::Active => self.set_up(Data::Active, "200"),
            ModelCommand::Passive => self.set_up(Data::Passive, "227"),
            ModelCommand::ExtendedPassive => self.set_up(Data::Passive, "229"),
            _ => return self.transfer(command, out),
        };
        out.push(reply);
    }

    fn set_up(&mut self, data: Data, code: &str) -> String {
        self.ready.data = data;
        code.to_owned()
    }

    fn transfer(&mut self, command: ModelCommand, out: &mut Vec<String>) {
        let offset = std::mem::take(&mut self.ready.restart);
        let (verb, name, has_offset) = match command {
            ModelCommand::Retrieve(name) => ("RETR", Some(name), true),
            ModelCommand::Store(name) => ("STOR", Some(name), true),
            ModelCommand::Append(name) => ("APPE", Some(name), false),
            _ => ("LIST", None, false),
        };
        let offset_refused = matches!(verb, "APPE" | "STOR") && self.ready.ascii;
        if offset > 0 && offset_refused {
            return out.push("501".into());
        }
        let path = name.map_or_else(|| self.ready.directory.clone(), |name| self.resolve(name));
        let path = display(&path);
        let kind = if self.ready.ascii { "Ascii" } else { "Image" };
        let from = if has_offset {
            format!(" from {offset}")
        } else if verb == "APPE" && offset > 0 {
            format!(" from {offset}, the end")
        } else {
            String::new()
        };
        // After REST it writes at that place, as STOR does.
        let shown = if from.is_empty() { verb } else { "STOR" };
        let shown = if verb == "RETR" { verb } else { shown };
        out.push(format!("OpenTransfer {shown} {path}{from}, {kind}"));
        if name == Some(Name::Missing) {
            return out.push(if verb == "STOR" { "553" } else { "550" }.into());
        }
        let data = std::mem::take(&mut self.ready.data);
        let connection = match data {
            Data::None | Data::Expired => {
                return out.extend(["AbortTransfer".to_owned(), "425".to_owned()]);
            }
            Data::Passive | Data::Connected => "passive",
            Data::Active => "active to 192.0.2.7:51210",
            Data::ActivePrivate => "active to 192.0.2.7:51210 in place of 10.0.0.7",
        };
        out.extend(["150".to_owned(), format!("StartTransfer {connection}")]);
        self.ready.transfer = Some(Transfer {
            upload: matches!(verb, "STOR" | "APPE"),
            passive: !matches!(data, Data::Active | Data::ActivePrivate),
            connected: data == Data::Connected,
            is_private: data == Data::ActivePrivate,
            abort_code: None,
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

impl Transfer {
    /// The client has to open the data connection.
    fn awaits_client(&self) -> bool {
        self.passive && !self.connected && self.abort_code.is_none()
    }
}

fn abort(transfer: &mut Transfer, code: &'static str, out: &mut Vec<String>) {
    if transfer.abort_code.is_none() {
        transfer.abort_code = Some(code);
        out.push("AbortTransfer".into());
    }
}

fn display(path: &[&str]) -> String {
    format!("/{}", path.join("/"))
}

fn endpoints() -> Endpoints {
    let address = |text: &str| text.parse().expect("an address and a port");
    Endpoints::new(address("192.168.77.2:21"), address("192.0.2.7:40000"))
}

/// Failed logins after which a session ends.
const LOGINS_MAX: u32 = 3;
/// Lines without a command that get a reply before a login.
const UNKNOWN_MAX: u32 = 10;
