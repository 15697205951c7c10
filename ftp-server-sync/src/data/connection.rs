//! Data connections: accepting the right peer on a passive port, connecting in active mode.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Instant;

use ftp_proto::{Endpoints, canonical};
use log::{Level, debug, log};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::stream::Stream;
use crate::net::socket;
use crate::passive::{IncomingConnection, PassiveListener, Ticket};
use crate::tls::TlsStream;

/// What has been set up for the next transfer.
#[derive(Debug)]
pub(crate) enum DataPort {
    None,
    /// All ports are taken.
    Queued {
        ticket: Ticket,
        since: Instant,
    },
    /// The client has been told a port.
    Listening(Listening),
    /// The client has connected to it, before the transfer began.
    Connected(DataStream),
}

/// A passive listener, watched by the poll only once it made us wait.
#[derive(Debug)]
pub(crate) struct Listening {
    listener: PassiveListener,
    /// The session's, for the log.
    number: u64,
    /// Connections that were dropped.
    strangers: u32,
    /// More people were there than one turn is for.
    pub(crate) unfinished: bool,
}

/// A data connection, registered with the poll only once it made us wait.
#[derive(Debug)]
pub(crate) struct DataStream {
    stream: Stream,
    registered: bool,
    /// False only after the socket would have blocked.
    pub(crate) ready: bool,
}

/// What became of waiting for a connection.
#[derive(Debug)]
pub(crate) enum Accepted {
    Connected(DataStream),
    NotYet(Listening),
}

impl Listening {
    pub(crate) fn new(listener: PassiveListener, number: u64) -> Self {
        Self {
            listener,
            number,
            strangers: 0,
            unfinished: false,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.port()
    }

    /// When to give the port up for others, if anybody waits for it.
    pub(crate) fn yield_deadline(&self) -> Option<Instant> {
        self.listener.yield_deadline()
    }

    /// Accepts the client's connection if it is there. Clients of other sessions are passed on to
    /// those, strangers are dropped without a word, and the listener stays for the right one. However
    /// many there are, control connection and timers have their turn in between.
    pub(crate) fn accept(mut self) -> io::Result<Accepted> {
        for _ in 0..VISITORS_PER_TURN_MAX {
            match self.listener.accept()? {
                Some(IncomingConnection::Own(stream)) => {
                    self.listener.close_connected();
                    return Ok(Accepted::Connected(DataStream::new(stream)));
                }
                Some(IncomingConnection::HandedOver(address)) => {
                    debug!(
                        "#{} passed on {}'s data connection",
                        self.number,
                        address.ip()
                    );
                }
                Some(IncomingConnection::Rejected(address)) => {
                    self.note_stranger(canonical(address))
                }
                None => {
                    self.unfinished = false;
                    return Ok(Accepted::NotYet(self));
                }
            }
        }
        self.unfinished = true;
        Ok(Accepted::NotYet(self))
    }

    /// The first, the tenth, the hundredth and so on: strangers must not be able to fill the log.
    fn note_stranger(&mut self, address: SocketAddr) {
        self.strangers = self.strangers.saturating_add(1);
        let count = self.strangers;
        let level = match 10_u32.checked_pow(count.ilog10()) == Some(count) {
            true => Level::Info,
            false => Level::Debug,
        };
        let port = self.port();
        log!(
            level,
            "#{} dropped a connection from {address}, whom nobody expects, to port {port} \
             ({count} so far)",
            self.number
        );
    }

    /// Asks for an event when somebody connects.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.listener.register(registry, token)
    }
}

impl DataStream {
    fn new(socket: TcpStream) -> Self {
        Self {
            stream: Stream::new(socket),
            registered: false,
            ready: true,
        }
    }

    /// Begins to connect to `target` from the control connection's own local address: from the port
    /// below the control port if that can be had (RFC 959, section 5.2), else from any.
    pub(crate) fn connect(endpoints: &Endpoints, target: SocketAddr) -> io::Result<Self> {
        let mut local = endpoints.local();
        local.set_port(local.port().saturating_sub(1));
        let stream = socket::connect(local, target).or_else(|error| {
            debug!("active mode from {local} to {target}: {error}; trying another port");
            local.set_port(0);
            socket::connect(local, target)
        })?;
        let mut stream = Self::new(stream);
        stream.ready = false;
        Ok(stream)
    }

    /// Whether a connection that was begun by [`connect`](Self::connect) is established now.
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

    /// Asks for events from now on; the socket would have blocked.
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

/// So many cost less than a millisecond.
const VISITORS_PER_TURN_MAX: usize = 64;
