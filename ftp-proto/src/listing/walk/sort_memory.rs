//! The memory in which names are sorted, of all walks together.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};

/// A limit for the memory of all walks that sort names at the same time. A walk that gets none of
/// it lists its directory unsorted, and says so by
/// [`WalkNotice::NoSortMemory`](crate::listing::WalkNotice::NoSortMemory).
///
/// Hand the same one to each walk, by [`Walk::sorting_in`](crate::listing::Walk::sorting_in).
#[derive(Debug)]
pub struct SortMemory {
    free: AtomicUsize,
}

/// What one walk has of it. It is given back at the end.
#[derive(Debug)]
pub(super) struct SortLease {
    memory: Arc<SortMemory>,
    bytes: usize,
}

impl SortMemory {
    /// `bytes`: for all walks together.
    #[must_use]
    pub const fn new(bytes: usize) -> Self {
        Self {
            free: AtomicUsize::new(bytes),
        }
    }
}

impl SortLease {
    pub(super) const fn new(memory: Arc<SortMemory>) -> Self {
        Self { memory, bytes: 0 }
    }

    /// Takes what is missing to this number of bytes. False: so much is not free.
    pub(super) fn grow_to(&mut self, bytes: usize) -> bool {
        let missing = bytes.saturating_sub(self.bytes);
        if missing == 0 {
            return true;
        }
        let taken = self
            .memory
            .free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| {
                free.checked_sub(missing)
            });
        if taken.is_ok() {
            self.bytes = bytes;
        }
        taken.is_ok()
    }
}

impl Drop for SortLease {
    fn drop(&mut self) {
        self.memory.free.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_walk_has_no_other_gets() {
        let memory = Arc::new(SortMemory::new(100));
        let mut one = SortLease::new(memory.clone());
        let mut other = SortLease::new(memory.clone());
        assert!(one.grow_to(60) && one.grow_to(10) && other.grow_to(40));
        assert!(!one.grow_to(61) && !other.grow_to(41));
        drop(one);
        assert!(other.grow_to(100) && !other.grow_to(101));
        drop(other);
        assert_eq!(memory.free.load(Ordering::Relaxed), 100);
    }
}
