//! A leased port: the sessions that own it, alone or together, and their common listener.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::Waker;

use super::allowed_peers::AllowedPeers;
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
    /// A request waits that could get the port if this owner released it. The owner's listener reads
    /// this without the pool's lock.
    must_yield: Arc<AtomicBool>,
}

impl LeasedPort {
    /// Whether one more session may listen on this port.
    pub(super) fn can_add(&self, allowed_peers: &AllowedPeers) -> bool {
        self.owners
            .iter()
            .all(|owner| owner.allowed_peers.can_share_port_with(allowed_peers))
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

    /// Sets whether the owner is in the way of a waiting request. Returns the owner's waker if it is and
    /// was not before.
    pub(super) fn set_must_yield(&self, must_yield: bool) -> Option<Arc<Waker>> {
        let before = self.must_yield.swap(must_yield, Ordering::SeqCst);
        (must_yield && !before).then(|| self.waker.clone())
    }
}
