//! Time as the test's clock shows it, and what the driver knows of the session's timer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ftp_proto::{Timeout, Timers};

use super::rules::Rule;

#[derive(Debug)]
pub(super) struct Timing {
    pub(super) now: Duration,
    pub(super) answer_within: Duration,
    timers: Timers<Duration>,
    /// Whether the test has a clock.
    has_passed: bool,
    /// The driver has looked at the timer since the last input. Atomic because looking needs no
    /// `mut`.
    is_known: AtomicBool,
    was_looked_at: AtomicBool,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            now: Duration::ZERO,
            answer_within: Duration::from_secs(60),
            timers: Timers::new(),
            has_passed: false,
            is_known: AtomicBool::new(false),
            was_looked_at: AtomicBool::new(false),
        }
    }
}

impl Timing {
    /// An input may have changed the timer.
    pub(super) fn changed(&mut self) {
        self.is_known = AtomicBool::new(false);
    }

    pub(super) fn note_look(&self) {
        self.is_known.store(true, Ordering::Relaxed);
        self.was_looked_at.store(true, Ordering::Relaxed);
    }

    /// The driver is about to wait, and this timer runs.
    #[track_caller]
    pub(super) fn check_before_wait(&mut self, timeout: Option<Timeout>) {
        if timeout.is_some() && !self.is_known.load(Ordering::Relaxed) {
            Rule::LookAtTheTimer.broken(format_args!("{timeout:?} runs"));
        }
        self.timers.update(timeout, self.now);
        if let Some(expired) = self.timers.expired(self.now) {
            Rule::PassExpiredTimers.broken(format_args!("{:?} has expired", expired.kind));
        }
    }

    pub(super) fn advance(&mut self, time: Duration) {
        self.has_passed = true;
        self.now += time;
    }

    /// The driver says that this timer has expired, while `current` runs. Without a clock of the
    /// test it is right. Late timers are allowed, because the session ignores them.
    #[track_caller]
    pub(super) fn check_expired(&mut self, timeout: Timeout, current: Option<Timeout>) {
        self.timers.update(current, self.now);
        let runs = current == Some(timeout);
        if runs && self.has_passed && self.timers.expired(self.now).is_none() {
            Rule::NoTimerTooEarly.broken(format_args!("{:?} still runs", timeout.kind));
        }
    }

    #[track_caller]
    pub(super) fn check_looked(&self) {
        if !self.was_looked_at.load(Ordering::Relaxed) {
            Rule::LookAtTheTimer.broken("poll_timeout was never called");
        }
    }
}
