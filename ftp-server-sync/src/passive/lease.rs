//! What a session gets for its request: the right to bind a port, or a place in the queue for one.

use std::io;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::warn;

use super::pool::SharedState;
use super::ports::LeaseEnd;
use super::request::{Grant, Request};

/// The right to listen on one port, alone or together with others. Dropping it releases the port.
#[derive(Debug)]
#[must_use = "dropping it releases the port"]
pub(crate) struct Lease {
    pub(super) shared: Arc<SharedState>,
    pub(super) request: Request,
    pub(super) grant: Grant,
    pub(super) end: LeaseEnd,
}

/// A place in the queue for a port. Dropping it leaves the queue.
#[derive(Debug)]
#[must_use = "dropping it leaves the queue"]
pub(crate) struct Ticket {
    shared: Arc<SharedState>,
    pub(super) request: Request,
    served: bool,
}

/// The outcome of a request for a port.
#[derive(Debug)]
#[must_use = "dropping it releases the port, or leaves the queue"]
pub(crate) enum RequestOutcome {
    /// The session may listen on the port.
    Granted(Lease),
    /// No port is available: the ticket's waker is called when one is assigned to it.
    Queued(Ticket),
}

impl RequestOutcome {
    pub(super) fn new(shared: &Arc<SharedState>, request: Request, grant: Option<Grant>) -> Self {
        match grant {
            Some(grant) => Self::Granted(Lease::new(shared.clone(), request, grant)),
            None => Self::Queued(Ticket::new(shared.clone(), request)),
        }
    }
}

impl Lease {
    fn new(shared: Arc<SharedState>, request: Request, grant: Grant) -> Self {
        Self {
            shared,
            request,
            grant,
            end: LeaseEnd::NotAnnounced,
        }
    }

    /// Asks again, because the range has changed.
    pub(super) fn exchange(self, now: Instant) -> RequestOutcome {
        let (shared, mut request, old) = self.into_parts();
        let grant = shared.update(now, |state| state.exchange(&mut request, old, now));
        RequestOutcome::new(&shared, request, grant)
    }

    /// Asks again, because another program uses the port.
    pub(super) fn set_aside(self, port: u16, error: &io::Error, now: Instant) -> RequestOutcome {
        let (shared, mut request, _) = self.into_parts();
        let (is_news, next) = shared.update(now, |state| {
            let is_news = state.set_aside(&request, port, now + RETRY_AFTER);
            (is_news, state.request(&mut request, now))
        });
        if is_news {
            let address = request.local.ip();
            let pause = RETRY_AFTER.as_secs();
            warn!(
                "passive port {port} of {address} is in use by another program ({error}): \
                 it is tried again every {pause} s"
            );
        }
        RequestOutcome::new(&shared, request, next)
    }

    /// Ends the lease without releasing its port.
    fn into_parts(mut self) -> (Arc<SharedState>, Request, Grant) {
        let grant = mem::replace(&mut self.grant, Grant::Any);
        (self.shared.clone(), self.request.clone(), grant)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Grant::Port(port) = self.grant {
            self.shared.update(Instant::now(), |state| {
                state.end_lease(&self.request, port, self.end);
            });
        }
    }
}

impl Ticket {
    fn new(shared: Arc<SharedState>, request: Request) -> Self {
        Self {
            shared,
            request,
            served: false,
        }
    }

    /// The lease, once a port is assigned to this ticket; each ticket is served once. Ports of
    /// other programs are also retried here, so a session should call this every second or so
    /// even when its waker was not called.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Lease> {
        if self.served {
            return None;
        }
        let grant = self
            .shared
            .update(now, |state| state.take(&self.request, now))?;
        self.served = true;
        let (shared, request) = (self.shared.clone(), self.request.clone());
        Some(Lease::new(shared, request, grant))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.served {
            let now = Instant::now();
            self.shared
                .update(now, |state| state.leave(&self.request, now));
        }
    }
}

/// How long a port that another program uses is set aside before it is tried again.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(10);
