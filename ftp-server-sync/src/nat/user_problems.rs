//! What is wrong with the users of the file: homes that cannot be used, options that cannot be
//! kept.

use ftp_proto::text::printable_word;
use ftp_proto::{Right, Rights};

use super::finding::{Finding, Severity};
use crate::accounts::stored_password::StoredPassword;
use crate::accounts::users_file::{FileUser, UserPassword};
use crate::fs::homes::home_problem;
use crate::logging::clock::unix_seconds;
use crate::settings::Settings;

/// Looks at the home of each user. Those of many users are not all looked at.
pub(crate) fn user_findings(settings: &Settings) -> Vec<Finding> {
    let users = settings.users.of_file();
    let left_out = users.len().saturating_sub(USERS_MAX);
    let mut findings = Vec::new();
    for user in users.take(USERS_MAX) {
        findings.extend(of_user(settings, user));
    }
    if left_out > 0 {
        findings.push(Finding::note(format!(
            "--users: the homes of {left_out} more users have not been looked at"
        )));
    }
    findings
}

fn of_user(settings: &Settings, user: &FileUser) -> Vec<Finding> {
    let name = printable_word(user.name.as_bytes());
    let changes = |right| {
        user.all_rights()
            .any(|rights: Rights| rights.contains(right))
    };
    let mut findings = Vec::new();
    let mut add = |severity, text: String| {
        findings.push(Finding::new(severity, format!("--users: {name}: {text}")));
    };
    let stores = changes(Right::Store) || changes(Right::MakeDirectory);
    if let Some(problem) = home_problem(&user.home, stores, settings.create_homes) {
        add(Severity::Failure, problem);
    }
    if user.options.tls_required && settings.tls.is_none() {
        let problem = "cannot log in: the option tls needs TLS, which the server does not offer; add \
                       --tls, or leave the option out";
        add(Severity::Failure, problem.to_owned());
    }
    if user.password == UserPassword::Any {
        let harms = changes(Right::Delete) || changes(Right::Overwrite) || changes(Right::Rename);
        if harms {
            let problem = "may change and delete files, without a password: everyone who can reach \
                           the port can do that; give it the rights read, upload or dropbox";
            add(Severity::Risk, problem.to_owned());
        }
    } else if let UserPassword::Stored(StoredPassword::Hash(hash)) = &user.password
        && let Some(weakness) = hash.weakness()
    {
        add(Severity::Risk, weakness.to_string());
    } else if user.password == UserPassword::Locked {
        add(
            Severity::Note,
            "cannot log in: the password is locked".to_owned(),
        );
    }
    let has_expired = user
        .options
        .expires
        .is_some_and(|end| unix_seconds() >= end);
    if has_expired {
        let problem = "cannot log in: the account has expired (option expires)";
        add(Severity::Note, problem.to_owned());
    }
    findings
}

/// A start must not look at thousands of directories, perhaps over a network.
const USERS_MAX: usize = 200;
