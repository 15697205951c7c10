//! A leased port: the sessions that own it, alone or together, and their common listener.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::Waker;

use super::books::Applicant;
use super::expected::Expected;
use super::shared_listener::SharedListener;

/// A port and its owners: one, or several whose clients have different addresses.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) owners: Vec<Owner>,
    /// Open as long as one of the owners listens.
    pub(super) listener: Arc<SharedListener>,
}

#[derive(Debug)]
pub(super) struct Owner {
    pub(super) arrival: u64,
    pub(super) expected: Expected,
    waker: Arc<Waker>,
    /// It listens.
    pub(super) is_bound: bool,
    /// Somebody waits who could have the port, were it not for this owner. Its listener sees this
    /// without the pool's lock.
    awaited: Arc<AtomicBool>,
}

impl Slot {
    /// Whether one more session may listen here.
    pub(super) fn has_room_for(&self, expected: &Expected) -> bool {
        self.owners
            .iter()
            .all(|owner| owner.expected.gets_along_with(expected))
    }

    pub(super) fn add(&mut self, applicant: &Applicant) {
        self.owners.push(Owner {
            arrival: applicant.arrival,
            expected: applicant.expected.clone(),
            waker: applicant.waker.clone(),
            is_bound: false,
            awaited: Arc::default(),
        });
    }

    pub(super) fn remove(&mut self, arrival: u64) {
        self.owners.retain(|owner| owner.arrival != arrival);
    }

    pub(super) fn owner(&self, arrival: u64) -> Option<&Owner> {
        self.owners.iter().find(|owner| owner.arrival == arrival)
    }

    pub(super) fn owner_mut(&mut self, arrival: u64) -> Option<&mut Owner> {
        self.owners
            .iter_mut()
            .find(|owner| owner.arrival == arrival)
    }
}

impl Owner {
    pub(super) fn awaited(&self) -> Arc<AtomicBool> {
        self.awaited.clone()
    }

    /// Tells the owner whether it is in somebody's way; if that is news, returns what wakes it.
    pub(super) fn set_awaited(&self, awaited: bool) -> Option<Arc<Waker>> {
        let before = self.awaited.swap(awaited, Ordering::SeqCst);
        (awaited && !before).then(|| self.waker.clone())
    }
}
