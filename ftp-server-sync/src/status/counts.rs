//! What is counted since the start of the server.

use std::sync::atomic::{AtomicU64, Ordering};

use super::snapshot::{Direction, Totals, TransferTotals};

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

/// The counts of a server. All threads add to them.
#[derive(Debug, Default)]
pub(crate) struct ServerCounts {
    pub(crate) sessions: Counter,
    pub(crate) refused_connections: Counter,
    pub(crate) logins: Counter,
    pub(crate) failed_logins: Counter,
    pub(crate) never_connected: Counter,
    downloads: TransferCounts,
    uploads: TransferCounts,
    listings: TransferCounts,
}

/// The counts of one kind of transfer.
#[derive(Debug, Default)]
pub(crate) struct TransferCounts {
    pub(crate) completed: Counter,
    pub(crate) failed: Counter,
    pub(crate) bytes: Counter,
}

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl ServerCounts {
    pub(crate) fn transfers(&self, direction: Direction) -> &TransferCounts {
        match direction {
            Direction::Download => &self.downloads,
            Direction::Upload => &self.uploads,
            Direction::Listing => &self.listings,
        }
    }

    /// The counts now.
    pub(crate) fn totals(&self, lost_log_lines: u64) -> Totals {
        Totals {
            sessions: self.sessions.get(),
            refused_connections: self.refused_connections.get(),
            logins: self.logins.get(),
            failed_logins: self.failed_logins.get(),
            downloads: self.downloads.totals(),
            uploads: self.uploads.totals(),
            listings: self.listings.totals(),
            never_connected: self.never_connected.get(),
            lost_log_lines,
        }
    }
}

impl TransferCounts {
    fn totals(&self) -> TransferTotals {
        TransferTotals {
            completed: self.completed.get(),
            failed: self.failed.get(),
            bytes: self.bytes.get(),
        }
    }
}
