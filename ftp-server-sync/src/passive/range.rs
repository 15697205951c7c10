//! Which ports may be granted: those of a range, or any.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::RangeInclusive;

/// The ports that may be granted. Port 0 is not a port, whatever the range says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Allowed {
    range: Option<RangeInclusive<u16>>,
}

impl Allowed {
    /// The ports of this range; without one, any.
    pub(super) fn new(range: Option<RangeInclusive<u16>>) -> Self {
        let range = range.map(|range| *range.start().max(&1)..=*range.end());
        Self { range }
    }

    pub(super) fn range(&self) -> Option<&RangeInclusive<u16>> {
        self.range.as_ref()
    }

    pub(super) fn is_any(&self) -> bool {
        self.range.is_none()
    }

    /// Whether there is a range, and the port in it.
    pub(super) fn lists(&self, port: u16) -> bool {
        self.range
            .as_ref()
            .is_some_and(|range| range.contains(&port))
    }

    pub(super) fn permits(&self, port: u16) -> bool {
        self.is_any() || self.lists(port)
    }

    /// The size of the range.
    pub(super) fn count(&self) -> usize {
        self.range.as_ref().map_or(0, ExactSizeIterator::len)
    }

    /// The ports of the range in an order that differs from one time to the next.
    pub(super) fn shuffled(&self) -> Vec<u16> {
        let mut ports: Vec<u16> = self.range.iter().cloned().flatten().collect();
        let seed = RandomState::new();
        for last in (1..ports.len()).rev() {
            let mut hasher = seed.build_hasher();
            hasher.write_usize(last);
            let other = hasher.finish() % (last as u64 + 1);
            ports.swap(last, other as usize);
        }
        ports
    }
}
