//! Notices when this machine's addresses or routes change.
//!
//! The messages of the kernel are not parsed. Any message means that something has changed, and the
//! server then reads all interfaces again, as at start. So a lost or unknown message does no harm.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, socket,
};
use rustix::io::Errno;

/// A netlink socket that becomes readable after each change.
#[derive(Debug)]
pub(crate) struct InterfaceWatch {
    socket: OwnedFd,
}

/// Turns a burst of changes into one look at the interfaces: an interface that comes up is a dozen
/// changes.
#[derive(Debug, Default)]
pub(crate) struct Debounce {
    next_look: Option<Instant>,
}

impl InterfaceWatch {
    /// Starts to watch. Events have the token `token`.
    ///
    /// # Errors
    ///
    /// What the system says if there is no such socket, or if it is not permitted.
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
    /// What the system says. After that, no more events can be expected.
    pub(crate) fn drain(&self) -> io::Result<()> {
        let mut unread = [0; MESSAGE_BYTES];
        loop {
            match rustix::io::read(&self.socket, &mut unread) {
                // NOBUFS: messages were lost because the socket was full. That is a change too.
                Ok(_) | Err(Errno::INTR | Errno::NOBUFS) => {}
                Err(Errno::WOULDBLOCK) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Debounce {
    /// Something has changed. Later changes do not delay the look.
    pub(crate) fn on_event(&mut self, now: Instant) {
        let soon = now + PAUSE;
        self.next_look = Some(self.next_look.map_or(soon, |at| at.min(soon)));
    }

    /// The look has failed: try again after a while.
    pub(crate) fn retry_later(&mut self, now: Instant) {
        self.next_look.get_or_insert(now + PAUSE_AFTER_FAILURE);
    }

    /// When to look next; `None` while nothing has changed.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        self.next_look
    }

    /// Whether it is time to look. True once for each look.
    pub(crate) fn take_due(&mut self, now: Instant) -> bool {
        self.next_look.take_if(|at| *at <= now).is_some()
    }
}

/// Linux, `include/uapi/linux/rtnetlink.h`: `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`,
/// `RTMGRP_IPV4_ROUTE`, `RTMGRP_IPV6_IFADDR`, `RTMGRP_IPV6_ROUTE`.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// The kernel discards the rest of a longer message.
const MESSAGE_BYTES: usize = 512;

/// Long enough for most bursts, and too short for people to notice.
const PAUSE: Duration = Duration::from_millis(150);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes at the milliseconds `changes` lead to looks at the milliseconds `looks`.
    #[track_caller]
    fn check(changes: &[u64], looks: &[u64]) {
        let start = Instant::now();
        let mut debounce = Debounce::default();
        let mut found = Vec::new();
        for millisecond in 0..1000 {
            let now = start + Duration::from_millis(millisecond);
            if changes.contains(&millisecond) {
                debounce.on_event(now);
            }
            let is_due = debounce.next_look().is_some_and(|at| at <= now);
            assert_eq!(debounce.take_due(now), is_due);
            if is_due {
                found.push(millisecond);
            }
        }
        assert_eq!(found, looks, "{changes:?}");
        assert_eq!(debounce.next_look(), None);
    }

    #[test]
    fn a_burst_is_one_look() {
        check(&[], &[]);
        check(&[0], &[150]);
        check(&[10, 11, 12, 100, 160], &[160]);
        check(&[10, 161], &[160, 311]);
        // Changes without end do not delay the look for ever.
        let always: Vec<u64> = (0..700).collect();
        check(&always, &[150, 301, 452, 603, 754]);
    }

    #[test]
    fn a_look_that_failed_is_repeated() {
        let start = Instant::now();
        let mut debounce = Debounce::default();
        debounce.retry_later(start);
        assert!(!debounce.take_due(start + Duration::from_secs(4)));
        assert!(debounce.take_due(start + Duration::from_secs(5)));
        assert_eq!(debounce.next_look(), None);
        // A change does not wait for the retry.
        debounce.retry_later(start);
        debounce.on_event(start);
        assert!(debounce.take_due(start + Duration::from_secs(1)));
    }

    /// The kernel accepts the numbers of the groups, and a socket without messages is no error.
    #[test]
    fn the_kernel_accepts_the_socket() {
        let poll = mio::Poll::new().unwrap();
        let watch = InterfaceWatch::open(poll.registry(), Token(0)).unwrap();
        watch.drain().unwrap();
    }
}
