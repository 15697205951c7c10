//! Everything that a session waits for in time.

use std::time::{Duration, Instant};

use ftp_proto::{Timeout, Timers};

/// The instants at which a session has something to do, unless an event comes before.
#[derive(Debug, Default)]
pub(super) struct SessionTimers {
    /// The timer of the core.
    core: Timers<Instant>,
    due: [Option<Instant>; TIMERS],
}

/// A timer of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The answer to a wrong password is given, or a password that waits is compared.
    LoginDelay,
    /// The client must have read the replies before an action.
    Unflushed,
    /// The data connection has something to do.
    Data,
    /// The rate of a transfer allows more bytes.
    Rate,
    /// An upload whose data has ended is complete.
    UploadComplete,
    /// An upload whose file is in use is tried again.
    BusyUpload,
}

impl SessionTimers {
    /// Takes the timer that runs in the core now.
    pub(super) fn update(&mut self, timeout: Option<Timeout>, now: Instant) {
        self.core.update(timeout, now);
    }

    /// Sets a timer, or stops it.
    pub(super) fn set(&mut self, timer: Timer, due: Option<Instant>) {
        self.due[timer as usize] = due;
    }

    /// Sets a timer, unless it runs.
    pub(super) fn start(&mut self, timer: Timer, due: Instant) {
        self.due[timer as usize].get_or_insert(due);
    }

    /// Stops the driver's timers.
    pub(super) fn stop_all(&mut self) {
        self.due = [None; TIMERS];
    }

    /// The timer of the core, if it has expired.
    pub(super) fn expired(&self, now: Instant) -> Option<Timeout> {
        self.core.expired(now)
    }

    /// Whether a timer of the driver runs, and has expired.
    pub(super) fn is_over(&self, timer: Timer, now: Instant) -> bool {
        self.due[timer as usize].is_some_and(|due| due <= now)
    }

    /// How long nothing has to be done, unless an event comes.
    pub(super) fn next(&self, now: Instant) -> Option<Duration> {
        let due = self.due.iter().copied().chain([self.core.due()]);
        let due = due.flatten().min()?;
        Some(match due.saturating_duration_since(now) {
            Duration::ZERO => Duration::ZERO,
            wait => wait + ROUNDING,
        })
    }
}

const TIMERS: usize = 6;

/// `epoll` counts whole milliseconds: waking up a little late is better than twice.
const ROUNDING: Duration = Duration::from_millis(1);
