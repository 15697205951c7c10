//! A user of the system in a session: from the login on, the session's thread has that user's
//! rights and no others.

use std::sync::Arc;
use std::time::Instant;

use ftp_proto::text::printable_word;
use ftp_proto::{Account, Outcome};
use log::{Level, error, info, warn};

use super::connection::Connection;
use super::end_reason::EndReason;
use super::login_attempt::LoginAttempt;
use super::login_name::QuotedName;
use super::server_state::ServerState;
use super::system_session::SystemSession;
use super::user_sessions::SessionUser;
use crate::accounts::system_users::{SystemFiles, SystemUser, SystemUsers};
use crate::accounts::users_file::{FileUser, UserOptions, UserPassword};
use crate::fs::homes::{create_home_of, creation_failure};
use crate::fs::share::Share;
use crate::fs::share_rules::ShareRules;
use crate::fs::tree::session::SessionTree;
use crate::logging::clock::unix_days;
use crate::logging::repeated::Event;
use crate::logging::system_text::SystemText;
use crate::privileges::become_user;
use crate::settings::Rates;

impl LoginAttempt {
    /// Asks the system, and compares the password with one hash.
    pub(super) fn check_system_user(&self) -> Option<(SystemUser, Account)> {
        let users = self.server.current().settings.users.clone();
        let system = users.system_for(&self.user)?;
        let candidate = system.find(&self.user, &SystemFiles::default(), unix_days());
        let matches = candidate.matches(self.password.expose());
        let (session, peer, name) = (&self.session, self.peer, QuotedName(&self.user));
        let user = match candidate.user {
            Ok(user) => user,
            Err(reason) => {
                let line = format_args!("{session} login refused from {peer} as {name}: {reason}");
                if reason.is_for_operator() {
                    let event = Event::new(UNUSABLE, Level::Warn).by(peer.to_canonical());
                    self.server.events.on_event(event, Instant::now(), line);
                } else if matches {
                    info!("{line}");
                }
                return None;
            }
        };
        // The settings may have changed meanwhile.
        let current = self.server.current();
        let is_same = current.settings.users.system_for(&self.user) == Some(system);
        (matches && is_same).then(|| (user, system.account()))
    }
}

impl Connection {
    /// Gives the session what its user has, and its thread the user's rights. `None`: the login
    /// goes on. Otherwise the session ends: its thread serves no other login.
    #[inline(never)]
    pub(super) fn enter_system_user(&mut self, user: &SystemUser, now: Instant) -> Option<Outcome> {
        let current = self.current.clone();
        let session = &self.name;
        let shown = printable_word(user.name.as_bytes());
        // They may have changed while the password was compared.
        let Some(system) = current.settings.users.system_of(user) else {
            return Some(Outcome::Authenticated(None));
        };
        let users = &self.server.user_sessions;
        let Some(place) = users.enter(&user.name, None, Rates::default(), now) else {
            return Some(Outcome::TooManySessions);
        };
        let home = user.home.display().to_string();
        if current.settings.create_homes {
            match create_home_of(&user.home, user.uid, user.gid) {
                Ok(false) => {}
                Ok(true) => info!("{session} created the home {home}"),
                Err(error) => warn!("{session} {}", creation_failure(&user.home, &error)),
            }
        }
        // While this thread may still find the server's own files.
        let rules = current.share.rules().with_own_files_apart();
        if let Err(problem) = become_user(user.uid, user.gid, &user.groups) {
            error!(
                "{session} login as {shown} refused: the session cannot get the rights of this user: \
                 {problem}; leave --system-users out if the system cannot do that"
            );
            return Some(Outcome::ShareUnavailable);
        }
        // Nothing that was opened with other rights stays.
        let opened = Share::open(&user.home, ShareRules::default());
        match opened.and_then(|share| share.check_searchable().map(|()| share)) {
            Ok(share) => self.tree = SessionTree::new(share.with_rules(rules.clone().into())),
            Err(error) => {
                warn!(
                    "{session} login as {shown} refused: {}; the home must be a directory that this \
                     user may enter",
                    SystemText(&error)
                );
                return Some(Outcome::ShareUnavailable);
            }
        }
        let system_session = Arc::new(SystemSession::new(user, rules));
        users.add_system(&system_session);
        self.user = Some(SessionUser {
            user: file_user(user, system).into(),
            system: Some(system_session),
            place,
            quota: Arc::default(),
        });
        self.apply_user(now);
        if self.tree.check_home().is_err() {
            let session = &self.name;
            warn!("{session} login as {shown} refused: nothing is mounted at the home {home}");
            return Some(Outcome::ShareUnavailable);
        }
        None
    }

    /// Takes what the settings say now about users of the system.
    pub(super) fn update_system_user(&mut self, now: Instant) {
        let Some(session_user) = &mut self.user else {
            return;
        };
        let Some(session) = session_user.system.clone() else {
            return;
        };
        let settings = &self.current.settings;
        let system = settings.users.system_of(&session.user);
        let Some(system) = system.filter(|_| !session.is_withdrawn()) else {
            self.log.set_end_reason(EndReason::SystemUserChanged);
            self.session.handle_account_withdrawn();
            return;
        };
        let user = file_user(&session.user, system);
        if user != *session_user.user {
            session_user.user = user.into();
            let account = session_user.account(settings.name_charset);
            self.session.handle_account(account);
        }
        self.apply_user(now);
    }
}

impl ServerState {
    /// Whether users of the system are logged in.
    pub(crate) fn has_system_sessions(&self) -> bool {
        !self.user_sessions.of_system().is_empty()
    }

    /// Asks the system again about its users who are logged in, which may take long. Sessions of
    /// those who are gone, have other numbers, groups or homes, or may not use FTP any more, end
    /// when they take the new settings.
    pub(crate) fn check_system_users(&self) {
        for session in self.user_sessions.of_system() {
            if !session.user.is_still_there() {
                session.withdraw();
            }
        }
    }
}

/// The user as a line of a users file would have it.
fn file_user(user: &SystemUser, system: &SystemUsers) -> FileUser {
    FileUser {
        name: user.name.clone(),
        password: UserPassword::Locked,
        home: user.home.clone(),
        rights: system.rights,
        options: UserOptions::default(),
        line: 0,
        doubts: Vec::new(),
    }
}

/// The kind of event.
const UNUSABLE: &str = "system users that cannot log in";
