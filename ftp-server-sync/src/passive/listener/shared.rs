//! One listening socket for the sessions that share a port, or two where some of them are given
//! another address than the one that they connected to.
//!
//! A session that accepts connections also gets those of the other sessions' clients, and hands
//! each to the session that allows its address. Each port has a lock of its own. The lock is held
//! while the socket is opened, accepted from and closed, so that no session ever sees it half open,
//! and that a connection is always either in the kernel's queue or with its session.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard};

use ftp_proto::{AllowedPeers, PeerVerdict};
use log::debug;
use mio::Waker;
use mio::net::{TcpListener, TcpStream};

use crate::locks::lock;
use crate::net::proxy_header::needs_header;
use crate::net::socket;
use crate::passive::addresses::ListenAddresses;
use crate::passive::request::Request;

/// The sockets of a port, each open while a session needs it.
#[derive(Debug, Default)]
pub(in crate::passive) struct SharedListener {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Each with its address, without a port.
    sockets: Vec<(SocketAddr, TcpListener)>,
    sessions: Vec<ListeningSession>,
}

/// A session that listens, and its connections that other sessions have accepted.
#[derive(Debug)]
struct ListeningSession {
    id: u64,
    addresses: ListenAddresses,
    allowed_peers: AllowedPeers,
    waker: Arc<Waker>,
    /// In the order in which they were accepted, at most [`HANDED_OVER_MAX`].
    handed_over: VecDeque<(TcpStream, SocketAddr)>,
}

/// A connection to a passive port, and which session it is for.
#[derive(Debug)]
pub(crate) enum IncomingConnection {
    /// For the session that asked, or of a balancer, with a header that says whose it is.
    Own(TcpStream, SocketAddr),
    /// For another session, which has it now.
    HandedOver(SocketAddr),
    /// For no session: it has been closed.
    Rejected(SocketAddr),
}

impl SharedListener {
    /// Listens for this request too; the first one opens the socket at its local address with
    /// `listen`. Connections that are in a socket's queue by now came before this client was sent
    /// to the port. They are for other sessions even when they come from its address, such as for
    /// an earlier session that has gone on to something else.
    pub(in crate::passive) fn join(
        &self,
        request: &Request,
        listen: impl FnOnce() -> io::Result<TcpListener>,
    ) -> io::Result<()> {
        let mut wakers = Vec::new();
        let mut state = self.lock();
        let joined = state.join(request, listen, &mut wakers);
        drop(state);
        wakers.iter().for_each(wake);
        joined
    }

    /// Stops listening for this request; the last one that needs a socket closes it.
    pub(in crate::passive) fn leave(&self, request: &Request) {
        let mut state = self.lock();
        state.sessions.retain(|session| session.id != request.id);
        state.close_unused();
    }

    /// The next connection, if there is one. A session may get several, and goes on listening.
    pub(in crate::passive) fn accept(
        &self,
        request: &Request,
    ) -> io::Result<Option<IncomingConnection>> {
        let mut state = self.lock();
        if let Some((stream, address)) = state.take(request.id) {
            return Ok(Some(IncomingConnection::Own(stream, address)));
        }
        let Some((stream, address)) = state.accept()? else {
            return Ok(None);
        };
        let requester = &request.requester;
        // Whose the connection of a balancer is, its header says.
        if needs_header(&requester.balancers, address.ip())
            || requester.allowed_peers.judge(address.ip()) == PeerVerdict::Client
        {
            return Ok(Some(IncomingConnection::Own(stream, address)));
        }
        let Some(waker) = state.hand_over(stream, address) else {
            return Ok(Some(IncomingConnection::Rejected(address)));
        };
        drop(state);
        wake(&waker);
        Ok(Some(IncomingConnection::HandedOver(address)))
    }

    /// The numbers of this session's sockets, for a poll; valid until it leaves. Those that only
    /// other sessions need may be closed earlier.
    pub(in crate::passive) fn socket_numbers(&self, request: &Request) -> Vec<RawFd> {
        let state = self.lock();
        let sockets = state.sockets.iter();
        let own = sockets.filter(|(address, _)| request.addresses.contains(*address));
        own.map(|(_, socket)| socket.as_raw_fd()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    /// The next connection that another session has accepted for this one.
    fn take(&mut self, id: u64) -> Option<(TcpStream, SocketAddr)> {
        let mut sessions = self.sessions.iter_mut();
        sessions
            .find(|session| session.id == id)?
            .handed_over
            .pop_front()
    }

    fn join(
        &mut self,
        request: &Request,
        listen: impl FnOnce() -> io::Result<TcpListener>,
        wakers: &mut Vec<Arc<Waker>>,
    ) -> io::Result<()> {
        while let Some((stream, from)) = self.accept()? {
            wakers.extend(self.hand_over(stream, from));
        }
        let opened = self.open(request, listen);
        if opened.is_ok() {
            self.sessions.push(ListeningSession {
                id: request.id,
                addresses: request.addresses,
                allowed_peers: request.requester.allowed_peers.clone(),
                waker: request.waker.clone(),
                handed_over: VecDeque::new(),
            });
        }
        self.close_unused();
        opened
    }

    /// Opens the sockets that this request needs.
    fn open(
        &mut self,
        request: &Request,
        listen: impl FnOnce() -> io::Result<TcpListener>,
    ) -> io::Result<()> {
        let local = request.local();
        if !self.is_open(local) {
            self.sockets.push((local, listen()?));
        }
        let Some(mut announced) = request.addresses.announced else {
            return Ok(());
        };
        if self.is_open(announced) {
            return Ok(());
        }
        let Some((_, socket)) = self.sockets.first() else {
            return Ok(());
        };
        announced.set_port(socket.local_addr()?.port());
        match socket::listen(announced, false) {
            Ok(socket) => {
                announced.set_port(0);
                self.sockets.push((announced, socket));
                Ok(())
            }
            // The address is gone since: no client can connect to it anyway.
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
                debug!("cannot listen on {announced}: {error}");
                Ok(())
            }
            // Other sessions listen at the first address, so that the port cannot be set aside.
            Err(error) if !self.sessions.is_empty() => {
                let text = format!("another program listens on {announced}: {error}");
                Err(io::Error::other(text))
            }
            Err(error) => Err(error),
        }
    }

    fn is_open(&self, address: SocketAddr) -> bool {
        self.sockets.iter().any(|(other, _)| *other == address)
    }

    /// Closes the sockets that no session needs.
    fn close_unused(&mut self) {
        let sessions = &self.sessions;
        self.sockets.retain(|(address, _)| {
            let mut sessions = sessions.iter();
            sessions.any(|session| session.addresses.contains(*address))
        });
    }

    /// The next connection to any of the sockets.
    fn accept(&self) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        for (_, socket) in &self.sockets {
            let accepted = accept_from(socket)?;
            if accepted.is_some() {
                return Ok(accepted);
            }
        }
        Ok(None)
    }

    /// Gives the connection to the session that allows its address, and returns that session's
    /// waker. A session that does not accept its connections gets a few and no more.
    fn hand_over(&mut self, stream: TcpStream, from: SocketAddr) -> Option<Arc<Waker>> {
        let mut sessions = self.sessions.iter_mut();
        let is_for = |session: &&mut ListeningSession| {
            session.allowed_peers.judge(from.ip()) == PeerVerdict::Client
        };
        let session = sessions.find(is_for)?;
        if session.handed_over.len() >= HANDED_OVER_MAX {
            return None;
        }
        session.handed_over.push_back((stream, from));
        Some(session.waker.clone())
    }
}

fn accept_from(socket: &TcpListener) -> io::Result<Option<(TcpStream, SocketAddr)>> {
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

/// Wakes the session that has got a connection.
fn wake(waker: &Arc<Waker>) {
    // Not fatal: the session also looks without being woken, at the latest when its timeout
    // expires.
    if let Err(error) = waker.wake() {
        debug!("cannot wake a session about its data connection: {error}");
    }
}

/// Connections that wait for their session outside the kernel's queue. A session that waits for its
/// client accepts them at once; one that does not must not use up descriptors.
const HANDED_OVER_MAX: usize = 4;
