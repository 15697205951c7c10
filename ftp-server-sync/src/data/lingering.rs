//! Data connections whose transfer is over, until the client has closed its side too.
//!
//! A socket that is closed with unread bytes resets the connection. After a download over TLS, whose client
//! answers with a close_notify, it may lose what it has not read yet; after an upload that found no room,
//! it may never read the reply that says so. The reply itself does not wait for this.

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use mio::{Interest, Registry, Token};

use super::stream::Stream;

/// A connection that we have ended.
#[derive(Debug)]
pub(crate) struct Lingering {
    stream: Stream,
    registered: bool,
    ready: bool,
    until: Instant,
    bytes_left: usize,
}

impl Lingering {
    pub(crate) fn new(stream: Stream, now: Instant) -> Self {
        Self {
            stream,
            registered: false,
            ready: true,
            until: now + LINGERING_MAX,
            bytes_left: LINGERING_BYTES_MAX,
        }
    }

    pub(crate) fn note_event(&mut self) {
        self.ready = true;
    }

    /// When to look again, unless something comes.
    pub(crate) fn due(&self, now: Instant) -> Instant {
        match self.ready {
            true => now,
            false => self.until,
        }
    }

    /// Reads and forgets what has come, some of it at a time; whether it is time to close.
    ///
    /// Not part of its caller, which runs in every session: a frame's pages are all touched when it is entered, and
    /// sessions that never linger would keep the buffer's too.
    #[inline(never)]
    pub(crate) fn is_over(&mut self, registry: &Registry, now: Instant) -> bool {
        if now >= self.until {
            return true;
        }
        let mut buffer = [0; 16 * 1024];
        for _ in 0..READS_PER_TURN_MAX {
            let most = buffer.len().min(self.bytes_left);
            match self.stream.socket().read(&mut buffer[..most]) {
                // Also when there has been enough of it.
                Ok(0) => return true,
                Ok(count) => self.bytes_left -= count,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => {
                        self.ready = false;
                        return !self.watch(registry);
                    }
                    ErrorKind::Interrupted => {}
                    _ => return true,
                },
            }
        }
        self.ready = true;
        false
    }

    /// Has the poll report what comes. The token may have been the transfer's.
    fn watch(&mut self, registry: &Registry) -> bool {
        if self.registered {
            return true;
        }
        let socket = self.stream.socket();
        let registered = registry
            .reregister(socket, LINGERING, Interest::READABLE)
            .or_else(|_| registry.register(socket, LINGERING, Interest::READABLE));
        self.registered = registered.is_ok();
        self.registered
    }
}

/// The token of such a connection in its session's poll.
pub(crate) const LINGERING: Token = Token(3);

/// For a client that does not close its side.
const LINGERING_MAX: Duration = Duration::from_secs(5);

/// For one that goes on sending although nobody listens.
const LINGERING_BYTES_MAX: usize = 64 << 20;

/// So many cost less than a millisecond.
const READS_PER_TURN_MAX: usize = 64;
