//! Data connections whose transfer has ended, until the client has closed its side too.
//!
//! A socket that is closed with unread bytes resets the connection, and the client may lose bytes
//! that it has not read yet. That happens after a download over TLS, when the client answers with a
//! close_notify. After an upload that failed because the disk is full, the client may still be
//! sending, and would see the reset before the reply. The reply does not wait for this.

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use mio::{Interest, Registry};

use super::stream::Stream;
use super::tokens::LINGERING;

/// A connection on which nothing is sent any more.
#[derive(Debug)]
pub(super) struct Lingering {
    stream: Stream,
    registered: bool,
    ready: bool,
    until: Instant,
    bytes_left: usize,
}

impl Lingering {
    pub(super) fn new(mut stream: Stream, now: Instant) -> Self {
        stream.forget_tls();
        Self {
            stream,
            registered: false,
            ready: true,
            until: now + LINGERING_MAX,
            bytes_left: LINGERING_BYTES_MAX,
        }
    }

    pub(super) fn on_event(&mut self) {
        self.ready = true;
    }

    /// When to call [`is_over`](Self::is_over) next, unless an event comes first.
    pub(super) fn due(&self, now: Instant) -> Instant {
        if self.ready { now } else { self.until }
    }

    /// Reads and discards received bytes, a bounded number at a time. True when the connection can
    /// be closed.
    ///
    /// Never inlined into its caller, which runs in every session: a function's whole stack frame
    /// is touched when it is entered, so that sessions without a lingering connection would use
    /// memory for the buffer too.
    #[inline(never)]
    pub(super) fn is_over(&mut self, registry: &Registry, now: Instant) -> bool {
        if now >= self.until {
            return true;
        }
        let mut buffer = [0; 16 * 1024];
        for _ in 0..READS_PER_TURN_MAX {
            let most = buffer.len().min(self.bytes_left);
            match self.stream.socket().read(&mut buffer[..most]) {
                // The end, or no bytes are left of the limit.
                Ok(0) => return true,
                Ok(count) => self.bytes_left -= count,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => {
                        self.ready = false;
                        return !self.register(registry);
                    }
                    ErrorKind::Interrupted => {}
                    _ => return true,
                },
            }
        }
        self.ready = true;
        false
    }

    /// Has the poll report events. The socket may be registered already, with the transfer's token.
    fn register(&mut self, registry: &Registry) -> bool {
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

/// How long a client may take to close its side.
const LINGERING_MAX: Duration = Duration::from_secs(5);

/// How much a client may still send.
const LINGERING_BYTES_MAX: usize = 64 << 20;

/// Reads in one turn: they take less than a millisecond.
const READS_PER_TURN_MAX: usize = 64;
