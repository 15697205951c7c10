//! The text of `--check`.
//!
//! Pure: the same settings and the same evidence give the same text. Lines have at most `WIDTH`
//! columns.

use std::net::IpAddr;
use std::time::Duration;

use super::clients::{ClientKind, example_port, simulate};
use crate::logging::wrap::wrap;
use crate::nat::address_source::choice::verb;
use crate::nat::evidence::Evidence;
use crate::nat::finding::{Finding, Severity};
use crate::settings::{AddressSource, Settings};

/// One paragraph for each certificate in force.
pub(super) fn certificates(descriptions: &[String]) -> String {
    let lines = descriptions.iter();
    let lines = lines.map(|description| wrap("", 0, WIDTH, &format!("TLS: {description}")));
    lines.collect()
}

/// `start_problem` is the reason why the server cannot start.
pub(super) fn text(
    settings: &Settings,
    evidence: &Evidence,
    findings: &[Finding],
    start_problem: Option<&str>,
) -> String {
    let mut text = String::new();
    for source in evidence.known.keys() {
        text.push_str(&wrap("", 0, WIDTH, &source_line(source, evidence)));
    }
    if let Some(Ok(router)) = &evidence.router {
        text.push_str(&wrap("", 0, WIDTH, &router.text));
    }
    text.push_str(&clients(settings, evidence));
    if let Some(problem) = start_problem {
        text.push_str(&finding_lines("FAILS", problem));
    } else if findings.is_empty() {
        text.push_str("Nothing is wrong with the flags.\n");
    }
    for finding in findings {
        let severity = match finding.severity {
            Severity::Failure => "FAILS",
            Severity::Risk => "RISK",
            Severity::Note => "note",
        };
        text.push_str(&finding_lines(severity, &finding.text));
    }
    let conclusion = conclusion(settings, evidence, findings, start_problem.is_none());
    text.push_str(&format!("\n{}", wrap("", 0, WIDTH, &conclusion)));
    text
}

/// The address of a source, its age, and what else the source says.
fn source_line(source: &AddressSource, evidence: &Evidence) -> String {
    let address = evidence.known[source];
    let answer = evidence.answers.get(source);
    let age = answer.and_then(|answer| answer.age);
    let age = age.map_or(" now".to_owned(), |age| {
        format!(", written {} ago", duration(age))
    });
    let addresses = answer.map_or(&[][..], |answer| &answer.addresses);
    let others = addresses.iter().filter(|other| **other != address);
    let others: Vec<String> = others.map(IpAddr::to_string).collect();
    let others = match others.len() {
        0 => String::new(),
        _ => format!("; it has other addresses: {}", others.join(", ")),
    };
    format!("{source} {} {address}{age}{others}.", verb(source))
}

/// About how long it is.
fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// The replies to each kind of client, by the address that it connects to.
fn clients(settings: &Settings, evidence: &Evidence) -> String {
    let router = evidence.router.as_ref();
    let router = router.and_then(|router| router.as_ref().ok());
    let learned = router.and_then(|router| router.public.address());
    let groups = simulate(settings, &evidence.interfaces, &evidence.known, learned);
    let port = example_port(settings);
    let example = match &settings.passive_ports {
        Some(_) => "the first of the range",
        None => "an example, the kernel chooses",
    };
    let mut text = format!(
        "Passive mode replies to each kind of client, with data port {port} ({example}):\n\n"
    );
    for group in &groups {
        for address in &group.addresses {
            text.push_str(&format!(
                "connecting to {address}{}\n",
                control_port(settings)
            ));
        }
        for client in &group.clients {
            text.push_str(&client_lines(client));
        }
        text.push('\n');
    }
    let mut lines = missing_clients(&settings.local_addresses(&evidence.interfaces));
    if groups
        .iter()
        .flat_map(|group| &group.clients)
        .any(is_shown_hairpin)
    {
        lines.push_str(&finding_lines(
            "hairpin",
            "a client in the local network that connects to the public address: the router sends the \
             connection back to the server, with the router's own address as the client's",
        ));
    }
    if !lines.is_empty() {
        text.push_str(&lines);
        text.push('\n');
    }
    text
}

/// The kinds of clients that can connect to no address of the server.
fn missing_clients(addresses: &[IpAddr]) -> String {
    let none = |is: fn(&IpAddr) -> bool| !addresses.iter().any(is);
    let is_reachable_ipv4 = |address: &IpAddr| address.is_ipv4() && !address.is_loopback();
    [
        (
            "on other machines over IPv4",
            "no IPv4 address they can reach",
            none(is_reachable_ipv4),
        ),
        ("over IPv6", "no IPv6 address", none(IpAddr::is_ipv6)),
        (
            "on this machine",
            "no loopback address",
            none(IpAddr::is_loopback),
        ),
    ]
    .iter()
    .filter(|(_, _, missing)| *missing)
    .map(|(clients, what, _)| {
        format!("clients {clients}: not shown, the server listens on {what}\n")
    })
    .collect()
}

fn is_shown_hairpin(client: &ClientKind) -> bool {
    client.label == "hairpin" && client.result.is_ok()
}

/// The label and the meaning, then the replies, with the address of the simulated client in front.
fn client_lines(client: &ClientKind) -> String {
    let column = CLIENT_COLUMN;
    let replies = match &client.result {
        Ok(replies) => replies,
        Err(reason) => {
            return format!("  {:<column$}not shown, {reason}\n", client.label);
        }
    };
    let mut text = format!("  {:<column$}{}\n", client.label, replies.meaning);
    let mut side = client
        .peer
        .map_or(String::new(), |peer| format!("  {peer}"));
    for reply in &replies.replies {
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

fn conclusion(
    settings: &Settings,
    evidence: &Evidence,
    findings: &[Finding],
    starts: bool,
) -> String {
    let clients_fail = findings
        .iter()
        .any(|finding| finding.severity == Severity::Failure);
    let addresses = settings.local_addresses(&evidence.interfaces);
    match (starts, clients_fail) {
        (false, _) => "The server cannot start.".to_owned(),
        (true, true) => "Some clients would fail.".to_owned(),
        (true, false) if addresses.iter().all(IpAddr::is_loopback) => {
            "Clients on this machine can be served, and no others.".to_owned()
        }
        (true, false) => format!(
            "Every kind of client can be served{}.",
            router_condition(settings)
        ),
    }
}

/// What the router must do, which this machine cannot check.
fn router_condition(settings: &Settings) -> String {
    let Some(inner) = settings.passive_ports.filter(|_| settings.masquerades()) else {
        return String::new();
    };
    if settings.port_mapping.is_on() {
        // The findings say what the router does not do.
        return String::new();
    }
    let outer = settings.outer_ports.unwrap_or(inner);
    let passive = if outer == inner {
        outer.to_string()
    } else {
        format!("{outer} to {inner}")
    };
    let control = match settings.control_port() {
        0 => format!("port {} to the control port", settings.outer_port),
        port => format!("port {} to {port}", settings.outer_port),
    };
    let implicit = match settings.implicit_port() {
        None => String::new(),
        Some(0) => ", the port of implicit TLS".to_owned(),
        Some(port) => format!(", {port}"),
    };
    format!(", if the router forwards {control}{implicit} and {passive} (--rules prints the rules)")
}

fn finding_lines(head: &str, text: &str) -> String {
    wrap(head, FINDING_COLUMN, WIDTH, text)
}

const WIDTH: usize = 100;
const CLIENT_COLUMN: usize = 20;
const FINDING_COLUMN: usize = 9;

#[cfg(test)]
mod tests;
