//! What a client holds: the right to bind a port, or a place in the queue for one.

use std::error::Error;
use std::fmt;
use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use log::{info, warn};
use mio::net::TcpListener;

use super::ephemeral;
use super::listener::PassiveListener;
use super::pool::{OpenOutcome, PassivePool, RequestOutcome};
use super::pool_state::{BoundPort, Grant, LeaseEnd, Request};
use super::shared_listener::SharedListener;
use crate::net::socket::listen;

/// The right to listen on one port, alone or beside others, given back on drop.
#[derive(Debug)]
#[must_use = "dropping it gives the port back"]
pub(crate) struct Lease {
    pub(super) pool: Arc<PassivePool>,
    pub(super) request: Request,
    pub(super) grant: Grant,
    pub(super) end: LeaseEnd,
}

/// A place in the queue for a port, left on drop.
#[derive(Debug)]
#[must_use = "dropping it leaves the queue"]
pub(crate) struct Ticket {
    pool: Arc<PassivePool>,
    pub(super) request: Request,
    served: bool,
}

/// Why a lease did not become a listener.
#[derive(Debug)]
pub(crate) enum BindError {
    /// Another program holds the port. The pool has set it aside for a while and has asked again
    /// for this client, at its old place in the queue: here is what came of that.
    InUse(Box<RequestOutcome>),
    /// The range has changed since the port was granted. The pool has asked again for this client, at
    /// its old place in the queue: here is what came of that.
    Withdrawn(Box<RequestOutcome>),
    /// It is not the port's fault: another one would not help.
    Failed(io::Error),
}

impl Lease {
    pub(super) fn new(pool: Arc<PassivePool>, request: Request, grant: Grant) -> Self {
        Self {
            pool,
            request,
            grant,
            end: LeaseEnd::NotAnnounced,
        }
    }

    /// Listens on the port. The listener's time runs from `now`, when it is announced.
    ///
    /// # Errors
    ///
    /// [`BindError::InUse`] when another program has the port, [`BindError::Withdrawn`] when the range
    /// has changed, else [`BindError::Failed`].
    pub(crate) fn bind(self, now: Instant) -> Result<PassiveListener, BindError> {
        let pool = self.pool.clone();
        let mut address = self.request.local;
        self.bind_with(now, |grant| match grant {
            Grant::Port(port) => {
                address.set_port(port);
                listen(address, false).map(|socket| (socket, port))
            }
            Grant::Any => ephemeral::listen_anywhere(address, pool.ephemeral).and_then(with_port),
        })
    }

    /// The same with a socket, and the number of its port, from elsewhere.
    pub(super) fn bind_with(
        self,
        now: Instant,
        open: impl FnOnce(Grant) -> io::Result<(TcpListener, u16)>,
    ) -> Result<PassiveListener, BindError> {
        let Some(listener) = self.listener() else {
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
            (Ok(()), _) => self.settle(listener, port, now),
            (Err(error), Grant::Port(port)) if is_in_use(&error) => {
                Err(BindError::InUse(self.ask_again(port, &error, now).into()))
            }
            (Err(error), _) => Err(BindError::Failed(error)),
        }
    }

    /// The socket to listen with; None if the range has changed, and nobody may.
    fn listener(&self) -> Option<Arc<SharedListener>> {
        self.pool
            .read(|state| state.listener(&self.request, self.grant))
    }

    /// Notes that the port is open.
    fn settle(
        mut self,
        listener: Arc<SharedListener>,
        port: u16,
        now: Instant,
    ) -> Result<PassiveListener, BindError> {
        let Some(must_yield) = self.note_bound(&listener, port, now) else {
            // Closed before we ask again: the port may have another owner by now.
            listener.leave(&self.request);
            return Err(BindError::Withdrawn(self.exchange(now).into()));
        };
        self.grant = Grant::Port(port);
        self.end = LeaseEnd::NotConnected;
        Ok(PassiveListener::new(listener, self, port, now, must_yield))
    }

    /// None if the range has changed, and nobody may listen there.
    fn note_bound(
        &self,
        listener: &Arc<SharedListener>,
        port: u16,
        now: Instant,
    ) -> Option<Arc<AtomicBool>> {
        let BoundPort {
            must_yield,
            was_in_use,
        } = self.pool.update(now, |state| {
            state.bound(&self.request, self.grant, port, listener, now)
        })?;
        if was_in_use {
            let address = self.request.local.ip();
            info!("passive port {port} of {address} is free again");
        }
        Some(must_yield)
    }

    fn exchange(self, now: Instant) -> RequestOutcome {
        let (pool, mut request, old) = self.dissolve();
        let grant = pool.update(now, |state| state.exchange(&mut request, old, now));
        pool.answer(request, grant)
    }

    fn ask_again(self, port: u16, error: &io::Error, now: Instant) -> RequestOutcome {
        let (pool, mut request, _) = self.dissolve();
        let (is_news, next) = pool.update(now, |state| {
            let is_news = state.set_aside(&request, port, now + RETRY_AFTER);
            (is_news, state.request(&mut request, now))
        });
        if is_news {
            let address = request.local.ip();
            let pause = RETRY_AFTER.as_secs();
            warn!(
                "passive port {port} of {address} is held by another program ({error}); \
                 it will be tried again every {pause} s"
            );
        }
        pool.answer(request, next)
    }

    /// Ends the lease without giving anything back.
    fn dissolve(mut self) -> (Arc<PassivePool>, Request, Grant) {
        let grant = mem::replace(&mut self.grant, Grant::Any);
        (self.pool.clone(), self.request.clone(), grant)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Grant::Port(port) = self.grant {
            self.pool.update(Instant::now(), |state| {
                state.end_lease(&self.request, port, self.end);
            });
        }
    }
}

impl Ticket {
    pub(super) fn new(pool: Arc<PassivePool>, request: Request) -> Self {
        Self {
            pool,
            request,
            served: false,
        }
    }

    /// The lease, if it is this ticket's turn. Also tries blocked ports whose time is over, so it
    /// should be called now and then even when the waker was not. A ticket is served once.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Lease> {
        if self.served {
            return None;
        }
        let grant = self
            .pool
            .update(now, |state| state.take(&self.request, now))?;
        self.served = true;
        let (pool, request) = (self.pool.clone(), self.request.clone());
        Some(Lease::new(pool, request, grant))
    }

    /// Takes the port and binds it; not yet this ticket's turn: [`OpenOutcome::Queued`] gives it back.
    ///
    /// # Errors
    ///
    /// As for [`PassivePool::open`].
    pub(crate) fn open(mut self, now: Instant) -> io::Result<OpenOutcome> {
        match self.take(now) {
            Some(lease) => self.pool.bind_first(RequestOutcome::Granted(lease), now),
            None => Ok(OpenOutcome::Queued(self)),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.served {
            let now = Instant::now();
            self.pool
                .update(now, |state| state.leave(&self.request, now));
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(_) => f.write_str("the port is held by another program"),
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

/// How long a port that another program holds is left alone.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(10);
