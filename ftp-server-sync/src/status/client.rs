//! `--who`, `--kick`, `--stop`, `--reload` and `--drain`: the client of a server's status socket.
//!
//! Nothing that a server sends is trusted: its texts go to a terminal, so they are filtered again.

mod connection;
mod find;
mod layout;
mod plain;
mod rates;
mod reply;
mod request;
mod table;
mod text;
#[cfg(feature = "watch")]
mod watch;

use std::fmt;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use rustix::termios::tcgetwinsize;

use crate::status::snapshot::Snapshot;
use connection::StatusConnection;
use rates::Rates;
use reply::{Answer, SnapshotAnswer};
pub use request::{ClientRequest, ClientTask, SocketSearch};

/// Why a request was not fulfilled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientFailure {
    /// The server has refused it, with this text.
    Refused(String),
    /// No server could be asked.
    Unreachable(String),
}

/// Asks the server. `show` prints a text, and returns false when its reader is gone.
///
/// # Errors
///
/// If there is no answer, or a refusal.
pub fn perform(
    request: &ClientRequest,
    show: &mut dyn FnMut(&str) -> bool,
) -> Result<(), ClientFailure> {
    let mut connection =
        StatusConnection::open(&request.socket).map_err(ClientFailure::Unreachable)?;
    if let SocketSearch::File {
        port: Some(port), ..
    } = request.socket
    {
        refuse_another_server(&mut connection, port)?;
    }
    let command = match request.task {
        ClientTask::Who { watch, json } => {
            return match (watch, json) {
                (true, false) => watch_table(connection, show),
                (true, true) => repeat(&mut connection, &mut |answer| show(&json_line(answer))),
                (false, true) => ask_who(&mut connection, &mut |answer| show(&json_text(answer))),
                (false, false) => ask_who(&mut connection, &mut |answer| {
                    show(&once(answer, &Rates::default()))
                }),
            };
        }
        ClientTask::Kick(number) => format!("kick {number}"),
        ClientTask::Stop => "stop".to_owned(),
        ClientTask::Reload => "reload".to_owned(),
        ClientTask::Drain => "drain".to_owned(),
    };
    connection.limit_time(ORDER_TIME_MAX);
    match connection
        .ask(&command)
        .map_err(ClientFailure::Unreachable)?
    {
        Answer::Done(text) => {
            show(&format!("{text}\n"));
            Ok(())
        }
        Answer::Error(text) => Err(ClientFailure::Refused(text)),
        Answer::Snapshot(_) => Err(unexpected(&connection)),
    }
}

/// Servers that share a configuration file may have the same path there, and the socket is that of
/// the one which has started first: another one must not be ended in its place.
fn refuse_another_server(
    connection: &mut StatusConnection,
    port: u16,
) -> Result<(), ClientFailure> {
    let listen = &who(connection)?.snapshot.server.listen;
    let mut ports: Vec<u16> = listen.iter().map(SocketAddr::port).collect();
    ports.dedup();
    if ports.contains(&port) {
        return Ok(());
    }
    Err(ClientFailure::Unreachable(
        connection.other_port(&ports, port),
    ))
}

/// The table until it is not wanted any more.
fn watch_table(
    mut connection: StatusConnection,
    show: &mut dyn FnMut(&str) -> bool,
) -> Result<(), ClientFailure> {
    #[cfg(feature = "watch")]
    if io::stdout().is_terminal() {
        connection.limit_time(WATCH_TIME_MAX);
        let mut read = || match who(&mut connection) {
            Ok(answer) => Ok(answer.snapshot),
            Err(failure) => Err(failure.to_string()),
        };
        return watch::run(&mut read).map_err(ClientFailure::Unreachable);
    }
    let mut last: Option<(Snapshot, Instant)> = None;
    repeat(&mut connection, &mut |answer| {
        let now = Instant::now();
        let rates = last.as_ref().map_or_else(Rates::default, |(old, at)| {
            Rates::between(old, &answer.snapshot, now.duration_since(*at).as_secs_f64())
        });
        let blank = if last.is_none() { "" } else { "\n" };
        last = Some((answer.snapshot.clone(), now));
        show(&format!("{blank}{}", once(answer, &rates)))
    })
}

/// Asks once for the sessions.
fn ask_who(
    connection: &mut StatusConnection,
    show: &mut dyn FnMut(&SnapshotAnswer) -> bool,
) -> Result<(), ClientFailure> {
    show(&*who(connection)?);
    Ok(())
}

/// Asks each second, as long as there is a reader.
fn repeat(
    connection: &mut StatusConnection,
    show: &mut dyn FnMut(&SnapshotAnswer) -> bool,
) -> Result<(), ClientFailure> {
    while show(&*who(connection)?) {
        thread::sleep(PERIOD);
    }
    Ok(())
}

fn who(connection: &mut StatusConnection) -> Result<Box<SnapshotAnswer>, ClientFailure> {
    match connection.ask("who").map_err(ClientFailure::Unreachable)? {
        Answer::Snapshot(answer) => Ok(answer),
        Answer::Error(text) => Err(ClientFailure::Refused(text)),
        Answer::Done(_) => Err(unexpected(connection)),
    }
}

fn unexpected(connection: &StatusConnection) -> ClientFailure {
    ClientFailure::Unreachable(connection.unexpected())
}

/// The table for the terminal that standard output is, or for a program.
fn once(answer: &SnapshotAnswer, rates: &Rates) -> String {
    match terminal_width() {
        Some(width) => table::text(&answer.snapshot, rates, width),
        None => plain::text(&answer.snapshot),
    }
}

fn terminal_width() -> Option<usize> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let columns = tcgetwinsize(&stdout).map_or(0, |size| size.ws_col);
    // Serial consoles do not know their width.
    Some(if columns == 0 { 80 } else { columns.into() })
}

fn json_line(answer: &SnapshotAnswer) -> String {
    format!("{}\n", json_escaped(&answer.json.to_string()))
}

fn json_text(answer: &SnapshotAnswer) -> String {
    let text = serde_json::to_string_pretty(&answer.json).unwrap_or_default();
    format!("{}\n", json_escaped(&text))
}

/// The same document without the control characters that JSON allows, and a terminal obeys.
fn json_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\n' {
            escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

impl fmt::Display for ClientFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(text) | Self::Unreachable(text) => f.write_str(text),
        }
    }
}

/// A reload reads files, perhaps from a disk that sleeps.
const ORDER_TIME_MAX: Duration = Duration::from_secs(60);
/// Keys wait for that time.
#[cfg(feature = "watch")]
const WATCH_TIME_MAX: Duration = Duration::from_secs(2);
/// Between two snapshots.
const PERIOD: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
