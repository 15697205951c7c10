//! One session's place at a listening socket, with the lease of its port.

mod shared;

use std::error::Error;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ftp_proto::PeerVerdict;
use log::info;
use mio::event::Source;
use mio::net::TcpListener;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::ephemeral;
use super::lease::{Lease, RequestOutcome};
use super::ports::{BoundPort, LeaseEnd};
use super::request::Request;
use crate::logging::system_text::SystemText;
use crate::net::proxy_header::needs_header;
use crate::net::socket::listen;

pub(crate) use shared::IncomingConnection;
pub(super) use shared::SharedListener;

/// One session's place at a listening socket, which other sessions may share, and the lease of its
/// port.
#[derive(Debug)]
pub(crate) struct PassiveListener {
    registrations: Vec<Registration>,
    listener: Arc<SharedListener>,
    right: Right,
    port: u16,
    pub(super) announced: Instant,
    must_yield: Arc<AtomicBool>,
}

/// By what right a session listens.
#[derive(Debug)]
enum Right {
    Lease(Lease),
    /// Without a range of ports none is needed: the session is alone at its socket.
    NoRange(Request),
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
        let mut address = self.request.local();
        address.set_port(self.port);
        self.bind_with(now, || listen(address, false))
    }

    /// The same, but `open` makes the socket.
    pub(super) fn bind_with(
        self,
        now: Instant,
        open: impl FnOnce() -> io::Result<TcpListener>,
    ) -> Result<PassiveListener, BindError> {
        let Some(listener) = self.shared_listener() else {
            return Err(BindError::Withdrawn(self.exchange(now).into()));
        };
        match listener.join(&self.request, open) {
            Ok(()) => self.into_listener(listener, now),
            Err(error) if is_in_use(&error) => {
                Err(BindError::InUse(self.set_aside(&error, now).into()))
            }
            Err(error) => Err(BindError::Failed(error)),
        }
    }

    /// The socket to listen with; `None` if the range has changed, so that the port may not be
    /// bound.
    fn shared_listener(&self) -> Option<Arc<SharedListener>> {
        self.shared
            .read(|state| state.listener(&self.request, self.port))
    }

    /// The port is open.
    fn into_listener(
        mut self,
        listener: Arc<SharedListener>,
        now: Instant,
    ) -> Result<PassiveListener, BindError> {
        let Some(must_yield) = self.record_bound(now) else {
            // Closed before we ask again: the port may have another owner by now.
            listener.leave(&self.request);
            return Err(BindError::Withdrawn(self.exchange(now).into()));
        };
        self.end = Some(LeaseEnd::NotConnected);
        Ok(PassiveListener {
            registrations: Vec::new(),
            listener,
            port: self.port,
            right: Right::Lease(self),
            announced: now,
            must_yield,
        })
    }

    /// `None` if the range has changed, so that this session may not listen there.
    fn record_bound(&self, now: Instant) -> Option<Arc<AtomicBool>> {
        let BoundPort {
            must_yield,
            was_in_use,
        } = self
            .shared
            .update(now, |state| state.bound(&self.request, self.port, now))?;
        if was_in_use {
            let (port, address) = (self.port, self.request.local().ip());
            info!("passive port {port} of {address} is free again");
        }
        Some(must_yield)
    }
}

impl PassiveListener {
    /// A listener of the session's own, on a port that the pool does not know.
    ///
    /// # Errors
    ///
    /// The system's error when another port would not help.
    pub(super) fn without_lease(request: Request, now: Instant) -> io::Result<Self> {
        let listener: Arc<SharedListener> = Arc::default();
        let mut port = 0;
        let mut join = || {
            listener.join(&request, || {
                let (socket, number) = ephemeral::listen_anywhere(request.local())?;
                port = number;
                Ok(socket)
            })
        };
        // The port may be in use at the session's other address.
        let mut joined = join();
        for _ in 0..OTHER_PORTS_TRIED {
            match &joined {
                Err(error) if is_in_use(error) => joined = join(),
                _ => break,
            }
        }
        joined?;
        Ok(Self {
            registrations: Vec::new(),
            listener,
            right: Right::NoRange(request),
            port,
            announced: now,
            must_yield: Arc::default(),
        })
    }

    /// The next connection to the port, if there is one: this session's own, also when another
    /// session has accepted it, or that of another client. The session goes on listening after its
    /// first connection, and gets all further ones.
    ///
    /// # Errors
    ///
    /// The system's error from accepting a connection.
    pub(crate) fn accept(&mut self) -> io::Result<Option<IncomingConnection>> {
        self.listener.accept(self.right.request())
    }

    /// Whether a connection of a client at this address is this session's own.
    pub(crate) fn is_own(&self, address: IpAddr) -> bool {
        let allowed = &self.right.request().requester.allowed_peers;
        allowed.judge(address) == PeerVerdict::Client
    }

    /// Whether connections from this address begin with a PROXY header.
    pub(crate) fn needs_header(&self, address: IpAddr) -> bool {
        needs_header(&self.right.request().requester.balancers, address)
    }

    /// Registers the sockets, so that the poll reports connections; one that another session has
    /// accepted is reported by the waker instead. Call [`accept`](Self::accept) until it
    /// returns `None` both before and after this.
    ///
    /// # Errors
    ///
    /// The system's error from registering the socket.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        if !self.registrations.is_empty() {
            return Ok(());
        }
        for socket in self.listener.socket_numbers(self.right.request()) {
            let registration = Registration {
                registry: registry.try_clone()?,
                socket,
            };
            // mio ties its own sources to one poll, and there is a poll for each session.
            SourceFd(&socket).register(registry, token, Interest::READABLE)?;
            self.registrations.push(registration);
        }
        Ok(())
    }

    /// The port that it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Stops listening for this session. The socket stays open while other sessions listen on it.
    /// Dropping the listener is [`LeaseEnd::NotConnected`].
    pub(crate) fn close(self, end: LeaseEnd) {
        self.close_at(end, Instant::now());
    }

    pub(super) fn close_at(mut self, end: LeaseEnd, now: Instant) {
        if let Right::Lease(lease) = &mut self.right {
            lease.end = Some(end);
            lease.ends_at = Some(now);
        }
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

impl Right {
    fn request(&self) -> &Request {
        match self {
            Self::Lease(lease) => &lease.request,
            Self::NoRange(request) => request,
        }
    }
}

/// The order matters: first the poll forgets the socket, then the socket is closed, then the lease
/// ends. The port must be closed before another session may have it for itself.
impl Drop for PassiveListener {
    fn drop(&mut self) {
        self.registrations.clear();
        self.listener.leave(self.right.request());
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
            Self::Failed(error) => write!(f, "cannot listen: {}", SystemText(error)),
        }
    }
}

impl Error for BindError {}

fn is_in_use(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
    )
}

/// Ports that are tried after the first where a session listens on two addresses without a range.
const OTHER_PORTS_TRIED: u32 = 16;

/// How long a listener may wait for its client while other requests wait for its port.
const YIELD_AFTER: Duration = Duration::from_secs(5);

#[cfg(test)]
impl PassiveListener {
    pub(super) fn request(&self) -> &Request {
        self.right.request()
    }
}
