//! The text of `--probe`. Pure: the same observations give the same text.

use std::net::IpAddr;

use super::advice::{Advice, advise};
use super::clients::{CLIENTS, Prospect};
use super::secure::TlsFacts;
use super::seen::{Answer, Attempt, Seen, Way};
use crate::logging::wrap::wrap;

/// The greeting, and what TLS shows.
pub(super) fn head(place: &str, user: &str, greeting: &Answer, tls: Option<&TlsFacts>) -> String {
    let mut text = format!("connected to {place}: {greeting}\n");
    if let Some(facts) = tls {
        text += &format!("{}, and the certificate is not verified\n", facts.version);
        let fingerprint = facts.fingerprint.as_deref().unwrap_or("none");
        text += &format!("SHA-256 fingerprint {fingerprint}\n");
    }
    text + &format!("logged in as {user}\n")
}

/// What our server's STAT says.
pub(super) fn status(seen: &Seen) -> String {
    let Some(status) = &seen.status else {
        return String::new();
    };
    let client = match status.client {
        Some(client) => format!("sees this client at {client}, and "),
        None => String::new(),
    };
    let text = format!(
        "this is ftp-server-sync; it {client}announces {} in PASV, by {}",
        status.announced, status.reason
    );
    wrap("", 0, WIDTH, &text)
}

/// One data connection.
pub(super) fn attempt(attempt: &Attempt, server: IpAddr) -> String {
    let reply = match &attempt.reply {
        Some(reply) => reply.to_string(),
        None => "no reply".to_owned(),
    };
    let mut text = format!("\n{:<6}{reply}\n", attempt.way.command());
    let target = attempt.target.map(|target| {
        let place = match (attempt.way, attempt.announced) {
            (Way::PasvAsAnnounced, _) if target.ip() != server => ", as the reply says",
            (Way::PasvToServer, Some(announced)) if announced.ip() != target.ip() => {
                ", whatever address the reply names"
            }
            _ => "",
        };
        format!("to {} port {}{place}: ", target.ip(), target.port())
    });
    let result = match &attempt.result {
        Ok(listing) => {
            let lines = match listing.lines {
                1 => "1 line".to_owned(),
                lines => format!("{lines} lines"),
            };
            let cut = if listing.cut { ", and more" } else { "" };
            let resumed = if listing.resumed {
                "; TLS session resumed"
            } else {
                ""
            };
            format!("works, a listing of {lines}{cut}{resumed}")
        }
        // PASV is for IPv4 alone, and no client sends it here.
        Err(_) if server.is_ipv6() && attempt.way != Way::Epsv => {
            "no use over IPv6, where clients send EPSV".to_owned()
        }
        Err(failure) => format!("FAILS, {failure}"),
    };
    let text_of_result = target.unwrap_or_default() + &result;
    text += &wrap("      ", REPLY_COLUMN, WIDTH, &text_of_result);
    text
}

/// The table of clients, what is wrong, and the conclusion. The second value says whether every
/// client gets through.
pub(super) fn conclusion(seen: &Seen) -> (String, bool) {
    let mut all_work = true;
    let mut text = String::new();
    if let Some(written) = &seen.written {
        text += &match written {
            Ok(()) => "\nwrite works, a small file was stored and removed\n".to_owned(),
            Err(reason) => format!(
                "\n{}",
                wrap("write", REPLY_COLUMN, WIDTH, &format!("FAILS, {reason}"))
            ),
        };
    }
    text += "\nclients in passive mode, with their usual settings:\n";
    for client in &CLIENTS {
        let (word, reason) = match client.prospect(seen) {
            Prospect::Works => ("works", client.habit(seen).to_owned()),
            Prospect::NoTls => ("-", "offers no TLS".to_owned()),
            Prospect::Fails(reason) => {
                all_work = false;
                ("FAILS", reason)
            }
        };
        let head = format!("  {:<width$}{word}", client.name, width = NAME_COLUMNS);
        text += &wrap(&head, NAME_COLUMNS + 9, WIDTH, &reason);
    }
    let advice = advise(seen);
    if !advice.is_empty() {
        text.push('\n');
    }
    for advice in &advice {
        text += &advice_lines(advice, seen.status.is_some());
        all_work &= !advice.is_failure;
    }
    let is_written = !matches!(seen.written, Some(Err(_)));
    text += match (all_work, is_written) {
        (true, true) => "\nEvery client of the table would get through.\n",
        (true, false) => "\nEvery client of the table would get through, but writing failed.\n",
        (false, _) => "\nSome clients would fail.\n",
    };
    (text, all_work && is_written)
}

fn advice_lines(advice: &Advice, is_ours: bool) -> String {
    let head = if advice.is_failure { "FAILS" } else { "note" };
    let mut text = wrap(
        head,
        ADVICE_COLUMN,
        WIDTH,
        &format!("{}.", advice.text.trim_end_matches('.')),
    );
    if let (Some(flag), true) = (&advice.flag, is_ours) {
        let line = format!("add to the server's flags: {flag}");
        text += &format!("{:ADVICE_COLUMN$}{line}\n", "");
    }
    text
}

const WIDTH: usize = 100;
const REPLY_COLUMN: usize = 8;
const NAME_COLUMNS: usize = 24;
const ADVICE_COLUMN: usize = 9;
