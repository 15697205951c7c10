//! How much one step of a listing does: a disk may need long for each entry.

use std::time::{Duration, Instant};

/// What is left of a step. Something is done in each, however small the limit is.
#[derive(Debug)]
pub(crate) struct ListLimit {
    entries: usize,
    used: usize,
    ends: Instant,
    /// How many entries are used when the clock is looked at again.
    next_look: usize,
    last_look: Instant,
    is_late: bool,
}

impl ListLimit {
    /// `entries`: names that are read, and entries that are looked at. A piece of names that is
    /// read at once may exceed it.
    pub(crate) fn new(entries: usize, ends: Instant) -> Self {
        Self {
            entries,
            used: 0,
            ends,
            next_look: 0,
            last_look: Instant::now(),
            is_late: false,
        }
    }

    pub(super) fn count(&mut self, entries: usize) {
        self.used += entries;
    }

    /// Whether the step is over.
    pub(crate) fn is_reached(&mut self) -> bool {
        if self.used >= self.next_look {
            let now = Instant::now();
            let is_slow = now.saturating_duration_since(self.last_look) > SLOW;
            self.next_look = self.used + if is_slow { 1 } else { ENTRIES_PER_LOOK };
            self.last_look = now;
            self.is_late = now >= self.ends;
        }
        self.is_late || self.used >= self.entries
    }

    /// The part of the bytes that a turn may move that was used instead.
    pub(crate) fn cost(&self) -> usize {
        self.used.saturating_mul(ENTRY_COST)
    }

    /// How many entries cost as much as these bytes.
    pub(crate) fn entries_for(bytes: usize) -> usize {
        bytes / ENTRY_COST
    }
}

/// What an entry costs, in bytes: instead of 4 MiB a turn looks at 700 entries, or somewhat more
/// where a piece of names is read last.
const ENTRY_COST: usize = 6000;

/// Looks at the clock cost a tenth of what an entry costs that the system has in memory.
const ENTRIES_PER_LOOK: usize = 8;

/// A disk may need 10 ms for an entry that the system has not in memory: more than this since the
/// last look, and the next one comes after one entry.
const SLOW: Duration = Duration::from_millis(1);
