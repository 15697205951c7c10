//! The user of `--users` in a session: home, rights and limits, also after the file has changed.

use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Instant;

use ftp_proto::listing::Pattern;
use ftp_proto::text::printable_word;
use ftp_proto::{Account, FtpPath, Outcome, Right, Rights};
use log::{info, warn};

use super::Current;
use super::connection::Connection;
use super::end_reason::EndReason;
use super::hints::{HIDE, HIDE_OF_USER};
use super::user_sessions::SessionUser;
use crate::accounts::charset::NameCharset;
use crate::accounts::users_file::FileUser;
use crate::fs::homes::{create_home, creation_failure, home_problem};
use crate::fs::tree::session::SessionTree;
use crate::logging::clock::unix_seconds;
use crate::settings::{BrokenUploads, UploadRules};

impl Connection {
    /// Gives the session what its user has. `None`: the login goes on.
    #[inline(never)]
    pub(super) fn enter_user(&mut self, name: &[u8], now: Instant) -> Option<Outcome> {
        let current = self.current.clone();
        let user = current.settings.users.in_file(name)?;
        let session = &self.name;
        let shown = printable_word(name);
        if user.options.tls_required && self.control.tls().is_none() {
            info!("{session} login as {shown} refused: this user must use TLS (option tls)");
            return Some(Outcome::TlsRequired);
        }
        let options = &user.options;
        let users = &self.server.user_sessions;
        let Some(place) = users.enter(&user.name, options.sessions_max, options.rates, now) else {
            let max = options.sessions_max.unwrap_or_default();
            info!(
                "{session} login as {shown} refused: {max} sessions of this user are open (option \
                 max-sessions={max})"
            );
            return Some(Outcome::TooManySessions);
        };
        if current.settings.create_homes {
            match create_home(&user.home) {
                Ok(false) => {}
                Ok(true) => info!("{session} created the home {}", user.home.display()),
                Err(error) => warn!("{session} {}", creation_failure(&user.home, &error)),
            }
        }
        let Some(tree) = tree(&current, user) else {
            let home = user.home.display();
            warn!(
                "{session} login as {shown} refused: the home {home} or a mount is not open \
                 yet: see whether its disk answers, and reload the settings"
            );
            return Some(Outcome::ShareUnavailable);
        };
        self.tree = tree;
        self.user = Some(SessionUser {
            user: user.clone(),
            system: None,
            place,
            quota: Arc::default(),
        });
        self.apply_user(now);
        None
    }

    /// The account of the user of the file, as the file is now.
    pub(super) fn user_account(&self) -> Option<Account> {
        let usual = self.current.settings.name_charset;
        self.user.as_ref().map(|user| user.account(usual))
    }

    /// The client has logged out: the session is as it was before the login.
    #[inline(never)]
    pub(super) fn leave_user(&mut self, now: Instant) {
        if self.user.take().is_some() {
            self.log.set_own_upload_max(false);
            self.tree = SessionTree::new(self.current.share.clone());
            self.rate_limits.share(None);
            self.session.handle_config(self.current.config.clone());
            self.rate_limits.update(self.current.settings.rates, now);
        }
    }

    /// Clients write names in the charset of `--encoding` as it is now, unless the file has
    /// another one for the user.
    pub(super) fn update_charset(&mut self) {
        let usual = self.current.settings.name_charset;
        let account = match &self.user {
            Some(session_user) => session_user.account(usual),
            None => usual.apply(self.account_of_flags.clone()),
        };
        // Without effect where no user has logged in.
        self.session.handle_account(account);
    }

    /// Why the share of the login is not available.
    #[inline(never)]
    pub(super) fn home_problem(&self) -> String {
        let Some(user) = &self.user else {
            return "the shared directory is not available".to_owned();
        };
        let home = &user.user.home;
        let problem = home_problem(home, false, self.current.settings.create_homes);
        problem.unwrap_or_else(|| {
            let home = printable_word(home.as_os_str().as_bytes());
            format!("the home {home} is not available: nothing is mounted there, or it has changed")
        })
    }

    /// What hides a name in one of these paths: the option of the user, or else the flag.
    pub(super) fn hiding_hint<'a>(
        &self,
        paths: impl IntoIterator<Item = &'a FtpPath>,
    ) -> &'static str {
        let names = paths.into_iter().flat_map(|path| {
            let names = path.as_bytes().split(|&byte| byte == b'/');
            names.collect::<Vec<_>>()
        });
        let names: Vec<&[u8]> = names.collect();
        let hide = |patterns: &[Pattern]| {
            let mut patterns = patterns.iter();
            patterns.any(|pattern| names.iter().any(|name| pattern.matches(name)))
        };
        let by_user = |user: &SessionUser| hide(&user.user.options.hidden);
        if self.user.as_ref().is_some_and(by_user) && !hide(&self.current.settings.hidden) {
            HIDE_OF_USER
        } else {
            HIDE
        }
    }

    /// Takes what the file says now about the user of this session.
    pub(super) fn update_user(&mut self, now: Instant) {
        let Some(session_user) = &mut self.user else {
            return;
        };
        if session_user.system.is_some() {
            return self.update_system_user(now);
        }
        let known = &session_user.user;
        let found = self.current.settings.users.in_file(known.name.as_bytes());
        let peer = self.session.endpoints().peer().ip();
        let is_clear = self.control.tls().is_none();
        // As at a login, and in the same tree.
        let is_valid = |user: &&Arc<FileUser>| {
            let options = &user.options;
            user.is_valid_at(unix_seconds())
                && user.has_tree_of(known)
                && options.access.check(peer).is_ok()
                && !(options.tls_required && is_clear)
        };
        let Some(user) = found.filter(is_valid) else {
            self.log.set_end_reason(EndReason::AccountChanged);
            self.session.handle_account_withdrawn();
            return;
        };
        let is_changed = user != known;
        session_user.user = user.clone();
        if is_changed {
            let usual = self.current.settings.name_charset;
            self.session.handle_account(session_user.account(usual));
        }
        self.apply_user(now);
    }

    pub(super) fn apply_user(&mut self, now: Instant) {
        let Some(SessionUser {
            user,
            system,
            place,
            quota,
        }) = &self.user
        else {
            return;
        };
        let options = &user.options;
        self.log
            .set_own_upload_max(options.upload_bytes_max.is_some());
        quota.set(options.quota);
        let uploads = self.current.share.rules().uploads();
        let uploads = UploadRules {
            max_bytes: options.upload_bytes_max.unwrap_or(uploads.max_bytes),
            ..uploads
        };
        let rules = self.current.share.rules();
        let rules = match system {
            Some(system) => system.rules(rules),
            None => rules.clone(),
        };
        self.tree.update_rules(|seen| {
            let account = user.account_in(seen);
            let mut uploads = uploads;
            // A piece that the login can neither continue nor replace would only keep the name from
            // it: a scanner could never send that file again.
            if user
                .rights_in(seen)
                .iter()
                .all(|rights| cannot_go_on(*rights))
            {
                uploads.broken = BrokenUploads::Discard;
            }
            let rules = rules.for_login(&options.hidden, uploads, &account);
            let rules = rules.with_umask(options.umask);
            // It is about the home.
            if seen.is_root() {
                rules.with_quota(quota.clone()).into()
            } else {
                rules.into()
            }
        });
        let mut config = (*self.current.config).clone();
        config.umask = options.umask.unwrap_or(config.umask);
        config.tls_data_required |= options.tls_required;
        self.session.handle_config(config.into());
        place.rates.update(options.rates);
        self.rate_limits.share(Some(place.rates.clone()));
        self.rate_limits.update(self.current.settings.rates, now);
    }
}

/// Whether a login with these rights can do nothing about a file that it has stored in part.
fn cannot_go_on(rights: Rights) -> bool {
    !rights.contains(Right::Append) && !rights.contains(Right::Overwrite)
}

impl SessionUser {
    /// The account of the user, whose clients write names in this charset unless the file says
    /// another.
    ///
    /// The only place that makes one: without the mark of the system's users, a thread with the
    /// rights of one would serve another login.
    pub(super) fn account(&self, usual: NameCharset) -> Account {
        let charset = self.user.options.charset.unwrap_or(usual);
        let account = charset.apply(self.user.account());
        match self.system {
            Some(_) => account.with_no_other_login(),
            None => account,
        }
    }
}

/// The settings have a share for each home and each mount. `None`: one is missing, and the user's
/// rights must not hold anywhere else.
fn tree(current: &Current, user: &FileUser) -> Option<SessionTree> {
    let home = current.homes.find(&user.home)?.clone();
    let mounts = user.options.mounts.iter().map(|mount| {
        let share = current.homes.find(&mount.directory)?;
        Some((mount.seen.clone(), share.clone()))
    });
    Some(SessionTree::with_mounts(
        home,
        mounts.collect::<Option<_>>()?,
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::system_session::SystemSession;
    use super::super::user_sessions::UserSessions;
    use super::*;
    use crate::accounts::users_file::{UserOptions, UserPassword};
    use crate::cli::golden::settings;
    use crate::fs::homes::Homes;
    use crate::fs::share::Share;
    use crate::nat::address_source::AddressResolver;
    use crate::net::interfaces::Interfaces;
    use crate::settings::Rates;
    use crate::settings::load_users::load_users;

    /// Whatever the charset is.
    #[test]
    fn a_user_of_the_system_can_log_in_only_once() {
        let users = Arc::new(UserSessions::default());
        for is_of_system in [true, false] {
            let place = users.enter("anna", None, Rates::default(), Instant::now());
            let user = FileUser {
                name: "anna".to_owned(),
                password: UserPassword::Locked,
                home: "/".into(),
                rights: Rights::READ_WRITE,
                options: UserOptions::default(),
                line: 0,
                doubts: Vec::new(),
            };
            let user = SessionUser {
                user: user.into(),
                system: is_of_system.then(|| SystemSession::for_tests("anna").into()),
                place: place.unwrap(),
                quota: Arc::default(),
            };
            for text in ["utf-8", "latin1"] {
                let charset = NameCharset::for_label(text).unwrap();
                let mut expected = charset.apply(Account::new(Rights::READ_WRITE));
                if is_of_system {
                    expected = expected.with_no_other_login();
                }
                // Codecs are equal only to themselves.
                let [found, expected] =
                    [user.account(charset), expected].map(|one| format!("{one:?}"));
                assert_eq!(found, expected, "{text} {is_of_system}");
            }
        }
    }

    /// The login is refused then: its rights must not hold in another directory.
    #[test]
    fn without_one_of_its_directories_a_user_has_no_tree() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("users");
        std::fs::write(&file, "anonymous::/usr:read:mount=/m,/srv,read").unwrap();
        let settings = settings(&format!("--users {}", file.display()));
        let share = Share::open_later(directory.path(), Arc::default());
        let known = AddressResolver::default().known();
        let mut current = Current::new(settings, share, Interfaces::default(), known, None);
        let user = current
            .settings
            .users
            .in_file(b"anonymous")
            .unwrap()
            .clone();
        assert!(tree(&current, &user).is_some());
        for left in [&["/usr"][..], &["/srv"], &[]] {
            let left = left.iter().map(Path::new);
            current.homes = Homes::default().updated(left, &current.share);
            assert!(tree(&current, &user).is_none());
        }
    }

    /// A disk that does not answer must not be waited for, and not be replaced by another one.
    #[test]
    fn users_in_new_directories_wait_until_those_are_open() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("users");
        std::fs::write(&file, "anonymous::/usr:read").unwrap();
        let settings = settings(&format!("--users {}", file.display()));
        let share = Share::open_later(directory.path(), Arc::default());
        let known = AddressResolver::default().known();
        let current = Current::new(settings, share, Interfaces::default(), known, None);
        std::fs::write(&file, "anonymous::/srv:read\nbob:!:/usr:read").unwrap();
        let users = load_users(&file, current.settings.users.clone()).unwrap();
        let early = current.with_users_of_known_homes(users.clone());
        let tree_of = |current: &Current, name: &str| {
            let user = current.settings.users.in_file(name.as_bytes());
            tree(current, user.unwrap()).is_some()
        };
        assert_eq!(
            (tree_of(&early, "anonymous"), tree_of(&early, "bob")),
            (false, true)
        );
        let new = early.with_users_of(&current.with_users(users));
        assert!(tree_of(&new, "anonymous") && tree_of(&new, "bob"));
    }
}
