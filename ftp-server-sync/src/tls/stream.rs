//! One TLS connection over a non-blocking socket.
//!
//! rustls works on the buffers here and keeps none of its own, so that one system call receives
//! several records, and a connection that waits for its client has no buffers at all. What is
//! received is buffered up to [`RECEIVED_BYTES_MAX`], what is written up to [`WRITE_BYTES_MAX`]. An
//! error of the kind `InvalidData` means that the peer violated the TLS protocol. An alert has been
//! sent to it, if possible.

mod byte_queue;
mod job;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{HandshakeKind, ProtocolVersion, SupportedCipherSuite};

use super::ServerConfig;
use super::client_fault::ClientFault;
use byte_queue::ByteQueue;
use job::{Job, RECORD_BYTES_MAX, Step, encode};

/// One connection's TLS.
pub(crate) struct TlsStream {
    connection: UnbufferedServerConnection,
    /// Received, and not processed yet: the beginning of a record, or whole ones.
    received: ByteQueue,
    /// Decrypted, and not read yet.
    decrypted: ByteQueue,
    unsent: ByteQueue,
    traffic: Traffic,
    /// How much is received at once: it grows with what comes.
    receive_bytes: usize,
    /// The last [`read`](Self::read) has received all that the socket had.
    is_drained: bool,
    /// The number of records that were written.
    records_written: u64,
    /// The client has broken the protocol: rustls is not to be called any more.
    fault: Option<rustls::Error>,
    /// The peer has sent close_notify.
    is_closed_by_peer: bool,
    /// The peer closed the connection between two records, without close_notify.
    bare_end: bool,
    /// Reading failed after some bytes: the next call of [`read`](Self::read) says so.
    deferred: Option<io::Error>,
}

/// What comes over a connection, and so how much may be buffered of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traffic {
    Commands,
    Data,
}

impl TlsStream {
    /// A connection before its handshake.
    pub(crate) fn boxed(config: ServerConfig, traffic: Traffic) -> io::Result<Box<Self>> {
        let connection = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Box::new(Self {
            connection,
            received: ByteQueue::default(),
            decrypted: ByteQueue::default(),
            unsent: ByteQueue::default(),
            traffic,
            receive_bytes: RECEIVED_BYTES_MIN,
            is_drained: false,
            records_written: 0,
            fault: None,
            is_closed_by_peer: false,
            bare_end: false,
            deferred: None,
        }))
    }

    /// Continues the handshake; `WouldBlock` until it is complete. The text of another error says
    /// what is wrong with the client.
    pub(crate) fn handshake(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        loop {
            self.flush(socket)?;
            if !self.connection.is_handshaking() {
                return Ok(());
            }
            if self.receive(socket)? == 0 {
                return Err(io::Error::new(ErrorKind::UnexpectedEof, ENDED_EARLY));
            }
            self.process(Job::Process, socket)?;
        }
    }

    /// Reads as much as is available. Zero at the end of the stream: after close_notify, or if the
    /// peer closed the connection between two records, see
    /// [`has_bare_end`](Self::has_bare_end). A connection that is closed inside a record is an
    /// error. What came before an error is returned first.
    pub(crate) fn read(&mut self, socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        // Sends alerts and other answers to earlier records. If the connection is lost, the read
        // below fails.
        let _ = self.flush(socket);
        if let Some(error) = self.deferred.take() {
            return Err(error);
        }
        self.is_drained = false;
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read_some(socket, &mut buffer[filled..], filled > 0) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if filled == 0 => return Err(error),
                Err(error) => {
                    if error.kind() != ErrorKind::WouldBlock {
                        self.deferred = Some(error);
                    }
                    break;
                }
            }
        }
        Ok(filled)
    }

    /// Reads what is decrypted, else what can be received. `has_some`: the caller has read before,
    /// and does not need to know that no more is there.
    fn read_some(
        &mut self,
        socket: &mut TcpStream,
        buffer: &mut [u8],
        has_some: bool,
    ) -> io::Result<usize> {
        if !self.decrypted.is_empty() {
            return Ok(self.decrypted.move_to(buffer));
        }
        loop {
            if let Some(count) = self.process(Job::Read(buffer), socket)? {
                return Ok(count);
            }
            if self.is_closed_by_peer || (has_some && self.is_drained) {
                return Ok(0);
            }
            if self.receive(socket)? == 0 {
                if !self.received.is_empty() {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                self.bare_end = true;
                return Ok(0);
            }
        }
    }

    /// Whether a read that has not filled its buffer may have left something: in the socket, or the
    /// end that comes after what was read.
    pub(crate) fn may_have_more(&self) -> bool {
        let is_at_end = self.is_closed_by_peer || self.bare_end || self.fault.is_some();
        is_at_end || self.deferred.is_some() || !self.is_drained
    }

    /// Takes bytes and sends as many as possible; `WouldBlock` while earlier bytes are unsent.
    /// Before the end of the handshake nothing can be sent: what is written then, as the last reply
    /// of a session that has waited too long for it, is dropped.
    pub(crate) fn write(&mut self, socket: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
        self.flush(socket)?;
        let length = bytes.len().min(WRITE_BYTES_MAX);
        if self.connection.is_handshaking() {
            return Ok(length);
        }
        self.count_records(length)?;
        let Some(taken) = self.process(Job::Write(&bytes[..length]), socket)? else {
            return Err(ErrorKind::WriteZero.into());
        };
        match self.flush(socket) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// Sends buffered bytes; `WouldBlock` while some are unsent.
    pub(crate) fn flush(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match retry(|| socket.write(self.unsent.bytes()))? {
                0 => return Err(ErrorKind::WriteZero.into()),
                count => self.unsent.consume(count),
            }
        }
        Ok(())
    }

    /// Whether earlier bytes are unsent.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Sends close_notify, once even if called again; `WouldBlock` while it, or earlier bytes, are
    /// unsent.
    pub(crate) fn close(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        if !self.connection.is_handshaking() {
            // If the client has broken the protocol, it has got an alert instead.
            let _ = self.process(Job::Close, socket);
        }
        self.flush(socket)
    }

    /// Gives back what memory the buffers do not need now.
    pub(crate) fn release_buffers(&mut self) {
        self.decrypted.release();
        self.unsent.release();
        self.received.release();
        if self.received.is_empty() {
            self.receive_bytes = RECEIVED_BYTES_MIN;
        }
    }

    /// Whether the connection was closed between two records, without close_notify. Many clients
    /// end uploads this way, but an attacker on the network can do the same.
    pub(crate) fn has_bare_end(&self) -> bool {
        self.bare_end
    }

    /// Whether the handshake resumed a session of the configuration's store.
    pub(crate) fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Receives some bytes; zero at the end.
    fn receive(&mut self, socket: &mut TcpStream) -> io::Result<usize> {
        let size = self.receive_bytes.min(self.received_bytes_max());
        let most = size.saturating_sub(self.received.len());
        if most == 0 {
            // The client alone decides how it cuts a message of the handshake.
            return Err(io::Error::new(ErrorKind::InvalidData, TOO_LONG));
        }
        let room = &mut self.received.room(most)[..most];
        let result = retry(|| socket.read(room));
        let count = *result.as_ref().unwrap_or(&0);
        self.received.add(count);
        self.is_drained = count < most;
        if !self.is_drained {
            self.receive_bytes = (2 * size).min(RECEIVED_BYTES_MAX);
        }
        result
    }

    /// A client without a login has to be content with less memory, but for a long message of its
    /// handshake.
    fn received_bytes_max(&self) -> usize {
        let is_long = self.received.len() >= RECEIVED_COMMANDS_MAX;
        match self.traffic {
            Traffic::Commands if !is_long => RECEIVED_COMMANDS_MAX,
            Traffic::Commands | Traffic::Data => RECEIVED_BYTES_MAX,
        }
    }

    /// Has rustls process what was received until the job is done: for how many bytes. `None` if
    /// more has to be received first.
    fn process(&mut self, mut job: Job<'_>, socket: &mut TcpStream) -> io::Result<Option<usize>> {
        loop {
            if let Some(fault) = self.fault.clone() {
                return Err(io::Error::new(ErrorKind::InvalidData, ClientFault(fault)));
            }
            match self.step(&mut job) {
                Step::Again => {}
                Step::Done(count) => return Ok(Some(count)),
                Step::Blocked => return Ok(None),
                Step::Failed(fault) => {
                    self.fault = Some(fault);
                    self.send_alert(socket);
                }
            }
        }
    }

    /// Calls rustls once.
    fn step(&mut self, job: &mut Job<'_>) -> Step {
        let received = self.received.bytes_mut();
        let UnbufferedStatus { mut discard, state } = self.connection.process_tls_records(received);
        let step = match state {
            Ok(ConnectionState::ReadTraffic(traffic)) => {
                let (more, step) = job.read(traffic, &mut self.decrypted);
                discard += more;
                step
            }
            Ok(ConnectionState::EncodeTlsData(data)) => encode(data, &mut self.unsent),
            Ok(ConnectionState::TransmitTlsData(data)) => {
                // It is sent before all that is written later.
                data.done();
                Step::Again
            }
            Ok(ConnectionState::PeerClosed) => {
                self.is_closed_by_peer = true;
                Step::Again
            }
            Ok(ConnectionState::WriteTraffic(traffic)) => job.perform(traffic, &mut self.unsent),
            // Early data is not offered.
            Ok(_) => Step::Blocked,
            Err(fault) => Step::Failed(fault),
        };
        self.received.consume(discard);
        step
    }

    /// Sends what rustls has to say about the fault. If that fails now, it is not sent.
    fn send_alert(&mut self, socket: &mut TcpStream) {
        // Without anything to send, it would look at the faulty record again.
        while self.connection.wants_write()
            && let Step::Again = self.step(&mut Job::Process)
        {}
        let _ = self.flush(socket);
    }

    /// Refuses to write more than the keys allow. A TLS 1.2 connection cannot change its keys:
    /// beyond their limit, rustls would drop data and end the stream as if it were complete.
    fn count_records(&mut self, bytes: usize) -> io::Result<()> {
        self.records_written += bytes.div_ceil(RECORD_BYTES_MAX) as u64;
        match self.connection.negotiated_cipher_suite() {
            Some(SupportedCipherSuite::Tls12(suite))
                if self.records_written > suite.common.confidentiality_limit - RECORDS_SPARE =>
            {
                Err(io::Error::other("too much data for one TLS 1.2 connection"))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for TlsStream {
    /// The protocol version and the cipher suite.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            _ => "TLS",
        })?;
        match self.connection.negotiated_cipher_suite() {
            Some(suite) => write!(f, ", {:?}", suite.suite()),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsStream({self})")
    }
}

fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

const ENDED_EARLY: &str = "the client closed the connection before the handshake was complete";
const TOO_LONG: &str = "the client has sent a message that is too long";

/// A command, or a part of the handshake.
const RECEIVED_BYTES_MIN: usize = 4 * 1024;
/// More than the longest record.
const RECEIVED_COMMANDS_MAX: usize = 20 * 1024;
/// Some records, and the longest message of a handshake.
const RECEIVED_BYTES_MAX: usize = 64 * 1024;
/// The most that is buffered at once, in records of [`RECORD_BYTES_MAX`].
const WRITE_BYTES_MAX: usize = 256 * 1024;

/// Reserve for the handshake, alerts, and records that are not full.
const RECORDS_SPARE: u64 = 1024;
