//! A leased port: the sessions that own it, alone or together, and their common listener.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::Waker;

use crate::passive::listener::SharedListener;
use crate::passive::request::Request;
use crate::passive::sharing::{Requester, can_share_port};

/// A port and its owners: one session, or several whose clients are far apart.
#[derive(Debug, Default)]
pub(in crate::passive) struct LeasedPort {
    pub(in crate::passive) owners: Vec<Owner>,
    /// Open as long as one of the owners listens.
    pub(in crate::passive) listener: Arc<SharedListener>,
}

#[derive(Debug)]
pub(in crate::passive) struct Owner {
    pub(in crate::passive) id: u64,
    pub(in crate::passive) requester: Requester,
    waker: Arc<Waker>,
    /// It listens on the port.
    pub(in crate::passive) is_bound: bool,
    /// A request waits that could get the port if this owner released it. The owner's listener
    /// reads this without the pool's lock.
    must_yield: Arc<AtomicBool>,
}

impl LeasedPort {
    /// Whether one more session may listen on this port.
    pub(in crate::passive) fn can_add(&self, requester: &Requester) -> bool {
        self.owners
            .iter()
            .all(|owner| can_share_port(&owner.requester, requester))
    }

    pub(in crate::passive) fn add(&mut self, request: &Request) {
        self.owners.push(Owner {
            id: request.id,
            requester: request.requester.clone(),
            waker: request.waker.clone(),
            is_bound: false,
            must_yield: Arc::default(),
        });
    }

    pub(in crate::passive) fn remove(&mut self, id: u64) {
        self.owners.retain(|owner| owner.id != id);
    }

    pub(in crate::passive) fn owner(&self, id: u64) -> Option<&Owner> {
        self.owners.iter().find(|owner| owner.id == id)
    }

    pub(in crate::passive) fn owner_mut(&mut self, id: u64) -> Option<&mut Owner> {
        self.owners.iter_mut().find(|owner| owner.id == id)
    }
}

impl Owner {
    pub(in crate::passive) fn must_yield(&self) -> Arc<AtomicBool> {
        self.must_yield.clone()
    }

    /// Sets whether the owner is in the way of a waiting request. Returns the owner's waker if it
    /// is and was not before.
    pub(in crate::passive) fn set_must_yield(&self, must_yield: bool) -> Option<Arc<Waker>> {
        let before = self.must_yield.swap(must_yield, Ordering::SeqCst);
        (must_yield && !before).then(|| self.waker.clone())
    }
}

#[cfg(test)]
impl LeasedPort {
    /// Panics unless there are owners, and each pair of them may share a port.
    pub(super) fn check(&self) {
        assert!(!self.owners.is_empty());
        for (index, owner) in self.owners.iter().enumerate() {
            let others = self.owners[..index].iter();
            let mut others = others.map(|other| &other.requester);
            assert!(others.all(|other| can_share_port(other, &owner.requester)));
        }
    }
}
