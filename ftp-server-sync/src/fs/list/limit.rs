//! How much one step of a listing does: a disk may need long for each entry.

use std::time::Instant;

/// What is left of a step. Something is done in each, however small the limit is.
#[derive(Debug)]
pub(crate) struct ListLimit {
    entries: usize,
    used: usize,
    ends: Instant,
    /// How many entries are used when the clock is looked at again.
    next_look: usize,
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
            is_late: false,
        }
    }

    pub(super) fn count(&mut self, entries: usize) {
        self.used += entries;
    }

    /// Whether the step is over.
    pub(crate) fn is_reached(&mut self) -> bool {
        if self.used >= self.next_look {
            self.next_look = self.used + ENTRIES_PER_LOOK;
            self.is_late = Instant::now() >= self.ends;
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

/// What an entry costs, in bytes: instead of 1 MiB a turn looks at 700 entries, or somewhat more
/// where a piece of names is read last.
const ENTRY_COST: usize = 1500;

/// Looks at the clock cost a tenth of what an entry costs that the system has in memory. A disk may
/// need 10 ms for one that it has not.
const ENTRIES_PER_LOOK: usize = 8;
