//! The users file: it is taken when it changes, and a broken one changes nothing.

use std::sync::Arc;
use std::time::Instant;

use ftp_proto::text::printable_word;
use log::{error, info};

use super::Server;
use super::findings::log_findings;
use super::fresh_users::FreshUsers;
use super::reading::Wanted;
use super::shares::lines;
use crate::accounts::users_file::FileUser;
use crate::logging::counted::counted;
use crate::session::{Current, SessionCommand};
use crate::settings::Users;
use crate::settings::watched_files::FileStates;

impl Server {
    /// Has the users file read again if it has changed.
    pub(super) fn update_users(&mut self, states: FileStates, now: Instant) {
        if !self.users_file.update(states, now) {
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
                let count = counted(count as u64, "user");
                info!("took the changed file of --users, which has {count} now");
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
