//! One listening socket for the sessions that share a port.
//!
//! Whoever looks for its own connection also accepts those of the others, and hands each to the session
//! that expects that address. The lock is this port's alone: it is held while the socket is opened,
//! accepted from and closed, so that nobody ever sees it half open, and that a connection is always
//! either in the kernel's queue or with its session.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard};

use log::debug;
use mio::Waker;
use mio::net::{TcpListener, TcpStream};

use super::allowed_peers::AllowedPeers;
use super::pool_state::Request;
use crate::sync::lock;

/// The socket of a port, open while somebody listens.
#[derive(Debug, Default)]
pub(super) struct SharedListener {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    socket: Option<TcpListener>,
    sessions: Vec<ListeningSession>,
}

/// A session that listens, and its connection once another session has accepted it.
#[derive(Debug)]
struct ListeningSession {
    id: u64,
    allowed_peers: AllowedPeers,
    waker: Arc<Waker>,
    handed_over: Option<TcpStream>,
}

/// Who has connected to a passive port.
#[derive(Debug)]
pub(crate) enum IncomingConnection {
    /// The client that was expected.
    Own(TcpStream),
    /// Another session's client: its connection has been handed over.
    HandedOver(SocketAddr),
    /// Nobody's client: its connection has been closed.
    Rejected(SocketAddr),
}

impl SharedListener {
    /// Listens for the request too; the first one opens the socket with `listen`. Connections that are
    /// there already came before its client was told the port, so they are somebody else's, even where
    /// they come from its address: of an earlier session, say, that has turned to something else.
    pub(super) fn join(
        &self,
        request: &Request,
        listen: impl FnOnce() -> io::Result<TcpListener>,
    ) -> io::Result<()> {
        let mut wakers = Vec::new();
        let mut state = self.lock();
        match state.socket {
            None => state.socket = Some(listen()?),
            Some(_) => {
                while let Some((stream, from)) = state.accept()? {
                    wakers.extend(state.hand_over(stream, from));
                }
            }
        }
        state.sessions.push(ListeningSession {
            id: request.id,
            allowed_peers: request.allowed_peers.clone(),
            waker: request.waker.clone(),
            handed_over: None,
        });
        drop(state);
        wakers.iter().for_each(wake);
        Ok(())
    }

    /// Listens no longer for the request; the last one closes the socket.
    pub(super) fn leave(&self, request: &Request) {
        let mut state = self.lock();
        state.sessions.retain(|session| session.id != request.id);
        if state.sessions.is_empty() {
            state.socket = None;
        }
    }

    /// The next connection; `None` when nobody is there.
    pub(super) fn accept(&self, request: &Request) -> io::Result<Option<IncomingConnection>> {
        let mut state = self.lock();
        if let Some(stream) = state.take(request.id) {
            return Ok(Some(IncomingConnection::Own(stream)));
        }
        let Some((stream, address)) = state.accept()? else {
            return Ok(None);
        };
        if request.allowed_peers.allows(address.ip()) {
            return Ok(Some(IncomingConnection::Own(stream)));
        }
        let Some(waker) = state.hand_over(stream, address) else {
            return Ok(Some(IncomingConnection::Rejected(address)));
        };
        drop(state);
        wake(&waker);
        Ok(Some(IncomingConnection::HandedOver(address)))
    }

    /// The socket's number, for a poll; valid until the request that asks leaves.
    pub(super) fn socket_number(&self) -> Option<RawFd> {
        self.lock().socket.as_ref().map(AsRawFd::as_raw_fd)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    /// What others have accepted for this session.
    fn take(&mut self, id: u64) -> Option<TcpStream> {
        let mut sessions = self.sessions.iter_mut();
        sessions
            .find(|session| session.id == id)?
            .handed_over
            .take()
    }

    fn accept(&self) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        let Some(socket) = &self.socket else {
            return Ok(None);
        };
        loop {
            match socket.accept() {
                Ok(accepted) => return Ok(Some(accepted)),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Ok(None),
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    _ => return Err(error),
                },
            }
        }
    }

    /// Gives the connection to the session that waits for one from there, and returns what wakes it. A
    /// session that has one already wants no second.
    fn hand_over(&mut self, stream: TcpStream, from: SocketAddr) -> Option<Arc<Waker>> {
        let mut sessions = self.sessions.iter_mut();
        let session = sessions.find(|session| session.allowed_peers.allows(from.ip()))?;
        if session.handed_over.is_some() {
            return None;
        }
        session.handed_over = Some(stream);
        Some(session.waker.clone())
    }
}

/// Calls the session whose connection has been handed over.
fn wake(waker: &Arc<Waker>) {
    // Not fatal: the session also looks by itself, when its client's time is over at the latest.
    if let Err(error) = waker.wake() {
        debug!("cannot wake a session about its data connection: {error}");
    }
}
