//! TLS between a socket that never blocks and the bytes that it protects.
//!
//! At most [`WRITE_BYTES_MAX`] of what is written, and one record of what is read, is kept here. Errors of the
//! kind `InvalidData` are the peer's faults in TLS; it has been told, as far as that is possible.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;
use rustls::{HandshakeKind, ProtocolVersion, ServerConnection, SupportedCipherSuite};

use super::ServerConfig;
use super::record::Boundary;

/// One connection's TLS.
pub(crate) struct TlsStream {
    connection: ServerConnection,
    boundary: Boundary,
    received: Received,
    /// Records that have been made from what was written.
    records: u64,
    /// The peer has closed without close_notify, between two records.
    bare_end: bool,
}

/// What came from the socket in one read and has not been looked at.
#[derive(Default)]
struct Received {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

/// A socket whose bytes are watched as they come.
struct Watched<'a> {
    socket: &'a mut TcpStream,
    boundary: &'a mut Boundary,
}

impl TlsStream {
    /// Before the handshake.
    pub(crate) fn boxed(config: ServerConfig) -> io::Result<Box<Self>> {
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        // We write only what fits, see `write`.
        connection.set_buffer_limit(None);
        Ok(Box::new(Self {
            connection,
            boundary: Boundary::default(),
            received: Received::default(),
            records: 0,
            bare_end: false,
        }))
    }

    /// Goes on with the handshake; `WouldBlock` until it is over.
    pub(crate) fn handshake(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        loop {
            self.flush(socket)?;
            if !self.connection.is_handshaking() {
                return Ok(());
            }
            if self.receive(socket, 0)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads what the peer has written, as much as is there. Zero at its end: at close_notify, or where the
    /// connection is closed between two records, see [`has_bare_end`](Self::has_bare_end). One that is
    /// closed in the middle of a record is an error.
    pub(crate) fn read(&mut self, socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        // Answers to what has been read before. Reading itself tells whether the connection is lost.
        let _ = self.flush(socket);
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
            match error.kind() {
                ErrorKind::WouldBlock if filled > 0 => break,
                _ => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Takes bytes and sends them as far as it can; `WouldBlock` while earlier ones are unsent.
    pub(crate) fn write(&mut self, socket: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
        self.flush(socket)?;
        let most = bytes.len().min(WRITE_BYTES_MAX);
        self.count_records(most)?;
        let taken = self.connection.writer().write(&bytes[..most])?;
        if taken == 0 && most > 0 {
            return Err(ErrorKind::WriteZero.into());
        }
        match self.flush(socket) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// Sends what was written; `WouldBlock` while some of it is unsent.
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

    /// Tells the peer that nothing more will come, once for however many calls; `WouldBlock` while that, or
    /// something before it, is unsent.
    pub(crate) fn close(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        self.connection.send_close_notify();
        self.flush(socket)
    }

    /// Whether the connection was closed without close_notify. Many clients end uploads so; nobody can say
    /// whether it was the client or somebody on the way.
    pub(crate) fn has_bare_end(&self) -> bool {
        self.bare_end
    }

    /// Whether the handshake resumed a session that the configuration knows.
    pub(crate) fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Takes some bytes from the socket and looks at them; zero where it is closed. `wanted`: how much of
    /// them will be asked for.
    fn receive(&mut self, socket: &mut TcpStream, wanted: usize) -> io::Result<usize> {
        let boundary = &mut self.boundary;
        let mut watched = Watched { socket, boundary };
        let count = if wanted > LIBRARY_READ_BYTES || !self.received.is_empty() {
            self.received.fill(&mut watched, wanted)?;
            // At the end nothing is read: so the library hears of it.
            self.connection.read_tls(&mut self.received)?
        } else {
            retry(|| self.connection.read_tls(&mut watched))?
        };
        if let Err(fault) = self.connection.process_new_packets() {
            // The alert; if it cannot be sent now, the peer has to do without.
            let _ = self.flush(socket);
            return Err(io::Error::new(ErrorKind::InvalidData, fault));
        }
        Ok(count)
    }

    /// A connection of TLS 1.2 cannot get new keys. The library would drop what goes beyond their limit and
    /// say that the data ends there.
    fn count_records(&mut self, bytes: usize) -> io::Result<()> {
        self.records += bytes.div_ceil(RECORD_BYTES_MAX) as u64;
        match self.connection.negotiated_cipher_suite() {
            Some(SupportedCipherSuite::Tls12(suite))
                if self.records > suite.common.confidentiality_limit - RECORDS_SPARE =>
            {
                Err(io::Error::other("too much for one connection of TLS 1.2"))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for TlsStream {
    /// Version and cipher suite.
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

impl Received {
    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Reads once, if there is nothing left.
    fn fill(&mut self, watched: &mut Watched<'_>, wanted: usize) -> io::Result<()> {
        if self.is_empty() {
            if self.buffer.is_empty() {
                self.buffer = vec![0; wanted].into();
            }
            self.start = 0;
            self.end = 0;
            self.end = retry(|| watched.read(&mut self.buffer))?;
        }
        Ok(())
    }
}

impl Read for Received {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&self.buffer[self.start..self.end]).read(buffer)?;
        self.start += count;
        Ok(count)
    }
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.socket.read(buffer)?;
        self.boundary.pass(&buffer[..count]);
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

/// Written at once, in records of [`RECORD_BYTES_MAX`].
const WRITE_BYTES_MAX: usize = 256 * 1024;

const RECORD_BYTES_MAX: usize = 16 * 1024;

/// For handshake, alerts and records that are not full.
const RECORDS_SPARE: u64 = 1024;

/// What the library reads by itself at once.
const LIBRARY_READ_BYTES: usize = 4096;
