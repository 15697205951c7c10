//! A session's data connection, for its whole life.
//!
//! ```text
//! Idle ─► Queued ─► Listening ─► Handshaking ─► Open ─► lingering
//!   └──────────────► Connecting ────┘
//! ```
//!
//! Bytes move only while it is `Open`. Until the client's connection has shown to be one, the
//! passive port stays open beside it, and another connection can take its place; see
//! [`candidates`](super::candidates). So a connection that was lost early, or that TLS has
//! shown to be another client's, goes back to `Listening`.

mod attempt;
mod establish;
mod passive_port;

use std::io::{self, ErrorKind};
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use ftp_proto::{DataId, TransferError};
use mio::Registry;
use mio::event::Event;

use super::announced_port::AnnouncedPort;
use super::candidates::{FirstSender, LOOK_WINDOW};
use super::data_stream::DataStream;
use super::lingering::Lingering;
use super::tokens::{LINGERING, Tokens};
use crate::logging::session_name::LogContext;
use crate::passive::{LeaseEnd, OpenOutcome, Ticket};
use crate::tls::{Protection, TlsStream};
use attempt::{Attempt, Mode, Start};

pub(crate) use super::announced_port::LookExtent;

/// The data connection of a session.
#[derive(Debug)]
pub(crate) struct DataConnection {
    log: LogContext,
    /// The core's name for the last one that was set up.
    id: Option<DataId>,
    state: State,
    /// The connection before, while its client may still read from it or write to it. The next one
    /// may be open already.
    lingering: Option<Lingering>,
    tokens: Tokens,
}

#[derive(Debug)]
enum State {
    /// No data connection is set up.
    Idle,
    /// No passive port is available yet.
    Queued {
        ticket: Box<Ticket>,
        since: Instant,
        limit: Duration,
    },
    /// The client has been sent to a passive port. `start`: of the transfer that waits for it.
    Listening {
        port: Box<AnnouncedPort>,
        start: Option<Box<Start>>,
    },
    /// Active mode: the connection is not established yet.
    Connecting {
        stream: DataStream,
        start: Box<Start>,
    },
    /// Connected, and TLS is not established yet.
    Handshaking(Attempt),
    /// Bytes can move.
    Open(Attempt),
}

/// What has happened to the data connection.
#[derive(Debug)]
pub(crate) enum DataStep {
    /// An event or a later time has to come first. If the connection is open, bytes can move.
    Blocked,
    /// Something has changed: advance again.
    Progress,
    /// A passive port is available: the client can be sent to it.
    PortOpened(u16),
    /// No passive port became available in the time that the request may wait.
    NoPort {
        waited: Duration,
    },
    PortFailed(io::Error),
    /// The connection of the transfer is established, with this peer. If an earlier one was lost,
    /// this is another one.
    Connected(IpAddr),
    /// TLS is established on it.
    Protected,
    /// The transfer gets no data connection.
    Failed(TransferError),
}

/// What happened to a port that others wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum YieldOutcome {
    NotDue,
    /// The client has connected: the port is free now or soon, and the connection stays.
    Connected(IpAddr),
    /// The client has not connected: the port is closed.
    GivenUp,
}

/// What the data connection is doing, for a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataActivity {
    Idle,
    Queued { since: Instant },
    Listening { port: u16 },
    Connected,
}

impl DataConnection {
    // Not inlined, and in a box, so that the stack of the caller has none of it.
    #[inline(never)]
    pub(crate) fn boxed(log: LogContext) -> Box<Self> {
        Box::new(Self {
            log,
            id: None,
            state: State::Idle,
            lingering: None,
            tokens: Tokens::default(),
        })
    }

    pub(crate) fn id(&self) -> Option<DataId> {
        self.id
    }

    /// Asks for a passive port. `limit`: how long the request may wait.
    pub(crate) fn open_passive(
        &mut self,
        id: DataId,
        opening: OpenOutcome,
        limit: Duration,
        now: Instant,
    ) -> DataStep {
        self.id = Some(id);
        match opening {
            OpenOutcome::Opened(listener) => self.listen(listener, limit, now),
            OpenOutcome::Queued(ticket) => {
                self.state = State::Queued {
                    ticket: ticket.into(),
                    since: now,
                    limit,
                };
                DataStep::Blocked
            }
        }
    }

    /// Closes what is set up for the next transfer. True if a request for a port was waiting.
    pub(crate) fn close(&mut self) -> bool {
        matches!(
            mem::replace(&mut self.state, State::Idle),
            State::Queued { .. }
        )
    }

    /// A transfer starts with the connection to the announced port.
    ///
    /// # Errors
    ///
    /// If no port is announced.
    pub(crate) fn start_passive(
        &mut self,
        sender: FirstSender,
        protection: Option<Protection>,
        now: Instant,
    ) -> io::Result<()> {
        match &mut self.state {
            State::Listening { start, .. } => {
                *start = Some(Start::boxed(sender, protection, now));
                Ok(())
            }
            _ => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// A transfer starts with a connection to `target`. `own`: the local address of the control
    /// connection.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub(crate) fn start_active(
        &mut self,
        id: DataId,
        own: SocketAddr,
        target: SocketAddr,
        sender: FirstSender,
        protection: Option<Protection>,
        now: Instant,
    ) -> io::Result<()> {
        self.id = Some(id);
        let stream = DataStream::connect(own, target, self.tokens.next())?;
        let start = Start::boxed(sender, protection, now);
        self.state = State::Connecting { stream, start };
        Ok(())
    }

    /// Records an event of the poll.
    pub(crate) fn on_event(&mut self, event: &Event) {
        if event.token() == LINGERING
            && let Some(lingering) = &mut self.lingering
        {
            lingering.on_event();
        }
        match &mut self.state {
            State::Listening { port, .. } => port.on_event(event),
            State::Connecting { stream, .. } => {
                stream.on_event(event.token());
            }
            State::Handshaking(attempt) | State::Open(attempt) => attempt.on_event(event),
            State::Idle | State::Queued { .. } => {}
        }
    }

    /// Another session may have accepted this client's connection.
    pub(crate) fn on_wake(&mut self) {
        if let State::Listening { port, .. } = &mut self.state {
            port.on_wake();
        }
    }

    /// Goes on until an event or a later time has to come first, or something has to be reported.
    pub(crate) fn advance(&mut self, registry: &Registry, now: Instant) -> DataStep {
        self.linger(registry, now);
        if let State::Open(attempt) = &mut self.state {
            attempt.release_port_in_time(now);
            return DataStep::Blocked;
        }
        match mem::replace(&mut self.state, State::Idle) {
            State::Idle | State::Open(_) => DataStep::Blocked,
            State::Queued {
                ticket,
                since,
                limit,
            } => self.advance_ticket(*ticket, since, limit, now),
            State::Listening { port, start: None } => self.watch(port, registry, now),
            State::Listening {
                port,
                start: Some(start),
            } => self.await_client(port, start, registry, now),
            State::Connecting { stream, start } => self.connect(stream, start, registry, now),
            State::Handshaking(attempt) => self.handshake(attempt, registry, now),
        }
    }

    /// The connection, if bytes can move on it.
    pub(crate) fn stream(&mut self) -> Option<&mut DataStream> {
        match &mut self.state {
            State::Open(attempt) => Some(&mut attempt.stream),
            _ => None,
        }
    }

    /// There is nothing to [`advance`](Self::advance).
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle) && self.lingering.is_none()
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// The client's end of the open connection.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        match &self.state {
            State::Open(attempt) => Some(attempt.stream.peer_address()),
            _ => None,
        }
    }

    /// The port that the client was sent to, while it may come there.
    pub(crate) fn listening_port(&self) -> Option<u16> {
        match &self.state {
            State::Listening { port, .. } => Some(port.number()),
            _ => None,
        }
    }

    /// A passive port is awaited.
    pub(crate) fn is_queued(&self) -> bool {
        matches!(self.state, State::Queued { .. })
    }

    /// The client was sent to a port, and does not wait for us to connect.
    pub(crate) fn is_passive(&self) -> bool {
        match &self.state {
            State::Listening { .. } => true,
            State::Handshaking(attempt) | State::Open(attempt) => {
                matches!(attempt.mode, Mode::Passive(_))
            }
            State::Idle | State::Queued { .. } | State::Connecting { .. } => false,
        }
    }

    /// The client has connected, and the TLS handshake has not ended.
    pub(crate) fn is_handshaking(&self) -> bool {
        match &self.state {
            State::Handshaking(_) => true,
            State::Listening {
                port,
                start: Some(start),
            } => start.protection.is_some() && !port.candidates.is_empty(),
            _ => false,
        }
    }

    /// TLS on the open connection.
    pub(crate) fn tls(&self) -> Option<&TlsStream> {
        match &self.state {
            State::Open(attempt) => attempt.stream.tls(),
            _ => None,
        }
    }

    /// The open connection was lost. True if another one may still take its place, so that the
    /// transfer has to wait and then to start again.
    pub(crate) fn on_lost(&mut self, error: TransferError, now: Instant) -> bool {
        match mem::replace(&mut self.state, State::Idle) {
            State::Open(Attempt {
                start,
                mode: Mode::Passive(Some(port)),
                ..
            }) => {
                self.retry(port, start, error, now + LOOK_WINDOW);
                true
            }
            other => {
                self.state = other;
                false
            }
        }
    }

    /// The transfer has ended with this result. `session_ends`: after it, the client will not
    /// connect any more.
    pub(crate) fn finish(
        &mut self,
        result: Result<(), TransferError>,
        is_upload: bool,
        session_ends: bool,
        now: Instant,
    ) {
        match mem::replace(&mut self.state, State::Idle) {
            State::Open(attempt) => {
                if let Mode::Passive(Some(mut port)) = attempt.mode {
                    port.release(match result {
                        Ok(()) => LeaseEnd::Connected,
                        Err(_) => LeaseEnd::Lost.in_session(session_ends),
                    });
                }
                if must_linger(&attempt.stream, result, is_upload) {
                    self.lingering = Some(Lingering::new(attempt.stream.into_stream(), now));
                }
            }
            State::Handshaking(Attempt {
                mode: Mode::Passive(Some(mut port)),
                ..
            }) => port.release(LeaseEnd::Lost.in_session(session_ends)),
            State::Listening { mut port, .. } => {
                port.release(LeaseEnd::GivenUp.in_session(session_ends));
            }
            State::Idle
            | State::Queued { .. }
            | State::Connecting { .. }
            | State::Handshaking(_) => {}
        }
    }

    /// When to call [`advance`](Self::advance) or [`yield_port`](Self::yield_port) next, unless an
    /// event comes first.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        let lingering = self.lingering.as_ref().map(|lingering| lingering.due(now));
        let state = match &self.state {
            State::Idle | State::Connecting { .. } => None,
            // The pool relies on it to retry ports that other programs use.
            State::Queued { .. } => Some(now + TICKET_POLL),
            State::Listening { port, start } => {
                let more = port.may_have_more().then_some(now);
                let start = match start {
                    None => port.watch_from(),
                    Some(start) => start.due(port),
                };
                [
                    more,
                    start,
                    port.yield_deadline(),
                    port.release_due(),
                    port.header_due(),
                ]
                .into_iter()
                .flatten()
                .min()
            }
            State::Handshaking(attempt) | State::Open(attempt) => attempt.port_due(),
        };
        [lingering, state].into_iter().flatten().min()
    }

    pub(crate) fn activity(&self) -> DataActivity {
        match &self.state {
            State::Idle => DataActivity::Idle,
            State::Queued { since, .. } => DataActivity::Queued { since: *since },
            State::Listening { port, .. } if !port.candidates.is_empty() => DataActivity::Connected,
            State::Listening { port, .. } => DataActivity::Listening {
                port: port.number(),
            },
            State::Connecting { .. } | State::Handshaking(_) | State::Open(_) => {
                DataActivity::Connected
            }
        }
    }

    /// Closes a lingering connection once its client has closed it.
    fn linger(&mut self, registry: &Registry, now: Instant) {
        if let Some(lingering) = &mut self.lingering
            && lingering.is_over(registry, now)
        {
            self.lingering = None;
        }
    }
}

/// Whether the client may still be reading from, or writing to, the connection of a transfer that
/// ended with this result.
fn must_linger(stream: &DataStream, result: Result<(), TransferError>, is_upload: bool) -> bool {
    match result {
        Ok(()) => !is_upload && stream.tls().is_some(),
        Err(error) => {
            let is_local = matches!(
                error,
                TransferError::NoSpace
                    | TransferError::FileTooLarge
                    | TransferError::SpaceReserved
                    | TransferError::QuotaExceeded(_)
                    | TransferError::LocalWrite
            );
            is_upload && is_local
        }
    }
}

/// How often a ticket is tried without a wake-up.
const TICKET_POLL: Duration = Duration::from_secs(1);
