//! What follows from the rights of the server's process.

use std::os::unix::ffi::OsStrExt;

use ftp_proto::text::printable_word;

use crate::nat::finding::{Finding, Severity};
use crate::privileges::ProcessRights;
use crate::settings::Settings;

pub(super) fn findings(settings: &Settings, rights: &ProcessRights) -> Vec<Finding> {
    let mut findings = Vec::new();
    if settings.users.system().is_some() {
        findings.extend((rights.is_root || rights.root_checks).then(|| {
            Finding::note(
                "the server stays root, as --system-users needs: only sessions of the system's users \
                 have rights of their own; for clients who are strangers, use --users with --run-as",
            )
        }));
        return findings;
    }
    if rights.is_root {
        findings.push(Finding::new(
            Severity::Risk,
            "the server runs as root: a client that finds a fault in it has all rights on this \
             machine; add --run-as USER, with a user that may read the shared directory",
        ));
    }
    if rights.root_checks {
        findings.push(Finding::note(
            "root runs this check: a server that root starts keeps all rights on this machine; add \
             --run-as USER, or start the server as another user (User= under systemd)",
        ));
    }
    let unreadable = unreadable_files(settings, rights);
    findings.extend(unreadable.map(|text| Finding::new(Severity::Risk, text)));
    if rights.share_is_hidden {
        findings.push(Finding::note(format!(
            "the server may not follow the path {}: the directory that was open at the start stays \
             shared, and a disk that is mounted there later is not; give its user the right to \
             search the directories above it (chmod +x), or restart the server then",
            printable_word(settings.directory.as_os_str().as_bytes())
        )));
    }
    findings
}

/// What to do about files that the server may not read again.
fn unreadable_files(settings: &Settings, rights: &ProcessRights) -> Option<String> {
    let run_as = settings.run_as.as_ref()?;
    let files = rights.unreadable.iter();
    let files: Vec<String> = files
        .map(|file| printable_word(file.as_os_str().as_bytes()))
        .collect();
    let first = files.first()?;
    Some(format!(
        "--run-as {} may not read {} again: a reload and a renewed certificate need that, and what \
         was read at the start stays in force until then; give its group the right (chgrp {} {first} \
         && chmod g+r {first}, and chmod +x for the directories above it), or restart the server \
         after a change",
        run_as.text,
        files.join(", "),
        run_as.group_name
    ))
}
