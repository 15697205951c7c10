//! One comparison of a name and a password, on the session's thread or on another one.
//!
//! The failure is counted and logged on the thread that compares: a client that is gone when a slow
//! comparison ends, or whose session has given way to another, has guessed all the same.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use ftp_proto::{Account, Secret};
use log::{Level, info, warn};

use super::login_name::QuotedName;
use super::server_state::{Current, ServerState};
use crate::accounts::login_throttle::{ADDRESSES_MAX, Attempt, Failure, PasswordTurn};
use crate::accounts::password_hash::PasswordHash;
use crate::accounts::system_users::SystemUser;
use crate::logging::clock::unix_seconds;
use crate::logging::repeated::Event;
use crate::net::client_network::ClientNetwork;

/// A name and a password, whose they are, and what the comparison needs.
#[derive(Debug)]
pub(super) struct LoginAttempt {
    pub(super) user: Vec<u8>,
    pub(super) password: Secret,
    /// How the log lines of the session begin.
    pub(super) session: String,
    pub(super) peer: IpAddr,
    /// The address whose failed logins count. `None`: there is nothing to guess, or the address is
    /// that of a gateway, which stands for any number of clients.
    pub(super) network: Option<ClientNetwork>,
    pub(super) server: Arc<ServerState>,
    /// The user of the system whose password it was.
    pub(super) system_user: Option<SystemUser>,
}

/// How long a comparison takes.
#[derive(Debug)]
pub(super) enum ComparisonKind {
    Quick,
    /// It is with this hash.
    Hash(PasswordHash),
    /// The system has to be asked, and a hash is compared.
    System,
}

/// An attempt whose password was compared, or not yet.
#[derive(Debug)]
pub(super) struct FinishedAttempt {
    pub(super) attempt: LoginAttempt,
    pub(super) result: Attempt<Box<Account>>,
}

impl LoginAttempt {
    /// What the password has to be compared with.
    #[inline(never)]
    pub(super) fn comparison(&self) -> ComparisonKind {
        let current = self.server.current();
        let users = &current.settings.users;
        if users.system_for(&self.user).is_some() {
            return ComparisonKind::System;
        }
        let hash = users.find(&self.user).hash().cloned();
        hash.map_or(ComparisonKind::Quick, ComparisonKind::Hash)
    }

    /// Compares where that takes no time.
    #[inline(never)]
    pub(super) fn compare(&self, turn: PasswordTurn, now: Instant) -> Attempt<Box<Account>> {
        let current = self.server.current();
        let check = || {
            let account = current.settings.users.check(&self.user, &self.password);
            account.filter(|_| !self.is_unfit(&current)).map(Box::new)
        };
        let result = match self.network {
            Some(network) => {
                let rules = current.settings.login_rules();
                let throttle = &self.server.login_throttle;
                throttle.attempt(network, rules, turn, now, check)
            }
            None => check().map_or_else(|| Attempt::Failed(Failure::default()), Attempt::Succeeded),
        };
        self.log(&result, &current);
        result
    }

    /// Compares with a hash. No other attempt of the same address may run meanwhile.
    pub(super) fn compare_slowly(self, hash: &PasswordHash, turn: PasswordTurn) -> FinishedAttempt {
        let check = |attempt: &Self| attempt.check_hash(hash).map(|account| (account, None));
        self.finish_slowly(turn, check)
    }

    /// Compares with what the system says. No other attempt of the same address may run meanwhile.
    pub(super) fn compare_with_system(self, turn: PasswordTurn) -> FinishedAttempt {
        self.finish_slowly(turn, |attempt| {
            let (user, account) = attempt.check_system_user()?;
            Some((account, Some(user)))
        })
    }

    fn check_hash(&self, hash: &PasswordHash) -> Option<Account> {
        let matches = hash.matches(self.password.expose());
        let current = self.server.current();
        let candidate = current.settings.users.find(&self.user);
        // The users may have changed meanwhile.
        let is_same = candidate.hash() == Some(hash);
        let account = candidate.decide(matches && is_same);
        account.filter(|_| !self.is_unfit(&current))
    }

    fn finish_slowly(
        mut self,
        turn: PasswordTurn,
        check: impl FnOnce(&Self) -> Option<(Account, Option<SystemUser>)>,
    ) -> FinishedAttempt {
        let rules = self.server.current().settings.login_rules();
        let mut system_user = None;
        let check = || {
            let (account, user) = check(&self)?;
            system_user = user;
            Some(Box::new(account))
        };
        let result = match self.network {
            Some(network) => {
                let throttle = &self.server.login_throttle;
                throttle.attempt_slowly(network, rules, turn, Instant::now, check)
            }
            None => check().map_or_else(|| Attempt::Failed(Failure::default()), Attempt::Succeeded),
        };
        self.log(&result, &self.server.current());
        self.system_user = system_user;
        FinishedAttempt {
            attempt: self,
            result,
        }
    }

    /// Whether a login with the right password is refused all the same, as if the password were
    /// wrong: the client must not learn that it is right, and it counts as a failure. The reason is
    /// in the log.
    fn is_unfit(&self, current: &Current) -> bool {
        let users = &current.settings.users;
        let Some(user) = users.in_file(&self.user) else {
            return false;
        };
        let reason = if !user.is_valid_at(unix_seconds()) {
            "the account has expired (option expires)"
        } else if user.options.access.check(self.peer).is_err() {
            "not from this address (options allow and deny)"
        } else {
            return false;
        };
        let (session, peer, name) = (&self.session, self.peer, QuotedName(&self.user));
        info!("{session} login refused from {peer} as {name}: {reason}");
        true
    }

    fn log(&self, result: &Attempt<Box<Account>>, current: &Current) {
        if let Attempt::Failed(failure) = result {
            let (session, peer, name) = (&self.session, self.peer, QuotedName(&self.user));
            self.server.counts.failed_logins.add(1);
            // fail2ban reads this line: the address comes before what the client chooses.
            warn!("{session} login failed from {peer} as {name}");
            self.log_failure(*failure, current);
        }
    }

    fn log_failure(&self, failure: Failure, current: &Current) {
        let settings = &current.settings;
        let peer = self.peer;
        if let (Some(failures), Some(block)) = (failure.blocks_after, settings.login_block) {
            let (network, after, time) = (ClientNetwork::of(peer), block.after, block.time);
            // A router that forwards with its own address would be blocked for all its clients.
            let hint = if current.config.masquerade.gateways.contains(&peer) {
                format!("; this is a router: if it hides its clients, give --trust-gateway {peer}")
            } else {
                String::new()
            };
            warn!(
                "blocked {network} for {} s after {failures} failed logins (--block-after {after}, \
                 --block-time {0}){hint}",
                time.as_secs()
            );
        }
        if failure.forgotten.is_some() {
            let line = format_args!(
                "logins fail from more than {ADDRESSES_MAX} addresses: the one with the fewest \
                 failed logins is no longer counted; if they are in one network, give --deny for it"
            );
            let event = Event::new(FORGOTTEN, Level::Warn).by(peer.to_canonical());
            self.server.events.on_event(event, Instant::now(), line);
        }
    }
}

/// The kind of event.
const FORGOTTEN: &str = "addresses whose failed logins are no longer counted";
