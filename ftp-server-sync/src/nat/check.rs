//! `--check`: what every kind of client would be told, and what is wrong, before anything is served.
//!
//! Nothing that is tried here is kept: no socket stays open and no file is touched.

use std::io::{self, ErrorKind};

use super::diagnose::certificate::certificate_findings;
use super::diagnose::{Seen, Severity, findings};
use crate::fs::root::Root;
use crate::net::interfaces::Interfaces;
use crate::net::listen;
use crate::net::port_probe::{self, HeldPorts};
use crate::settings::Settings;
use crate::tls::Identity;

mod clients;
mod names;
mod report;

/// The answer to `--check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// For people, at most 100 columns wide.
    pub text: String,
    /// What it comes to.
    pub verdict: Verdict,
}

/// What a check comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every kind of client would be served.
    Fine,
    /// Some kind of client would fail.
    ClientsFail,
    /// The server could not even start, for this reason.
    CannotStart(String),
}

/// Looks at this machine, resolves names (for some seconds at most), and tries ports.
///
/// # Errors
///
/// What the system said when it was asked for its interfaces.
pub fn check(settings: &Settings) -> io::Result<Report> {
    let interfaces = Interfaces::read()?;
    let (identity, certificate_problem) = match Identity::look(settings, &interfaces) {
        Ok(identity) => (identity, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let start = start_problem(settings).or(certificate_problem);
    // Beside a running server its own ports would look like another program's, and trying them would
    // disturb it.
    let held = match (&settings.passive_ports, &start) {
        (Some(range), None) => {
            port_probe::held_ports(*range, &settings.local_addresses(&interfaces))
        }
        _ => HeldPorts::default(),
    };
    let (names, unresolved) = names::look_up(&settings.names());
    let seen = Seen {
        interfaces,
        names,
        unresolved,
        held,
    };
    let mut findings = findings(settings, &seen);
    let problems = identity.iter().flat_map(Identity::problems);
    findings.extend(certificate_findings(problems.collect()));
    findings.sort_by_key(|finding| finding.severity);
    let text = report::text(settings, &seen, &findings, start.as_deref());
    let fails = findings
        .iter()
        .any(|finding| finding.severity == Severity::Failure);
    let verdict = match start {
        Some(problem) => Verdict::CannotStart(problem),
        None if fails => Verdict::ClientsFail,
        None => Verdict::Fine,
    };
    Ok(Report { text, verdict })
}

/// What would keep the server from starting.
fn start_problem(settings: &Settings) -> Option<String> {
    let directory = Root::open(&settings.directory).map(drop);
    let control = || listen::probe(&settings.listen, settings.passive_ports);
    directory
        .and_then(|()| control())
        .err()
        .map(|error| match error.kind() {
            ErrorKind::AddrInUse => format!("{error}; the passive ports have not been tried"),
            _ => error.to_string(),
        })
}
