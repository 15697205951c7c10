//! Word from the kernel that this machine's addresses or routes have changed.
//!
//! What the kernel says is not read, only that it says something: whoever hears of it looks at the machine
//! anew, as at the start. So a message that is lost or strange can do no harm.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, socket,
};
use rustix::io::Errno;

/// A netlink socket that is told of each change.
#[derive(Debug)]
pub(crate) struct Watch {
    socket: OwnedFd,
}

/// Turns a burst of changes into one look: an interface that comes up is a dozen changes.
#[derive(Debug, Default)]
pub(crate) struct Debounce {
    look_at: Option<Instant>,
}

impl Watch {
    /// Watches from now on; events come with `token`.
    ///
    /// # Errors
    ///
    /// What the system said, where there is no such socket or it is not permitted.
    pub(crate) fn open(registry: &Registry, token: Token) -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
        registry.register(
            &mut SourceFd(&socket.as_raw_fd()),
            token,
            Interest::READABLE,
        )?;
        Ok(Self { socket })
    }

    /// Empties the socket, so that the next change is an event again.
    ///
    /// # Errors
    ///
    /// What the system said; nothing more will be heard then.
    pub(crate) fn drain(&self) -> io::Result<()> {
        let mut unread = [0; MESSAGE_BYTES];
        loop {
            match rustix::io::read(&self.socket, &mut unread) {
                // Messages that the socket had no room for: a change like any other.
                Ok(_) | Err(Errno::INTR | Errno::NOBUFS) => {}
                Err(Errno::WOULDBLOCK) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Debounce {
    /// Something has changed; more of it will not put the look off.
    pub(crate) fn begin(&mut self, now: Instant) {
        let soon = now + PAUSE;
        self.look_at = Some(self.look_at.map_or(soon, |at| at.min(soon)));
    }

    /// The look came to nothing: try again in a while.
    pub(crate) fn begin_again(&mut self, now: Instant) {
        self.look_at.get_or_insert(now + PAUSE_AFTER_FAILURE);
    }

    /// When to look; `None` while nothing has changed.
    pub(crate) fn look_at(&self) -> Option<Instant> {
        self.look_at
    }

    /// Whether it is time to look; true once.
    pub(crate) fn is_over(&mut self, now: Instant) -> bool {
        self.look_at.take_if(|at| *at <= now).is_some()
    }
}

/// Linux, `include/uapi/linux/rtnetlink.h`: `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV4_ROUTE`,
/// `RTMGRP_IPV6_IFADDR`, `RTMGRP_IPV6_ROUTE`.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// The rest of a longer message is thrown away by the kernel.
const MESSAGE_BYTES: usize = 512;

/// Long enough for most bursts, short enough that nobody notices.
const PAUSE: Duration = Duration::from_millis(150);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes at these milliseconds lead to looks at those.
    #[track_caller]
    fn check(changes: &[u64], looks: &[u64]) {
        let start = Instant::now();
        let mut settling = Debounce::default();
        let mut seen = Vec::new();
        for millisecond in 0..1000 {
            let now = start + Duration::from_millis(millisecond);
            if changes.contains(&millisecond) {
                settling.begin(now);
            }
            let due = settling.look_at().is_some_and(|at| at <= now);
            assert_eq!(settling.is_over(now), due);
            if due {
                seen.push(millisecond);
            }
        }
        assert_eq!(seen, looks, "{changes:?}");
        assert_eq!(settling.look_at(), None);
    }

    #[test]
    fn a_burst_is_one_look() {
        check(&[], &[]);
        check(&[0], &[150]);
        check(&[10, 11, 12, 100, 160], &[160]);
        check(&[10, 161], &[160, 311]);
        // Changes without end do not put the look off for ever.
        let always: Vec<u64> = (0..700).collect();
        check(&always, &[150, 301, 452, 603, 754]);
    }

    #[test]
    fn a_look_that_failed_is_repeated() {
        let start = Instant::now();
        let mut settling = Debounce::default();
        settling.begin_again(start);
        assert!(!settling.is_over(start + Duration::from_secs(4)));
        assert!(settling.is_over(start + Duration::from_secs(5)));
        assert_eq!(settling.look_at(), None);
        // A change does not wait for the repetition.
        settling.begin_again(start);
        settling.begin(start);
        assert!(settling.is_over(start + Duration::from_secs(1)));
    }

    /// The kernel's numbers are accepted, and a quiet socket is no error.
    #[test]
    fn the_kernel_lets_us_watch() {
        let poll = mio::Poll::new().unwrap();
        let watch = Watch::open(poll.registry(), Token(0)).unwrap();
        watch.drain().unwrap();
    }
}
