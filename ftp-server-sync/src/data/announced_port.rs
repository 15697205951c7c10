//! The passive port that a client was sent to.
//!
//! It stays open until one of the [`Candidates`] that have come to it has shown to be the data
//! connection.

use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use ftp_proto::canonical;
use log::{Level, debug};
use mio::Registry;
use mio::event::Event as PollEvent;

use super::candidates::{Candidates, LOOK_WINDOW};
use super::data_headers::{DataHeaders, NamedConnection};
use super::data_stream::DataStream;
use super::strangers::Strangers;
use super::tokens::{LISTENER, Tokens};
use crate::logging::repeated::Event;
use crate::logging::session_name::LogContext;
use crate::net::proxy_header::{HEADER_REMEDY, HeaderFailure};
use crate::passive::{IncomingConnection, LeaseEnd, PassiveListener};

/// A passive port and the connections that may be the client's data connection.
#[derive(Debug)]
pub(super) struct AnnouncedPort {
    /// For the log.
    context: LogContext,
    number: u16,
    /// `None` once the port is released: the candidates stay.
    listener: Option<PassiveListener>,
    /// Since when the client can connect.
    opened: Instant,
    connect_by: Instant,
    /// When the poll begins to report connections, if not before.
    watch_at: Instant,
    /// For the core, the client has connected.
    is_reported: bool,
    is_registered: bool,
    /// Connections may wait to be accepted.
    may_have_more: bool,
    pub(super) candidates: Candidates,
    headers: DataHeaders,
    pub(super) strangers: Strangers,
}

/// How far to look for connections before the transfer command is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookExtent {
    /// The first that is open is used: a download.
    FirstOpen,
    /// For an upload, one that has ended must not count as having come later.
    All,
}

impl AnnouncedPort {
    /// `limit`: how long the client may take to connect.
    pub(super) fn new(
        context: LogContext,
        listener: PassiveListener,
        now: Instant,
        limit: Duration,
    ) -> Self {
        Self {
            context,
            number: listener.port(),
            listener: Some(listener),
            opened: now,
            connect_by: now + limit,
            watch_at: now + WATCH_AFTER,
            is_reported: false,
            is_registered: false,
            may_have_more: false,
            candidates: Candidates::default(),
            headers: DataHeaders::default(),
            strangers: Strangers::default(),
        }
    }

    pub(super) fn number(&self) -> u16 {
        self.number
    }

    pub(super) fn opened(&self) -> Instant {
        self.opened
    }

    pub(super) fn connect_by(&self) -> Instant {
        self.connect_by
    }

    pub(super) fn is_reported(&self) -> bool {
        self.is_reported
    }

    /// For the core, the client has connected. True if it had not before.
    pub(super) fn set_reported(&mut self) -> bool {
        !mem::replace(&mut self.is_reported, true)
    }

    /// More connections may wait than one call accepts.
    pub(super) fn may_have_more(&self) -> bool {
        self.may_have_more && self.is_registered && self.listener.is_some()
    }

    /// Records an event of the poll.
    pub(super) fn on_event(&mut self, event: &PollEvent) {
        self.may_have_more |= event.token() == LISTENER;
        self.candidates.on_event(event);
        self.headers.on_event(event.token());
    }

    /// Another session may have accepted a connection for this one.
    pub(super) fn on_wake(&mut self) {
        self.watch_at = self.opened;
        self.may_have_more = true;
    }

    /// When to start to watch the port, if it is not watched.
    pub(super) fn watch_from(&self) -> Option<Instant> {
        let is_pending = !self.is_registered && self.listener.is_some();
        is_pending.then_some(self.watch_at)
    }

    /// Has the poll report connections, once it is time, and accepts those that it has reported.
    pub(super) fn watch(
        &mut self,
        registry: &Registry,
        tokens: &mut Tokens,
        now: Instant,
    ) -> io::Result<()> {
        if self.watch_from().is_some_and(|from| from <= now) {
            self.register(registry)?;
        }
        self.read_headers(now);
        if self.may_have_more() {
            self.accept(tokens, now)?;
        }
        self.headers.register(registry)
    }

    /// Has the poll report connections. One may have come until now.
    pub(super) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        if let Some(listener) = &mut self.listener
            && !self.is_registered
        {
            listener.register(registry, LISTENER)?;
            self.is_registered = true;
            self.may_have_more = true;
        }
        Ok(())
    }

    /// Looks for connections before the transfer command is answered, and notes which ones have
    /// ended by now.
    pub(super) fn look(
        &mut self,
        extent: LookExtent,
        tokens: &mut Tokens,
        now: Instant,
    ) -> io::Result<()> {
        self.headers.look();
        self.read_headers(now);
        self.candidates.look();
        for _ in 0..LOOK_ACCEPTS_MAX {
            let is_enough =
                extent == LookExtent::FirstOpen && self.candidates.open_peer().is_some();
            if is_enough || !self.accept_next(tokens, now)? {
                break;
            }
            self.candidates.look_at_newest();
        }
        Ok(())
    }

    /// Accepts connections. One call accepts a bounded number: the control connection and the
    /// timers come in between.
    pub(super) fn accept(&mut self, tokens: &mut Tokens, now: Instant) -> io::Result<()> {
        for _ in 0..ACCEPTS_PER_TURN_MAX {
            if !self.accept_next(tokens, now)? {
                break;
            }
        }
        Ok(())
    }

    /// Accepts a connection. That of another session's client is handed to that session, and that
    /// of a stranger is closed. False if there is none.
    fn accept_next(&mut self, tokens: &mut Tokens, now: Instant) -> io::Result<bool> {
        let Some(listener) = &mut self.listener else {
            return Ok(false);
        };
        let incoming = listener.accept()?;
        self.may_have_more = incoming.is_some();
        match incoming {
            Some(IncomingConnection::Own(stream, peer)) => {
                let has_header = listener.needs_header(peer.ip());
                let stream = DataStream::accepted(stream, peer, tokens.next());
                if has_header {
                    let displaced = self.headers.add(stream, now);
                    displaced
                        .into_iter()
                        .for_each(|named| self.on_named(named, now));
                    self.read_headers(now);
                } else {
                    self.add_candidate(stream, now);
                }
            }
            Some(IncomingConnection::HandedOver(address)) => {
                debug!(
                    "{} handed the data connection from {} to its session",
                    self.context.name,
                    address.ip()
                );
            }
            Some(IncomingConnection::Rejected(address)) => self.on_rejected(address, now),
            None => {}
        }
        Ok(self.may_have_more)
    }

    /// Reads the headers that have come.
    fn read_headers(&mut self, now: Instant) {
        while let Some(named) = self.headers.next(now) {
            self.on_named(named, now);
        }
    }

    /// A header says whose a connection is, or never will.
    fn on_named(&mut self, named: NamedConnection, now: Instant) {
        let stream = match named {
            NamedConnection::Failed(balancer, failure) => {
                return self.log_headless(balancer.ip().to_canonical(), failure, now);
            }
            NamedConnection::Complete(stream) => stream,
        };
        let Some(listener) = &self.listener else {
            return;
        };
        if listener.is_own(stream.peer()) {
            return self.add_candidate(stream, now);
        }
        self.on_rejected(stream.peer_address(), now);
    }

    fn add_candidate(&mut self, stream: DataStream, now: Instant) {
        let peer = stream.peer();
        if !self.candidates.add(stream, now) {
            debug!(
                "{} closed a connection from {peer} to passive port {}: it has enough",
                self.context.name, self.number
            );
        }
    }

    /// A connection is for no session.
    fn on_rejected(&mut self, address: SocketAddr, now: Instant) {
        self.strangers.on_rejected(address.ip());
        self.log_rejected(canonical(address), now);
    }

    /// Gives the port back; the candidates stay.
    pub(super) fn release(&mut self, end: LeaseEnd) {
        if let Some(listener) = self.listener.take() {
            self.headers = DataHeaders::default();
            listener.close(end);
        }
    }

    /// When a connection has waited too long for its header.
    pub(super) fn header_due(&self) -> Option<Instant> {
        self.headers.due()
    }

    pub(super) fn is_released(&self) -> bool {
        self.listener.is_none()
    }

    /// The port is released, and there are no candidates left.
    pub(super) fn is_closed(&self) -> bool {
        self.is_released() && self.candidates.is_empty()
    }

    /// Once the time to connect is over, a client that has connected needs the port no longer.
    pub(super) fn release_in_time(&mut self, now: Instant) {
        if self.release_due().is_some_and(|due| due <= now) {
            self.release(LeaseEnd::Connected);
        }
    }

    /// When to call [`release_in_time`](Self::release_in_time).
    pub(super) fn release_due(&self) -> Option<Instant> {
        let has_connected = self.candidates.open_peer().is_some() && !self.is_released();
        has_connected.then_some(self.connect_by)
    }

    /// Whether other sessions wait for the port.
    pub(super) fn is_wanted(&self) -> bool {
        let listener = self.listener.as_ref();
        listener.is_some_and(|listener| listener.yield_deadline().is_some())
    }

    /// How long another connection may follow one that is in use.
    pub(super) fn look_window(&self) -> Duration {
        if self.is_wanted() {
            LOOK_WINDOW_SCARCE
        } else {
            LOOK_WINDOW
        }
    }

    /// Whether the time of [`yield_deadline`](Self::yield_deadline) has come.
    pub(super) fn must_yield(&self, now: Instant) -> bool {
        self.yield_deadline().is_some_and(|due| due <= now)
    }

    /// When others must have the port that wait for it; `None` if none do. A client that has
    /// connected is no reason to wait longer than a look takes.
    pub(super) fn yield_deadline(&self) -> Option<Instant> {
        let deadline = self.listener.as_ref()?.yield_deadline()?;
        match self.candidates.open_since() {
            Some(since) => Some(deadline.min(since + LOOK_WINDOW_SCARCE)),
            None => Some(deadline),
        }
    }

    fn log_headless(&self, balancer: IpAddr, failure: HeaderFailure, now: Instant) {
        let LogContext { name, events } = &self.context;
        let port = self.number;
        if failure == HeaderFailure::Empty {
            return debug!("{name} a connection from {balancer} to passive port {port} {failure}");
        }
        let event = Event::new(NO_HEADER, Level::Warn).by(balancer);
        let line = format_args!(
            "{name} closed a connection from {balancer} to passive port {port}, which {failure}: \
             {HEADER_REMEDY}"
        );
        events.on_event(event, now, line);
    }

    fn log_rejected(&self, address: SocketAddr, now: Instant) {
        let event = Event::new(STRANGERS, Level::Info).by(address.ip());
        let LogContext { name, events } = &self.context;
        events.on_event(
            event,
            now,
            format_args!(
                "{name} rejected a connection from {address} to passive port {}: no session waits \
                 for one from there",
                self.number
            ),
        );
    }
}

/// The kind of connections without a header.
const NO_HEADER: &str = "data connections of --proxy-protocol without a valid header";

/// The kind of connections that no session waits for.
const STRANGERS: &str = "connections of strangers to passive ports";

/// How long another connection may follow a TLS handshake that failed: a client that rejects the
/// certificate waits for the reply.
pub(super) const LOOK_WINDOW_TLS: Duration = Duration::from_millis(250);

/// How long another connection may follow one that is in use while other sessions wait for the
/// port.
const LOOK_WINDOW_SCARCE: Duration = Duration::from_millis(250);

/// Most clients connect and send their command sooner, and then the poll need not be asked. In this
/// time strangers cannot do more harm than to fill the kernel's queue, and the client's system
/// tries again.
const WATCH_AFTER: Duration = Duration::from_millis(50);

/// Connections that one turn accepts: they take less than a millisecond.
const ACCEPTS_PER_TURN_MAX: usize = 64;

/// As many as the kernel's queue holds by default, and more than it holds elsewhere.
const LOOK_ACCEPTS_MAX: usize = 4096;
