//! A passive port, and the client's connection that comes through it, before or after the transfer
//! command.

use std::future::pending;
use std::io;
use std::net::{self, SocketAddr};
use std::num::NonZeroU16;

use ftp_proto::{Bound, DataId};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

pub(crate) struct Passive {
    pub(crate) data: DataId,
    /// Closed when a transfer has the connection.
    listener: Option<TcpListener>,
    /// `None` once the client has connected.
    sender: Option<oneshot::Sender<TcpStream>>,
    /// `None` once a transfer waits for the connection, or has it.
    connection: Option<oneshot::Receiver<TcpStream>>,
}

impl Passive {
    pub(crate) fn new(data: DataId, listener: net::TcpListener) -> io::Result<Self> {
        let (sender, receiver) = oneshot::channel();
        Ok(Self {
            data,
            listener: Some(from_std(listener)?),
            sender: Some(sender),
            connection: Some(receiver),
        })
    }

    pub(crate) fn bound(&self) -> Option<Bound> {
        let address = self.listener.as_ref()?.local_addr().ok()?;
        NonZeroU16::new(address.port()).map(Bound::new)
    }

    /// The next connection to the port, a stranger's perhaps; none comes after the client's.
    pub(crate) async fn accept(passive: &Option<Self>) -> io::Result<(TcpStream, SocketAddr)> {
        match passive {
            Some(Self {
                listener: Some(listener),
                sender: Some(_),
                ..
            }) => listener.accept().await,
            _ => pending().await,
        }
    }

    /// A connection that has come, also where tokio does not know of it yet.
    pub(crate) fn try_accept(&self) -> Option<(TcpStream, SocketAddr)> {
        let listener = self.listener.as_ref().filter(|_| self.sender.is_some())?;
        let (socket, peer) = SockRef::from(listener).accept().ok()?;
        socket.set_nonblocking(true).ok()?;
        let stream = TcpStream::from_std(socket.into()).ok()?;
        Some((stream, peer.as_socket()?))
    }

    /// This connection is the client's.
    pub(crate) fn connected(&mut self, stream: TcpStream) {
        if let Some(sender) = self.sender.take() {
            // The receiver is gone only if its transfer has ended.
            let _ = sender.send(stream);
        }
        self.close_if_used();
    }

    /// For a transfer, which waits for the connection if the client has not connected.
    pub(crate) fn take_connection(&mut self) -> Option<oneshot::Receiver<TcpStream>> {
        let connection = self.connection.take();
        self.close_if_used();
        connection
    }

    /// No connection can come: a transfer that needs it fails.
    pub(crate) fn close(&mut self) {
        (self.listener, self.sender) = (None, None);
    }

    fn close_if_used(&mut self) {
        if self.sender.is_none() && self.connection.is_none() {
            self.listener = None;
        }
    }
}

pub(crate) fn from_std(listener: net::TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}
