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

use super::books::Applicant;
use super::expected::Expected;
use crate::sync::lock;

/// The socket of a port, open while somebody listens.
#[derive(Debug, Default)]
pub(super) struct SharedListener {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    socket: Option<TcpListener>,
    parties: Vec<Party>,
}

/// A session that listens, and its connection once another session has accepted it.
#[derive(Debug)]
struct Party {
    arrival: u64,
    expected: Expected,
    waker: Arc<Waker>,
    handed_over: Option<TcpStream>,
}

/// Who has connected to a passive port.
#[derive(Debug)]
pub(crate) enum IncomingConnection {
    /// The client that was expected.
    Expected(TcpStream),
    /// Another session's client: its connection has been handed over.
    Another(SocketAddr),
    /// Nobody's client: its connection has been closed.
    Stranger(SocketAddr),
}

impl SharedListener {
    /// Listens for the applicant too; the first one opens the socket with `listen`. Connections that are
    /// there already came before its client was told the port, so they are somebody else's, even where
    /// they come from its address: of an earlier session, say, that has turned to something else.
    pub(super) fn join(
        &self,
        applicant: &Applicant,
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
        state.parties.push(Party {
            arrival: applicant.arrival,
            expected: applicant.expected.clone(),
            waker: applicant.waker.clone(),
            handed_over: None,
        });
        drop(state);
        wakers.iter().for_each(wake);
        Ok(())
    }

    /// Listens no longer for the applicant; the last one closes the socket.
    pub(super) fn leave(&self, applicant: &Applicant) {
        let mut state = self.lock();
        state
            .parties
            .retain(|party| party.arrival != applicant.arrival);
        if state.parties.is_empty() {
            state.socket = None;
        }
    }

    /// The next visitor; `None` when nobody is there.
    pub(super) fn accept(&self, applicant: &Applicant) -> io::Result<Option<IncomingConnection>> {
        let mut state = self.lock();
        if let Some(stream) = state.take(applicant.arrival) {
            return Ok(Some(IncomingConnection::Expected(stream)));
        }
        let Some((stream, address)) = state.accept()? else {
            return Ok(None);
        };
        if applicant.expected.admits(address.ip()) {
            return Ok(Some(IncomingConnection::Expected(stream)));
        }
        let Some(waker) = state.hand_over(stream, address) else {
            return Ok(Some(IncomingConnection::Stranger(address)));
        };
        drop(state);
        wake(&waker);
        Ok(Some(IncomingConnection::Another(address)))
    }

    /// The socket's number, for a poll; valid until the applicant that asks leaves.
    pub(super) fn socket_number(&self) -> Option<RawFd> {
        self.lock().socket.as_ref().map(AsRawFd::as_raw_fd)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    /// What others have accepted for this session.
    fn take(&mut self, arrival: u64) -> Option<TcpStream> {
        let mut parties = self.parties.iter_mut();
        parties
            .find(|party| party.arrival == arrival)?
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
        let mut parties = self.parties.iter_mut();
        let party = parties.find(|party| party.expected.admits(from.ip()))?;
        if party.handed_over.is_some() {
            return None;
        }
        party.handed_over = Some(stream);
        Some(party.waker.clone())
    }
}

/// Calls the session whose connection has been handed over.
fn wake(waker: &Arc<Waker>) {
    // Not fatal: the session also looks by itself, when its client's time is over at the latest.
    if let Err(error) = waker.wake() {
        debug!("cannot wake a session about its data connection: {error}");
    }
}
