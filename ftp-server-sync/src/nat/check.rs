//! `--check`: the replies to each kind of client, and what is wrong, before anything is served.
//!
//! A check leaves nothing behind: no socket stays open, and no file is written.

use std::io::{self, ErrorKind};

use super::diagnose::addresses::example_addresses;
use super::diagnose::certificate::certificate_findings;
use super::diagnose::diagnose;
use super::evidence::{Evidence, SandboxEvidence};
use super::finding::{Finding, Severity};
use super::hook_problems::hook_findings;
use super::port_mapping::probe::ask_routers;
use super::user_problems::{no_login, user_findings};
use crate::fs::mounts::UnmountedShare;
use crate::fs::own_files::OwnFiles;
use crate::fs::root::{Root, unwritable};
use crate::fs::upload_limits::lacks_space;
use crate::net::interfaces::Interfaces;
use crate::net::listen;
use crate::net::order;
use crate::net::port_probe::{self, UnavailablePorts};
use crate::privileges::{self, ProcessRights, SystemLimits};
use crate::settings::{KnownAddresses, Settings, SocketSource};
use crate::tls::Identity;

mod audience;
mod clients;
mod picture;
mod report;
mod simulated_session;
mod sources;
mod system_users;
mod users;

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// For people, in lines of at most 100 columns.
    pub text: String,
    /// The result in one word.
    pub verdict: Verdict,
}

/// Whether clients would be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every kind of client would be served.
    Fine,
    /// Some kind of client would fail.
    ClientsFail,
    /// The server could not start, for this reason.
    CannotStart(String),
}

/// Reads the interfaces of this machine, looks up addresses of the settings (which takes 5 seconds
/// at most), asks the router if the settings say so (2 seconds for each protocol, and as long again
/// over IPv6), and probes ports. If the settings name a user to become, this process has that
/// user's rights afterwards.
///
/// # Errors
///
/// What the system says when the interfaces cannot be read.
pub fn check(settings: &Settings) -> io::Result<Report> {
    let interfaces = Interfaces::read()?;
    let (identity, certificate_problem) = match Identity::load_existing(settings, &interfaces) {
        Ok(identity) => (identity, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let (sandbox, sandbox_problem) = match SandboxEvidence::expected(settings) {
        Ok(sandbox) => (sandbox, None),
        Err(problem) => (None, Some(problem)),
    };
    let start_problem = start_problem(settings)
        .or(certificate_problem)
        .or(sandbox_problem);
    // Where the server runs already, its own passive ports would look like another program's, and
    // probing them would disturb it.
    let unavailable_ports = match (&settings.passive_ports, &start_problem) {
        (Some(range), None) => {
            let addresses = settings.passive_addresses(&interfaces, &KnownAddresses::new());
            port_probe::probe_ports(*range, &addresses)
        }
        _ => UnavailablePorts::default(),
    };
    let sources = sources::look_up_all(settings);
    let routers = ask_routers(settings);
    let system_users = system_users::look_up(settings);
    let mut users = user_findings(settings);
    users.extend(no_login(settings, system_users.can_log_in));
    users.extend(system_users.findings);
    users.extend(hook_findings(settings));
    let evidence = Evidence {
        interfaces,
        known: sources.known,
        answers: sources.answers,
        unresolved: sources.unresolved,
        unavailable_ports,
        own_files_inside: OwnFiles::new(settings.own_files()).inside(&settings.directory),
        password_exposures: settings.password_exposures(),
        users,
        unmounted_share: UnmountedShare::find(&settings.directory),
        lacks_space: lacks_space(&settings.uploads, &settings.directory),
        unwritable: unwritable(&settings.directory),
        sandbox,
        rights: rights(settings),
        router: routers.ipv4,
        firewall: routers.ipv6,
    };
    let mut findings = diagnose(settings, &evidence);
    findings.extend(example_addresses(settings, &evidence.interfaces));
    findings.extend(limit_findings(settings));
    if let Some(identity) = &identity {
        findings.extend(certificate_findings(identity.problems()));
    }
    order::sort_by_key(&mut findings, |finding| finding.severity);
    let certificates = identity.as_ref().map(Identity::descriptions);
    let mut text = report::certificates(&certificates.unwrap_or_default());
    text += &system_users.text;
    text += &report::text(settings, &evidence, &findings, start_problem.as_deref());
    let clients_fail = findings
        .iter()
        .any(|finding| finding.severity == Severity::Failure);
    let verdict = match start_problem {
        Some(problem) => Verdict::CannotStart(problem),
        None if clients_fail => Verdict::ClientsFail,
        None => Verdict::Fine,
    };
    Ok(Report { text, verdict })
}

/// Notes, as clients may never be that many.
fn limit_findings(settings: &Settings) -> impl Iterator<Item = Finding> {
    let limits = SystemLimits::expected(settings);
    let texts = limits.warnings().into_iter().chain(limits.note());
    texts.map(Finding::note)
}

/// What the server may do after its start.
fn rights(settings: &Settings) -> ProcessRights {
    let mut rights = ProcessRights::read(settings);
    // The user who runs the check need not be the one who starts the server.
    rights.root_checks = rights.is_root;
    rights.is_root = false;
    // The start gives it to the server's user.
    if let Some(tls) = &settings.tls {
        let self_signed = tls.self_signed_file();
        rights.unreadable.retain(|file| *file != self_signed);
    }
    rights
}

/// What would prevent the server from starting. Gives up the rights of root as the server does:
/// what is looked at afterwards is what its user sees.
fn start_problem(settings: &Settings) -> Option<String> {
    let start = || -> io::Result<()> {
        privileges::check_start(settings)?;
        let uses_directory = settings.users.use_directory();
        let directory = uses_directory.then(|| Root::open(&settings.directory));
        let directory = directory.transpose()?;
        // Others are open already, or are never opened.
        if settings.socket_source == SocketSource::Server {
            listen::probe(&settings.listen, settings.passive_ports)?;
        }
        if let Some(run_as) = &settings.run_as {
            privileges::give_up(run_as)?;
            if let Some(directory) = directory {
                let listable = directory.check_listable(&settings.directory);
                listable.map_err(|error| {
                    io::Error::new(error.kind(), format!("--run-as {}: {error}", run_as.text))
                })?;
            }
        }
        Ok(())
    };
    start().err().map(|error| match error.kind() {
        ErrorKind::AddrInUse => format!("{error}; the passive ports have not been probed"),
        _ => error.to_string(),
    })
}
