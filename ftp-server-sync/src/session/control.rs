//! The control socket with its input and output buffers.
//!
//! Both are bounded: input by the longest command line, output because nothing is read while replies
//! are unsent.

use std::io::{self, ErrorKind};
use std::time::Duration;

use ftp_proto::{Reply, limits};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{SockRef, TcpKeepalive};

use crate::data::stream::Stream;
use crate::tls::{ServerConfig, TlsStream};

/// A control connection, as far as it is bytes.
#[derive(Debug)]
pub(crate) struct Control {
    stream: Stream,
    shaking_hands: bool,
    /// What has been received and not used yet.
    input: Vec<u8>,
    output: Vec<u8>,
    /// Edge-triggered events are remembered here until the socket would block.
    readable: bool,
    writable: bool,
    /// The client will send no more; what it sent before may still be unread.
    peer_closed: bool,
    end: Option<End>,
}

/// How reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The client closed its side.
    Closed,
    /// The connection is gone.
    Lost(ErrorKind),
}

impl Control {
    /// Sets the socket's options and registers it, once for the whole session.
    pub(crate) fn new(
        mut stream: TcpStream,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let socket = SockRef::from(&stream);
        // Replies are written whole; waiting for more would only delay them.
        socket.set_tcp_nodelay(true)?;
        // Else the byte that a client marks as urgent in front of ABOR would be missing.
        socket.set_out_of_band_inline(true)?;
        // Routers forget connections that are silent; a control connection is, during a transfer.
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE);
        socket.set_tcp_keepalive(&keepalive)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            stream: Stream::new(stream),
            shaking_hands: false,
            input: Vec::new(),
            output: Vec::new(),
            readable: true,
            writable: true,
            peer_closed: false,
            end: None,
        })
    }

    pub(crate) fn note(&mut self, event: &Event) {
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
        self.peer_closed |= event.is_read_closed() || event.is_error();
    }

    /// Begins with TLS. What the client has sent already was clear text, and is none of it.
    ///
    /// # Errors
    ///
    /// When there is such input, or when TLS is not set up well.
    pub(crate) fn start_tls(&mut self, config: ServerConfig) -> io::Result<()> {
        if !self.input.is_empty() {
            return Err(ErrorKind::InvalidData.into());
        }
        self.stream.start_tls(config)?;
        self.shaking_hands = true;
        Ok(())
    }

    /// Goes on with the handshake; `None` until it is over.
    pub(crate) fn handshake(&mut self) -> Option<io::Result<()>> {
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
        // The end of the handshake may have come together with the first command.
        self.readable = true;
        self.writable = true;
        Some(result)
    }

    pub(crate) fn tls(&self) -> Option<&TlsStream> {
        self.stream.tls()
    }

    /// Reads what there is, as long as it fits; afterwards [`input`](Self::input) holds it.
    pub(crate) fn fill(&mut self) {
        let mut buffer = [0; limits::LINE_BYTES_MAX];
        while self.readable && self.end.is_none() {
            let room = limits::LINE_BYTES_MAX - self.input.len();
            if room == 0 {
                return;
            }
            match self.stream.read(&mut buffer[..room]) {
                Ok(0) => self.end = Some(End::Closed),
                // A short read does not mean that the socket is empty: reads also end at the byte that
                // a client marked as urgent.
                Ok(count) => self.input.extend_from_slice(&buffer[..count]),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => self.readable = false,
                    ErrorKind::Interrupted => {}
                    kind => self.end = Some(End::Lost(kind)),
                },
            }
        }
    }

    pub(crate) fn input(&self) -> &[u8] {
        &self.input
    }

    /// Forgets the first `count` bytes of the input.
    pub(crate) fn use_input(&mut self, count: usize) {
        if count == self.input.len() {
            // An idle session keeps no buffer.
            self.input = Vec::new();
        } else {
            self.input.drain(..count);
        }
    }

    /// How the input has ended, once everything before the end is read.
    pub(crate) fn end(&self) -> Option<End> {
        self.end
    }

    /// Whether the client has closed its side, even if unread bytes come before that.
    pub(crate) fn is_peer_closed(&self) -> bool {
        self.peer_closed || self.end.is_some()
    }

    /// Puts a reply into the output.
    pub(crate) fn push(&mut self, reply: &Reply) {
        reply.encode(&mut self.output);
    }

    /// What [`flush`](Self::flush) would send.
    pub(crate) fn unsent(&self) -> &[u8] {
        &self.output
    }

    /// Reads and forgets what the client has sent and nobody will answer: a socket that is closed with
    /// unread bytes resets the connection, and the last reply may be lost with it.
    pub(crate) fn discard(&mut self) {
        for _ in 0..DISCARDS_MAX {
            self.input = Vec::new();
            self.fill();
            if self.input.is_empty() {
                return;
            }
        }
    }

    /// Sends what it can; whether nothing is left. A connection that cannot be written to any more
    /// counts as sent: its end is told by reading.
    pub(crate) fn flush(&mut self) -> bool {
        while self.writable && !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(count) if count == self.output.len() => self.output = Vec::new(),
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) => self.note_write_error(&error),
            }
        }
        self.output.is_empty() && self.sent_by(Stream::flush)
    }

    /// The same for the last time: after it the client is told that nothing more will come.
    pub(crate) fn flush_and_end(&mut self) -> bool {
        self.flush() && self.sent_by(Stream::say_end)
    }

    /// Whether `send` has left nothing with us.
    fn sent_by(&mut self, send: fn(&mut Stream) -> io::Result<()>) -> bool {
        match send(&mut self.stream) {
            Ok(()) => true,
            Err(error) => {
                self.note_write_error(&error);
                error.kind() != ErrorKind::WouldBlock
            }
        }
    }

    fn note_write_error(&mut self, error: &io::Error) {
        match error.kind() {
            ErrorKind::WouldBlock => self.writable = false,
            ErrorKind::Interrupted => {}
            kind => {
                self.output = Vec::new();
                self.end = Some(End::Lost(kind));
            }
        }
    }
}

/// Buffers that are read at the end, at most.
const DISCARDS_MAX: usize = 64;

/// Silence after which the kernel asks whether the client is still there: below the time after which
/// common routers forget a connection.
const KEEPALIVE: Duration = Duration::from_secs(60);
