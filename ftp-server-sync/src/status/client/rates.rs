//! What moves now: the differences of two snapshots.

use std::collections::BTreeMap;

use crate::net::order;
use crate::status::snapshot::{Activity, SessionStatus, Snapshot, TransferStatus};

/// Bytes per second between two snapshots.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rates {
    /// Of each transfer that both snapshots have, by the number of its session.
    pub(super) transfers: BTreeMap<u64, f64>,
    /// To clients and from clients; `None` with one snapshot only.
    pub(super) all: Option<(f64, f64)>,
}

impl Rates {
    /// From two snapshots of one server, of which `new` came so much later.
    pub(super) fn between(old: &Snapshot, new: &Snapshot, seconds: f64) -> Self {
        // Another server may have taken the place of the first one.
        if old.server.pid != new.server.pid || seconds <= 0.0 {
            return Self::default();
        }
        let difference = |old: u64, new: u64| new.saturating_sub(old) as f64 / seconds;
        let (before, after) = (&old.totals, &new.totals);
        let down = difference(before.downloads.bytes, after.downloads.bytes)
            + difference(before.listings.bytes, after.listings.bytes);
        let up = difference(before.uploads.bytes, after.uploads.bytes);
        let known: BTreeMap<u64, &TransferStatus> = order::map_of(transfers(&old.sessions));
        let transfers = transfers(&new.sessions).filter_map(|(number, new)| {
            let old = known.get(&number).filter(|old| is_same(old, new))?;
            Some((number, difference(old.bytes, new.bytes)))
        });
        Self {
            transfers: order::map_of(transfers),
            all: Some((down, up)),
        }
    }
}

/// Those whose data connection is established.
fn transfers(sessions: &[SessionStatus]) -> impl Iterator<Item = (u64, &TransferStatus)> {
    sessions
        .iter()
        .filter_map(|session| match &session.activity {
            Activity::Transfer(transfer) if transfer.is_connected => {
                Some((session.number, transfer))
            }
            _ => None,
        })
}

fn is_same(old: &TransferStatus, new: &TransferStatus) -> bool {
    let same = old.command == new.command && old.path == new.path;
    same && old.offset == new.offset && old.bytes <= new.bytes && old.seconds <= new.seconds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::client::tests::snapshot;

    #[test]
    fn only_the_same_transfer_has_a_rate() {
        let mut old = snapshot();
        old.totals.downloads.bytes = 1000;
        let mut new = old.clone();
        new.totals.downloads.bytes = 3000;
        new.totals.listings.bytes += 100;
        new.totals.uploads.bytes += 50;
        let change = |snapshot: &mut Snapshot, change: fn(&mut TransferStatus)| {
            let mut activities = snapshot.sessions.iter_mut();
            activities.find_map(|session| match &mut session.activity {
                Activity::Transfer(transfer) if transfer.is_connected => {
                    change(transfer);
                    Some(session.number)
                }
                _ => None,
            })
        };
        let number = change(&mut new, |transfer| transfer.bytes += 4096).unwrap();
        let rates = Rates::between(&old, &new, 2.0);
        assert_eq!(rates.all, Some((1050.0, 25.0)));
        assert_eq!(rates.transfers.get(&number), Some(&2048.0));
        for other in [
            |transfer: &mut TransferStatus| transfer.path.push('x'),
            |transfer: &mut TransferStatus| transfer.bytes = 0,
            |transfer: &mut TransferStatus| transfer.seconds = 0.0,
        ] {
            let mut new = new.clone();
            change(&mut new, other);
            let rates = Rates::between(&old, &new, 2.0);
            assert_eq!(rates.transfers.get(&number), None);
        }
        new.server.pid += 1;
        assert_eq!(Rates::between(&old, &new, 2.0), Rates::default());
    }
}
