//! A passive port, and the client's connection that comes through it, before or after the transfer command.

use std::future::pending;
use std::io;
use std::net::{self, SocketAddr};

use ftp_proto::DataId;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

pub(crate) struct Passive {
    pub(crate) data: DataId,
    /// `None` once the client has connected: others cannot connect any more.
    listener: Option<(TcpListener, oneshot::Sender<TcpStream>)>,
    /// `None` once a transfer has it.
    connection: Option<oneshot::Receiver<TcpStream>>,
}

impl Passive {
    pub(crate) fn new(data: DataId, listener: net::TcpListener) -> io::Result<Self> {
        let (sender, receiver) = oneshot::channel();
        Ok(Self {
            data,
            listener: Some((from_std(listener)?, sender)),
            connection: Some(receiver),
        })
    }

    pub(crate) fn port(&self) -> Option<u16> {
        let (listener, _) = self.listener.as_ref()?;
        listener.local_addr().ok().map(|address| address.port())
    }

    /// The next connection to the port, a stranger's perhaps; none comes after the client's.
    pub(crate) async fn accept(passive: &Option<Self>) -> io::Result<(TcpStream, SocketAddr)> {
        let listener = passive
            .as_ref()
            .and_then(|passive| passive.listener.as_ref());
        match listener {
            Some((listener, _)) => listener.accept().await,
            None => pending().await,
        }
    }

    /// This connection is the client's.
    pub(crate) fn connected(&mut self, stream: TcpStream) {
        if let Some((_, sender)) = self.listener.take() {
            // The receiver is gone only if its transfer has ended.
            let _ = sender.send(stream);
        }
    }

    /// No connection can come: a transfer that needs it fails.
    pub(crate) fn close(&mut self) {
        self.listener = None;
    }

    pub(crate) fn take_connection(&mut self) -> Option<oneshot::Receiver<TcpStream>> {
        self.connection.take()
    }
}

pub(crate) fn from_std(listener: net::TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}
