//! The control socket with its input and output buffers.
//!
//! Both are bounded: input by the longest command line, output because no command is read while
//! replies are unsent.

use std::io::{self, ErrorKind};
use std::time::Duration;

use ftp_proto::{Reply, limits};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{SockRef, TcpKeepalive};
use zeroize::{Zeroize, Zeroizing};

use crate::data::stream::Stream;
use crate::tls::{ServerConfig, TlsStream};

/// The bytes of a control connection, in both directions.
#[derive(Debug)]
pub(super) struct Control {
    stream: Stream,
    shaking_hands: bool,
    /// Received, and not used yet. It may contain a password.
    input: Zeroizing<Vec<u8>>,
    output: Vec<u8>,
    /// True from an edge-triggered event until the socket would block.
    readable: bool,
    writable: bool,
    /// The client will send no more. Earlier bytes may still be unread.
    peer_closed: bool,
    end: Option<End>,
    /// What the core knows of it.
    reported_end: Option<End>,
}

/// How reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client closed its side.
    Closed,
    /// The connection is gone.
    Lost(ErrorKind),
}

impl Control {
    /// Sets the options of the socket, and registers it for the whole session.
    pub(super) fn new(mut stream: TcpStream, registry: &Registry) -> io::Result<Self> {
        let socket = SockRef::from(&stream);
        // Each write is a whole reply: waiting for more bytes would only delay it.
        socket.set_tcp_nodelay(true)?;
        // Clients mark a byte before ABOR as urgent. Without this option it would be missing.
        socket.set_out_of_band_inline(true)?;
        // Routers forget idle connections, and a control connection is idle during a transfer.
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE);
        socket.set_tcp_keepalive(&keepalive)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, CONTROL, interest)?;
        Ok(Self {
            stream: Stream::new(stream),
            shaking_hands: false,
            input: Zeroizing::default(),
            output: Vec::new(),
            readable: true,
            writable: true,
            peer_closed: false,
            end: None,
            reported_end: None,
        })
    }

    pub(super) fn on_event(&mut self, event: &Event) {
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
        self.peer_closed |= event.is_read_closed() || event.is_error();
        if event.is_error() && self.end == Some(End::Closed) {
            // Reading would not show it any more.
            self.end = Some(End::Lost(ErrorKind::ConnectionReset));
        }
    }

    /// Reads the next time without an event, which the poll may not have reported yet.
    pub(super) fn expect_input(&mut self) {
        self.readable = true;
    }

    /// Starts TLS.
    ///
    /// # Errors
    ///
    /// If there is unused input: it came in clear text, and must not count as protected. If TLS
    /// cannot be set up.
    pub(super) fn start_tls(&mut self, config: ServerConfig) -> io::Result<()> {
        if !self.input.is_empty() {
            return Err(ErrorKind::InvalidData.into());
        }
        self.stream.start_tls(config)?;
        self.shaking_hands = true;
        Ok(())
    }

    /// Goes on with the handshake; `None` until it is over.
    pub(super) fn handshake(&mut self) -> Option<io::Result<()>> {
        if !self.shaking_hands || !(self.readable || self.writable) {
            return None;
        }
        let result = self.stream.handshake();
        if let Err(error) = &result
            && error.kind() == ErrorKind::WouldBlock
        {
            self.readable = false;
            self.writable = false;
            return None;
        }
        self.shaking_hands = false;
        // The first command may have come together with the end of the handshake.
        self.readable = true;
        self.writable = true;
        Some(result)
    }

    pub(super) fn tls(&self) -> Option<&TlsStream> {
        self.stream.tls()
    }

    /// Reads what has been received, as long as it fits into the [`input`](Self::input).
    pub(super) fn fill(&mut self) {
        let mut buffer = [0; limits::LINE_BYTES_MAX];
        while self.readable && self.end.is_none() {
            let room = limits::LINE_BYTES_MAX - self.input.len();
            if room == 0 {
                return;
            }
            match self.stream.read(&mut buffer[..room]) {
                Ok(0) => self.end = Some(End::Closed),
                // After a short read there may be more: a read also ends at a byte that the client
                // marked as urgent.
                Ok(count) => {
                    // It may be a password: a buffer that grows would leave copies behind.
                    self.input.reserve_exact(room);
                    self.input.extend_from_slice(&buffer[..count]);
                    buffer[..count].zeroize();
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => self.readable = false,
                    ErrorKind::Interrupted => {}
                    kind => self.end = Some(End::Lost(kind)),
                },
            }
        }
    }

    pub(super) fn input(&self) -> &[u8] {
        &self.input
    }

    /// Whether the input contains a whole command line.
    pub(super) fn has_line(&self) -> bool {
        self.input.contains(&b'\n')
    }

    /// Removes the first `count` bytes of the input.
    pub(super) fn use_input(&mut self, count: usize) {
        if count == self.input.len() {
            // An idle session needs no buffer. This one is overwritten.
            self.input = Zeroizing::default();
        } else {
            let rest = self.input.len() - count;
            self.input.copy_within(count.., 0);
            self.input[rest..].zeroize();
            self.input.truncate(rest);
        }
    }

    /// How the input has ended, once everything before the end is read.
    pub(super) fn end(&self) -> Option<End> {
        self.end
    }

    /// How the input has ended, unless the core knows it.
    pub(super) fn unreported_end(&self) -> Option<End> {
        self.end.filter(|end| Some(*end) != self.reported_end)
    }

    /// Whether the core knows that the input has ended.
    pub(super) fn is_end_reported(&self) -> bool {
        self.reported_end.is_some()
    }

    /// The core knows the end.
    pub(super) fn end_reported(&mut self) {
        self.reported_end = self.end.or(Some(End::Closed));
    }

    /// Gives the connection up: nothing is sent or received any more.
    pub(super) fn lose(&mut self, kind: ErrorKind) {
        self.output = Vec::new();
        self.end = Some(End::Lost(kind));
    }

    /// Whether the client has closed its side, even if unread bytes come before that.
    pub(super) fn is_peer_closed(&self) -> bool {
        self.peer_closed || self.end.is_some()
    }

    /// Puts a reply into the output.
    pub(super) fn push(&mut self, reply: &Reply) {
        reply.encode(&mut self.output);
    }

    /// The bytes that [`flush`](Self::flush) sends.
    pub(super) fn unsent(&self) -> &[u8] {
        &self.output
    }

    /// Reads and discards what the client has sent after its last command: a socket that is closed
    /// with unread bytes resets the connection, and the last reply may be lost with it.
    pub(super) fn discard(&mut self) {
        for _ in 0..DISCARDS_MAX {
            self.input = Zeroizing::default();
            self.fill();
            if self.input.is_empty() {
                return;
            }
        }
    }

    /// Sends as much as possible. True if nothing is left. A connection that is broken counts as
    /// sent: reading reports its end.
    pub(super) fn flush(&mut self) -> bool {
        if let Some(End::Lost(_)) = self.end {
            self.output = Vec::new();
            return true;
        }
        while self.writable && !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(count) if count == self.output.len() => self.output = Vec::new(),
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) => self.on_write_error(&error),
            }
        }
        self.output.is_empty() && self.sent_by(Stream::flush)
    }

    /// The same for the last time: with TLS, close_notify follows.
    pub(super) fn flush_and_end(&mut self) -> bool {
        self.flush() && self.sent_by(Stream::send_close_notify)
    }

    /// True if `send` has sent everything.
    fn sent_by(&mut self, send: fn(&mut Stream) -> io::Result<()>) -> bool {
        match send(&mut self.stream) {
            Ok(()) => true,
            Err(error) => {
                self.on_write_error(&error);
                error.kind() != ErrorKind::WouldBlock
            }
        }
    }

    fn on_write_error(&mut self, error: &io::Error) {
        match error.kind() {
            ErrorKind::WouldBlock => self.writable = false,
            ErrorKind::Interrupted => {}
            kind => {
                // What the client sent before it closed the connection counts.
                self.readable = true;
                self.fill();
                self.lose(kind);
            }
        }
    }
}

/// The token of the control connection in the session's poll.
pub(super) const CONTROL: Token = Token(0);

/// Buffers that are read and discarded at the end, at most.
const DISCARDS_MAX: usize = 64;

/// Idle time after which the kernel probes the connection: less than the time after which common
/// routers forget it.
const KEEPALIVE: Duration = Duration::from_secs(60);
