//! Data connections: accepted on a passive port, or opened by us in active mode.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use ftp_proto::{Endpoints, canonical};
use log::{Level, debug, log};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::stream::Stream;
use crate::net::socket;
use crate::passive::{IncomingConnection, LeaseEnd, PassiveListener, Ticket};
use crate::tls::TlsStream;

/// What is ready for the next transfer.
#[derive(Debug)]
pub(crate) enum DataPort {
    None,
    /// No passive port is available yet.
    Queued {
        ticket: Ticket,
        since: Instant,
    },
    /// The client has been sent to a passive port.
    Listening(DataListener),
    /// The client has connected to the port before the transfer starts.
    Connected(DataStream),
}

/// A passive listener. It is registered with the poll only after it had no connection for us.
#[derive(Debug)]
pub(crate) struct DataListener {
    listener: PassiveListener,
    /// The session's, for the log.
    number: u64,
    /// Connections that were rejected.
    rejected: u32,
    /// More connections may wait than one turn accepts.
    pub(crate) has_more: bool,
}

/// A data connection. It is registered with the poll only after it would have blocked.
#[derive(Debug)]
pub(crate) struct DataStream {
    stream: Stream,
    pub(crate) peer: IpAddr,
    registered: bool,
    /// False only after the socket would have blocked.
    pub(crate) ready: bool,
}

/// The outcome of accepting the client's connection.
#[derive(Debug)]
pub(crate) enum AcceptOutcome {
    Connected(DataStream),
    /// The client has not connected yet.
    Pending(DataListener),
}

impl DataListener {
    pub(crate) fn new(listener: PassiveListener, number: u64) -> Self {
        Self {
            listener,
            number,
            rejected: 0,
            has_more: false,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.port()
    }

    /// When to close the listener for other sessions, if any wait for its port.
    pub(crate) fn yield_deadline(&self) -> Option<Instant> {
        self.listener.yield_deadline()
    }

    /// Closes the listener for other sessions, although the client may still connect.
    pub(crate) fn give_up(self) {
        self.listener.close(LeaseEnd::GivenUp);
    }

    /// Accepts the client's connection if it is there. Connections of other sessions' clients are
    /// handed to those sessions, all others are closed, and the listener stays open for the
    /// client. One turn accepts a bounded number: the control connection and the timers come in
    /// between.
    pub(crate) fn accept(mut self) -> io::Result<AcceptOutcome> {
        for _ in 0..ACCEPTS_PER_TURN_MAX {
            match self.listener.accept()? {
                Some(IncomingConnection::Own(stream, peer)) => {
                    self.listener.close(LeaseEnd::Connected);
                    return Ok(AcceptOutcome::Connected(DataStream::new(stream, peer.ip())));
                }
                Some(IncomingConnection::HandedOver(address)) => {
                    debug!(
                        "#{} handed the data connection from {} to its session",
                        self.number,
                        address.ip()
                    );
                }
                Some(IncomingConnection::Rejected(address)) => {
                    self.log_rejected(canonical(address));
                }
                None => {
                    self.has_more = false;
                    return Ok(AcceptOutcome::Pending(self));
                }
            }
        }
        self.has_more = true;
        Ok(AcceptOutcome::Pending(self))
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
        let port = self.port();
        log!(
            level,
            "#{} rejected a connection from {address} to passive port {port}: no session waits for one \
             from there ({count} rejected so far)",
            self.number
        );
    }

    /// Has the poll report connections.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.listener.register(registry, token)
    }
}

impl DataStream {
    fn new(socket: TcpStream, peer: IpAddr) -> Self {
        Self {
            stream: Stream::new(socket),
            peer,
            registered: false,
            ready: true,
        }
    }

    /// Begins to connect to `target` from the control connection's own local address: from the port
    /// below the control port if that is free (RFC 959, section 5.2), else from any port.
    pub(crate) fn connect(endpoints: &Endpoints, target: SocketAddr) -> io::Result<Self> {
        let mut local = endpoints.local();
        local.set_port(local.port().saturating_sub(1));
        let stream = socket::connect(local, target).or_else(|error| {
            debug!("active mode from {local} to {target}: {error}; trying another port");
            local.set_port(0);
            socket::connect(local, target)
        })?;
        let mut stream = Self::new(stream, target.ip());
        stream.ready = false;
        Ok(stream)
    }

    /// Whether a connection that [`connect`](Self::connect) began is established now.
    pub(crate) fn is_established(&mut self) -> io::Result<bool> {
        let socket = self.stream.socket();
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        match socket.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    pub(crate) fn tls(&self) -> Option<&TlsStream> {
        self.stream.tls()
    }

    pub(crate) fn into_stream(self) -> Stream {
        self.stream
    }

    /// Has the poll report events from now on, because the socket would have blocked.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        if !self.registered {
            let both = Interest::READABLE | Interest::WRITABLE;
            registry.register(self.stream.socket(), token, both)?;
            self.registered = true;
        }
        Ok(())
    }
}

/// The token of a session's data connection, or of its listener, in its poll.
pub(crate) const DATA: Token = Token(2);

/// Connections that one turn accepts: they take less than a millisecond.
const ACCEPTS_PER_TURN_MAX: usize = 64;
