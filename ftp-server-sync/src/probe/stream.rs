//! A connection of a probe, in clear text or in TLS.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use super::secure::{ClientTls, SecureStream, TlsFacts};
use super::socket::TimedSocket;

/// A connection in clear text or in TLS.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TimedSocket),
    Secure(Box<SecureStream>),
}

impl Stream {
    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.socket_mut().set_deadline(deadline);
    }

    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket.socket(),
            Self::Secure(stream) => stream.timed().socket(),
        }
    }

    fn socket_mut(&mut self) -> &mut TimedSocket {
        match self {
            Self::Plain(socket) => socket,
            Self::Secure(stream) => stream.timed_mut(),
        }
    }

    /// Begins TLS before `deadline`.
    pub(super) fn secure(self, tls: &ClientTls, deadline: Instant) -> io::Result<(Self, TlsFacts)> {
        let Self::Plain(mut socket) = self else {
            return Err(io::Error::other("TLS has begun already"));
        };
        socket.set_deadline(deadline);
        let stream = tls.handshake(socket)?;
        let facts = stream.facts();
        Ok((Self::Secure(Box::new(stream)), facts))
    }

    /// Ends what is sent; the peer sees the end of the file.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if let Self::Secure(stream) = self {
            stream.close()?;
        }
        self.socket().shutdown(Shutdown::Write)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Secure(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Secure(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Secure(stream) => stream.flush(),
        }
    }
}
