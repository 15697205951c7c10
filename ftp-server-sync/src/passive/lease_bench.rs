//! The pool as benches use it: leases of ports on which no one listens.
//!
//! `cargo bench -p ftp-tests`. No socket is opened, so that only the pool is measured.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use ftp_proto::AllowedPeers;
use mio::{Poll, Token, Waker};

use super::PassivePool;
use super::lease::{Lease, RequestOutcome};
use super::sharing::Requester;
use crate::net::port_range::PortRange;

/// A pool of passive ports, for benches.
pub struct LeaseBench {
    pool: PassivePool,
    waker: Arc<Waker>,
    /// Leases that last as long as the bench.
    held: Vec<Lease>,
    /// The waker needs it.
    _poll: Poll,
}

impl LeaseBench {
    /// A pool of this many ports, all of which are free.
    ///
    /// # Errors
    ///
    /// When there are no ports or too many, or the system gives no poll.
    pub fn new(ports: u16) -> io::Result<Self> {
        let last = FIRST_PORT.checked_add(ports).map(|end| end - 1);
        let range = last.and_then(|last| PortRange::new(FIRST_PORT, last).ok());
        let range = range.ok_or(io::ErrorKind::InvalidInput)?;
        let poll = Poll::new()?;
        Ok(Self {
            pool: PassivePool::new(Some(range)),
            waker: Arc::new(Waker::new(poll.registry(), Token(0))?),
            held: Vec::new(),
            _poll: poll,
        })
    }

    /// Leases this many ports to sessions of their own until the end of the bench.
    pub fn hold(&mut self, ports: u16) {
        let sessions = (0..ports).map(|number| HOLDERS + number);
        self.held = sessions.filter_map(|session| self.lease(session)).collect();
    }

    /// A session, with a number below 10,000, leases a port and releases it. False: it got none.
    pub fn lease_and_release(&self, session: u16) -> bool {
        self.lease(session).is_some()
    }

    fn lease(&self, session: u16) -> Option<Lease> {
        // Clients of different networks, which can share a port: no request waits.
        let [high, low] = session.to_be_bytes();
        let requester = Requester {
            session: session.into(),
            allowed_peers: AllowedPeers::only(Ipv4Addr::new(10, high, low, 1).into()),
            is_local: false,
            balancers: Arc::default(),
        };
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 21));
        let waker = self.waker.clone();
        match self.pool.request(local, requester, waker, Instant::now()) {
            RequestOutcome::Granted(lease) => Some(lease),
            RequestOutcome::Queued(_) | RequestOutcome::NoRange(_) => None,
        }
    }
}

impl fmt::Debug for LeaseBench {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = formatter.debug_struct("LeaseBench");
        fields.field("held", &self.held.len());
        fields.finish_non_exhaustive()
    }
}

const FIRST_PORT: u16 = 20_000;
/// The number of the first session that holds a port.
const HOLDERS: u16 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_share_what_is_held() {
        let mut bench = LeaseBench::new(3).unwrap();
        assert!(bench.lease_and_release(1));
        assert_eq!(bench.pool.usage().in_use, 0);
        bench.hold(3);
        assert_eq!(bench.pool.usage().in_use, 3);
        assert!(bench.lease_and_release(1));
        assert!(LeaseBench::new(0).is_err());
        assert!(LeaseBench::new(u16::MAX).is_err());
    }
}
