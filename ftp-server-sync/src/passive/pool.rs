//! The pool: where a session asks for a listener.

mod lock;
mod state;
mod waits;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use mio::Waker;

use super::addresses::ListenAddresses;
use super::lease::{RequestOutcome, Ticket};
use super::listener::{BindError, PassiveListener};
use super::request::Request;
use super::sharing::Requester;
use crate::net::port_range::PortRange;

pub(super) use lock::SharedState;
pub(crate) use state::PortDemand;
#[cfg(test)]
pub(super) use state::{PoolState, Usage};

/// The ports that passive listeners may use, shared by all sessions. Cloning shares them.
///
/// The key of a port is (local address, port): each local address has the whole range to itself,
/// unless clients of one address are sent to another ([`ListenAddresses`]).
/// When no port is free, clients that are far apart share one, since the address of a connection
/// shows which session it is for; neighbours take turns ([`can_share_port`]). The range may change
/// at any time; a port that has been announced by then stays open.
///
/// [`can_share_port`]: super::sharing::can_share_port
#[derive(Clone, Debug)]
pub(crate) struct PassivePool {
    pub(super) shared: Arc<SharedState>,
}

/// The outcome of a request for a listener.
#[derive(Debug)]
#[must_use = "dropping it closes the listener, or leaves the queue"]
pub(crate) enum OpenOutcome {
    /// A listener whose port may be announced.
    Opened(PassiveListener),
    /// No port is available; call [`Ticket::open`] when the waker was called, and every second or
    /// so.
    Queued(Ticket),
}

impl PassivePool {
    /// A pool of the ports of this range. Without a range each session listens on a port of its
    /// own, and no request ever waits.
    pub(crate) fn new(range: Option<PortRange>) -> Self {
        Self {
            shared: SharedState::new(range).into(),
        }
    }

    /// From now on grants ports of this range only; without a range, sessions listen on any port. A
    /// listener stays open; when it closes, its port is free again if the range in force by then
    /// contains it. A port that was granted and is not bound yet is exchanged when it is bound.
    /// Requests in the queue keep their places, and get the free ports of the new range at once.
    pub(crate) fn set_range(&self, range: Option<PortRange>, now: Instant) {
        self.shared.update(now, |state| state.set_range(range, now));
    }

    /// From now on grants no port of these, and again those that were left out before. A listener
    /// stays open.
    pub(crate) fn set_left_out(&self, left_out: BTreeSet<u16>, now: Instant) {
        self.shared
            .update(now, |state| state.set_left_out(left_out.into(), now));
    }

    #[cfg(test)]
    /// The range that is in force.
    pub(crate) fn range(&self) -> Option<PortRange> {
        self.shared.read(PoolState::range)
    }

    /// Asks for a port to listen on at these addresses: usually the control connection's own (its
    /// port is ignored, the scope of a link-local address is not). Never blocks. The waker is
    /// called when a ticket is assigned a port, when other requests begin to wait for the port of a
    /// lease, and when another session has accepted this session's connection.
    pub(super) fn request(
        &self,
        addresses: impl Into<ListenAddresses>,
        requester: Requester,
        waker: Arc<Waker>,
        now: Instant,
    ) -> RequestOutcome {
        let (request, answer) = self.shared.update(now, |state| {
            let id = state.next_id();
            let mut request = Request::new(addresses, requester, waker, id, now);
            let answer = state.request(&mut request, now);
            (request, answer)
        });
        RequestOutcome::new(&self.shared, request, answer)
    }

    /// Asks for a port and binds it; tries other ports while another program uses the one it got.
    ///
    /// # Errors
    ///
    /// The system's error when another port would not help, as for an address that this machine has
    /// not.
    pub(crate) fn open(
        &self,
        addresses: impl Into<ListenAddresses>,
        requester: Requester,
        waker: Arc<Waker>,
        now: Instant,
    ) -> io::Result<OpenOutcome> {
        let outcome = self.request(addresses, requester, waker, now);
        bind_first(&self.shared, outcome, now)
    }

    /// For a session to hold until its end: then the ports that it gave up are available to all.
    pub(crate) fn end_guard(&self, session: u64) -> EndGuard {
        EndGuard {
            shared: self.shared.clone(),
            session,
        }
    }

    /// How many ports clients are sent to now, and how many requests wait for one.
    pub(crate) fn demand(&self) -> PortDemand {
        self.shared.read(|state| state.demand())
    }

    #[cfg(test)]
    /// How many ports there are, how many are in use, and how many requests wait.
    pub(crate) fn usage(&self) -> Usage {
        self.shared.read(PoolState::usage)
    }
}

/// Drop it when the session ends.
#[derive(Debug)]
#[must_use = "the session ends when it is dropped"]
pub(crate) struct EndGuard {
    shared: Arc<SharedState>,
    session: u64,
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        let now = Instant::now();
        self.shared.update(now, |state| state.forget(self.session));
    }
}

impl Ticket {
    /// Takes the port that is assigned to this ticket and binds it. As long as none is assigned,
    /// [`OpenOutcome::Queued`] returns the ticket.
    ///
    /// # Errors
    ///
    /// As for [`PassivePool::open`].
    pub(crate) fn open(self, now: Instant) -> io::Result<OpenOutcome> {
        let shared = self.shared.clone();
        bind_first(&shared, self.take(now), now)
    }
}

/// Binds the first port that no other program uses. Each round sets one port aside for a while, or
/// follows a change of the range: there are about as many rounds as ports, and the loop always
/// ends.
fn bind_first(
    shared: &Arc<SharedState>,
    mut outcome: RequestOutcome,
    now: Instant,
) -> io::Result<OpenOutcome> {
    for _ in 0..=u16::MAX {
        outcome = match outcome {
            RequestOutcome::Queued(ticket) => return Ok(OpenOutcome::Queued(ticket)),
            RequestOutcome::Granted(lease) => match lease.bind(now) {
                Ok(listener) => return Ok(OpenOutcome::Opened(listener)),
                Err(BindError::Failed(error)) => return Err(error),
                Err(BindError::InUse(outcome) | BindError::Withdrawn(outcome)) => *outcome,
            },
            RequestOutcome::NoRange(request) => {
                let listener = PassiveListener::without_lease(request.clone(), now)?;
                if shared.read(|state| state.range().is_none()) {
                    return Ok(OpenOutcome::Opened(listener));
                }
                // There is a range now. Its port is not announced, so that it can be closed.
                RequestOutcome::again(shared, request, now)
            }
        };
    }
    Err(io::ErrorKind::AddrInUse.into())
}
