//! One TLS connection over a non-blocking socket.
//!
//! It buffers at most [`WRITE_BYTES_MAX`] of what is written, and one record of what is read. An
//! error of the kind `InvalidData` means that the peer violated the TLS protocol. An alert has been
//! sent to it, if possible.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;
use rustls::{HandshakeKind, ProtocolVersion, ServerConnection, SupportedCipherSuite};

use super::ServerConfig;
use super::client_fault::ClientFault;
use super::record::RecordBoundary;

/// One connection's TLS.
pub(crate) struct TlsStream {
    connection: ServerConnection,
    boundary: RecordBoundary,
    received: ReceiveBuffer,
    /// The number of records that were written.
    records_written: u64,
    /// The peer closed the connection between two records, without close_notify.
    bare_end: bool,
    /// Reading failed after some bytes: the next call of [`read`](Self::read) says so.
    deferred: Option<io::Error>,
}

/// Bytes of one read from the socket that rustls has not processed yet.
#[derive(Default)]
struct ReceiveBuffer {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

/// Reads from a socket and follows the record boundaries.
struct BoundaryReader<'a> {
    socket: &'a mut TcpStream,
    boundary: &'a mut RecordBoundary,
}

impl TlsStream {
    /// A connection before its handshake.
    pub(crate) fn boxed(config: ServerConfig) -> io::Result<Box<Self>> {
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        // `write` limits what is buffered.
        connection.set_buffer_limit(None);
        Ok(Box::new(Self {
            connection,
            boundary: RecordBoundary::default(),
            received: ReceiveBuffer::default(),
            records_written: 0,
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
            if self.receive(socket, 0)? == 0 {
                return Err(io::Error::new(ErrorKind::UnexpectedEof, ENDED_EARLY));
            }
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
        let mut filled = 0;
        while filled < buffer.len() {
            let error = match self.connection.reader().read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => {
                    filled += count;
                    continue;
                }
                Err(error) => error,
            };
            let error = match error.kind() {
                ErrorKind::WouldBlock => match self.receive(socket, buffer.len()) {
                    Ok(_) => continue,
                    Err(error) => error,
                },
                ErrorKind::UnexpectedEof if self.boundary.is_between_records() => {
                    self.bare_end = true;
                    break;
                }
                _ => error,
            };
            if filled == 0 {
                return Err(error);
            }
            if error.kind() != ErrorKind::WouldBlock {
                self.deferred = Some(error);
            }
            break;
        }
        Ok(filled)
    }

    /// Takes bytes and sends as many as possible; `WouldBlock` while earlier bytes are unsent.
    pub(crate) fn write(&mut self, socket: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
        self.flush(socket)?;
        let length = bytes.len().min(WRITE_BYTES_MAX);
        self.count_records(length)?;
        let taken = self.connection.writer().write(&bytes[..length])?;
        if taken == 0 && length > 0 {
            return Err(ErrorKind::WriteZero.into());
        }
        match self.flush(socket) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// Sends buffered bytes; `WouldBlock` while some are unsent.
    pub(crate) fn flush(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether earlier bytes are unsent.
    pub(crate) fn has_unsent(&self) -> bool {
        self.connection.wants_write()
    }

    /// Sends close_notify, once even if called again; `WouldBlock` while it, or earlier bytes, are
    /// unsent.
    pub(crate) fn close(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        self.connection.send_close_notify();
        self.flush(socket)
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

    /// Reads some bytes from the socket and processes them; zero at the end. `wanted` is the number
    /// of bytes that the caller can use.
    fn receive(&mut self, socket: &mut TcpStream, wanted: usize) -> io::Result<usize> {
        let boundary = &mut self.boundary;
        let mut reader = BoundaryReader { socket, boundary };
        let count = if wanted > LIBRARY_READ_BYTES || !self.received.is_empty() {
            self.received.fill(&mut reader, wanted)?;
            // Also at the end of the stream, where zero bytes are read: rustls must see the end.
            self.connection.read_tls(&mut self.received)?
        } else {
            retry(|| self.connection.read_tls(&mut reader))?
        };
        if let Err(fault) = self.connection.process_new_packets() {
            // Sends the alert. If that fails now, it is not sent.
            let _ = self.flush(socket);
            return Err(io::Error::new(ErrorKind::InvalidData, ClientFault(fault)));
        }
        Ok(count)
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

impl ReceiveBuffer {
    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Reads once from the socket, if the buffer is empty.
    fn fill(&mut self, reader: &mut BoundaryReader<'_>, wanted: usize) -> io::Result<()> {
        if self.is_empty() {
            if self.buffer.is_empty() {
                self.buffer = vec![0; wanted].into();
            }
            self.start = 0;
            self.end = 0;
            self.end = retry(|| reader.read(&mut self.buffer))?;
        }
        Ok(())
    }
}

impl Read for ReceiveBuffer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&self.buffer[self.start..self.end]).read(buffer)?;
        self.start += count;
        Ok(count)
    }
}

impl Read for BoundaryReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.socket.read(buffer)?;
        self.boundary.advance(&buffer[..count]);
        Ok(count)
    }
}

fn retry(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

const ENDED_EARLY: &str = "the client closed the connection before the handshake was complete";

/// The most that is buffered at once, in records of [`RECORD_BYTES_MAX`].
const WRITE_BYTES_MAX: usize = 256 * 1024;

const RECORD_BYTES_MAX: usize = 16 * 1024;

/// Reserve for the handshake, alerts, and records that are not full.
const RECORDS_SPARE: u64 = 1024;

/// The most that rustls itself reads at once.
const LIBRARY_READ_BYTES: usize = 4096;
