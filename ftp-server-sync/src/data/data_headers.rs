//! Connections of a balancer to a passive port, until their PROXY headers say whose they are.
//!
//! They are no candidates yet, so that one whose header never comes holds no other connection up.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use mio::{Registry, Token};

use super::data_stream::DataStream;
use crate::net::proxy_header::{HEADER_TIME, HeaderFailure, HeaderRead};

/// The connections that wait for their headers, oldest first.
#[derive(Debug, Default)]
pub(super) struct DataHeaders {
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    stream: DataStream,
    due: Instant,
}

/// A connection that waits no longer.
#[derive(Debug)]
pub(super) enum NamedConnection {
    /// Its peer is the one of the header.
    Complete(DataStream),
    /// The connection of this balancer is closed.
    Failed(SocketAddr, HeaderFailure),
}

impl DataHeaders {
    /// Adds an accepted connection. The oldest one gives way if there are too many.
    pub(super) fn add(&mut self, stream: DataStream, now: Instant) -> Option<NamedConnection> {
        let due = now + HEADER_TIME;
        self.waiting.push_back(Waiting { stream, due });
        if self.waiting.len() <= WAITING_MAX {
            return None;
        }
        let oldest = self.waiting.pop_front()?;
        let balancer = oldest.stream.peer_address();
        Some(NamedConnection::Failed(balancer, HeaderFailure::Displaced))
    }

    /// Records an event of the poll.
    pub(super) fn on_event(&mut self, token: Token) {
        for waiting in &mut self.waiting {
            waiting.stream.on_event(token);
        }
    }

    /// Has all of them read again: an event may be on its way.
    pub(super) fn look(&mut self) {
        for waiting in &mut self.waiting {
            waiting.stream.set_ready();
        }
    }

    /// The next connection whose header is complete, or will never be.
    pub(super) fn next(&mut self, now: Instant) -> Option<NamedConnection> {
        for index in 0..self.waiting.len() {
            let waiting = &mut self.waiting[index];
            let balancer = waiting.stream.peer_address();
            let named = match waiting.stream.read_header() {
                HeaderRead::Pending if now < waiting.due => continue,
                HeaderRead::Pending => NamedConnection::Failed(balancer, HeaderFailure::Late),
                HeaderRead::Failed(failure) => NamedConnection::Failed(balancer, failure),
                HeaderRead::Complete(ends) => {
                    let mut stream = self.waiting.remove(index)?.stream;
                    stream.set_peer(ends.map_or(balancer, |ends| ends.source));
                    return Some(NamedConnection::Complete(stream));
                }
            };
            self.waiting.remove(index);
            return Some(named);
        }
        None
    }

    /// When [`next`](Self::next) closes one.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.front().map(|oldest| oldest.due)
    }

    /// Has the poll report what comes.
    pub(super) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        let mut waiting = self.waiting.iter_mut();
        waiting.try_for_each(|waiting| waiting.stream.register(registry))
    }
}

/// As many as there are candidates at most.
const WAITING_MAX: usize = 8;
