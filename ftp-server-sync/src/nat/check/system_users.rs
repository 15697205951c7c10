//! The users of the system: who may log in, with which home and rights, and why the others may
//! not.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;

use ftp_proto::Right;
use ftp_proto::text::printable_word;

use rustix::process::geteuid;

use super::audience::COLUMN;
use super::report::WIDTH;
use crate::accounts::system_users::{SystemCandidate, SystemFiles, SystemUser, SystemUsers};
use crate::fs::homes::home_problem;
use crate::logging::clock::unix_days;
use crate::logging::system_text::SystemText;
use crate::logging::wrap::wrap;
use crate::nat::finding::{Finding, Severity};
use crate::privileges::become_user;
use crate::settings::Settings;

/// What the system says about its users.
#[derive(Default)]
pub(super) struct SystemUsersReport {
    /// One paragraph for each user, and one before them; none without `--system-users`.
    pub(super) text: String,
    pub(super) findings: Vec<Finding>,
    /// At least one of them, or it is not known.
    pub(super) can_log_in: bool,
}

/// Asks the system about all users in its file.
pub(super) fn look_up(settings: &Settings) -> SystemUsersReport {
    let mut report = SystemUsersReport::default();
    let Some(system) = settings.users.system() else {
        return report;
    };
    // The start is refused then, and no password can be looked at.
    if !geteuid().is_root() {
        report.can_log_in = true;
        return report;
    }
    let mut add = |name: &str, severity, problem: &str| {
        let text = format!("--system-users: {name}{problem}");
        report.findings.push(Finding::new(severity, text));
    };
    let files = SystemFiles::default();
    if let Some(problem) = files.missing() {
        add("", Severity::Failure, &problem);
    }
    let users = match system.list(&files, unix_days()) {
        Ok(users) => users,
        Err(problem) => {
            add("", Severity::Failure, &problem.to_string());
            return report;
        }
    };
    report.text = wrap("", 0, WIDTH, "Users of the system (--system-users):");
    let is_other = |name: &str| settings.users.system_for(name.as_bytes()).is_none();
    let mut looked_at = 0;
    for (name, candidate) in &users {
        let shown = printable_word(name.as_bytes());
        let what = if is_other(name) {
            "logs in by --users or --username instead".to_owned()
        } else {
            description(system, candidate)
        };
        report.text += &wrap(&format!("  {shown}"), COLUMN, WIDTH, &what);
        match &candidate.user {
            _ if is_other(name) => {}
            Err(reason) if reason.is_for_operator() => {
                add(&shown, Severity::Note, &format!(" cannot log in: {reason}"));
            }
            Ok(user) if looked_at < USERS_MAX => {
                looked_at += 1;
                if let Some(problem) = problem(user, settings.create_homes) {
                    add(&shown, Severity::Failure, &format!(": {problem}"));
                }
            }
            _ => {}
        }
    }
    let mut fit = users.iter().filter(|(_, candidate)| candidate.user.is_ok());
    report.can_log_in = fit.any(|(name, _)| !is_other(name));
    report
}

fn description(system: &SystemUsers, candidate: &SystemCandidate) -> String {
    match &candidate.user {
        Ok(user) => {
            let home = printable_word(user.home.as_os_str().as_bytes());
            let rights = if system.rights.contains(Right::Store) {
                "read and write"
            } else {
                "read"
            };
            format!("{home}: {rights}, as the file system permits")
        }
        Err(reason) => format!("cannot log in: {reason}"),
    }
}

/// What keeps the user from the home.
fn problem(user: &SystemUser, is_created: bool) -> Option<String> {
    home_problem(&user.home, false, is_created).or_else(|| {
        let home = user.home.clone();
        let user = user.clone();
        // The thread ends with the rights of the user.
        let looked = thread::spawn(move || {
            // Where the check does not run as root, the start is refused anyway.
            become_user(user.uid, user.gid, &user.groups).ok()?;
            enter(&user.home, is_created)
        });
        let reason = looked.join().ok()??;
        let home = printable_word(home.as_os_str().as_bytes());
        Some(format!(
            "this user may not enter the home {home}: {reason}; give it to the user with chown"
        ))
    })
}

fn enter(home: &Path, is_created: bool) -> Option<String> {
    // The last part takes the right to look up names in it.
    match fs::metadata(home.join(".")) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && is_created => None,
        found => found.err().map(|error| SystemText(&error).to_string()),
    }
}

/// A check must not look at thousands of homes, perhaps over a network.
const USERS_MAX: usize = 200;
