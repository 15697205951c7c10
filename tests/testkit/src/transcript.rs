//! Transcripts: a text file contains what the client and the driver do, and the outputs of the
//! session.
//!
//! | line | meaning |
//! |---|---|
//! | `# text` | a comment |
//! | `key: value` | a setting: `local`, `peer`, `logged-in`, `implicit-tls`, `only: whole`, or of the session |
//! | `C: line` | the client sends a line; CRLF is added, escapes are those of [`text`] |
//! | `D: what` | the driver answers an action, or reports an event |
//! | `T: timer` | the timer that runs now expires; it must be of this kind |
//! | `-- reason` | the client waits here: no later line is sent before |
//! | `S: reply`, `A: action` | the outputs of the session, in order |
//!
//! A replay returns the text with the `S:` and `A:` lines of the real outputs.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;

use ftp_proto::listing::{Entry, EntryBatch, EntryKind};
use ftp_proto::{
    Account, AsciiConversion, Bound, ClientRule, Config, Digest, Endpoints, FileAnswer, FtpPath,
    Kept, Opened, Outcome, OuterPorts, PublicAddress, QuotaUse, Right, Rights, Space,
};

use crate::operations;
use crate::sim::{Question, Sim};
use crate::text;

/// How the client's bytes arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Line by line.
    Whole,
    /// Byte by byte.
    Bytewise,
    /// As early as possible: lines are sent before the driver's answers, up to the next line that
    /// depends on time (`--`, `T:`, and `D:` lines with an event).
    Pipelined,
}

/// A transcript that can be replayed.
pub struct Transcript<'a> {
    lines: Vec<&'a str>,
    config: Config,
    endpoints: Endpoints,
    account: Option<Account>,
    implicit_tls: bool,
    /// Whether the transcript is about bytes that arrive together.
    whole_only: bool,
}

/// The result of a replay.
pub struct Replayed {
    /// The transcript with the real outputs.
    pub text: String,
    /// Only the outputs.
    pub outputs: Vec<String>,
}

impl<'a> Transcript<'a> {
    /// Reads a transcript without its expected outputs.
    ///
    /// # Errors
    ///
    /// The setting that is not understood.
    pub fn parse(source: &'a str) -> Result<Self, String> {
        let mut transcript = Self {
            lines: Vec::new(),
            config: Config::default(),
            endpoints: endpoints("192.168.77.2:21", "192.0.2.7:40000")?,
            account: None,
            implicit_tls: false,
            whole_only: false,
        };
        let (mut local, mut peer) = ("192.168.77.2:21", "192.0.2.7:40000");
        for line in source.lines() {
            if line.starts_with("S: ") || line.starts_with("A: ") {
                continue;
            }
            transcript.lines.push(line);
            let setting = line.split_once(": ").filter(|_| !line.starts_with('#'));
            match setting {
                None | Some(("C" | "D" | "T", _)) => {}
                Some(("local", address)) => local = address,
                Some(("peer", address)) => peer = address,
                Some(("logged-in", rights)) => transcript.account = Some(account(rights)?),
                Some(("implicit-tls", "on")) => transcript.implicit_tls = true,
                Some(("only", "whole")) => transcript.whole_only = true,
                Some((key, value)) => set(&mut transcript.config, key, value)?,
            }
        }
        transcript.endpoints = endpoints(local, peer)?;
        Ok(transcript)
    }

    /// Replays it for each [`Arrival`]: how the bytes arrive must not matter. Returns the result
    /// for whole lines.
    ///
    /// # Errors
    ///
    /// As [`replay`](Self::replay), and where the results differ.
    pub fn replay_in_every_way(&self) -> Result<Replayed, String> {
        let whole = self.replay(Arrival::Whole)?;
        if self.whole_only {
            return Ok(whole);
        }
        let bytewise = self.replay(Arrival::Bytewise)?.text;
        if bytewise != whole.text {
            return Err(format!("byte by byte the result differs:\n{bytewise}"));
        }
        let pipelined = self.replay(Arrival::Pipelined)?;
        if pipelined.outputs != whole.outputs {
            let text = pipelined.text;
            return Err(format!("pipelined the result differs:\n{text}"));
        }
        Ok(whole)
    }

    /// Runs a session, with its client and its driver.
    ///
    /// # Errors
    ///
    /// The line that cannot be performed, and why; an action that the transcript does not answer.
    ///
    /// # Panics
    ///
    /// If the session breaks a rule that holds in every session; see [`Sim`].
    pub fn replay(&self, arrival: Arrival) -> Result<Replayed, String> {
        let begin = if self.implicit_tls {
            Sim::with_implicit_tls
        } else {
            Sim::new
        };
        let mut sim = begin(self.config.clone(), self.endpoints);
        if let Some(account) = &self.account {
            sim.log_in(account.clone());
        }
        let mut replay = Replay {
            skipped: match self.account {
                Some(_) => sim.log().len(),
                None => 0,
            },
            written: 0,
            text: String::new(),
            sent_ahead: 0,
            greeted: self.account.is_some(),
            sim,
        };
        replay.written = replay.skipped;
        for (index, line) in self.lines.iter().enumerate() {
            replay
                .step(line, &self.lines[index..], arrival)
                .map_err(|fault| format!("{line}: {fault}"))?;
        }
        if replay.sim.question().is_some() && !replay.sim.session().is_closed() {
            return Err(format!(
                "an action has no answer: {:?}",
                replay.sim.question()
            ));
        }
        Ok(Replayed {
            outputs: replay.sim.log()[replay.skipped..].to_vec(),
            text: replay.text,
        })
    }
}

/// A running replay.
struct Replay {
    sim: Sim,
    /// The number of outputs of the login, which the transcript does not contain.
    skipped: usize,
    /// The number of outputs that are already in the text.
    written: usize,
    text: String,
    /// The number of client lines that are already sent.
    sent_ahead: usize,
    /// Whether the greeting has been written.
    greeted: bool,
}

impl Replay {
    /// One line of the transcript; `following` begins with it.
    fn step(&mut self, line: &str, following: &[&str], arrival: Arrival) -> Result<(), String> {
        let content = line.get(3..).unwrap_or("");
        let is_step = is_step(line);
        if is_step && !self.greeted {
            self.write_outputs();
        }
        self.greeted |= is_step;
        self.text.push_str(line);
        self.text.push('\n');
        match line.get(..3) {
            Some("C: ") if arrival == Arrival::Pipelined => self.send_ahead(following)?,
            Some("C: ") if arrival == Arrival::Bytewise => {
                self.sim.send_bytewise(&client_line(content)?);
            }
            Some("C: ") => self.sim.send(&client_line(content)?),
            Some("D: ") => drive(&mut self.sim, content)?,
            Some("T: ") => {
                let timeout = self.sim.session().poll_timeout().ok_or("no timer runs")?;
                if format!("{:?}", timeout.kind) != content {
                    return Err(format!("the timer is {:?}", timeout.kind));
                }
                self.sim.fire(timeout);
            }
            _ => {}
        }
        if is_step {
            self.write_outputs();
        }
        Ok(())
    }

    /// Sends this line and all lines that need not wait. A line that is already sent is not sent
    /// again.
    fn send_ahead(&mut self, following: &[&str]) -> Result<(), String> {
        if self.sent_ahead > 0 {
            self.sent_ahead -= 1;
            return Ok(());
        }
        let mut bytes = Vec::new();
        let mut count = 0;
        let until = following.iter().position(|line| is_barrier(line));
        for line in &following[..until.unwrap_or(following.len())] {
            if let Some(content) = line.strip_prefix("C: ") {
                bytes.extend(client_line(content)?);
                count += 1;
            }
        }
        self.sent_ahead = count - 1;
        self.sim.send(&bytes);
        Ok(())
    }

    fn write_outputs(&mut self) {
        for line in &self.sim.log()[self.written..] {
            self.text.push_str(line);
            self.text.push('\n');
        }
        self.written = self.sim.log().len();
    }
}

fn is_step(line: &str) -> bool {
    ["C: ", "D: ", "T: "]
        .iter()
        .any(|kind| line.starts_with(kind))
}

/// Whether the lines after this one must not be sent before it.
fn is_barrier(line: &str) -> bool {
    let events = [
        "connected",
        "protected",
        "never-connected",
        "withdrawn",
        "progress",
        "shown",
        "kept",
        "eof",
        "lost",
        "shutdown",
        "kick",
        "account",
        "account-withdrawn",
        "config",
    ];
    let is_event = |line: &str| events.iter().any(|word| line.starts_with(word));
    line.starts_with("--")
        || line.starts_with("T: ")
        || line.strip_prefix("D: ").is_some_and(is_event)
}

fn client_line(content: &str) -> Result<Vec<u8>, String> {
    let mut bytes = text::read(content)?;
    bytes.extend_from_slice(b"\r\n");
    Ok(bytes)
}

/// Performs a `D:` line.
fn drive(sim: &mut Sim, what: &str) -> Result<(), String> {
    let (word, value) = what.split_once(' ').unwrap_or((what, ""));
    let number = || value.parse::<u64>().map_err(|fault| fault.to_string());
    let outcome = match word {
        "authenticated" => Outcome::Authenticated(Some(account(value)?)),
        "not-authenticated" => Outcome::Authenticated(None),
        "share-unavailable" => Outcome::ShareUnavailable,
        "address-blocked" => Outcome::AddressBlocked,
        "too-many-sessions" => Outcome::TooManySessions,
        "tls-required" => Outcome::TlsRequired,
        "done" => Outcome::File(Ok(FileAnswer::Done)),
        "size" => Outcome::File(Ok(FileAnswer::Size(number()?))),
        "modified" => Outcome::File(Ok(FileAnswer::Modified(number()?.cast_signed()))),
        "space" => Outcome::File(Ok(FileAnswer::Space(space(value)?))),
        "quota" => Outcome::File(Ok(FileAnswer::Quota(quota(value)?))),
        "digest" => Outcome::File(Ok(FileAnswer::Digest(digest(value)?))),
        "entry" => Outcome::File(Ok(FileAnswer::Entry(operations::entry(0)))),
        "entries" => Outcome::File(Ok(FileAnswer::Entries(entries(value, true)?))),
        "some-entries" => Outcome::File(Ok(FileAnswer::Entries(entries(value, false)?))),
        "port" => Outcome::PassiveOpened(Ok(bound(value)?)),
        "opened" => Outcome::TransferOpened(Ok(opened(value)?)),
        "tls" => operations::tls(true),
        "refused" => refused(sim.question().ok_or("no action is open")?, value)?,
        _ => return apply_event(sim, word, value),
    };
    sim.try_answer(outcome)
        .map_err(|misuse| misuse.to_string())?;
    sim.take();
    Ok(())
}

/// What can be stored, the size of the largest file, and what could be stored in all, each in bytes
/// or `any`: `100 any 2000`.
fn space(value: &str) -> Result<Space, String> {
    let words: Vec<&str> = value.split(' ').collect();
    let [available, file_max, total] = words[..] else {
        return Err("not three sizes".to_owned());
    };
    let mut space = Space::default();
    space.available = limit(available)?;
    space.file_max = limit(file_max)?;
    space.total = limit(total)?;
    Ok(space)
}

/// What is used of a quota, and its limits: `7 of 10 bytes, 2 of any files`; nothing for none.
fn quota(value: &str) -> Result<Option<QuotaUse>, String> {
    let words: Vec<&str> = value.split(' ').collect();
    let [
        bytes,
        "of",
        bytes_max,
        "bytes,",
        files,
        "of",
        files_max,
        "files",
    ] = words[..]
    else {
        return match value {
            "" => Ok(None),
            _ => Err(String::from("no quota")),
        };
    };
    let mut quota = QuotaUse::default();
    quota.bytes = limit(bytes)?.ok_or("no number")?;
    quota.files = limit(files)?.ok_or("no number")?;
    quota.bytes_max = limit(bytes_max)?;
    quota.files_max = limit(files_max)?;
    Ok(Some(quota))
}

/// A number, or `any`.
fn limit(word: &str) -> Result<Option<u64>, String> {
    match word {
        "any" => Ok(None),
        number => number
            .parse()
            .map(Some)
            .map_err(|_| String::from("no number")),
    }
}

/// A digest in hexadecimal digits, and of how many bytes: `00ff of 12`.
fn digest(value: &str) -> Result<Digest, String> {
    let (digits, length) = value.split_once(" of ").ok_or("no length")?;
    let bytes = (0..digits.len()).step_by(2).map(|at| {
        let pair = digits.get(at..at + 2);
        pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())
    });
    let bytes: Option<Vec<u8>> = bytes.collect();
    let length = length.parse().map_err(|_| "no number")?;
    Ok(Digest::new(bytes.ok_or("no digits")?, length))
}

/// Entries of STAT: names with a space between; a slash at the end stands for a directory.
fn entries(names: &str, is_last: bool) -> Result<EntryBatch, String> {
    let entry = |name: &str| {
        let (name, kind) = match name.strip_suffix('/') {
            Some(name) => (name, EntryKind::Directory),
            None => (name, EntryKind::File),
        };
        Ok(Entry::new(text::read(name)?, kind, 5, 0))
    };
    let entries: Result<_, String> = names.split_whitespace().map(entry).collect();
    Ok(EntryBatch::new(entries?, 0, is_last))
}

/// Performs a `D:` line with an event.
fn apply_event(sim: &mut Sim, word: &str, value: &str) -> Result<(), String> {
    match word {
        "ended" if !sim.is_running() => return Err("no transfer runs".into()),
        "ended" if value.is_empty() => sim.end_transfer(Ok(())),
        "ended" => sim.end_transfer(Err(named(value, &operations::ERRORS)?)),
        "connected" => sim.data_connected(),
        "stranger" => sim.stranger_connected(),
        "protected" => sim.data_protected(),
        "never-connected" => sim.data_never_connected(),
        "withdrawn" => sim.port_withdrawn(),
        "progress" => sim.progress(value.parse().map_err(|_| "no number")?),
        "kept" => sim.kept(kept(value)?),
        "shown" => sim.entries(value.parse().map_err(|_| "no number")?),
        "eof" => sim.eof(),
        "lost" => sim.connection_lost(),
        "shutdown" => sim.shutdown(),
        "kick" => sim.kick(),
        "account" => sim.set_account(account(value)?),
        "account-withdrawn" => sim.withdraw_account(),
        "config" => {
            let (key, value) = value.split_once(": ").ok_or("no setting")?;
            let mut result = Ok(());
            sim.configure(|config| result = set(config, key, value));
            return result;
        }
        _ => return Err("unknown event".into()),
    }
    Ok(())
}

/// What an upload leaves: `nothing`, `old`, or the size of the file.
fn kept(value: &str) -> Result<Kept, String> {
    Ok(match value {
        "nothing" => Kept::Nothing,
        "old" => Kept::OldFile,
        _ => Kept::Bytes(value.parse().map_err(|_| "no number")?),
    })
}

/// A port, and perhaps the router's port that leads to it: `60000 as 50000`.
fn bound(value: &str) -> Result<Bound, String> {
    let port = |text: &str| {
        text.parse::<NonZeroU16>()
            .map_err(|fault| fault.to_string())
    };
    match value.split_once(" as ") {
        Some((inner, outer)) => Ok(Bound::new(port(inner)?).with_outer(port(outer)?)),
        None => Ok(Bound::new(port(value)?)),
    }
}

fn opened(value: &str) -> Result<Opened, String> {
    let mut opened = Opened::default();
    match value.split_once(' ') {
        None if value.is_empty() => {}
        Some((count, "bytes")) => opened.bytes = Some(count.parse().map_err(|_| "no number")?),
        Some(("as", name)) => opened.name = Some(text::read(name)?),
        _ => return Err("neither bytes nor a name".into()),
    }
    Ok(opened)
}

fn refused(question: &Question, name: &str) -> Result<Outcome, String> {
    let refusal = named(name, &operations::REFUSALS)?;
    Ok(match question {
        Question::Authenticate(_) => return Err("use not-authenticated".into()),
        Question::File(_) => Outcome::File(Err(refusal)),
        Question::Passive => Outcome::PassiveOpened(Err(refusal)),
        Question::Transfer(_) => Outcome::TransferOpened(Err(refusal)),
        Question::Tls => operations::tls(false),
    })
}

fn named<T: Copy + std::fmt::Debug>(name: &str, all: &[T]) -> Result<T, String> {
    let found = all.iter().find(|value| format!("{value:?}") == name);
    found.copied().ok_or_else(|| format!("unknown: {name}"))
}

/// Rights, and after them the home directory and the rights of directories: `read-only home=/a
/// /a/in=elrw`.
fn account(text: &str) -> Result<Account, String> {
    let mut words = text.split(' ');
    let mut account = Account::new(rights(words.next().unwrap_or_default())?);
    for word in words {
        if word == "no-other-login" {
            account = account.with_no_other_login();
            continue;
        }
        let (name, value) = word.split_once('=').ok_or("no rights of a directory")?;
        let path = |text: &str| FtpPath::parse(text.as_bytes()).ok_or("no path");
        account = match name {
            "home" => account.with_home(path(value)?),
            directory => account.with_rights_below(path(directory)?, rights(value)?),
        };
    }
    Ok(account)
}

/// A word or letters. `-overwrite` behind them: but files may not be replaced.
fn rights(text: &str) -> Result<Rights, String> {
    if let Some(text) = text.strip_suffix("-overwrite") {
        return Ok(rights(text)?.without(Right::Overwrite));
    }
    match text {
        "read-write" => Ok(Rights::READ_WRITE),
        "read-only" => Ok(Rights::READ_ONLY),
        letters => Rights::from_letters(letters).ok_or(format!("unknown rights: {text}")),
    }
}

fn endpoints(local: &str, peer: &str) -> Result<Endpoints, String> {
    let address = |text: &str| text.parse::<SocketAddr>().map_err(|_| text.to_string());
    Ok(Endpoints::new(address(local)?, address(peer)?))
}

/// Changes one setting.
fn set(config: &mut Config, key: &str, value: &str) -> Result<(), String> {
    apply_setting(config, key, value).ok_or_else(|| format!("bad setting: {key}: {value}"))
}

fn apply_setting(config: &mut Config, key: &str, value: &str) -> Option<()> {
    match key {
        "banner" => config.banner = String::from_utf8(text::read(value).ok()?).ok()?,
        "ascii" => {
            config.ascii = match value {
                "requested" => AsciiConversion::Requested,
                "rfc959" => AsciiConversion::Rfc959,
                "never" => AsciiConversion::Never,
                _ => return None,
            };
        }
        "deny" => {
            for name in value.split(',') {
                config.denied_commands.deny(name).ok()?;
            }
        }
        "digests" => config.digests = value == "on",
        "tls" => config.tls = value == "on",
        "tls-control-required" => config.tls_control_required = value == "on",
        "tls-data-required" => config.tls_data_required = value == "on",
        "permit-foreign-addresses" => config.permit_foreign_addresses = value == "on",
        "trusted-gateway" => config.trusted_gateways.push(value.parse().ok()?),
        "login-attempts-max" => config.login_attempts_max = value.parse().ok()?,
        _ => return set_masquerade(&mut config.masquerade, key, value),
    }
    Some(())
}

/// An address, or a question mark for a name that is not resolved yet.
fn public_address(text: &str) -> Option<PublicAddress> {
    match text {
        "?" => Some(PublicAddress::Unknown),
        address => Some(address.parse::<Ipv4Addr>().ok()?.into()),
    }
}

/// Sets one rule, with the words of the command line. The table of masquerade tests uses it too.
pub fn set_masquerade(rules: &mut ftp_proto::Masquerade, key: &str, value: &str) -> Option<()> {
    match key {
        "address" => rules.address = Some(public_address(value)?),
        "learned" => rules.learned = Some(value.parse().ok()?),
        "local-network" => rules.local_networks.push(value.parse().ok()?),
        "gateway" => rules.gateways.push(value.parse().ok()?),
        "map" => {
            let (local, public) = value.split_once('=')?;
            let local = local.parse().ok()?;
            rules.map.insert(local, public_address(public)?);
        }
        "client" => {
            let rule = match value.split_once('=')? {
                (network, "local") => (network.parse().ok()?, ClientRule::Local),
                (network, address) => {
                    let address = public_address(address)?;
                    (network.parse().ok()?, ClientRule::Announce(address))
                }
            };
            rules.clients.push(rule);
        }
        "outer-ports" => {
            let (inner, outer) = value.split_once('=')?;
            let (inner_first, inner_last) = inner.split_once('-')?;
            let inner_first: u16 = inner_first.parse().ok()?;
            let inner_last: u16 = inner_last.parse().ok()?;
            let count = inner_last.checked_sub(inner_first)? + 1;
            let ports = OuterPorts::new(inner_first, outer.parse().ok()?, count);
            rules.outer_ports = Some(ports.ok()?);
        }
        _ => return None,
    }
    Some(())
}
