//! The measuring of a session's timers, for drivers.

use core::ops::Add;
use core::time::Duration;

use crate::timeout::{Timeout, TimeoutKind};

/// Measures the timers of one session. `I` is the driver's type for a point in time:
/// `std::time::Instant`, tokio's, or a `Duration` since any beginning.
///
/// A timer that disappears and comes back, such as the one for a data connection during another
/// command, has not stopped in between; this remembers when each one has started.
///
/// ```
/// # use core::time::Duration;
/// # use ftp_proto::{Config, Endpoints, Session, Timers};
/// # let address = "127.0.0.1:21".parse().unwrap();
/// # let mut session = Session::new(Config::default().into(), Endpoints::new(address, address));
/// let mut timers = Timers::new();
/// // After the outputs are drained: when to wake up if nothing else happens before.
/// let now = Duration::ZERO;
/// let due = timers.update(session.poll_timeout(), now).expect("the time for a login is limited");
/// // Later:
/// if let Some(timeout) = timers.expired(due) {
///     session.handle_timeout(timeout);
/// }
/// assert!(session.is_closed());
/// ```
#[derive(Clone, Debug)]
pub struct Timers<I> {
    current: Option<(Timeout, I)>,
    /// The epoch of each kind of timer, and since when it runs.
    started: [Option<(u64, I)>; KINDS],
}

impl<I: Copy + Ord + Add<Duration, Output = I>> Timers<I> {
    /// No timer has been seen yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            current: None,
            started: [None; KINDS],
        }
    }

    /// Takes what [`poll_timeout`](crate::Session::poll_timeout) returns now, and returns when this
    /// timer expires. To be called after each input whose outputs are drained.
    pub fn update(&mut self, timeout: Option<Timeout>, now: I) -> Option<I> {
        self.current = timeout.map(|timeout| {
            let started = &mut self.started[index(timeout.kind)];
            let since = match *started {
                Some((epoch, since)) if epoch == timeout.epoch => since,
                _ => now,
            };
            *started = Some((timeout.epoch, since));
            (timeout, since + timeout.after.min(AFTER_MAX))
        });
        self.due()
    }

    /// When the timer of the last [`update`](Self::update) expires.
    #[must_use]
    pub fn due(&self) -> Option<I> {
        self.current.map(|(_, due)| due)
    }

    /// The timer of the last [`update`](Self::update), if it has expired: for
    /// [`handle_timeout`](crate::Session::handle_timeout).
    #[must_use]
    pub fn expired(&self, now: I) -> Option<Timeout> {
        let (timeout, due) = self.current?;
        (due <= now).then_some(timeout)
    }
}

impl<I: Copy + Ord + Add<Duration, Output = I>> Default for Timers<I> {
    fn default() -> Self {
        Self::new()
    }
}

fn index(kind: TimeoutKind) -> usize {
    match kind {
        TimeoutKind::Login => 0,
        TimeoutKind::Idle => 1,
        TimeoutKind::DataOpen => 2,
        TimeoutKind::DataStall => 3,
        TimeoutKind::Flush => 4,
    }
}

/// The number of kinds.
const KINDS: usize = 5;

/// 30 years: adding a longer time to the current one could overflow.
const AFTER_MAX: Duration = Duration::from_secs(30 * 365 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout(kind: TimeoutKind, after: u64, epoch: u64) -> Option<Timeout> {
        Some(Timeout {
            kind,
            after: seconds(after),
            epoch,
        })
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_timer_runs_from_its_first_sight() {
        let mut timers = Timers::new();
        let idle = timeout(TimeoutKind::Idle, 10, 1);
        assert_eq!(timers.update(idle, seconds(100)), Some(seconds(110)));
        assert_eq!(timers.update(idle, seconds(105)), Some(seconds(110)));
        assert_eq!(timers.expired(seconds(109)), None);
        assert_eq!(timers.expired(seconds(110)), idle);
    }

    #[test]
    fn a_new_epoch_starts_again() {
        let mut timers = Timers::new();
        timers.update(timeout(TimeoutKind::Idle, 10, 1), seconds(100));
        let again = timeout(TimeoutKind::Idle, 10, 2);
        assert_eq!(timers.update(again, seconds(107)), Some(seconds(117)));
    }

    #[test]
    fn a_timer_that_comes_back_has_not_stopped() {
        let mut timers = Timers::new();
        let open = timeout(TimeoutKind::DataOpen, 30, 4);
        timers.update(open, seconds(100));
        timers.update(None, seconds(101));
        assert_eq!(timers.due(), None);
        assert_eq!(timers.expired(seconds(1000)), None);
        assert_eq!(timers.update(open, seconds(101)), Some(seconds(130)));
        timers.update(timeout(TimeoutKind::Idle, 300, 9), seconds(102));
        assert_eq!(timers.update(open, seconds(103)), Some(seconds(130)));
    }

    #[test]
    fn changed_settings_change_the_length_and_not_the_start() {
        let mut timers = Timers::new();
        timers.update(timeout(TimeoutKind::Idle, 300, 1), seconds(100));
        let shorter = timeout(TimeoutKind::Idle, 5, 1);
        assert_eq!(timers.update(shorter, seconds(110)), Some(seconds(105)));
        assert_eq!(timers.expired(seconds(110)), shorter);
    }

    #[test]
    fn an_endless_timer_does_not_overflow() {
        let mut timers = Timers::new();
        let endless = Some(Timeout {
            kind: TimeoutKind::Idle,
            after: Duration::MAX,
            epoch: 0,
        });
        let now = std::time::Instant::now();
        assert!(timers.update(endless, now) > Some(now));
    }
}
