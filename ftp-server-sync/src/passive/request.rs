//! A session's request for a port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use ftp_proto::canonical;
use mio::Waker;

use super::sharing::Requester;

/// A request for a port. It keeps its id, and so its place in the queue, when it is tried again.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The address to listen on, canonical, without port and flow label but with its scope.
    pub(super) local: SocketAddr,
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
    /// A new request of a session whose control connection has the address `local`; the port of
    /// that address is ignored. [`PoolState::next_id`](super::pool::PoolState::next_id) makes ids.
    pub(super) fn new(
        local: SocketAddr,
        requester: Requester,
        waker: Arc<Waker>,
        id: u64,
        now: Instant,
    ) -> Self {
        Self {
            local: listening_address(local),
            requester,
            waker,
            id,
            since: now,
            waited: false,
        }
    }
}

/// The canonical address, without the parts that make no difference between listeners.
fn listening_address(local: SocketAddr) -> SocketAddr {
    let mut address = canonical(local);
    address.set_port(0);
    if let SocketAddr::V6(address) = &mut address {
        address.set_flowinfo(0);
    }
    address
}
