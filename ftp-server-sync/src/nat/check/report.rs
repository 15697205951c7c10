//! The text of `--check`.
//!
//! Pure: the same settings and the same machine give the same text, at most `WIDTH` columns wide.

use std::net::IpAddr;

use super::clients::{Kind, example_port, places};
use crate::logging;
use crate::nat::diagnose::{Finding, Seen, Severity, masquerades};
use crate::settings::Settings;

/// `start_problem`: why the server could not even start, as far as that was tried.
pub(super) fn text(
    settings: &Settings,
    seen: &Seen,
    findings: &[Finding],
    start_problem: Option<&str>,
) -> String {
    let mut text = String::new();
    for (name, address) in &seen.names {
        text.push_str(&format!("{name} leads to {address} now.\n"));
    }
    text.push_str(&clients(settings, seen));
    if let Some(problem) = start_problem {
        text.push_str(&wrapped("FAILS", FINDING_COLUMN, problem));
    } else if findings.is_empty() {
        text.push_str("Nothing is wrong with the flags.\n");
    }
    for finding in findings {
        let severity = match finding.severity {
            Severity::Failure => "FAILS",
            Severity::Risk => "RISK",
            Severity::Note => "note",
        };
        text.push_str(&wrapped(severity, FINDING_COLUMN, &finding.text));
    }
    text.push_str(&conclusion(
        settings,
        seen,
        findings,
        start_problem.is_none(),
    ));
    text
}

fn clients(settings: &Settings, seen: &Seen) -> String {
    let places = places(settings, &seen.interfaces, &seen.names);
    let port = example_port(settings);
    let example = match &settings.passive_ports {
        Some(_) => format!("with data port {port}, the first of the range"),
        None => format!("with data port {port} as an example, the kernel chooses"),
    };
    let mut text = format!("What clients are told, {example}:\n\n");
    for place in &places {
        for address in &place.addresses {
            text.push_str(&format!(
                "connecting to {address}{}\n",
                control_port(settings)
            ));
        }
        for kind in &place.kinds {
            text.push_str(&entry(kind));
        }
        text.push('\n');
    }
    let mut lines = absent(&settings.local_addresses(&seen.interfaces));
    if places
        .iter()
        .flat_map(|place| &place.kinds)
        .any(is_shown_hairpin)
    {
        lines.push_str(&wrapped(
            "hairpin",
            FINDING_COLUMN,
            "a client in the local network that dials the public address: the router sends it back \
             in, from its own address",
        ));
    }
    if !lines.is_empty() {
        text.push_str(&lines);
        text.push('\n');
    }
    text
}

/// The kinds of clients that have nothing to connect to.
fn absent(addresses: &[IpAddr]) -> String {
    let none = |is: fn(&IpAddr) -> bool| !addresses.iter().any(is);
    let reachable_ipv4 = |address: &IpAddr| address.is_ipv4() && !address.is_loopback();
    [
        (
            "from elsewhere over IPv4",
            "no IPv4 address that they could reach",
            none(reachable_ipv4),
        ),
        ("over IPv6", "no IPv6 address", none(IpAddr::is_ipv6)),
        (
            "on this machine",
            "no loopback address",
            none(IpAddr::is_loopback),
        ),
    ]
    .iter()
    .filter(|(_, _, absent)| *absent)
    .map(|(who, what, _)| format!("clients {who}: not shown, {what} is listened on\n"))
    .collect()
}

fn is_shown_hairpin(kind: &Kind) -> bool {
    kind.label == "hairpin" && kind.answer.is_ok()
}

/// Label and meaning, then the replies, with the example's address at the side.
fn entry(kind: &Kind) -> String {
    let column = KIND_COLUMN;
    let answer = match &kind.answer {
        Ok(answer) => answer,
        Err(reason) => {
            return format!("  {:<column$}not shown, {reason}\n", kind.label);
        }
    };
    let mut text = format!("  {:<column$}{}\n", kind.label, answer.meaning);
    let mut side = kind.peer.map_or(String::new(), |peer| format!("  {peer}"));
    for reply in &answer.replies {
        text.push_str(format!("  {side:<column$}{reply}").trim_end());
        text.push('\n');
        side.clear();
    }
    text
}

fn control_port(settings: &Settings) -> String {
    match settings.control_port() {
        0 => ", any free port".to_owned(),
        port => format!(" port {port}"),
    }
}

fn conclusion(settings: &Settings, seen: &Seen, findings: &[Finding], starts: bool) -> String {
    let fails = findings
        .iter()
        .any(|finding| finding.severity == Severity::Failure);
    let addresses = settings.local_addresses(&seen.interfaces);
    let text = match (starts, fails) {
        (false, _) => "The server cannot start.".to_owned(),
        (true, true) => "Some clients would fail.".to_owned(),
        (true, false) if addresses.iter().all(IpAddr::is_loopback) => {
            "Clients on this machine can be served, and no others.".to_owned()
        }
        (true, false) => format!("Every kind of client can be served{}.", condition(settings)),
    };
    format!("\n{}", wrapped("", 0, &text))
}

/// What this machine cannot see.
fn condition(settings: &Settings) -> String {
    let Some(inner) = settings.passive_ports.filter(|_| masquerades(settings)) else {
        return String::new();
    };
    let outer = settings.outer_ports.unwrap_or(inner);
    let passive = match outer == inner {
        true => outer.to_string(),
        false => format!("{outer} to {inner}"),
    };
    let control = match settings.control_port() {
        0 => format!("port {} to the control port", settings.outer_port),
        port => format!("port {} to {port}", settings.outer_port),
    };
    let implicit = match settings.implicit_port() {
        None => String::new(),
        Some(0) => ", that of implicit TLS".to_owned(),
        Some(port) => format!(", {port}"),
    };
    format!(", if the router forwards {control}{implicit} and {passive} (--rules prints its lines)")
}

/// `head`, then the text in lines of its own column.
fn wrapped(head: &str, column: usize, text: &str) -> String {
    logging::wrapped(head, column, WIDTH, text)
}

const WIDTH: usize = 100;
const KIND_COLUMN: usize = 20;
const FINDING_COLUMN: usize = 9;

#[cfg(test)]
mod tests;
