//! The socket of one data connection, and its place in the session's poll.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use log::debug;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::stream::Stream;
use crate::net::proxy_header::{HeaderRead, read_header};
use crate::net::socket;
use crate::tls::TlsStream;

/// A data connection. It is registered with the poll only after it would have blocked.
#[derive(Debug)]
pub(crate) struct DataStream {
    stream: Stream,
    peer: SocketAddr,
    token: Token,
    registered: bool,
    /// False only after the socket would have blocked.
    pub(super) ready: bool,
}

/// What a connection shows without reading from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peeked {
    /// It is open, and no byte has come.
    Silent,
    /// Bytes have come.
    Bytes,
    /// The peer has ended its sending side, and no byte came before that.
    Ended,
    /// It was reset, or is lost.
    Lost,
}

impl DataStream {
    /// An accepted connection, in clear text.
    pub(super) fn accepted(socket: TcpStream, peer: SocketAddr, token: Token) -> Self {
        Self {
            stream: Stream::new(socket),
            peer,
            token,
            registered: false,
            ready: true,
        }
    }

    /// Begins to connect to `target` from the control connection's own local address: from the port
    /// below the control port if that is free (RFC 959, section 5.2), else from any port. Behind a
    /// balancer the control connection may be of another family than the client, or never leave
    /// this machine: then the system chooses the address.
    pub(super) fn connect(own: SocketAddr, target: SocketAddr, token: Token) -> io::Result<Self> {
        let mut local = own;
        let stays_here = local.ip().is_loopback() && !target.ip().is_loopback();
        if stays_here || local.is_ipv4() != target.is_ipv4() {
            local.set_ip(match target {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            });
        }
        local.set_port(local.port().saturating_sub(1));
        let socket = socket::connect(local, target).or_else(|error| {
            debug!("active mode from {local} to {target}: {error}; trying another port");
            local.set_port(0);
            socket::connect(local, target)
        })?;
        let mut stream = Self::accepted(socket, target, token);
        stream.ready = false;
        Ok(stream)
    }

    /// Whether a connection that [`connect`](Self::connect) began is established now.
    pub(super) fn is_established(&mut self) -> io::Result<bool> {
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

    pub(super) fn peek(&mut self) -> Peeked {
        loop {
            return match self.stream.socket().peek(&mut [0]) {
                Ok(0) => Peeked::Ended,
                Ok(_) => Peeked::Bytes,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => Peeked::Silent,
                    ErrorKind::Interrupted => continue,
                    _ => Peeked::Lost,
                },
            };
        }
    }

    /// Looks for the PROXY header, if something may have come.
    pub(super) fn read_header(&mut self) -> HeaderRead {
        if !self.ready {
            return HeaderRead::Pending;
        }
        let read = read_header(self.stream.socket(), false);
        self.ready = read != HeaderRead::Pending;
        read
    }

    /// The client that the header names.
    pub(super) fn set_peer(&mut self, peer: SocketAddr) {
        self.peer = peer;
    }

    pub(super) fn peer(&self) -> IpAddr {
        self.peer.ip()
    }

    pub(super) fn peer_address(&self) -> SocketAddr {
        self.peer
    }

    pub(crate) fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    pub(super) fn tls(&self) -> Option<&TlsStream> {
        self.stream.tls()
    }

    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }

    /// Something may have come.
    pub(super) fn set_ready(&mut self) {
        self.ready = true;
    }

    /// Records an event of the poll, if it is for this connection. True if it is.
    pub(super) fn on_event(&mut self, token: Token) -> bool {
        let is_own = token == self.token;
        self.ready |= is_own;
        is_own
    }

    /// Has the poll report events from now on, because the socket would have blocked.
    pub(super) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        if !self.registered {
            let both = Interest::READABLE | Interest::WRITABLE;
            registry.register(self.stream.socket(), self.token, both)?;
            self.registered = true;
        }
        Ok(())
    }
}
