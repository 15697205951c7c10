//! The table for programs and files: every session in one line, every value exact, no line cut.

use super::layout::ABSENT;
use super::rates::Rates;
use super::table::{head, share};
use super::text::{left, whole, width};
use crate::status::snapshot::{Activity, Announced, SessionStatus, Snapshot, TransferStatus};

/// The table as a text.
pub(super) fn text(snapshot: &Snapshot) -> String {
    let mut rows = vec![HEADING.map(str::to_owned)];
    rows.extend(snapshot.sessions.iter().map(cells));
    let widths: Vec<usize> = (0..HEADING.len())
        .map(|column| rows.iter().map(|row| width(&row[column])).max())
        .map(Option::unwrap_or_default)
        .collect();
    let mut text = String::new();
    for line in head(snapshot, &Rates::default(), usize::MAX) {
        text.push_str(&line.text);
        text.push('\n');
    }
    for row in rows {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells.map(|(cell, width)| left(cell, *width)).collect();
        text.push_str(cells.join(" ").trim_end());
        text.push('\n');
    }
    text
}

/// Only the last cell may have blanks that are not between quotes.
fn cells(session: &SessionStatus) -> [String; HEADING.len()] {
    let transfer = match &session.activity {
        Activity::Transfer(transfer) => Some(transfer),
        _ => None,
    };
    let of_transfer = |text: fn(&TransferStatus) -> Option<String>| {
        let text = transfer.and_then(text);
        text.unwrap_or_else(|| ABSENT.to_owned())
    };
    let of_announced = |text: fn(&Announced) -> String| {
        let text = session.announced.as_ref().map(text);
        text.unwrap_or_else(|| ABSENT.to_owned())
    };
    let tls = session.tls.as_deref();
    [
        session.number.to_string(),
        session.user.as_deref().map_or(ABSENT.to_owned(), quoted),
        session.client.to_string(),
        session.local.to_string(),
        tls.map_or(ABSENT, |tls| tls.strip_prefix("TLS ").unwrap_or(tls))
            .to_owned(),
        whole(session.age_seconds).to_string(),
        whole(session.quiet_seconds).to_string(),
        state(&session.activity).to_owned(),
        of_transfer(|transfer| Some(data(transfer).to_owned())),
        of_transfer(|transfer| Some(transfer.offset.to_string())),
        of_transfer(|transfer| Some(transfer.bytes.to_string())),
        of_transfer(|transfer| transfer.size.map(|size| size.to_string())),
        of_transfer(percent),
        of_transfer(|transfer| Some(whole(transfer.rate).to_string())),
        of_transfer(|transfer| transfer.seconds_left.map(|left| whole(left).to_string())),
        of_announced(|way| std::net::SocketAddr::new(way.address, way.port).to_string()),
        of_announced(|way| quoted(&way.rule)),
        of_announced(|way| connected(way).to_owned()),
        command(&session.activity),
    ]
}

/// As in JSON.
fn state(activity: &Activity) -> &'static str {
    match activity {
        Activity::Login => "login",
        Activity::Idle => "idle",
        Activity::WaitingForPort { .. } => "waiting-for-port",
        Activity::WaitingForConnection { .. } => "waiting-for-connection",
        Activity::Connected => "connected",
        Activity::Transfer(_) => "transfer",
        Activity::Working { .. } => "working",
    }
}

fn data(transfer: &TransferStatus) -> &'static str {
    match (transfer.is_connected, transfer.is_protected) {
        (false, _) => "awaited",
        (true, false) => "clear",
        (true, true) => "TLS",
    }
}

fn percent(transfer: &TransferStatus) -> Option<String> {
    let done = transfer.offset.saturating_add(transfer.bytes);
    let share = share(done, transfer.size?);
    Some(whole(share * 100.0).to_string())
}

fn connected(announced: &Announced) -> &'static str {
    match announced.is_connected {
        Some(true) => "yes",
        Some(false) => "no",
        None => "awaited",
    }
}

fn command(activity: &Activity) -> String {
    match activity {
        Activity::Transfer(transfer) => format!("{} {}", transfer.command, transfer.path),
        Activity::Working { command } => command.clone(),
        _ => ABSENT.to_owned(),
    }
}

/// One word, with quotes if it has blanks, or looks like nothing.
fn quoted(text: &str) -> String {
    if text.is_empty() || text == ABSENT || text.contains(char::is_whitespace) {
        format!("\"{}\"", text.replace('"', "\\x22"))
    } else {
        text.to_owned()
    }
}

/// Times in seconds, sizes in bytes.
const HEADING: [&str; 19] = [
    "NO",
    "USER",
    "CLIENT",
    "LOCAL",
    "TLS",
    "AGE",
    "QUIET",
    "STATE",
    "DATA",
    "OFFSET",
    "BYTES",
    "SIZE",
    "PERCENT",
    "RATE",
    "LEFT",
    "ANNOUNCED",
    "RULE",
    "CONNECTED",
    "COMMAND",
];
