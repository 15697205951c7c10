//! The table of sessions for a terminal, as wide as that is.
//!
//! Nothing here knows what a terminal does with a line: it only says which lines are special.

use super::layout::{Columns, Row};
use super::rates::Rates;
use super::text::{bytes, cut_end, cut_start, flow, rate, time, whole, width};
use crate::logging::counted::counted;
use crate::status::snapshot::{
    Activity, Announced, Direction, PassivePortsStatus, ServerPhase, SessionStatus, Snapshot,
    TransferStatus,
};

/// A line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TableLine {
    pub(super) text: String,
    pub(super) kind: LineKind,
}

/// How a line may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    Plain,
    Heading,
    /// Something is wrong, or not as usual.
    Warning,
}

/// The whole table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// The server, what it does now, its totals, and the names of the columns: the most important
    /// lines are the first ones and the last one.
    pub(super) head: Vec<TableLine>,
    /// The lines of each session.
    pub(super) sessions: Vec<Vec<TableLine>>,
}

impl TableLine {
    pub(super) fn new(kind: LineKind, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { text, kind }
    }
}

impl Table {
    pub(super) fn new(snapshot: &Snapshot, rates: &Rates, terminal: usize) -> Self {
        let mut head = head(snapshot, rates, terminal);
        let heading = [Row::heading()];
        let rows = snapshot.sessions.iter().map(Row::of);
        let rows: Vec<Row> = heading.into_iter().chain(rows).collect();
        let columns = Columns::new(&rows, terminal);
        let names = columns.line(&rows[0], "ACTIVITY");
        head.push(TableLine::new(LineKind::Heading, names));
        let sessions = snapshot.sessions.iter().zip(&rows[1..]);
        let sessions = sessions.map(|(session, row)| {
            let mut lines = vec![TableLine::new(
                LineKind::Plain,
                columns.line(row, &activity(session, columns.activity)),
            )];
            let now = rates.transfers.get(&session.number).copied();
            lines.extend(details(session, now, terminal));
            lines
        });
        Self {
            sessions: sessions.collect(),
            head,
        }
    }
}

/// The table as a text.
pub(super) fn text(snapshot: &Snapshot, rates: &Rates, terminal: usize) -> String {
    let table = Table::new(snapshot, rates, terminal);
    let lines = table.head.iter().chain(table.sessions.iter().flatten());
    lines.map(|line| format!("{}\n", line.text)).collect()
}

/// The lines about the server, in a terminal of this width.
pub(super) fn head(snapshot: &Snapshot, rates: &Rates, terminal: usize) -> Vec<TableLine> {
    let server = &snapshot.server;
    let listen: Vec<String> = server.listen.iter().map(ToString::to_string).collect();
    // One that drains does not listen.
    let on = if listen.is_empty() { "" } else { " on " };
    let first = format!(
        "ftp-server-sync {}, pid {}, up {}, serves {}{on}{}",
        server.version,
        server.pid,
        time(server.uptime_seconds as f64),
        server.directory,
        listen.join(", ")
    );
    let mut lines = vec![TableLine::new(LineKind::Plain, cut_end(&first, terminal))];
    let phase = match server.phase {
        ServerPhase::Serving => None,
        ServerPhase::Draining => {
            Some("draining: no new session starts, and the server ends after the last one")
        }
        ServerPhase::ShuttingDown => Some("shutting down: running transfers may finish"),
    };
    lines.extend(phase.map(|phase| TableLine::new(LineKind::Warning, cut_end(phase, terminal))));
    for parts in [now(snapshot), moving(rates), totals(snapshot)] {
        let texts = flow(0, &parts, terminal).into_iter();
        lines.extend(texts.map(|text| TableLine::new(LineKind::Plain, text)));
    }
    lines
}

fn now(snapshot: &Snapshot) -> Vec<String> {
    let server = &snapshot.server;
    let count = snapshot.sessions.len();
    let blocked = match server.blocked_addresses {
        0 => String::new(),
        1 => "1 address is blocked".to_owned(),
        blocked => format!("{blocked} addresses are blocked"),
    };
    let masquerade = server.masquerade_address;
    vec![
        format!("{count} of {} sessions", server.sessions_max),
        server.passive_ports.as_ref().map(ports).unwrap_or_default(),
        masquerade.map_or(String::new(), |address| format!("PASV gives {address}")),
        blocked,
    ]
}

fn ports(ports: &PassivePortsStatus) -> String {
    let total = u64::from(ports.to.saturating_sub(ports.from)) + 1;
    let waiting = match ports.waiting {
        0 => String::new(),
        waiting => format!(", {waiting} waiting"),
    };
    let (from, to, in_use) = (ports.from, ports.to, ports.in_use);
    format!("passive ports {from}-{to}: {in_use} of {total} in use{waiting}")
}

fn totals(snapshot: &Snapshot) -> Vec<String> {
    let totals = &snapshot.totals;
    let transfers = [
        ("download", Direction::Download, totals.downloads),
        ("upload", Direction::Upload, totals.uploads),
        ("listing", Direction::Listing, totals.listings),
    ];
    let transfers = transfers.map(|(name, direction, total)| {
        // The bytes are those of all three.
        let mut text = format!("{} done", counted(total.completed, name));
        for (count, state) in [
            (total.failed, "failed"),
            (running(snapshot, direction), "running"),
        ] {
            if count > 0 {
                text.push_str(&format!(", {count} {state}"));
            }
        }
        if total.bytes > 0 {
            text.push_str(&format!(", {}", bytes(total.bytes)));
        }
        text
    });
    let mut parts = transfers.to_vec();
    let others = [
        (
            totals.failed_logins,
            counted(totals.failed_logins, "failed login"),
        ),
        (
            totals.never_connected,
            format!("{} never connected", totals.never_connected),
        ),
        (
            totals.refused_connections,
            format!("{} refused", totals.refused_connections),
        ),
        (
            totals.lost_log_lines,
            counted(totals.lost_log_lines, "lost log line"),
        ),
    ];
    let others = others.into_iter().filter(|(count, _)| *count > 0);
    parts.extend(others.map(|(_, text)| text));
    parts
}

/// How many transfers of a direction have their data connection.
fn running(snapshot: &Snapshot, direction: Direction) -> u64 {
    let is_running = |session: &&SessionStatus| match &session.activity {
        Activity::Transfer(transfer) => transfer.is_connected && transfer.direction == direction,
        _ => false,
    };
    snapshot.sessions.iter().filter(is_running).count() as u64
}

fn moving(rates: &Rates) -> Vec<String> {
    match rates.all {
        Some((down, up)) => vec![format!("now {} down, {} up", rate(down), rate(up))],
        None => Vec::new(),
    }
}

/// What a session does, in at most this number of columns.
fn activity(session: &SessionStatus, columns: usize) -> String {
    let text = match &session.activity {
        Activity::Login => format!("login {}", time(session.quiet_seconds)),
        Activity::Idle => format!("idle {}", time(session.quiet_seconds)),
        Activity::WaitingForPort { seconds } => {
            format!("waits for a free port {}", time(*seconds))
        }
        Activity::WaitingForConnection { port } => format!("waits on port {port}"),
        Activity::Connected => "connected, no command".to_owned(),
        Activity::Working { command } => return words(command, columns),
        Activity::Transfer(transfer) => {
            return words(&format!("{} {}", transfer.command, transfer.path), columns);
        }
    };
    cut_end(&text, columns)
}

/// A command, of whose path the end is the important part.
fn words(command: &str, columns: usize) -> String {
    match command.split_once(' ') {
        Some((verb, path)) if width(verb) + 2 < columns => {
            let rest = columns - width(verb) - 1;
            format!("{verb} {}", cut_start(path, rest))
        }
        _ => cut_end(command, columns),
    }
}

/// The lines below: the progress, and how the data connection came. `now`: bytes per second.
fn details(session: &SessionStatus, now: Option<f64>, terminal: usize) -> Vec<TableLine> {
    let transfer = match &session.activity {
        Activity::Transfer(transfer) => Some(transfer),
        _ => None,
    };
    let mut parts = transfer.map_or(Vec::new(), |transfer| progress(transfer, now, terminal));
    if transfer.is_some_and(|transfer| transfer.is_connected && !transfer.is_protected)
        && session.tls.is_some()
    {
        parts.push("data without TLS".to_owned());
    }
    let is_active = transfer.is_some_and(|t| t.is_connected && t.passive_port.is_none());
    let announced = session.announced.as_ref().filter(|_| !is_active);
    let is_news = |announced: &&Announced| {
        // The port of a transfer that is over needs no place, if all went well.
        transfer.is_some()
            || announced.is_connected != Some(true)
            || matches!(session.activity, Activity::Connected)
    };
    parts.extend(is_active.then(|| "active mode".to_owned()));
    parts.extend(announced.filter(is_news).map(way));
    let is_missing = announced.is_some_and(|announced| announced.is_connected == Some(false));
    let kind = if is_missing {
        LineKind::Warning
    } else {
        LineKind::Plain
    };
    let lines = flow(INDENT, &parts, terminal).into_iter();
    lines.map(|text| TableLine::new(kind, text)).collect()
}

fn progress(transfer: &TransferStatus, now: Option<f64>, terminal: usize) -> Vec<String> {
    if !transfer.is_connected {
        return vec!["waits for the data connection".to_owned()];
    }
    let done = transfer.offset.saturating_add(transfer.bytes);
    let size = transfer
        .size
        .filter(|_| transfer.direction != Direction::Listing);
    let mut parts = match size {
        Some(size) => vec![
            bar(done, size, if terminal < 100 { 10 } else { 20 }),
            format!("{} of {}", bytes(done), bytes(size)),
        ],
        None => vec![bytes(done)],
    };
    parts.push(rate(now.unwrap_or(transfer.rate)));
    parts.push(match transfer.seconds_left {
        Some(seconds) => format!("{} left", time(seconds)),
        None => format!("for {}", time(transfer.seconds)),
    });
    parts
}

/// Such as `[####------] 43%`.
fn bar(done: u64, size: u64, columns: usize) -> String {
    let share = share(done, size);
    let full = whole(share * columns as f64);
    let full = usize::try_from(full).unwrap_or(columns).min(columns);
    let (full, rest) = ("#".repeat(full), "-".repeat(columns - full));
    format!("[{full}{rest}] {}%", whole(share * 100.0))
}

/// How much of a size is done, from 0 to 1. The whole of it only when nothing is left.
pub(super) fn share(done: u64, size: u64) -> f64 {
    if done >= size {
        1.0
    } else {
        (done as f64 / size as f64).min(0.999)
    }
}

/// Which way the client was sent, and whether it came.
fn way(announced: &Announced) -> String {
    let place = std::net::SocketAddr::new(announced.address, announced.port);
    let came = match announced.is_connected {
        Some(true) => "connected",
        Some(false) => "never connected",
        None => "not connected yet",
    };
    // The rule comes last: it is what a narrow terminal cuts.
    format!("{place} {came}, by {}", announced.rule)
}

/// Of the lines below a session.
const INDENT: usize = 4;
