//! Logins: when a password is compared, when its answer is given, and what the log says.

use std::fmt;
use std::time::Instant;

use ftp_proto::text::printable;
use ftp_proto::{Account, Outcome, Secret};
use log::{Level, info, warn};

use super::connection::Connection;
use super::delayed_login::{DelayedLogin, Login};
use super::hints::{GUEST, RIGHTS, WRITE};
use super::login_name::QuotedName;
use super::timers::Timer;
use crate::accounts::login_throttle::{
    ADDRESSES_MAX, Attempt, Failure, PasswordTurn, whole_seconds,
};
use crate::accounts::users::is_anonymous;
use crate::logging::repeated::Event;
use crate::net::client_network::ClientNetwork;

impl Connection {
    /// Compares a password, or makes it wait. `None`: the outcome comes later.
    pub(super) fn authenticate(
        &mut self,
        user: Vec<u8>,
        password: Secret,
        now: Instant,
    ) -> Option<Outcome> {
        let login = Login { user, password };
        let attempt = match self.throttled_network(&login.user) {
            Some(network) => self.compare_throttled(&login, network, PasswordTurn::New, now),
            None => match self.compare(&login) {
                Some(account) => Attempt::Succeeded(account),
                None => Attempt::Failed(Failure::default()),
            },
        };
        self.on_attempt(login, attempt, now)
    }

    /// Gives the answer that is due now, or compares the password whose turn it is.
    pub(super) fn answer_delayed(&mut self, now: Instant) -> bool {
        if !self.timers.is_over(Timer::LoginDelay, now) {
            return false;
        }
        self.timers.set(Timer::LoginDelay, None);
        let outcome = match self.delayed.take() {
            None => return false,
            Some(DelayedLogin::Answer(outcome)) => Some(outcome),
            Some(DelayedLogin::Password(login)) => {
                let network = ClientNetwork::of(self.session.endpoints().peer().ip());
                let attempt = self.compare_throttled(&login, network, PasswordTurn::Due, now);
                self.on_attempt(login, attempt, now)
            }
        };
        if let Some(outcome) = outcome {
            self.answer(outcome);
        }
        true
    }

    fn compare(&self, login: &Login) -> Option<Account> {
        let users = &self.current.settings.users;
        users.check(&login.user, &login.password)
    }

    /// Compares a password, unless its address has to wait.
    fn compare_throttled(
        &self,
        login: &Login,
        network: ClientNetwork,
        turn: PasswordTurn,
        now: Instant,
    ) -> Attempt<Account> {
        let rules = self.current.settings.login_rules();
        let throttle = &self.server.login_throttle;
        throttle.attempt(network, rules, turn, now, || self.compare(login))
    }

    /// The address whose failed logins count. `None`: there is nothing to guess, or the address is
    /// that of a gateway, which stands for any number of clients.
    fn throttled_network(&self, user: &[u8]) -> Option<ClientNetwork> {
        let peer = self.session.endpoints().peer().ip();
        let is_guess = self.current.settings.users.has_passwords() && !is_anonymous(user);
        let counts = is_guess && !self.current.config.is_trusted_gateway(peer);
        counts.then(|| ClientNetwork::of(peer))
    }

    fn on_attempt(
        &mut self,
        login: Login,
        attempt: Attempt<Account>,
        now: Instant,
    ) -> Option<Outcome> {
        let attempt = match attempt {
            Attempt::Succeeded(_) if self.is_unfit(&login.user) => {
                Attempt::Failed(Failure::default())
            }
            attempt => attempt,
        };
        let session = &self.name;
        let peer = self.session.endpoints().peer().ip();
        let name = QuotedName(&login.user);
        match attempt {
            Attempt::Succeeded(account) => return Some(self.logged_in(&login.user, account, now)),
            Attempt::Failed(failure) => {
                // fail2ban reads this line: the address comes before what the client chooses.
                warn!("{session} login failed from {peer} as {name}");
                self.log_failure(failure);
                let answer = Outcome::Authenticated(None);
                self.delayed = Some(DelayedLogin::Answer(answer));
                let due = now + self.current.settings.login_delay;
                self.timers.set(Timer::LoginDelay, Some(due));
                return None;
            }
            Attempt::Waits(turn) => {
                self.timers.set(Timer::LoginDelay, Some(turn));
                self.delayed = Some(DelayedLogin::Password(login));
                return None;
            }
            Attempt::Blocked(time) => self.log_refused(
                now,
                format_args!(
                    "{session} login refused from {peer} as {name}: the address is blocked for {} s \
                     more (--block-after)",
                    whole_seconds(time)
                ),
            ),
            Attempt::Crowded => self.log_refused(
                now,
                format_args!(
                    "{session} login refused from {peer} as {name}: too many logins from this \
                     address wait after failed ones (--login-delay)"
                ),
            ),
        }
        Some(Outcome::AddressBlocked)
    }

    fn log_refused(&self, now: Instant, line: fmt::Arguments<'_>) {
        let event = Event::new(REFUSED, Level::Info).by(self.name.client());
        self.server.events.on_event(event, now, line);
    }

    fn logged_in(&mut self, user: &[u8], account: Account, now: Instant) -> Outcome {
        if let Some(outcome) = self.enter_user(user, now) {
            return outcome;
        }
        let (session, name) = (&self.name, printable(user));
        // Looked up anew: a disk that was mounted since the last login is the share now.
        if self.tree.check_home().is_err() {
            info!("{session} login as {name} refused: the shared directory is not available");
            return Outcome::ShareUnavailable;
        }
        self.set_user(Some(user));
        let has_user = self.current.settings.users.user().is_some();
        self.log.logged_in(match self.user {
            Some(_) => RIGHTS,
            None if has_user && is_anonymous(user) => GUEST,
            None => WRITE,
        });
        Outcome::Authenticated(Some(self.user_account().unwrap_or(account)))
    }

    /// Whether the core refuses logins because the connection is in clear text.
    pub(super) fn login_needs_tls(&self) -> bool {
        let tls = self.current.settings.tls.as_ref();
        tls.is_some_and(|tls| tls.control_required) && self.control.tls().is_none()
    }

    fn log_failure(&self, failure: Failure) {
        let settings = &self.current.settings;
        if let (Some(failures), Some(block)) = (failure.blocks_after, settings.login_block) {
            let peer = self.session.endpoints().peer().ip();
            let (network, after, time) = (ClientNetwork::of(peer), block.after, block.time);
            // A router that forwards with its own address would be blocked for all its clients.
            let hint = if self.current.config.masquerade.gateways.contains(&peer) {
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
            let event = Event::new(FORGOTTEN, Level::Warn).by(self.name.client());
            self.server.events.on_event(event, Instant::now(), line);
        }
    }
}

/// The kinds of events.
const REFUSED: &str = "logins refused after failed ones";
const FORGOTTEN: &str = "addresses whose failed logins are no longer counted";
