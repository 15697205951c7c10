//! Logins: when a password is compared, when its answer is given, and what the log says.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use ftp_proto::text::printable;
use ftp_proto::{Account, Outcome, Secret};
use log::{Level, error, info};

use super::connection::Connection;
use super::delayed_login::DelayedLogin;
use super::hints::{GUEST, RIGHTS, WRITE};
use super::login_attempt::{ComparisonKind, FinishedAttempt, LoginAttempt};
use super::login_name::QuotedName;
use super::timers::Timer;
use crate::accounts::comparisons::ComparisonState;
use crate::accounts::login_throttle::{Attempt, PasswordTurn, whole_seconds};
use crate::accounts::users::is_anonymous;
use crate::logging::repeated::Event;
use crate::logging::system_text::SystemText;
use crate::net::client_network::ClientNetwork;
use crate::privileges::has_become_user;

impl Connection {
    /// Compares a password, or makes it wait. `None`: the outcome comes later.
    #[inline(never)]
    pub(super) fn authenticate(
        &mut self,
        user: Vec<u8>,
        password: Secret,
        now: Instant,
    ) -> Option<Outcome> {
        let attempt = self.login_attempt(user, password);
        self.compare(attempt, PasswordTurn::New, now)
    }

    #[inline(never)]
    fn login_attempt(&self, user: Vec<u8>, password: Secret) -> Box<LoginAttempt> {
        Box::new(LoginAttempt {
            network: self.throttled_network(&user),
            user,
            password,
            session: self.name.to_string(),
            peer: self.session.endpoints().peer().ip(),
            server: self.server.clone(),
            system_user: None,
        })
    }

    /// Gives the answer that is due now, or compares the password whose turn it is.
    pub(super) fn answer_delayed(&mut self, now: Instant) -> bool {
        let due = self.take_due_login(now);
        due.is_some_and(|login| self.answer_due(login, now))
    }

    #[inline(never)]
    fn answer_due(&mut self, login: DelayedLogin, now: Instant) -> bool {
        let outcome = match login {
            DelayedLogin::Answer(outcome) => Some(*outcome),
            DelayedLogin::Password(attempt) => self.compare(attempt, PasswordTurn::Due, now),
            DelayedLogin::Comparison(pending) => match pending.state() {
                ComparisonState::Pending => {
                    self.delayed = Some(DelayedLogin::Comparison(pending));
                    return false;
                }
                ComparisonState::Done(FinishedAttempt { attempt, result }) => {
                    self.on_attempt(attempt.into(), result, now)
                }
                ComparisonState::Lost => {
                    let session = &self.name;
                    error!("{session} internal error: the comparison of a password has failed");
                    Some(Outcome::Authenticated(None))
                }
            },
        };
        if let Some(outcome) = outcome {
            self.answer(outcome);
        }
        true
    }

    /// The login that waits, unless it waits for a later time.
    fn take_due_login(&mut self, now: Instant) -> Option<DelayedLogin> {
        let is_due = self.timers.is_over(Timer::LoginDelay, now);
        if is_due {
            self.timers.set(Timer::LoginDelay, None);
        }
        if let Some(DelayedLogin::Comparison(_)) = self.delayed {
            if is_due {
                let started = self.server.comparisons.start_thread();
                self.on_thread_started(started, now);
            }
            return self.delayed.take();
        }
        self.delayed.take_if(|_| is_due)
    }

    /// Compares a password now, or has it compared with a hash.
    fn compare(
        &mut self,
        attempt: Box<LoginAttempt>,
        turn: PasswordTurn,
        now: Instant,
    ) -> Option<Outcome> {
        // A thread that is started here would have no other rights than this one.
        if has_become_user() {
            error!(
                "{} internal error: a login after that of a system user",
                self.name
            );
            self.session.handle_shutdown();
            return Some(Outcome::Authenticated(None));
        }
        let comparison = attempt.comparison();
        if let ComparisonKind::Quick = comparison {
            let result = attempt.compare(turn, now);
            return self.on_attempt(attempt, result, now);
        }
        self.compare_elsewhere(attempt, comparison, turn, now)
    }

    /// Has another thread compare a password: that takes long.
    #[inline(never)]
    fn compare_elsewhere(
        &mut self,
        attempt: Box<LoginAttempt>,
        comparison: ComparisonKind,
        turn: PasswordTurn,
        now: Instant,
    ) -> Option<Outcome> {
        // A blocked address makes no one wait for it.
        if let Some(network) = attempt.network {
            let rules = self.current.settings.login_rules();
            let throttle = &self.server.login_throttle;
            if let Some(time) = throttle.blocked_for(network, rules, now) {
                return self.on_attempt(attempt, Attempt::Blocked(time), now);
            }
        }
        let (network, waker) = (attempt.network, self.waker.clone());
        let comparisons = &self.server.comparisons;
        let work = move || match comparison {
            ComparisonKind::Hash(hash) => attempt.compare_slowly(&hash, turn),
            ComparisonKind::Quick | ComparisonKind::System => attempt.compare_with_system(turn),
        };
        let (pending, started) = comparisons.submit(network, waker, work);
        self.delayed = Some(DelayedLogin::Comparison(pending));
        self.on_thread_started(started, now);
        None
    }

    /// Tries again later if the system has no thread for a comparison.
    #[inline(never)]
    fn on_thread_started(&mut self, started: io::Result<()>, now: Instant) {
        if let Err(error) = started {
            let line = format_args!(
                "{} the password is not compared yet, as the system has no thread for that: {}",
                self.name,
                SystemText(&error)
            );
            let event = Event::new(NO_THREAD, Level::Error).by(self.name.client());
            self.server.events.on_event(event, now, line);
            self.timers
                .set(Timer::LoginDelay, Some(now + THREAD_RETRY_TIME));
        }
    }

    /// The address whose failed logins count. `None`: there is nothing to guess, or the address is
    /// that of a gateway, which stands for any number of clients.
    fn throttled_network(&self, user: &[u8]) -> Option<ClientNetwork> {
        let peer = self.session.endpoints().peer().ip();
        let is_guess = self.current.settings.users.has_passwords() && !is_anonymous(user);
        let counts = is_guess && !self.current.config.is_trusted_gateway(peer);
        counts.then(|| ClientNetwork::of(peer))
    }

    #[inline(never)]
    fn on_attempt(
        &mut self,
        attempt: Box<LoginAttempt>,
        result: Attempt<Box<Account>>,
        now: Instant,
    ) -> Option<Outcome> {
        match result {
            Attempt::Succeeded(account) => {
                if let Some(refused) = self.enter(&attempt, now) {
                    return Some(refused);
                }
                self.show_login(&attempt.user);
                Some(self.logged_in(account))
            }
            Attempt::Failed(_) => {
                let answer = Outcome::Authenticated(None);
                self.delayed = Some(DelayedLogin::Answer(answer.into()));
                let due = now + self.current.settings.login_delay;
                self.timers.set(Timer::LoginDelay, Some(due));
                None
            }
            Attempt::Waits(turn) => {
                self.timers.set(Timer::LoginDelay, Some(turn));
                self.delayed = Some(DelayedLogin::Password(attempt));
                None
            }
            Attempt::Blocked(time) => {
                self.log_blocked(&attempt, time, now);
                Some(Outcome::AddressBlocked)
            }
            Attempt::Crowded => {
                self.log_crowded(&attempt, now);
                Some(Outcome::AddressBlocked)
            }
        }
    }

    #[inline(never)]
    fn log_blocked(&self, attempt: &LoginAttempt, time: Duration, now: Instant) {
        let (session, peer) = (&self.name, attempt.peer);
        let name = QuotedName(&attempt.user);
        let seconds = whole_seconds(time);
        self.log_refused(
            now,
            format_args!(
                "{session} login refused from {peer} as {name}: the address is blocked for \
                 {seconds} s more (--block-after)"
            ),
        );
    }

    #[inline(never)]
    fn log_crowded(&self, attempt: &LoginAttempt, now: Instant) {
        let (session, peer) = (&self.name, attempt.peer);
        let name = QuotedName(&attempt.user);
        self.log_refused(
            now,
            format_args!(
                "{session} login refused from {peer} as {name}: too many logins from this address \
                 wait after failed ones (--login-delay)"
            ),
        );
    }

    fn log_refused(&self, now: Instant, line: fmt::Arguments<'_>) {
        let event = Event::new(REFUSED, Level::Info).by(self.name.client());
        self.server.events.on_event(event, now, line);
    }

    /// Gives the session the rights and the home of its user. The outcome if that cannot be.
    #[inline(never)]
    fn enter(&mut self, attempt: &LoginAttempt, now: Instant) -> Option<Outcome> {
        let user = &attempt.user[..];
        let users = &self.current.settings.users;
        let refused = if let Some(system_user) = &attempt.system_user {
            self.enter_system_user(system_user, now)
        } else if users.in_file(user).is_some() || users.is_of_flag(user) {
            self.enter_user(user, now)
        } else {
            // The file has changed while the password was compared, and this session does not know
            // the home of the user yet.
            Some(Outcome::Authenticated(None))
        };
        if refused.is_some() {
            return refused;
        }
        // Looked up anew: a disk that was mounted since the last login is the share now.
        let has_home = self.tree.check_home().is_ok();
        (!has_home).then(|| self.log_without_home(user))
    }

    #[inline(never)]
    fn log_without_home(&self, user: &[u8]) -> Outcome {
        let (session, name) = (&self.name, printable(user));
        let problem = self.home_problem();
        info!("{session} login as {name} refused: {problem}");
        Outcome::ShareUnavailable
    }

    #[inline(never)]
    fn logged_in(&mut self, account: Box<Account>) -> Outcome {
        Outcome::Authenticated(Some(self.user_account().unwrap_or_else(|| {
            self.account_of_flags = Account::clone(&account);
            let charset = self.current.settings.name_charset;
            charset.apply(*account)
        })))
    }

    /// Says who has logged in, in the log and wherever sessions are shown.
    #[inline(never)]
    fn show_login(&mut self, user: &[u8]) {
        self.set_user(Some(user));
        let has_user = self.current.settings.users.user().is_some();
        self.log.logged_in(match &self.user {
            Some(user) if user.system.is_some() => WRITE,
            Some(_) => RIGHTS,
            None if has_user && is_anonymous(user) => GUEST,
            None => WRITE,
        });
        self.server.counts.logins.add(1);
        self.report_login(user, Instant::now());
    }

    /// Whether the core refuses logins because the connection is in clear text.
    pub(super) fn login_needs_tls(&self) -> bool {
        let tls = self.current.settings.tls.as_ref();
        tls.is_some_and(|tls| tls.control_required) && self.control.tls().is_none()
    }
}

/// The kinds of events.
const REFUSED: &str = "logins refused after failed ones";
const NO_THREAD: &str = "passwords that wait for a thread";

const THREAD_RETRY_TIME: Duration = Duration::from_secs(1);
