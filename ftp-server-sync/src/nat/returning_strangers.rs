//! Strangers that came to the passive ports of a client before: another address of the client comes
//! each time, and a port scan comes once.
//!
//! Only clients that did not connect are recorded, so that others cost nothing. Memory is bounded.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::locks::lock;

/// Who came to the ports of which client, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct ReturningStrangers {
    visits: Mutex<VecDeque<Visit>>,
}

#[derive(Clone, Copy, Debug)]
struct Visit {
    client: IpAddr,
    stranger: IpAddr,
    at: Instant,
}

impl ReturningStrangers {
    /// These came to a port to which the client did not connect. Returns those that had come to
    /// an earlier port of the same client, too.
    pub(crate) fn on_came(
        &self,
        client: IpAddr,
        strangers: &[IpAddr],
        now: Instant,
    ) -> Vec<IpAddr> {
        if strangers.is_empty() {
            return Vec::new();
        }
        let mut visits = lock(&self.visits);
        visits.retain(|visit| now.saturating_duration_since(visit.at) < LATELY);
        let mut returned = Vec::new();
        for &stranger in strangers {
            let is_same = |visit: &Visit| (visit.client, visit.stranger) == (client, stranger);
            if visits.iter().any(is_same) {
                returned.push(stranger);
            }
            visits.retain(|visit| !is_same(visit));
            visits.push_back(Visit {
                client,
                stranger,
                at: now,
            });
        }
        let excess = visits.len().saturating_sub(VISITS_MAX);
        visits.drain(..excess);
        returned
    }

    /// The settings have changed.
    pub(crate) fn clear(&self) {
        lock(&self.visits).clear();
    }
}

/// How long a visit counts.
const LATELY: Duration = Duration::from_secs(3600);

/// Those of many clients.
const VISITS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u16) -> IpAddr {
        let [high, low] = last.to_be_bytes();
        [198, 51, high, low].into()
    }

    #[test]
    fn only_the_same_stranger_of_the_same_client_returns() {
        let table = ReturningStrangers::default();
        let now = Instant::now();
        let [client, other, scanner, second] = [1, 2, 3, 4].map(address);
        assert!(table.on_came(client, &[scanner], now).is_empty());
        assert!(table.on_came(other, &[scanner], now).is_empty());
        assert!(table.on_came(client, &[second], now).is_empty());
        assert_eq!(table.on_came(client, &[second, scanner], now).len(), 2);
        let later = now + LATELY;
        assert!(table.on_came(client, &[second], later).is_empty());
        assert_eq!(table.on_came(client, &[second], later), [second]);
        table.clear();
        assert!(table.on_came(client, &[second], later).is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let table = ReturningStrangers::default();
        for stranger in 0..1000 {
            table.on_came(address(1), &[address(stranger)], Instant::now());
        }
        assert_eq!(lock(&table.visits).len(), VISITS_MAX);
    }
}
