//! The bytes of a connection, in clear text or over TLS. Nothing here blocks.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use mio::net::TcpStream;

use crate::tls::{ServerConfig, TlsStream, Traffic};

/// A socket, and its TLS if it has any.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: TcpStream,
    tls: Option<Box<TlsStream>>,
}

impl Stream {
    /// In clear text.
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self { socket, tls: None }
    }

    /// Uses TLS from now on, as the server. The handshake comes first.
    pub(crate) fn start_tls(&mut self, config: ServerConfig, traffic: Traffic) -> io::Result<()> {
        self.tls = Some(TlsStream::boxed(config, traffic)?);
        Ok(())
    }

    /// Continues the TLS handshake; `WouldBlock` until it has ended.
    pub(crate) fn handshake(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => Ok(()),
            Some(tls) => tls.handshake(&mut self.socket),
        }
    }

    /// Reads received bytes; zero at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.read(buffer),
            Some(tls) => tls.read(&mut self.socket, buffer),
        }
    }

    /// Writes some of `bytes`. With TLS they are sent for certain only after
    /// [`flush`](Self::flush).
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.write(bytes),
            Some(tls) => tls.write(&mut self.socket, bytes),
        }
    }

    /// Sends everything that was written; `WouldBlock` while some is left.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => Ok(()),
            Some(tls) => tls.flush(&mut self.socket),
        }
    }

    /// Sends TLS's close_notify; `WouldBlock` while it is unsent. Does nothing in clear text, where
    /// the end of the connection says the same.
    pub(crate) fn send_close_notify(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => Ok(()),
            Some(tls) => tls.close(&mut self.socket),
        }
    }

    /// Sends close_notify, and closes our direction of a TLS connection.
    pub(crate) fn end_sending(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => Ok(()),
            Some(tls) => {
                tls.close(&mut self.socket)?;
                self.socket.shutdown(Shutdown::Write)
            }
        }
    }

    /// The connection waits for its client: TLS needs no memory for it.
    pub(crate) fn release_buffers(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.release_buffers();
        }
    }

    /// From now on only the socket is used: TLS needs no memory for what was not read.
    pub(super) fn forget_tls(&mut self) {
        self.tls = None;
    }

    pub(crate) fn tls(&self) -> Option<&TlsStream> {
        self.tls.as_deref()
    }

    /// The socket itself. Bytes that are read or written here bypass TLS.
    pub(crate) fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }
}
