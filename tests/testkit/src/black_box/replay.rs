//! Replays a transcript over TCP: the server's replies must have the codes of the transcript, in
//! their order.
//!
//! What the transcript's driver answers is what a real driver finds in the directory, so the
//! scenario creates the files first. Texts are not compared: they contain addresses, times and
//! sizes.

use std::io::Write;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::client::{Client, accept, connect, read_all, reset};
use super::directory;
use super::scenarios::Scenario;
use super::target::BlackBox;
use crate::text;
use crate::transcript::Arrival;
use crate::transcripts;

/// Creates the files of a scenario, and replays its transcript.
pub(super) fn check(
    black_box: &BlackBox,
    scenario: &Scenario,
    arrival: Arrival,
) -> Result<(), String> {
    set_up(black_box, scenario).map_err(|fault| format!("creating its files: {fault}"))?;
    let source = transcripts::find(scenario.name).ok_or("there is no such transcript")?;
    let steps = parse(source, black_box)?;
    let client = if source.lines().any(|line| line.starts_with("logged-in: ")) {
        Client::log_in_to(black_box)?
    } else {
        Client::connect_only(black_box)?
    };
    let mut replay = Replay {
        client,
        arrival,
        within: black_box.reply_within,
        listener: None,
        data: None,
        transfer: None,
    };
    for step in &steps {
        let result = replay.step(step);
        result.map_err(|fault| format!("{}: {fault}", step.line))?;
    }
    Ok(())
}

fn set_up(black_box: &BlackBox, scenario: &Scenario) -> Result<(), String> {
    let mut client = Client::log_in_to(black_box)?;
    for path in scenario.directories {
        directory::make(&mut client, path)?;
    }
    for path in scenario.files {
        client.store(path, &vec![b'x'; FILE_BYTES])?;
    }
    for path in scenario.big_files {
        client.store(path, &vec![b'x'; BIG_FILE_BYTES])?;
    }
    Ok(())
}

/// One line of the client or of the driver, and what follows from it.
struct Step<'a> {
    line: &'a str,
    act: Act,
    outputs: Vec<Expected<'a>>,
}

enum Act {
    None,
    Send(Vec<u8>),
    /// PORT or EPRT with an address of ours.
    SendAddress(AddressCommand),
    Connect,
    /// The data connection ends in order.
    Finish,
    /// The transfer has been aborted.
    Drop,
    Reset,
}

#[derive(Clone, Copy)]
enum AddressCommand {
    Port,
    Eprt,
}

enum Expected<'a> {
    Reply(u16),
    /// The command of the transfer.
    Opened(&'a str),
    Started {
        is_active: bool,
    },
    Close,
}

fn parse<'a>(source: &'a str, black_box: &BlackBox) -> Result<Vec<Step<'a>>, String> {
    let mut steps = vec![Step {
        line: "the beginning",
        act: Act::None,
        outputs: Vec::new(),
    }];
    let mut user = 0;
    let mut password = 0;
    for line in source.lines() {
        let (kind, content) = line.split_at_checked(3).unwrap_or(("", ""));
        let act = match kind {
            "C: " => Act::Send([&text::read(content)?[..], b"\r\n"].concat()),
            "D: " => driver_act(content)?,
            "T: " => return Err(format!("{line}: a timer cannot be replayed")),
            "S: " | "A: " => {
                let step = steps.last_mut().ok_or("no step")?;
                step.outputs.extend(expected(content, kind == "S: "));
                continue;
            }
            _ => continue,
        };
        match content.split(' ').next() {
            Some("USER") => user = steps.len(),
            Some("PASS") => password = steps.len(),
            Some("authenticated") => {
                steps[user].act = Act::Send(format!("USER {}\r\n", black_box.user).into());
                steps[password].act = Act::Send(format!("PASS {}\r\n", black_box.password).into());
            }
            _ => {}
        }
        let outputs = Vec::new();
        steps.push(Step { line, act, outputs });
    }
    steps.iter_mut().for_each(use_own_address);
    Ok(steps)
}

/// What the client does where the transcript's driver does this.
fn driver_act(content: &str) -> Result<Act, String> {
    let (word, value) = content.split_once(' ').unwrap_or((content, ""));
    Ok(match (word, value) {
        ("connected", _) => Act::Connect,
        ("ended", "") => Act::Finish,
        ("ended", "Aborted") => Act::Drop,
        ("ended", "ConnectionLost") => Act::Reset,
        // The driver finds this by itself.
        (
            "authenticated" | "not-authenticated" | "done" | "size" | "modified" | "entry"
            | "entries" | "some-entries" | "port" | "opened" | "refused" | "progress",
            _,
        ) => Act::None,
        _ => return Err(format!("cannot be replayed: {content}")),
    })
}

fn expected(content: &str, is_reply: bool) -> Option<Expected<'_>> {
    if is_reply {
        // The last line of a reply; the lines before it have a hyphen, or begin with a space.
        let (code, rest) = content.split_at_checked(3)?;
        let code = code.parse().ok().filter(|_| !rest.starts_with('-'))?;
        return Some(Expected::Reply(code));
    }
    let mut words = content.split(' ');
    match words.next()? {
        "OpenTransfer" => words.next().map(Expected::Opened),
        "StartTransfer" | "StartProtectedTransfer" => Some(Expected::Started {
            is_active: words.next() == Some("active"),
        }),
        "Close" => Some(Expected::Close),
        _ => None,
    }
}

/// Addresses that the server must accept are replaced by ours.
fn use_own_address(step: &mut Step<'_>) {
    let is_accepted = matches!(step.outputs.last(), Some(Expected::Reply(200)));
    let command = step.line.strip_prefix("C: ").unwrap_or("");
    if is_accepted && command.starts_with("PORT ") {
        step.act = Act::SendAddress(AddressCommand::Port);
    } else if is_accepted && command.starts_with("EPRT ") {
        step.act = Act::SendAddress(AddressCommand::Eprt);
    }
}

/// A running replay.
struct Replay<'a> {
    client: Client,
    arrival: Arrival,
    within: Duration,
    /// Of the last PORT or EPRT.
    listener: Option<TcpListener>,
    data: Option<TcpStream>,
    transfer: Option<&'a str>,
}

impl<'a> Replay<'a> {
    fn step(&mut self, step: &Step<'a>) -> Result<(), String> {
        match &step.act {
            Act::None | Act::Drop => {}
            Act::Send(line) => self.send(line)?,
            Act::SendAddress(command) => self.send_address(*command)?,
            Act::Connect => self.connect()?,
            Act::Finish => self.finish()?,
            Act::Reset => reset(self.data.take().ok_or("no data connection")?)?,
        }
        for expected in &step.outputs {
            match expected {
                Expected::Reply(code) => drop(self.client.expect(*code)?),
                Expected::Opened(command) => self.transfer = Some(command),
                Expected::Started { is_active: true } => self.accept()?,
                Expected::Started { is_active: false } => {}
                Expected::Close => self.client.expect_close()?,
            }
        }
        // Only now: the server could take it for the end of the transfer, before it reads the ABOR.
        if let Act::Drop = step.act {
            self.data = None;
        }
        Ok(())
    }

    fn send(&mut self, line: &[u8]) -> Result<(), String> {
        match self.arrival {
            Arrival::Whole | Arrival::Pipelined => self.client.send(line),
            // A long line arrives in many pieces anyway.
            Arrival::Bytewise if line.len() > 200 => self.client.send(line),
            Arrival::Bytewise => line.chunks(1).try_for_each(|byte| self.client.send(byte)),
        }
    }

    fn send_address(&mut self, command: AddressCommand) -> Result<(), String> {
        let listener = self.client.listen()?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let (ip, port) = (address.ip(), address.port());
        let line = match (command, ip) {
            (AddressCommand::Port, IpAddr::V4(ip)) => {
                let ([a, b, c, d], [high, low]) = (ip.octets(), port.to_be_bytes());
                format!("PORT {a},{b},{c},{d},{high},{low}\r\n")
            }
            (AddressCommand::Port, IpAddr::V6(_)) => return Err("PORT needs IPv4".into()),
            (AddressCommand::Eprt, IpAddr::V4(ip)) => format!("EPRT |1|{ip}|{port}|\r\n"),
            (AddressCommand::Eprt, IpAddr::V6(ip)) => format!("EPRT |2|{ip}|{port}|\r\n"),
        };
        self.listener = Some(listener);
        self.send(line.as_bytes())
    }

    fn connect(&mut self) -> Result<(), String> {
        if self.data.is_none() {
            self.data = Some(connect(self.client.take_passive()?, None)?);
        }
        Ok(())
    }

    /// The server connects to us; it has promised that with its 150.
    fn accept(&mut self) -> Result<(), String> {
        let listener = self.listener.take().ok_or("no address was sent")?;
        self.data = Some(accept(&listener, self.within)?);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), String> {
        self.connect()?;
        let mut data = self.data.take().ok_or("no data connection")?;
        if matches!(self.transfer, Some("STOR" | "APPE" | "STOU")) {
            return data
                .write_all(UPLOAD)
                .map_err(|error| format!("sending data: {error}"));
        }
        read_all(&mut data, self.within).map(drop)
    }
}

const UPLOAD: &[u8] = b"From the test kit.\r\n";
/// A transcript takes 1000 for more than a short file has.
const FILE_BYTES: usize = 900;
/// More than the buffers of both ends hold, so that a transfer waits for its client.
pub(super) const BIG_FILE_BYTES: usize = 24 << 20;
