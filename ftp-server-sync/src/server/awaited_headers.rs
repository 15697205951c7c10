//! Control connections from a balancer, until their PROXY headers have come.
//!
//! They wait in the main thread's poll, so that a balancer that is slow, or that lies, holds no one
//! up. Their number and their time are bounded.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use log::{Level, debug};
use mio::event::Event as PollEvent;
use mio::{Interest, Registry, Token};

use super::listeners::Accepted;
use crate::logging::repeated::{Event, RepeatedEvents};
use crate::net::proxy_header::{
    AWAITED_MAX, HEADER_REMEDY, HEADER_TIME, HeaderFailure, HeaderRead, read_header,
};
use crate::session::Proxied;

/// The connections that wait, oldest first.
#[derive(Debug, Default)]
pub(super) struct AwaitedHeaders {
    waiting: VecDeque<Waiting>,
    tokens_used: usize,
    /// Those whose headers are complete.
    ready: VecDeque<Accepted>,
}

#[derive(Debug)]
struct Waiting {
    accepted: Accepted,
    token: Token,
    due: Instant,
}

/// Where failures are logged.
pub(super) struct FailureLog<'a> {
    pub(super) events: &'a RepeatedEvents,
    pub(super) now: Instant,
}

impl AwaitedHeaders {
    /// Waits for the header of a connection, unless it is there already. The one that has waited
    /// longest gives way if there are too many: a header that is sent at once is not among those.
    pub(super) fn add(
        &mut self,
        mut accepted: Accepted,
        registry: &Registry,
        log: &FailureLog<'_>,
    ) {
        let read = read_header(&accepted.stream, false);
        if read != HeaderRead::Pending {
            return self.finish(accepted, read, log);
        }
        if self.waiting.len() >= AWAITED_MAX
            && let Some(oldest) = self.waiting.pop_front()
        {
            log.on_failure(oldest.accepted.peer, HeaderFailure::Displaced);
        }
        self.tokens_used = (self.tokens_used + 1) % TOKENS;
        let token = Token(FIRST_TOKEN + self.tokens_used);
        match registry.register(&mut accepted.stream, token, Interest::READABLE) {
            Ok(()) => self.waiting.push_back(Waiting {
                accepted,
                token,
                due: log.now + HEADER_TIME,
            }),
            Err(error) => log.on_error(accepted.peer, &error),
        }
    }

    /// Whether an event of the poll with this token is for one of these connections.
    pub(super) fn is_own(token: Token) -> bool {
        (FIRST_TOKEN..FIRST_TOKEN + TOKENS).contains(&token.0)
    }

    /// Reads what has come on a connection. Each further byte is another event, although what came
    /// before is not taken off the connection.
    pub(super) fn on_event(
        &mut self,
        event: &PollEvent,
        registry: &Registry,
        log: &FailureLog<'_>,
    ) {
        let mut waiting = self.waiting.iter();
        let Some(index) = waiting.position(|waiting| waiting.token == event.token()) else {
            return;
        };
        let has_ended = event.is_read_closed() || event.is_error();
        let read = read_header(&self.waiting[index].accepted.stream, has_ended);
        if read == HeaderRead::Pending {
            return;
        }
        let Some(mut waiting) = self.waiting.remove(index) else {
            return;
        };
        // Its session has another poll.
        match registry.deregister(&mut waiting.accepted.stream) {
            Ok(()) => self.finish(waiting.accepted, read, log),
            Err(error) => log.on_error(waiting.accepted.peer, &error),
        }
    }

    /// Closes those whose time is over.
    pub(super) fn expire(&mut self, log: &FailureLog<'_>) {
        while self.due().is_some_and(|due| due <= log.now)
            && let Some(oldest) = self.waiting.pop_front()
        {
            log.on_failure(oldest.accepted.peer, HeaderFailure::Late);
        }
    }

    /// When to call [`expire`](Self::expire).
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.front().map(|oldest| oldest.due)
    }

    /// A connection whose header is complete, with the addresses of that.
    pub(super) fn take_ready(&mut self) -> Option<Accepted> {
        self.ready.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.ready.is_empty()
    }

    /// Closes all of them.
    pub(super) fn clear(&mut self) {
        *self = Self {
            tokens_used: self.tokens_used,
            ..Self::default()
        };
    }

    /// The header has come, or will not.
    fn finish(&mut self, accepted: Accepted, read: HeaderRead, log: &FailureLog<'_>) {
        let peer = accepted.peer.ip().to_canonical();
        match read {
            HeaderRead::Pending => {}
            HeaderRead::Failed(failure) => log.on_failure(accepted.peer, failure),
            HeaderRead::Complete(None) => {
                debug!("the PROXY header from {peer} names no client: a health check");
                self.ready.push_back(accepted);
            }
            HeaderRead::Complete(Some(ends)) => self.ready.push_back(Accepted {
                peer: ends.source,
                proxied: Some(Proxied {
                    dialled: ends.destination,
                    balancer: peer,
                }),
                ..accepted
            }),
        }
    }
}

impl FailureLog<'_> {
    fn on_failure(&self, peer: SocketAddr, failure: HeaderFailure) {
        let address = peer.ip().to_canonical();
        if failure == HeaderFailure::Empty {
            // As balancers do to see whether a port is open.
            return debug!("a connection from {address} {failure}");
        }
        let event = Event::new(NO_HEADER, Level::Warn).by(address);
        let line =
            format_args!("closed a connection from {address}, which {failure}: {HEADER_REMEDY}");
        self.events.on_event(event, self.now, line);
    }

    fn on_error(&self, peer: SocketAddr, error: &io::Error) {
        debug!("cannot await the PROXY header from {peer}: {error}");
    }
}

/// The kind of these failures.
const NO_HEADER: &str = "connections of --proxy-protocol without a valid header";

/// The tokens of these connections in the main thread's poll.
const FIRST_TOKEN: usize = usize::MAX / 2;
const TOKENS: usize = usize::MAX / 4;
