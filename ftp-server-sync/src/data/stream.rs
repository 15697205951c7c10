//! A connection's bytes, in clear text or protected by TLS; nothing here blocks.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use mio::net::TcpStream;

use crate::tls::{ServerConfig, TlsStream};

/// A socket, and what protects it.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: TcpStream,
    layer: Option<Box<TlsStream>>,
}

impl Stream {
    /// In clear text.
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            layer: None,
        }
    }

    /// From now on TLS, of which we are the server; the handshake comes first.
    pub(crate) fn start_tls(&mut self, config: ServerConfig) -> io::Result<()> {
        self.layer = Some(TlsStream::boxed(config)?);
        Ok(())
    }

    /// Goes on with the handshake of TLS; `WouldBlock` until it is over.
    pub(crate) fn handshake(&mut self) -> io::Result<()> {
        match &mut self.layer {
            None => Ok(()),
            Some(layer) => layer.handshake(&mut self.socket),
        }
    }

    /// Reads what is there; zero at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.layer {
            None => self.socket.read(buffer),
            Some(layer) => layer.read(&mut self.socket, buffer),
        }
    }

    /// Takes some of `bytes`. With TLS they may not be sent before [`flush`](Self::flush) says so.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.layer {
            None => self.socket.write(bytes),
            Some(layer) => layer.write(&mut self.socket, bytes),
        }
    }

    /// Hands to the network what was written; `WouldBlock` while it does not take all.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match &mut self.layer {
            None => Ok(()),
            Some(layer) => layer.flush(&mut self.socket),
        }
    }

    /// Tells the peer's TLS that all has been said; `WouldBlock` while that is unsent. In clear text closing
    /// is all that there is to say.
    pub(crate) fn say_end(&mut self) -> io::Result<()> {
        match &mut self.layer {
            None => Ok(()),
            Some(layer) => layer.close(&mut self.socket),
        }
    }

    /// The same, and closes our direction.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        match &mut self.layer {
            None => Ok(()),
            Some(layer) => {
                layer.close(&mut self.socket)?;
                self.socket.shutdown(Shutdown::Write)
            }
        }
    }

    pub(crate) fn tls(&self) -> Option<&TlsStream> {
        self.layer.as_deref()
    }

    /// The socket itself, for those who know what they do.
    pub(crate) fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }
}
