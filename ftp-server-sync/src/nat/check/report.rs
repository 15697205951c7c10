//! The text of `--check`.
//!
//! Pure: the same settings and the same evidence give the same text. Lines have at most `WIDTH`
//! columns.

use std::net::IpAddr;
use std::time::Duration;

use super::audience::audience;
use super::clients::{Client, HAIRPIN, LocalAddresses, ROUTED, THROUGH, example_port, simulate};
use super::picture::picture;
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
    if let Some(Ok(firewall)) = &evidence.firewall {
        text.push_str(&wrap("", 0, WIDTH, firewall));
    }
    for part in [
        picture(settings, evidence, WIDTH),
        audience(settings, WIDTH),
    ] {
        text.push_str(&part);
        text.push('\n');
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
    let over = match &settings.tls {
        Some(tls) if tls.control_required || tls.data_required => " over TLS",
        _ => "",
    };
    let mut text = format!(
        "Passive mode replies to each kind of client{over}, with data port {port} ({example}):\n\n"
    );
    for group in &groups {
        text.push_str(&group_lines(group, settings, evidence));
        text.push('\n');
    }
    let missing = missing_clients(&settings.local_addresses(&evidence.interfaces));
    for lines in [missing, explanations(settings, &groups)] {
        if !lines.is_empty() {
            text.push_str(&lines);
            text.push('\n');
        }
    }
    text
}

/// The addresses of a group, then what clients there are given.
fn group_lines(group: &LocalAddresses, settings: &Settings, evidence: &Evidence) -> String {
    let names = &evidence.interfaces.names;
    let named = |address: &IpAddr| match names.get(address) {
        Some(name) if address.is_ipv4() && !address.is_loopback() => format!("{address} ({name})"),
        _ => address.to_string(),
    };
    let list: Vec<String> = group.addresses.iter().map(named).collect();
    let port = match settings.control_port() {
        0 => ", any free port".to_owned(),
        port => format!(" port {port}"),
    };
    let example = match group.addresses[0] {
        address @ IpAddr::V4(_) if list.len() > 1 => format!("; shown for {address}"),
        _ => String::new(),
    };
    let heading = format!("connecting to {}{port}{example}", list.join(", "));
    let mut text = wrap("", 0, WIDTH, &heading);
    for offer in &group.offers {
        text.push_str(&format!("  {}\n", offer.meaning));
        for line in 0..offer.clients.len().max(offer.replies.len()) {
            let client = offer.clients.get(line).map_or(String::new(), client_words);
            let reply = offer.replies.get(line).map_or("", String::as_str);
            text.push_str(format!("    {client:<REPLY_COLUMN$}{reply}").trim_end());
            text.push('\n');
        }
    }
    text
}

fn client_words(client: &Client) -> String {
    let peer = client.peer.map_or(String::new(), |peer| peer.to_string());
    format!("{:<PEER_COLUMN$}{peer}", client.label)
}

/// What the words for some kinds of clients mean, and what to do if those are not given what they
/// can use. Nothing can be wrong for them where all clients are given the same.
fn explanations(settings: &Settings, groups: &[LocalAddresses]) -> String {
    let offers = || groups.iter().flat_map(|group| &group.offers);
    let is_shown = |label: &str| {
        let mut clients = offers().flat_map(|offer| &offer.clients);
        clients.any(|client| client.label == label)
    };
    let public = settings.masquerade_address.as_ref();
    let public = public.map_or("PUBLIC".to_owned(), ToString::to_string);
    let advice = |text: String| {
        if settings.masquerades() {
            text
        } else {
            String::new()
        }
    };
    let for_routed = ": if its clients do not come through the public address, add \
                      --masquerade-client NETWORK=local";
    let for_through = format!(": add --masquerade-client THAT-ADDRESS={public}");
    let explanations = [
        (
            HAIRPIN,
            "a client in the local network that connects to the public address: the router sends the \
             connection back to the server, with the router's own address as the client's"
                .to_owned(),
        ),
        (
            ROUTED,
            "a network behind another router of yours, such as a VLAN or a VPN".to_owned()
                + &advice(for_routed.to_owned()),
        ),
        (
            THROUGH,
            "clients elsewhere whose connections a proxy, or a machine that translates addresses, \
             makes from its own address"
                .to_owned()
                + &advice(for_through),
        ),
    ];
    let shown = explanations.iter().filter(|(label, _)| is_shown(label));
    let mut text: String = shown
        .map(|(label, explanation)| wrap(label, LABEL_COLUMN, WIDTH, explanation))
        .collect();
    let has_others = groups.iter().any(|group| {
        let address = group.addresses[0];
        address.is_ipv4() && !address.is_loopback()
    });
    if settings.masquerades() && has_others && !is_shown(HAIRPIN) {
        let reason = "not shown, no default gateway is known";
        text.push_str(&wrap(HAIRPIN, LABEL_COLUMN, WIDTH, reason));
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
        (true, false) => {
            let rules = &settings.access;
            let those = if rules.allowed.is_empty() && rules.denied.is_empty() {
                ""
            } else {
                " that is not refused"
            };
            let condition = router_condition(settings, evidence);
            format!("Every kind of client{those} can be served{condition}.")
        }
    }
}

/// What the router must do, which this machine cannot check.
fn router_condition(settings: &Settings, evidence: &Evidence) -> String {
    let is_own = |public: &AddressSource| {
        let address = public.known(&evidence.known);
        address.is_some_and(|address| evidence.interfaces.has(address.into()))
    };
    let publics = settings.public_addresses();
    let passes_router = publics.into_iter().any(|public| !is_own(public));
    let Some(inner) = settings.passive_ports.filter(|_| passes_router) else {
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

pub(super) const WIDTH: usize = 100;
/// The columns of a client's address and of the replies, behind the indent.
const PEER_COLUMN: usize = 20;
const REPLY_COLUMN: usize = PEER_COLUMN + 17;
const LABEL_COLUMN: usize = 16;
const FINDING_COLUMN: usize = 9;

#[cfg(test)]
mod tests;
