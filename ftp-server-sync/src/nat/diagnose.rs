//! What is wrong with the settings on this machine, for the log at start and for `--check`.
//!
//! Pure: the state of the machine comes as an argument. Each finding says what will happen and
//! names the flag to change.

pub(crate) mod addresses;
mod balancers;
pub(crate) mod certificate;
mod commands;
mod gateways;
mod port_mapping;
mod ports;
mod rights;
mod sandbox;

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use ftp_proto::text::printable_word;
use ftp_proto::{Right, Rights};
use rustix::io::Errno;

use super::evidence::Evidence;
use super::finding::{Finding, Severity};
use crate::fs::mounts::UnmountedShare;
use crate::net::order;
use crate::settings::Settings;

/// The findings, the most severe first.
pub(crate) fn diagnose(settings: &Settings, evidence: &Evidence) -> Vec<Finding> {
    let mut findings = addresses::findings(settings, evidence);
    findings.extend(ports::findings(settings, &evidence.unavailable_ports));
    findings.extend(commands::findings(
        settings,
        evidence,
        &addresses::forwarded(settings, &evidence.interfaces),
    ));
    findings.extend(port_mapping::findings(settings, evidence));
    findings.extend(gateways::findings(settings));
    findings.extend(balancers::findings(settings));
    findings.extend(without_netlink(evidence));
    findings.extend(refused_networks(settings));
    findings.extend(anonymous_may_write(settings));
    findings.extend(password_exposures(evidence));
    findings.extend(evidence.users.iter().cloned());
    if settings.users.use_directory() {
        findings.extend(own_files_inside(evidence));
        findings.extend(evidence.unmounted_share.as_ref().map(unmounted_share));
    }
    findings.extend(lacks_space(settings, evidence));
    findings.extend(unwritable(settings, evidence));
    findings.extend(evidence.sandbox.iter().flat_map(sandbox::findings));
    findings.extend(rights::findings(settings, &evidence.rights));
    order::sort_by_key(&mut findings, |finding| finding.severity);
    findings
}

fn without_netlink(evidence: &Evidence) -> Option<Finding> {
    evidence.interfaces.without_netlink.then(|| {
        Finding::note(
            "this process may not open netlink sockets: changes of this machine's networks are \
             noticed at SIGHUP only; in a systemd unit, add AF_NETLINK to RestrictAddressFamilies",
        )
    })
}

/// Which clients are refused, so that `--check` does not promise them anything.
fn refused_networks(settings: &Settings) -> Option<Finding> {
    let rules = &settings.access;
    let allowed = format!("--allow {}", gateways::as_in_flag(&rules.allowed));
    let denied = format!("--deny {}", gateways::as_in_flag(&rules.denied));
    match (rules.allowed.is_empty(), rules.denied.is_empty()) {
        (true, true) => None,
        (false, true) => Some(Finding::note(format!(
            "{allowed}: clients at other addresses are refused"
        ))),
        (true, false) => Some(Finding::note(format!(
            "{denied}: clients at these addresses are refused"
        ))),
        (false, false) => Some(Finding::note(format!(
            "{allowed} and {denied}: the longest prefix that contains a client's address decides, and \
             clients at other addresses are refused"
        ))),
    }
}

fn anonymous_may_write(settings: &Settings) -> Option<Finding> {
    let rights = settings.users.anonymous()?;
    rights.contains(Right::Store).then(|| {
        Finding::new(
            Severity::Risk,
            "anonymous may change and delete files: everyone who can reach the port can do that; add \
             --username and a password, or leave --write out",
        )
    })
}

fn password_exposures(evidence: &Evidence) -> impl Iterator<Item = Finding> {
    let exposures = evidence.password_exposures.iter();
    exposures.map(|exposure| Finding::new(Severity::Risk, exposure.to_string()))
}

fn own_files_inside(evidence: &Evidence) -> Option<Finding> {
    let inside = evidence.own_files_inside.iter();
    let files: Vec<String> = inside
        .map(|file| printable_word(file.as_os_str().as_bytes()))
        .collect();
    let (are, them) = match files.len() {
        0 => return None,
        1 => ("is", "it"),
        _ => ("are", "them"),
    };
    Some(Finding::note(format!(
        "{} {are} in the shared directory: no client can list, read or change {them} here, but other \
         programs that share the directory do not know that; move {them} out of it",
        files.join(", ")
    )))
}

fn unmounted_share(share: &UnmountedShare) -> Finding {
    let word = |path: &Path| printable_word(path.as_os_str().as_bytes());
    let point = word(&share.point);
    let Some(file) = &share.listed_in else {
        return Finding::note(format!(
            "the shared directory {point} is empty, and nothing is mounted there: if a disk is \
             missing, mount it; it is shared from then on"
        ));
    };
    let missing = format!(
        "nothing is mounted at {point}, although {} lists it",
        word(file)
    );
    if share.is_certain() {
        Finding::failure(format!(
            "{missing}, and the shared directory is empty: no client can log in until it is \
             mounted; mount it, or remove that entry and restart the server"
        ))
    } else {
        Finding::note(format!(
            "{missing}: clients get the files that are in its place; mount it, and it is shared \
             from then on"
        ))
    }
}

fn lacks_space(settings: &Settings, evidence: &Evidence) -> Option<Finding> {
    let bytes = settings.uploads.free_bytes_min?;
    (evidence.lacks_space && some_may_store(settings)).then(|| {
        Finding::failure(format!(
            "less than {bytes} bytes are free on the disk of the shared directory: every upload is \
             refused; make space, or lower --free-space-min"
        ))
    })
}

/// Only a note: uploads may be meant for a directory in it.
fn unwritable(settings: &Settings, evidence: &Evidence) -> Option<Finding> {
    if evidence.rights.share_is_hidden {
        // The path was refused, not the directory.
        return None;
    }
    let text = match evidence.unwritable? {
        Errno::ROFS => {
            "clients cannot store files: the shared directory is on a read-only file system; mount \
             that for writing, or leave --write out"
        }
        Errno::ACCESS => {
            "clients cannot store files in the shared directory itself, only in directories in it: \
             the server's user may not write there; give it that right, or leave --write out"
        }
        _ => return None,
    };
    some_may_store(settings).then(|| Finding::note(text))
}

fn some_may_store(settings: &Settings) -> bool {
    let stores = |rights: Rights| rights.contains(Right::Store);
    let (user, anonymous) = (settings.users.user(), settings.users.anonymous());
    anonymous.is_some_and(stores) || user.is_some_and(|(_, rights)| stores(rights))
}

#[cfg(test)]
mod tests;
