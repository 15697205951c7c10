//! The time that leases run by. It goes on while this machine is suspended, as the router's does;
//! the clock of [`Instant::now`] stands still then.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};

/// The present time. Compare it only with other times of this clock.
pub(super) fn now() -> Instant {
    static START: OnceLock<(Instant, Duration)> = OnceLock::new();
    let (start, booted) = START.get_or_init(|| (Instant::now(), since_boot()));
    at(*start, *booted, since_boot())
}

/// The time of the clock when the machine has run for `since_boot`, and for `booted` at the start.
fn at(start: Instant, booted: Duration, since_boot: Duration) -> Instant {
    start + since_boot.saturating_sub(booted)
}

/// Suspended or not.
fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanoseconds)
}

/// Wakes a poll at a time of this clock: at once after a suspension that has lasted longer. The
/// timeout of a poll would begin where it was.
#[derive(Debug)]
pub(super) struct LeaseTimer(OwnedFd);

impl LeaseTimer {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Boottime, flags)?;
        let mut source = SourceFd(&timer.as_raw_fd());
        registry.register(&mut source, token, Interest::READABLE)?;
        Ok(Self(timer))
    }

    /// Wakes it after this time; `None`: never.
    pub(super) fn set(&self, timeout: Option<Duration>) -> io::Result<()> {
        // Zero means never.
        let left = timeout.map_or(Duration::ZERO, |timeout| timeout.max(SHORTEST));
        let once = Itimerspec {
            it_interval: timespec(Duration::ZERO),
            it_value: timespec(left),
        };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

const SHORTEST: Duration = Duration::from_nanos(1);

#[cfg(test)]
mod tests {
    use std::fs;

    use mio::{Events, Poll};

    use super::*;

    #[test]
    fn the_time_of_a_suspension_counts() {
        let (start, hour) = (Instant::now(), Duration::from_secs(3600));
        let booted = Duration::from_secs(100);
        assert_eq!(at(start, booted, booted), start);
        // Of this hour, the machine was awake for some seconds.
        assert_eq!(at(start, booted, booted + hour), start + hour);
        let first = now();
        assert!(now() >= first);
    }

    /// The kernel says which clock it is: 7 is CLOCK_BOOTTIME.
    #[test]
    fn the_timer_runs_by_the_same_clock_and_wakes_the_poll_each_time() {
        let mut poll = Poll::new().unwrap();
        let timer = LeaseTimer::new(poll.registry(), Token(3)).unwrap();
        let file = format!("/proc/self/fdinfo/{}", timer.0.as_raw_fd());
        let info = fs::read_to_string(file).unwrap();
        assert!(info.contains("clockid: 7\n"), "{info}");
        let mut events = Events::with_capacity(4);
        for _ in 0..3 {
            timer.set(Some(Duration::ZERO)).unwrap();
            let guard = Some(Duration::from_secs(15));
            poll.poll(&mut events, guard).unwrap();
            let tokens: Vec<Token> = events.iter().map(|event| event.token()).collect();
            assert_eq!(tokens, [Token(3)]);
        }
        timer.set(None).unwrap();
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", timer.0.as_raw_fd()));
        assert!(info.unwrap().contains("it_value: (0, 0)\n"));
    }
}
