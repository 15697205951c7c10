//! The users file: it is taken when it changes, and a broken one changes nothing.

use std::path::Path;
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
use crate::logging::system_text::SystemText;
use crate::nat::diagnose::diagnose;
use crate::nat::finding::Finding;
use crate::privileges::check_start;
use crate::session::{Current, SessionCommand};
use crate::settings::Users;
use crate::settings::load_users::load_users;

impl Server {
    /// Has the users file read again if it has changed.
    pub(super) fn update_users(&mut self, now: Instant) {
        if !self.users_file.check(now) {
            return;
        }
        match &mut self.reader.running {
            // The file may have changed since it was read.
            Some(running) if !running.is_early_taken => {
                running.outdated.get_or_insert(Wanted::Users);
            }
            _ => self.read_again(Wanted::Users, now),
        }
    }

    /// Takes the users of the file while some of their directories have not answered. Those who are
    /// gone are out, and those in new directories cannot log in yet.
    pub(super) fn take_early_users(&mut self, users: Users) {
        let current = self.state.current();
        let lines = changes(&current.settings.users, &users);
        self.users_file.accept();
        if lines.is_empty() {
            return;
        }
        self.reader.before.get_or_insert_with(|| current.clone());
        for line in lines {
            info!("--users: {line}");
        }
        self.replace_users(current.with_users_of_known_homes(users));
    }

    /// Takes the users file as it was read.
    pub(super) fn take_users(&mut self, read: Result<FreshUsers, String>, now: Instant) {
        let current = self.state.current();
        let before = self.reader.before.take();
        match read {
            Ok(FreshUsers { new, found }) => {
                self.users_file.accept();
                let count = new.settings.users.of_file().len();
                info!("took the changed file of --users, which has {count} users now");
                for line in changes(&current.settings.users, &new.settings.users) {
                    info!("--users: {line}");
                }
                self.replace_users(current.with_users_of(&new));
                // Whether the control port is forwarded depends on `anonymous`.
                self.update_port_mapping();
                log_findings(found);
            }
            Err(problem) => {
                let is_reported = self.users_file.reject(now) || before.is_some();
                if let Some(before) = before {
                    self.replace_users(current.with_users_of(&before));
                }
                // Another program may still be writing the file.
                if is_reported {
                    for line in lines(&problem) {
                        error!("the old users stay in force: {line}");
                    }
                }
            }
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

/// The users file as it was read, with the directories of its users.
pub(super) struct FreshUsers {
    /// What is in force with these users.
    new: Current,
    /// What was not wrong before.
    found: Vec<Finding>,
}

/// Reads the users file, and looks at the directories of its users: `visit` is called for each
/// first.
pub(super) fn read_users(current: &Current, visit: impl Fn(&Path)) -> Result<FreshUsers, String> {
    let new = load(current, visit)?;
    let known = diagnose(&current.settings, &evidence(current));
    let mut found = diagnose(&new.settings, &evidence(&new));
    found.retain(|finding| !known.contains(finding));
    Ok(FreshUsers { new, found })
}

/// What is in force with the users file as it is now.
fn load(current: &Current, visit: impl Fn(&Path)) -> Result<Current, String> {
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
    users.directories().for_each(visit);
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
