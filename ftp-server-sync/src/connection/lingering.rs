//! Data connections of TLS whose transfer is over, until the client has closed its side too.
//!
//! A socket that is closed with unread bytes, such as the client's close_notify, resets the connection,
//! and the client may lose what it has not read yet. The transfer's reply does not wait for this.

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use mio::{Interest, Registry};

use super::LINGERING;
use crate::stream::Stream;

/// A connection that we have ended.
#[derive(Debug)]
pub(super) struct Lingering {
    stream: Stream,
    registered: bool,
    ready: bool,
    until: Instant,
    bytes_left: usize,
}

impl Lingering {
    pub(super) fn new(stream: Stream, now: Instant) -> Self {
        Self {
            stream,
            registered: false,
            ready: true,
            until: now + LINGERING_MAX,
            bytes_left: LINGERING_BYTES_MAX,
        }
    }

    pub(super) fn note_event(&mut self) {
        self.ready = true;
    }

    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// Reads and forgets what has come; whether it is time to close.
    pub(super) fn is_over(&mut self, registry: &Registry, now: Instant) -> bool {
        let mut buffer = [0; 4096];
        while self.ready && self.bytes_left > 0 && now < self.until {
            let most = buffer.len().min(self.bytes_left);
            match self.stream.socket().read(&mut buffer[..most]) {
                Ok(0) => return true,
                Ok(count) => self.bytes_left -= count,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => self.ready = false,
                    ErrorKind::Interrupted => {}
                    _ => return true,
                },
            }
        }
        self.ready || now >= self.until || !self.watch(registry)
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

/// For a client that does not close its side.
const LINGERING_MAX: Duration = Duration::from_secs(5);

/// For one that goes on sending although nobody listens.
const LINGERING_BYTES_MAX: usize = 1 << 20;
