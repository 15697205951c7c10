//! A leased port: the sessions that own it, alone or together, and their common listener.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ftp_proto::AllowedPeers;
use mio::Waker;

use super::request::Request;
use super::shared_listener::SharedListener;

/// A port and its owners: one session, or several whose clients have different addresses.
#[derive(Debug, Default)]
pub(super) struct LeasedPort {
    pub(super) owners: Vec<Owner>,
    /// Open as long as one of the owners listens.
    pub(super) listener: Arc<SharedListener>,
}

#[derive(Debug)]
pub(super) struct Owner {
    pub(super) id: u64,
    pub(super) allowed_peers: AllowedPeers,
    waker: Arc<Waker>,
    /// It listens on the port.
    pub(super) is_bound: bool,
    /// A request waits that could get the port if this owner released it. The owner's listener
    /// reads this without the pool's lock.
    must_yield: Arc<AtomicBool>,
}

impl LeasedPort {
    /// Whether one more session may listen on this port.
    pub(super) fn can_add(&self, allowed_peers: &AllowedPeers) -> bool {
        self.owners
            .iter()
            .all(|owner| can_share_port(&owner.allowed_peers, allowed_peers))
    }

    pub(super) fn add(&mut self, request: &Request) {
        self.owners.push(Owner {
            id: request.id,
            allowed_peers: request.allowed_peers.clone(),
            waker: request.waker.clone(),
            is_bound: false,
            must_yield: Arc::default(),
        });
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.owners.retain(|owner| owner.id != id);
    }

    pub(super) fn owner(&self, id: u64) -> Option<&Owner> {
        self.owners.iter().find(|owner| owner.id == id)
    }

    pub(super) fn owner_mut(&mut self, id: u64) -> Option<&mut Owner> {
        self.owners.iter_mut().find(|owner| owner.id == id)
    }
}

impl Owner {
    pub(super) fn must_yield(&self) -> Arc<AtomicBool> {
        self.must_yield.clone()
    }

    /// Sets whether the owner is in the way of a waiting request. Returns the owner's waker if it
    /// is and was not before.
    pub(super) fn set_must_yield(&self, must_yield: bool) -> Option<Arc<Waker>> {
        let before = self.must_yield.swap(must_yield, Ordering::SeqCst);
        (must_yield && !before).then(|| self.waker.clone())
    }
}

/// Whether both sessions may listen on one port at the same time.
pub(super) fn can_share_port(one: &AllowedPeers, other: &AllowedPeers) -> bool {
    one.can_share_port() && other.can_share_port() && one.peer() != other.peer()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    #[test]
    fn which_sessions_may_share_a_port() {
        let [one, other] = [ip("192.0.2.7"), ip("192.0.2.8")];
        let gateways = [ip("172.17.0.1").into()];
        let only = AllowedPeers::only;
        assert!(can_share_port(&only(one), &only(other)));
        assert!(!can_share_port(&only(one), &only(one)));
        for relaxed in [
            AllowedPeers::any(other),
            AllowedPeers::through_gateways(other, &gateways),
        ] {
            assert!(!can_share_port(&only(one), &relaxed));
            assert!(!can_share_port(&relaxed, &only(one)));
            assert!(!can_share_port(&relaxed, &AllowedPeers::any(one)));
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }
}
