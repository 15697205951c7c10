//! What a session gets for its request: the right to bind a port, or a place in the queue for one.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::warn;

use super::pool::SharedState;
use super::ports::LeaseEnd;
use super::request::{Answer, Request};
use crate::logging::system_text::SystemText;

/// The right to listen on one port, alone or together with others. Dropping it releases the port.
#[derive(Debug)]
#[must_use = "dropping it releases the port"]
pub(crate) struct Lease {
    pub(super) shared: Arc<SharedState>,
    pub(super) request: Request,
    pub(super) port: u16,
    /// How it ends when it is dropped; `None` until the port is announced.
    pub(super) end: Option<LeaseEnd>,
    /// When it ends, if not when it is dropped.
    pub(super) ends_at: Option<Instant>,
    /// Nothing is to be released any more.
    has_ended: bool,
}

/// A place in the queue for a port. Dropping it leaves the queue.
#[derive(Debug)]
#[must_use = "dropping it leaves the queue"]
pub(crate) struct Ticket {
    pub(super) shared: Arc<SharedState>,
    pub(super) request: Request,
    has_left: bool,
}

/// The outcome of a request for a port.
#[derive(Debug)]
#[must_use = "dropping it releases the port, or leaves the queue"]
pub(crate) enum RequestOutcome {
    /// The session may listen on the port.
    Granted(Lease),
    /// No port is available: the ticket's waker is called when one is assigned to it.
    Queued(Ticket),
    /// There is no range of ports: the session listens on a port of its own.
    NoRange(Request),
}

impl RequestOutcome {
    pub(super) fn new(shared: &Arc<SharedState>, request: Request, answer: Answer) -> Self {
        let shared = shared.clone();
        match answer {
            Answer::Granted(port) => Self::Granted(Lease {
                shared,
                request,
                port,
                end: None,
                ends_at: None,
                has_ended: false,
            }),
            Answer::Queued => Self::Queued(Ticket {
                shared,
                request,
                has_left: false,
            }),
            Answer::NoRange => Self::NoRange(request),
        }
    }

    /// The request asks again, at its old place in the queue.
    pub(super) fn again(shared: &Arc<SharedState>, mut request: Request, now: Instant) -> Self {
        let answer = shared.update(now, |state| state.request(&mut request, now));
        Self::new(shared, request, answer)
    }
}

impl Lease {
    /// Asks again, because the range has changed.
    pub(super) fn exchange(self, now: Instant) -> RequestOutcome {
        let (shared, mut request, port) = self.into_parts();
        let answer = shared.update(now, |state| state.exchange(&mut request, port, now));
        RequestOutcome::new(&shared, request, answer)
    }

    /// Asks again, because another program uses the port.
    pub(super) fn set_aside(self, error: &io::Error, now: Instant) -> RequestOutcome {
        let (shared, mut request, port) = self.into_parts();
        let (is_news, answer) = shared.update(now, |state| {
            let is_news = state.set_aside(&request, port, now + RETRY_AFTER);
            (is_news, state.request(&mut request, now))
        });
        if is_news {
            let address = request.local().ip();
            let pause = RETRY_AFTER.as_secs();
            warn!(
                "passive port {port} of {address} is in use by another program ({}): \
                 it is tried again every {pause} s",
                SystemText(error)
            );
        }
        RequestOutcome::new(&shared, request, answer)
    }

    /// Ends the lease without releasing its port.
    fn into_parts(mut self) -> (Arc<SharedState>, Request, u16) {
        self.has_ended = true;
        (self.shared.clone(), self.request.clone(), self.port)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.has_ended {
            let now = self.ends_at.unwrap_or_else(Instant::now);
            self.shared.update(now, |state| {
                state.end_lease(&self.request, self.port, self.end, now);
            });
        }
    }
}

impl Ticket {
    /// The lease, once a port is assigned to this ticket; until then, the ticket again. Here the
    /// pool also finds out that time has passed: ports of other programs are tried again, and ports
    /// that were kept out are available again. So a session should call this every second or so
    /// even when its waker was not called.
    pub(super) fn take(mut self, now: Instant) -> RequestOutcome {
        let answer = self
            .shared
            .update(now, |state| state.take(&self.request, now));
        if answer == Answer::Queued {
            return RequestOutcome::Queued(self);
        }
        self.has_left = true;
        RequestOutcome::new(&self.shared, self.request.clone(), answer)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.has_left {
            let now = Instant::now();
            self.shared
                .update(now, |state| state.leave(&self.request, now));
        }
    }
}

/// How long a port that another program uses is set aside before it is tried again.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(10);
