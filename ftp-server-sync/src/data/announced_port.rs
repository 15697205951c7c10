//! The passive port that a client was sent to, and the connections that have come to it.
//!
//! A connection from the client's address need not be its data connection: virus scanners, port
//! checkers and monitors connect and close again. Such a look must not take the place of the data
//! connection, and must not empty a file. So connections are candidates until the transfer shows
//! which of them it is, and until then the port stays open:
//!
//! - One that was reset, or that ended without a byte before the transfer command, gives way to the
//!   next one.
//! - Where the client sends first, in an upload or with TLS, the first byte decides. The end of an
//!   upload without a byte is an empty file if the connection was open when the command was
//!   answered, or came later. If it had ended before that, it counts only if no other connection
//!   comes in [`EMPTY_UPLOAD_WINDOW`].
//! - Where the server sends first, the oldest open connection is used on which nothing came. One
//!   whose client has ended its sending side, or has sent something, is used if no other one comes
//!   in [`LOOK_WINDOW`]: it may still read.

use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use ftp_proto::canonical;
use log::{Level, debug, log};
use mio::net::TcpStream;
use mio::{Registry, Token};

use super::data_stream::{DataStream, Peeked};
use super::tokens::{LISTENER, Tokens};
use crate::passive::{IncomingConnection, LeaseEnd, PassiveListener};

/// A passive port and the connections that may be the client's data connection.
#[derive(Debug)]
pub(super) struct AnnouncedPort {
    /// The session's, for the log.
    session: u64,
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
    /// Oldest first.
    candidates: Vec<Candidate>,
    /// Connections of strangers.
    rejected: u32,
}

/// A connection from the client's address.
#[derive(Debug)]
struct Candidate {
    stream: DataStream,
    since: Instant,
    /// What it has shown before the transfer command was answered. It is used once.
    looked: Option<Peeked>,
    /// It had ended its sending side, without a byte, before the transfer command was answered.
    ended_early: bool,
}

/// Who sends first on the data connection of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstSender {
    /// A download or a listing, in clear text.
    Server,
    /// An upload in clear text. The client may also end it at once, for an empty file.
    Client,
    /// With TLS, the client.
    TlsClient,
}

/// How far to look for connections before the transfer command is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookExtent {
    /// The first that is open is used: a download.
    FirstOpen,
    /// For an upload, one that has ended must not count as having come later.
    All,
}

impl Candidate {
    /// What it shows. One that was silent has changed only if the poll has reported an event.
    fn peek(&mut self) -> Peeked {
        if let Some(looked) = self.looked.take() {
            return looked;
        }
        if !self.stream.ready {
            return Peeked::Silent;
        }
        let peeked = self.stream.peek();
        self.stream.ready = peeked != Peeked::Silent;
        peeked
    }

    /// The transfer command is about to be answered.
    fn look(&mut self) {
        let peeked = self.stream.peek();
        self.stream.ready = peeked != Peeked::Silent;
        self.ended_early |= peeked == Peeked::Ended;
        self.looked = Some(peeked);
    }
}

impl AnnouncedPort {
    /// `limit`: how long the client may take to connect.
    pub(super) fn new(
        session: u64,
        listener: PassiveListener,
        now: Instant,
        limit: Duration,
    ) -> Self {
        Self {
            session,
            number: listener.port(),
            listener: Some(listener),
            opened: now,
            connect_by: now + limit,
            watch_at: now + WATCH_AFTER,
            is_reported: false,
            is_registered: false,
            may_have_more: false,
            candidates: Vec::new(),
            rejected: 0,
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
    pub(super) fn on_event(&mut self, token: Token) {
        self.may_have_more |= token == LISTENER;
        for candidate in &mut self.candidates {
            candidate.stream.on_event(token);
        }
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
        if self.may_have_more() {
            self.accept(tokens, now)
        } else {
            Ok(())
        }
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
        for candidate in &mut self.candidates {
            candidate.look();
        }
        for _ in 0..LOOK_ACCEPTS_MAX {
            let is_enough = extent == LookExtent::FirstOpen && self.open_peer().is_some();
            if is_enough || !self.accept_next(tokens, now)? {
                break;
            }
            if let Some(newest) = self.candidates.last_mut() {
                newest.look();
            }
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
                self.add_candidate(stream, peer.ip(), tokens.next(), now);
            }
            Some(IncomingConnection::HandedOver(address)) => {
                debug!(
                    "#{} handed the data connection from {} to its session",
                    self.session,
                    address.ip()
                );
            }
            Some(IncomingConnection::Rejected(address)) => {
                self.log_rejected(canonical(address));
            }
            None => {}
        }
        Ok(self.may_have_more)
    }

    /// The address of a connection that had not ended before the transfer command.
    pub(super) fn open_peer(&self) -> Option<IpAddr> {
        let mut candidates = self.candidates.iter();
        let open = candidates.find(|candidate| !candidate.ended_early)?;
        Some(open.stream.peer())
    }

    /// Since when there is a connection that had not ended before the transfer command.
    pub(super) fn open_since(&self) -> Option<Instant> {
        let mut candidates = self.candidates.iter();
        let open = candidates.find(|candidate| !candidate.ended_early)?;
        Some(open.since)
    }

    pub(super) fn has_candidate(&self) -> bool {
        !self.candidates.is_empty()
    }

    /// Takes the connection that has shown to be the transfer's. `answered`: when the transfer
    /// command was answered.
    pub(super) fn choose(
        &mut self,
        sender: FirstSender,
        answered: Instant,
        now: Instant,
    ) -> Option<DataStream> {
        let peeked = self.peek_all();
        let first = |wanted| peeked.iter().position(|&found| found == wanted);
        let silent = first(Peeked::Silent);
        let is_open_end =
            |index: &usize| peeked[*index] == Peeked::Ended && !self.candidates[*index].ended_early;
        let chosen = match (first(Peeked::Bytes), sender, silent) {
            // A client that waits for data sends nothing, but a scanner may.
            (_, FirstSender::Server, silent) => {
                silent.or_else(|| self.last_alone(sender, answered, now))
            }
            (Some(index), ..) => Some(index),
            // The client may be about to send on it.
            (None, FirstSender::Client | FirstSender::TlsClient, Some(_)) => None,
            (None, FirstSender::Client, None) => (0..peeked.len())
                .find(is_open_end)
                .or_else(|| self.last_alone(sender, answered, now)),
            (None, FirstSender::TlsClient, None) => {
                self.candidates.clear();
                None
            }
        };
        let mut stream = self.candidates.remove(chosen?).stream;
        stream.ready = true;
        Some(stream)
    }

    /// When [`choose`](Self::choose) would take a connection that looks like no data connection, if
    /// no other one comes.
    pub(super) fn choice_due(&self, sender: FirstSender, answered: Instant) -> Option<Instant> {
        match sender {
            FirstSender::TlsClient => return None,
            // It may still send, or end.
            FirstSender::Client if self.open_peer().is_some() => return None,
            FirstSender::Client | FirstSender::Server => {}
        }
        let last = self.candidates.last()?;
        Some(last.since.max(answered) + sender.look_window())
    }

    /// Has the poll report what happens to the candidates.
    pub(super) fn register_candidates(&mut self, registry: &Registry) -> io::Result<()> {
        for candidate in &mut self.candidates {
            candidate.stream.register(registry)?;
        }
        Ok(())
    }

    /// Gives the port back; the candidates stay.
    pub(super) fn release(&mut self, end: LeaseEnd) {
        if let Some(listener) = self.listener.take() {
            listener.close(end);
        }
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
        let has_connected = self.open_peer().is_some() && !self.is_released();
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

    /// When others must have the port that wait for it; `None` if none do. A client that has
    /// connected is no reason to wait longer than a look takes.
    pub(super) fn yield_deadline(&self) -> Option<Instant> {
        let deadline = self.listener.as_ref()?.yield_deadline()?;
        match self.open_since() {
            Some(since) => Some(deadline.min(since + LOOK_WINDOW_SCARCE)),
            None => Some(deadline),
        }
    }

    /// The last connection, if no other one has come for a while.
    fn last_alone(&self, sender: FirstSender, answered: Instant, now: Instant) -> Option<usize> {
        let last = self.candidates.last()?;
        let is_due = last.since.max(answered) + sender.look_window() <= now;
        is_due.then_some(self.candidates.len() - 1)
    }

    /// What each candidate shows, or has shown just before. Those that are lost are removed.
    fn peek_all(&mut self) -> Vec<Peeked> {
        let mut all = Vec::with_capacity(self.candidates.len());
        self.candidates.retain_mut(|candidate| {
            let peeked = candidate.peek();
            if peeked != Peeked::Lost {
                all.push(peeked);
            }
            peeked != Peeked::Lost
        });
        all
    }

    fn add_candidate(&mut self, socket: TcpStream, peer: IpAddr, token: Token, now: Instant) {
        if self.candidates.len() >= CANDIDATES_MAX {
            self.remove_ended();
        }
        if self.candidates.len() >= CANDIDATES_MAX {
            return debug!(
                "#{} closed a connection from {peer} to passive port {}: it has {CANDIDATES_MAX} already",
                self.session, self.number
            );
        }
        self.candidates.push(Candidate {
            stream: DataStream::accepted(socket, peer, token),
            since: now,
            looked: None,
            ended_early: false,
        });
    }

    /// Removes the candidates that have ended without a byte.
    fn remove_ended(&mut self) {
        self.candidates.retain_mut(|candidate| {
            candidate.stream.ready = true;
            !matches!(candidate.peek(), Peeked::Ended | Peeked::Lost)
        });
    }

    /// Logs the first, the tenth, the hundredth connection and so on: strangers must not be able to
    /// fill the log.
    fn log_rejected(&mut self, address: SocketAddr) {
        self.rejected = self.rejected.saturating_add(1);
        let count = self.rejected;
        let level = if 10_u32.checked_pow(count.ilog10()) == Some(count) {
            Level::Info
        } else {
            Level::Debug
        };
        log!(
            level,
            "#{} rejected a connection from {address} to passive port {}: no session waits for one \
             from there ({count} rejected so far)",
            self.session,
            self.number
        );
    }
}

impl FirstSender {
    /// How long another connection may follow one that looks like a probe.
    fn look_window(self) -> Duration {
        match self {
            Self::Client => EMPTY_UPLOAD_WINDOW,
            Self::Server | Self::TlsClient => LOOK_WINDOW,
        }
    }
}

/// The same where the probe would empty a file: a client whose first SYN is lost repeats it after
/// 1 s.
const EMPTY_UPLOAD_WINDOW: Duration = Duration::from_millis(2500);

/// How long another connection may follow one that looks like a probe.
pub(super) const LOOK_WINDOW: Duration = Duration::from_secs(1);

/// The same after a TLS handshake that failed: a client that rejects the certificate waits for the
/// reply.
pub(super) const LOOK_WINDOW_TLS: Duration = Duration::from_millis(250);

/// The same while other sessions wait for the port.
const LOOK_WINDOW_SCARCE: Duration = Duration::from_millis(250);

/// Most clients connect and send their command sooner, and then the poll need not be asked. In this
/// time strangers cannot do more harm than to fill the kernel's queue, and the client's system
/// tries again.
const WATCH_AFTER: Duration = Duration::from_millis(50);

/// Connections that one turn accepts: they take less than a millisecond.
const ACCEPTS_PER_TURN_MAX: usize = 64;

/// As many as the kernel's queue holds by default, and more than it holds elsewhere.
const LOOK_ACCEPTS_MAX: usize = 4096;

/// Connections from the client's address that are kept until the transfer shows which one it uses.
const CANDIDATES_MAX: usize = 8;
