//! Ports that clients cannot use, and flags about ports that have no effect.

use crate::nat::finding::{Finding, Severity};
use crate::net::port_probe::{UnavailablePorts, describe_ports};
use crate::settings::Settings;

pub(super) fn findings(settings: &Settings, unavailable: &UnavailablePorts) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(unused_outer_ports(settings));
    findings.extend(no_passive_ports(settings));
    findings.extend(control_port_among_passive_ports(settings));
    findings.extend(unavailable_ports(settings, unavailable));
    findings.extend(ports_of_services(settings, unavailable));
    findings.extend(few_ports(settings));
    findings
}

fn unused_outer_ports(settings: &Settings) -> Option<Finding> {
    let range = settings.outer_ports?;
    (!settings.masquerades()).then(|| {
        Finding::failure(format!(
            "--outer-ports {range} is never used: only clients that are given the router's address \
             are given its ports; give that address with --masquerade-address"
        ))
    })
}

fn no_passive_ports(settings: &Settings) -> Option<Finding> {
    (settings.passive_ports.is_none() && settings.masquerades()).then(|| {
        Finding::failure(
            "masquerading without --passive-ports: the kernel chooses the data ports, usually among \
             32768-60999, and the router cannot forward them; give a small range such as \
             --passive-ports 60000-60009 and forward it",
        )
    })
}

/// Outside the router. The same fault on this machine is refused when the flags are read.
fn control_port_among_passive_ports(settings: &Settings) -> Option<Finding> {
    let control = settings.outer_port;
    let range = settings.outer_ports.or(settings.passive_ports)?;
    (settings.masquerades() && range.contains(control)).then(|| {
        Finding::failure(format!(
            "outside the router, the passive ports {range} contain the control port {control}: a \
             client that is sent there reaches the control port; give --passive-ports without it, or \
             the control port that the router forwards with --outer-port"
        ))
    })
}

fn unavailable_ports(settings: &Settings, unavailable: &UnavailablePorts) -> Vec<Finding> {
    let Some(range) = settings.passive_ports else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    if !unavailable.denied.is_empty() {
        let denied = describe_ports(&unavailable.denied);
        let severity = if unavailable.denied.len() == usize::from(range.count()) {
            Severity::Failure
        } else {
            Severity::Note
        };
        findings.push(Finding::new(
            severity,
            format!(
                "passive ports {denied} may not be opened by this user: ports below 1024 need root \
                 or CAP_NET_BIND_SERVICE; give a range above with --passive-ports"
            ),
        ));
    }
    for (ports, addresses) in unavailable.in_use_by_ports() {
        let list = describe_ports(&ports);
        let place = if addresses.is_empty() {
            String::new()
        } else {
            format!(" of {}", addresses.join(" and "))
        };
        let left = usize::from(range.count()) - ports.len();
        let (noun, verb, object) = match ports.len() {
            1 => ("port", "is", "it"),
            _ => ("ports", "are", "them"),
        };
        findings.push(match left {
            0 => Finding::failure(format!(
                "passive {noun} {list}{place}, the whole range, {verb} in use by other programs: no \
                 client can open a data connection in passive mode; give other ports with \
                 --passive-ports"
            )),
            _ => Finding::note(format!(
                "passive {noun} {list}{place} {verb} in use by other programs: the server skips \
                 {object}, which leaves {left} of {}; give other ports with --passive-ports",
                range.count()
            )),
        });
    }
    findings
}

/// Only a server that may open such ports gets so far.
fn ports_of_services(settings: &Settings, unavailable: &UnavailablePorts) -> Option<Finding> {
    let range = settings.passive_ports?;
    (range.first() < PORT_UNRESERVED && unavailable.denied.is_empty()).then(|| {
        let last = range.last().min(PORT_UNRESERVED - 1);
        let (noun, list) = if range.first() == last {
            ("port", last.to_string())
        } else {
            ("ports", format!("{}-{last}", range.first()))
        };
        Finding::note(format!(
            "--passive-ports {range}: {noun} {list} may be other services' (80 HTTP, 443 HTTPS), \
             and some clients and firewalls refuse data connections to ports below \
             {PORT_UNRESERVED}; give a range above, such as 60000-60009"
        ))
    })
}

/// A small range is a note and no failure: it limits how many transfers can start at the same time,
/// not how many can run.
fn few_ports(settings: &Settings) -> Option<Finding> {
    let count = settings.passive_ports?.count();
    if count >= PORTS_ENOUGH {
        return None;
    }
    let (ports, transfers) = match count {
        1 => ("1 port".to_owned(), "1 transfer".to_owned()),
        _ => (format!("{count} ports"), format!("{count} transfers")),
    };
    // Sessions share a port only if the address of a connection shows which of them it is for.
    let can_share = !settings.permit_foreign_addresses && settings.trusted_gateways.is_empty();
    let clients = if can_share {
        "clients of one network (IPv4: /24, IPv6: /64) can start"
    } else {
        "all clients together, because sessions cannot share a port here, can start"
    };
    Some(Finding::note(format!(
        "--passive-ports has {ports}: {clients} {transfers} at a time, and more transfers wait a \
         moment; {PORTS_ENOUGH} ports are enough for most uses"
    )))
}

const PORTS_ENOUGH: u16 = 10;
/// RFC 6335: the ports from 0 to 1023 are those of system services.
const PORT_UNRESERVED: u16 = 1024;
