//! The control socket with its input and output buffers.
//!
//! Both are bounded: input by the longest command line, output because no command is read while
//! replies are unsent.

use std::io::{self, ErrorKind, Read};

use ftp_proto::Reply;
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::control_input::ControlInput;
use crate::data::stream::Stream;
use crate::tls::{ServerConfig, TlsStream, Traffic};

/// The bytes of a control connection, in both directions.
#[derive(Debug)]
pub(super) struct Control {
    stream: Stream,
    shaking_hands: bool,
    input: ControlInput,
    output: Vec<u8>,
    /// True from an edge-triggered event until everything is read.
    readable: bool,
    /// A read that does not fill the buffer may have left something: more bytes, or the end.
    ends_early: bool,
    /// False from a write that would have blocked until the next event.
    writable: bool,
    /// The poll reports too when the socket can be written to.
    reports_writable: bool,
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
    /// Registers the socket for the whole session.
    pub(super) fn new(mut stream: TcpStream, registry: &Registry) -> io::Result<Self> {
        registry.register(&mut stream, CONTROL, RECEIVING)?;
        Ok(Self {
            stream: Stream::new(stream),
            shaking_hands: false,
            input: ControlInput::default(),
            output: Vec::new(),
            // The poll reports what has come by now.
            readable: false,
            ends_early: false,
            writable: true,
            reports_writable: false,
            peer_closed: false,
            end: None,
            reported_end: None,
        })
    }

    /// No events are reported any more.
    pub(super) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        registry.deregister(self.stream.socket())
    }

    pub(super) fn on_event(&mut self, event: &Event) {
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
        self.peer_closed |= event.is_read_closed() || event.is_error();
        self.ends_early |= event.is_priority() || self.peer_closed;
        if event.is_error() && self.end == Some(End::Closed) {
            // Reading would not show it any more.
            self.end = Some(End::Lost(ErrorKind::ConnectionReset));
        }
    }

    /// Reads the next time without an event, which the poll may not have reported yet.
    pub(super) fn expect_input(&mut self) {
        self.readable = true;
        self.ends_early = true;
    }

    /// Has the poll report from now on when the socket can be written to, if a write would have
    /// blocked. Most sessions never need that. False if the connection is lost by that.
    pub(super) fn await_writable(&mut self, registry: &Registry) -> bool {
        if self.writable || self.reports_writable {
            return true;
        }
        let interest = RECEIVING | Interest::WRITABLE;
        match registry.reregister(self.stream.socket(), CONTROL, interest) {
            Ok(()) => self.reports_writable = true,
            Err(error) => self.lose(error.kind()),
        }
        self.reports_writable
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
        self.stream.start_tls(config, Traffic::Commands)?;
        self.shaking_hands = true;
        Ok(())
    }

    /// Goes on with the handshake; `None` until it is over.
    pub(super) fn handshake(&mut self) -> Option<io::Result<()>> {
        let may_send = self.writable && self.has_unsent_tls();
        if !self.shaking_hands || !(self.readable || may_send) {
            return None;
        }
        let result = self.stream.handshake();
        if let Err(error) = &result
            && error.kind() == ErrorKind::WouldBlock
        {
            self.readable = false;
            self.writable = !self.has_unsent_tls();
            return None;
        }
        self.shaking_hands = false;
        // The first command may have come together with the end of the handshake.
        self.readable = true;
        self.writable = true;
        Some(result)
    }

    fn has_unsent_tls(&self) -> bool {
        self.stream.tls().is_some_and(TlsStream::has_unsent)
    }

    pub(super) fn tls(&self) -> Option<&TlsStream> {
        self.stream.tls()
    }

    /// Reads what has been received, as long as it fits into the [`input`](Self::input).
    pub(super) fn fill(&mut self) {
        while self.readable && self.end.is_none() {
            let room = self.input.room();
            let room_bytes = room.len();
            if room_bytes == 0 {
                return;
            }
            match self.stream.read(room) {
                Ok(0) => self.end = Some(End::Closed),
                Ok(count) => {
                    self.input.received(count);
                    // What comes after the event that has led here has an event of its own.
                    self.readable = count == room_bytes || self.may_have_more();
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => {
                        self.readable = false;
                        self.ends_early = self.peer_closed;
                    }
                    ErrorKind::Interrupted => {}
                    kind => self.end = Some(End::Lost(kind)),
                },
            }
        }
        self.input.shrink();
    }

    /// Whether more may be there after a read that has not filled the buffer: the end of the
    /// connection has an event together with the bytes before it, and a read also ends before a
    /// byte that the client has marked as urgent. TLS may end it before what it has not received.
    fn may_have_more(&self) -> bool {
        self.ends_early || self.stream.tls().is_some_and(TlsStream::may_have_more)
    }

    pub(super) fn input(&self) -> &[u8] {
        self.input.unused()
    }

    /// Whether the input contains a whole command line.
    pub(super) fn has_line(&self) -> bool {
        self.input.unused().contains(&b'\n')
    }

    /// Removes the first `count` bytes of the input.
    pub(super) fn use_input(&mut self, count: usize) {
        self.input.use_bytes(count);
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
    /// with unread bytes resets the connection, and the last reply, or TLS's alert, may be lost
    /// with it. To TLS these bytes mean nothing any more.
    pub(super) fn discard(&mut self) {
        for _ in 0..DISCARDS_MAX {
            let room = self.input.room();
            if room.is_empty() {
                self.input.clear();
                continue;
            }
            match self.stream.socket().read(room) {
                Ok(0) => break,
                Ok(count) => self.input.received(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.input.clear();
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
                // An idle session needs no large buffer.
                Ok(count) if count == self.output.len() => {
                    self.output.clear();
                    self.output.shrink_to(OUTPUT_BYTES_KEPT);
                }
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) => self.on_write_error(&error),
            }
        }
        let is_sent = self.output.is_empty() && self.sent_by(Stream::flush);
        if is_sent {
            self.stream.release_buffers();
        }
        is_sent
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
                self.expect_input();
                self.fill();
                self.lose(kind);
            }
        }
    }
}

/// The token of the control connection in the session's poll.
pub(super) const CONTROL: Token = Token(0);

/// Urgent bytes are reported too.
const RECEIVING: Interest = Interest::READABLE.add(Interest::PRIORITY);

/// Buffers that are read and discarded at the end, at most.
const DISCARDS_MAX: usize = 64;

/// The replies to most commands are shorter.
const OUTPUT_BYTES_KEPT: usize = 256;

#[cfg(test)]
mod tests;
