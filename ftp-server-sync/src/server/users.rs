//! The users file: it is taken when it changes, and a broken one changes nothing.

use std::sync::Arc;
use std::time::Instant;

use ftp_proto::text::printable_word;
use log::{error, info};

use super::Server;
use super::reading::Wanted;
use super::reload::{evidence, log_findings};
use super::sandbox::check_change;
use super::shares::lines;
use crate::accounts::users_file::FileUser;
use crate::logging::counted::counted;
use crate::logging::system_text::SystemText;
use crate::nat::diagnose::diagnose;
use crate::privileges::check_start;
use crate::session::{Current, SessionCommand};
use crate::settings::Users;
use crate::settings::load_users::load_users;

impl Server {
    /// Has the users file read again if it has changed.
    pub(super) fn update_users(&mut self, now: Instant) {
        if self.users_file.check(now) {
            self.read_again(Wanted::Users, now);
        }
    }

    /// Takes the users file as it is now.
    pub(super) fn take_users(&mut self, now: Instant) {
        let current = self.state.current();
        match load(&current) {
            Ok(new) => {
                self.users_file.accept();
                let known = diagnose(&current.settings, &evidence(&current));
                let mut found = diagnose(&new.settings, &evidence(&new));
                found.retain(|finding| !known.contains(finding));
                let count = new.settings.users.of_file().len();
                let count = counted(count as u64, "user");
                info!("took the changed file of --users, which has {count} now");
                for line in changes(&current.settings.users, &new.settings.users) {
                    info!("--users: {line}");
                }
                self.replace_users(new);
                // Whether the control port is forwarded depends on `anonymous`.
                self.update_port_mapping();
                log_findings(found);
            }
            Err(problem) if self.users_file.reject(now) => {
                for line in lines(&problem) {
                    error!("the old users stay in force: {line}");
                }
            }
            // Another program may still be writing the file.
            Err(_) => {}
        }
    }

    /// The homes of users with quotas are counted, if they are not yet.
    pub(super) fn update_quotas(&mut self) {
        let current = self.state.current();
        let users = current.settings.users.of_file();
        let users = users.filter(|user| user.options.quota.is_limited());
        let homes = users.filter_map(|user| current.homes.find(&user.home));
        self.quotas.update(&current.settings.state_directory, homes);
    }

    /// Sessions of users who have changed learn of it now.
    pub(super) fn replace_users(&mut self, new: Current) {
        self.state.replace(new);
        self.update_quotas();
        self.sessions.send_all(SessionCommand::UpdateSettings);
    }
}

/// What is in force with the users file as it is now.
fn load(current: &Current) -> Result<Current, String> {
    let Some(file) = &current.settings.users_file else {
        return Ok(current.clone());
    };
    let users = load_users(file, current.settings.users.clone());
    let users = users.map_err(|problem| {
        if problem.contains(&*file.to_string_lossy()) {
            problem
        } else {
            format!("--users {}: {problem}", file.display())
        }
    })?;
    let new = current.with_users(users);
    // As at the start: root must not share the root directory.
    if new.settings.run_as.is_none() {
        check_start(&new.settings).map_err(|error| SystemText(&error).to_string())?;
    }
    let suits = check_change(&current.settings, &new.settings);
    suits.map_err(|error| SystemText(&error).to_string())?;
    if let Some((kind, problem)) = new.settings.replaceable_hook() {
        return Err(format!("the program of {} {problem}", kind.flag()));
    }
    Ok(new)
}

/// Who is new, gone or different.
fn changes(old: &Users, new: &Users) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |user: &Arc<FileUser>, what: &str| {
        lines.push(format!("{} {what}", printable_word(user.name.as_bytes())));
    };
    for user in new.of_file() {
        match old.in_file(user.name.as_bytes()) {
            None => add(user, "is new"),
            Some(before) if !is_same(before, user) => add(user, "has changed"),
            Some(_) => {}
        }
    }
    for user in old.of_file() {
        if new.in_file(user.name.as_bytes()).is_none() {
            add(user, "is gone");
        }
    }
    lines
}

/// Whether two lines say the same, wherever they are in their files.
fn is_same(one: &FileUser, other: &FileUser) -> bool {
    let moved = FileUser {
        line: other.line,
        ..one.clone()
    };
    moved == *other
}
