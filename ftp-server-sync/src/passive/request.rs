//! A session's request for a port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use mio::Waker;

use super::addresses::ListenAddresses;
use super::sharing::Requester;

/// A request for a port. It keeps its id, and so its place in the queue, when it is tried again.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Which range of ports it is about: usually the local address.
    pub(super) key: SocketAddr,
    pub(super) addresses: ListenAddresses,
    pub(super) requester: Requester,
    pub(super) waker: Arc<Waker>,
    /// Later requests have larger ids.
    pub(super) id: u64,
    pub(super) since: Instant,
    /// Whether it has been in the queue.
    pub(super) waited: bool,
}

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The request owns this port now, alone or together with others.
    Granted(u16),
    /// The request is in the queue.
    Queued,
    /// There is no range: the session listens on a port that the pool does not know.
    NoRange,
}

impl Request {
    /// The address that the client connected to.
    pub(super) fn local(&self) -> SocketAddr {
        self.addresses.local
    }

    /// A new request of a session that listens on these addresses.
    /// [`PoolState::next_id`](super::pool::PoolState::next_id) makes ids.
    pub(super) fn new(
        addresses: impl Into<ListenAddresses>,
        requester: Requester,
        waker: Arc<Waker>,
        id: u64,
        now: Instant,
    ) -> Self {
        let addresses = addresses.into();
        Self {
            key: addresses.key(),
            addresses,
            requester,
            waker,
            id,
            since: now,
            waited: false,
        }
    }
}
