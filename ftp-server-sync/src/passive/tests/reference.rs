//! What must be true of one local address, said as sets: which port goes to whom is left open.

use super::*;

#[derive(Default)]
pub(super) struct Model {
    /// The owner's arrival by port.
    pub(super) leased: BTreeMap<u16, u64>,
    pub(super) blocked: BTreeMap<u16, Instant>,
    pub(super) waiting: BTreeSet<u64>,
    /// What the ticket was seen to get, None while nobody has looked.
    pub(super) assigned: BTreeMap<u64, Option<Grant>>,
}

impl Model {
    pub(super) fn has_free(&self, allowed: &Allowed) -> bool {
        let Some(range) = allowed.range() else {
            return true;
        };
        let leased = self.leased.keys().filter(|port| range.contains(port));
        range.len() > leased.count() + self.blocked.len() + self.assigned.len()
    }

    pub(super) fn revive(&mut self, now: Instant) {
        self.blocked.retain(|_, until| *until > now);
    }

    pub(super) fn serve(&mut self, allowed: &Allowed, before: u64) {
        while self.has_free(allowed)
            && let Some(&first) = self.waiting.range(..before).next()
        {
            self.waiting.remove(&first);
            self.assigned.insert(first, None);
        }
    }

    pub(super) fn is_in_force(&self, allowed: &Allowed, arrival: u64, grant: Grant) -> bool {
        match grant {
            Grant::Any => allowed.is_any(),
            Grant::Port(port) => self.leased.get(&port) == Some(&arrival) && allowed.permits(port),
        }
    }

    /// Whoever is no longer the owner changes nothing.
    pub(super) fn end(&mut self, allowed: &Allowed, lease: &Lease) {
        if let Grant::Port(port) = lease.grant
            && self.leased.get(&port) == Some(&lease.applicant.arrival)
        {
            self.leased.remove(&port);
            self.serve(allowed, u64::MAX);
        }
    }

    pub(super) fn set_range(&mut self, allowed: &Allowed, now: Instant) {
        let is_withdrawn = |grant: &Option<Grant>| match grant.expect("seen") {
            Grant::Any => !allowed.is_any(),
            Grant::Port(port) => !allowed.lists(port),
        };
        let waiting = &mut self.waiting;
        self.assigned.retain(|&arrival, grant| {
            let stays = !is_withdrawn(grant);
            if !stays {
                waiting.insert(arrival);
            }
            stays
        });
        self.blocked.retain(|&port, _| allowed.lists(port));
        self.revive(now);
        self.serve(allowed, u64::MAX);
    }
}
