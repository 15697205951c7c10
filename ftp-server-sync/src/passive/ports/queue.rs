//! The requests that wait for a port of one local address, and the ports that are assigned to them.

use std::collections::{HashMap, VecDeque};

use crate::passive::request::Request;
use crate::passive::sharing::can_share_port;

/// The requests without a port, and those that have one without knowing it yet.
#[derive(Debug, Default)]
pub(in crate::passive) struct Queue {
    /// In the order of their ids.
    waiting: VecDeque<Request>,
    /// Requests whose port is assigned and not taken yet, by id.
    assigned: HashMap<u64, Assigned>,
}

#[derive(Debug)]
struct Assigned {
    request: Request,
    port: u16,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.assigned.is_empty()
    }

    /// The requests without a port, oldest first.
    pub(in crate::passive) fn waiting(&self) -> &VecDeque<Request> {
        &self.waiting
    }

    /// Puts a request at its place: before later ones.
    pub(super) fn insert(&mut self, request: Request) {
        let place = self.waiting.partition_point(|other| other.id < request.id);
        self.waiting.insert(place, request);
    }

    /// Removes a request that waits.
    pub(super) fn remove(&mut self, id: u64) {
        self.waiting.retain(|other| other.id != id);
    }

    /// A port is leased to the waiting request at this index.
    pub(super) fn assign(&mut self, index: usize, port: u16) {
        if let Some(request) = self.waiting.remove(index) {
            let assigned = Assigned { request, port };
            self.assigned.insert(assigned.request.id, assigned);
        }
    }

    /// The port that is assigned to a request, if there is one. It is now the request's to release.
    pub(super) fn take(&mut self, id: u64) -> Option<u16> {
        Some(self.assigned.remove(&id)?.port)
    }

    /// Takes back assigned ports: the requests that had them wait again, each at its old place.
    /// Returns the ids of these requests and the ports.
    pub(super) fn withdraw(&mut self, is_withdrawn: impl Fn(u16) -> bool) -> Vec<(u64, u16)> {
        let withdrawn: Vec<Assigned> = self
            .assigned
            .extract_if(|_, assigned| is_withdrawn(assigned.port))
            .map(|(_, assigned)| assigned)
            .collect();
        let ports = withdrawn
            .iter()
            .map(|assigned| (assigned.request.id, assigned.port))
            .collect();
        for Assigned { request, .. } in withdrawn {
            self.insert(request);
        }
        ports
    }

    /// Whether an earlier request waits that cannot share a port with this one. It might never get
    /// one if later requests could go on taking the ports that it could have.
    pub(super) fn must_wait(&self, request: &Request) -> bool {
        self.waiting
            .iter()
            .take_while(|other| other.id < request.id)
            .any(|other| !can_share_port(&other.requester, &request.requester))
    }
}

#[cfg(test)]
impl Queue {
    /// The assigned ports by the ids of their requests.
    pub(in crate::passive) fn assigned(&self) -> std::collections::BTreeMap<u64, u16> {
        let ports = self.assigned.iter();
        ports.map(|(&id, assigned)| (id, assigned.port)).collect()
    }

    /// Panics unless the requests are in order.
    pub(super) fn check(&self) {
        let ids = self.waiting.iter().map(|waiting| waiting.id);
        assert!(ids.is_sorted());
        for (&id, assigned) in &self.assigned {
            assert_eq!(assigned.request.id, id);
        }
    }
}
