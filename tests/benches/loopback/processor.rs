//! Which processors this thread, and what it starts, may use.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// As long as it lives, this thread uses one processor, and so do the threads and processes that it
/// starts.
///
/// Where client and server take turns, two processors measure how long it takes to wake the other
/// one, which hides the server behind the machine.
pub(crate) struct OneProcessor {
    before: CpuSet,
}

impl OneProcessor {
    pub(crate) fn new() -> io::Result<Self> {
        let before = sched_getaffinity(None)?;
        let last = (0..CpuSet::MAX_CPU).rfind(|&number| before.is_set(number));
        let mut one = CpuSet::new();
        one.set(last.unwrap_or(0));
        sched_setaffinity(None, &one)?;
        Ok(Self { before })
    }
}

impl Drop for OneProcessor {
    fn drop(&mut self) {
        // It worked before; without it, the rest of the run is slower.
        let _ = sched_setaffinity(None, &self.before);
    }
}
