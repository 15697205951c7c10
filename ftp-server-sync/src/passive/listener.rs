//! A lease with its open port: one session's place at a listening socket.

use std::error::Error;
use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use log::info;
use mio::event::Source;
use mio::net::TcpListener;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::ephemeral;
use super::lease::{Lease, RequestOutcome};
use super::ports::{BoundPort, LeaseEnd};
use super::request::Grant;
use super::shared_listener::{IncomingConnection, SharedListener};
use crate::net::socket::listen;

/// One session's place at a listening socket, which other sessions may share, and the lease of its
/// port.
#[derive(Debug)]
pub(crate) struct PassiveListener {
    registration: Option<Registration>,
    listener: Arc<SharedListener>,
    pub(super) lease: Lease,
    port: u16,
    pub(super) announced: Instant,
    must_yield: Arc<AtomicBool>,
}

/// The socket's registration with one session's poll. It must end explicitly: the socket stays open
/// for the other sessions.
#[derive(Debug)]
struct Registration {
    registry: Registry,
    socket: RawFd,
}

/// Why a lease did not become a listener.
#[derive(Debug)]
pub(crate) enum BindError {
    /// Another program uses the port. The pool has set the port aside for a while and has repeated
    /// the request, at its old place in the queue, with this outcome.
    InUse(Box<RequestOutcome>),
    /// The range has changed since the port was granted. The pool has repeated the request, at its
    /// old place in the queue, with this outcome.
    Withdrawn(Box<RequestOutcome>),
    /// Another port would not help.
    Failed(io::Error),
}

impl Lease {
    /// Listens on the port. `now` counts as the time when the port is announced.
    ///
    /// # Errors
    ///
    /// [`BindError::InUse`] when another program uses the port, [`BindError::Withdrawn`] when the
    /// range has changed, else [`BindError::Failed`].
    pub(crate) fn bind(self, now: Instant) -> Result<PassiveListener, BindError> {
        let range = self.shared.ephemeral;
        let mut address = self.request.local;
        self.bind_with(now, |grant| match grant {
            Grant::Port(port) => {
                address.set_port(port);
                listen(address, false).map(|socket| (socket, port))
            }
            Grant::Any => ephemeral::listen_anywhere(address, range).and_then(with_port),
        })
    }

    /// The same, but `open` makes the socket and returns it with its port.
    pub(super) fn bind_with(
        self,
        now: Instant,
        open: impl FnOnce(Grant) -> io::Result<(TcpListener, u16)>,
    ) -> Result<PassiveListener, BindError> {
        let Some(listener) = self.shared_listener() else {
            return Err(BindError::Withdrawn(self.exchange(now).into()));
        };
        let mut port = match self.grant {
            Grant::Port(port) => port,
            Grant::Any => 0,
        };
        let joined = listener.join(&self.request, || {
            let (socket, bound) = open(self.grant)?;
            port = bound;
            Ok(socket)
        });
        match (joined, self.grant) {
            (Ok(()), _) => self.into_listener(listener, port, now),
            (Err(error), Grant::Port(port)) if is_in_use(&error) => {
                Err(BindError::InUse(self.set_aside(port, &error, now).into()))
            }
            (Err(error), _) => Err(BindError::Failed(error)),
        }
    }

    /// The socket to listen with; `None` if the range has changed, so that the port may not be
    /// bound.
    fn shared_listener(&self) -> Option<Arc<SharedListener>> {
        self.shared
            .read(|state| state.listener(&self.request, self.grant))
    }

    /// The port is open.
    fn into_listener(
        mut self,
        listener: Arc<SharedListener>,
        port: u16,
        now: Instant,
    ) -> Result<PassiveListener, BindError> {
        let Some(must_yield) = self.record_bound(&listener, port, now) else {
            // Closed before we ask again: the port may have another owner by now.
            listener.leave(&self.request);
            return Err(BindError::Withdrawn(self.exchange(now).into()));
        };
        self.grant = Grant::Port(port);
        self.end = LeaseEnd::NotConnected;
        Ok(PassiveListener::new(listener, self, port, now, must_yield))
    }

    /// `None` if the range has changed, so that this session may not listen there.
    fn record_bound(
        &self,
        listener: &Arc<SharedListener>,
        port: u16,
        now: Instant,
    ) -> Option<Arc<AtomicBool>> {
        let BoundPort {
            must_yield,
            was_in_use,
        } = self.shared.update(now, |state| {
            state.bound(&self.request, self.grant, port, listener, now)
        })?;
        if was_in_use {
            let address = self.request.local.ip();
            info!("passive port {port} of {address} is free again");
        }
        Some(must_yield)
    }
}

impl PassiveListener {
    fn new(
        listener: Arc<SharedListener>,
        lease: Lease,
        port: u16,
        announced: Instant,
        must_yield: Arc<AtomicBool>,
    ) -> Self {
        Self {
            registration: None,
            listener,
            lease,
            port,
            announced,
            must_yield,
        }
    }

    /// The next connection to the port, if there is one: this session's own, also when another
    /// session has accepted it, or that of another client.
    ///
    /// # Errors
    ///
    /// The system's error from accepting a connection.
    pub(crate) fn accept(&mut self) -> io::Result<Option<IncomingConnection>> {
        self.listener.accept(&self.lease.request)
    }

    /// Registers the socket, so that the poll reports connections; one that another session has
    /// accepted is reported by the waker instead. Call [`accept`](Self::accept) until it
    /// returns `None` both before and after this.
    ///
    /// # Errors
    ///
    /// The system's error from registering the socket.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        if self.registration.is_none()
            && let Some(socket) = self.listener.socket_number()
        {
            let registration = Registration {
                registry: registry.try_clone()?,
                socket,
            };
            // mio ties its own sources to one poll, and there is a poll for each session.
            SourceFd(&socket).register(registry, token, Interest::READABLE)?;
            self.registration = Some(registration);
        }
        Ok(())
    }

    /// The port that it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Closes the listener; the socket stays open while other sessions listen on it.
    pub(crate) fn close(mut self, end: LeaseEnd) {
        self.lease.end = end;
    }

    /// When to stop waiting for the client, because other requests wait for a port and this
    /// listener is in their way; `None` while it is not.
    ///
    /// The session's waker is called when this changes from `None` to a time. When that time has
    /// come, ask again before closing the listener: the other requests may have been served
    /// meanwhile.
    pub(crate) fn yield_deadline(&self) -> Option<Instant> {
        let must_yield = self.must_yield.load(Ordering::SeqCst);
        must_yield.then_some(self.announced + YIELD_AFTER)
    }
}

/// The order matters: first the poll forgets the socket, then the socket is closed, then the lease
/// ends. The port must be closed before another session may have it for itself.
impl Drop for PassiveListener {
    fn drop(&mut self) {
        self.registration = None;
        self.listener.leave(&self.lease.request);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Only fails for a socket that was not registered.
        let _ = SourceFd(&self.socket).deregister(&self.registry);
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(_) => f.write_str("the port is in use by another program"),
            Self::Withdrawn(_) => f.write_str("the range of passive ports has changed"),
            Self::Failed(error) => write!(f, "cannot listen: {error}"),
        }
    }
}

impl Error for BindError {}

fn with_port(listener: TcpListener) -> io::Result<(TcpListener, u16)> {
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

fn is_in_use(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
    )
}

/// How long a listener may wait for its client while other requests wait for its port.
const YIELD_AFTER: Duration = Duration::from_secs(5);
