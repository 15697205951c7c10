//! Names that are sorted: all in one allocation, as there may be many.
//!
//! No step compares all of them: runs of bounded length are sorted while the names come, and merged
//! while they are used.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::merge::Runs;
use super::sort_memory::{SortLease, SortMemory};
use crate::listing::entry::Entry;
use crate::listing::flags::{ListFlags, ListOrder};
use crate::listing::limits::SORTED_NAMES_MAX;

/// Names to sort, each with what it is sorted by.
#[derive(Debug)]
pub(super) struct SortBuffer {
    names: KeyedNames,
    reverse: bool,
    /// How many items are in sorted runs. All runs but the last have the same length.
    in_runs: usize,
    /// `None`: only the number of names is limited.
    lease: Option<SortLease>,
    lacks_memory: bool,
}

#[derive(Debug, Default)]
struct KeyedNames {
    bytes: Vec<u8>,
    items: Vec<SortItem>,
}

#[derive(Debug)]
struct SortItem {
    /// A larger key comes first; equal keys are sorted by name.
    key: i64,
    start: u32,
    length: u16,
}

/// The names of a buffer in their final order.
#[derive(Debug)]
pub(super) struct SortedNames {
    names: KeyedNames,
    reverse: bool,
    runs: Runs,
    current: Option<usize>,
    /// As long as the names exist.
    _lease: Option<SortLease>,
}

/// Why names are not sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsorted {
    TooMany,
    NoMemory,
}

impl SortBuffer {
    pub(super) fn new(flags: ListFlags, memory: Option<&Arc<SortMemory>>) -> Self {
        Self {
            names: KeyedNames::default(),
            reverse: flags.reverse,
            in_runs: 0,
            lease: memory.cloned().map(SortLease::new),
            lacks_memory: false,
        }
    }

    pub(super) fn add(&mut self, name: &[u8], key: i64) {
        let KeyedNames { bytes, items } = &mut self.names;
        // A name that does not fit is longer than any path, so no client could use it.
        if let (Ok(start), Ok(length)) = (bytes.len().try_into(), name.len().try_into()) {
            bytes.extend_from_slice(name);
            items.push(SortItem { key, start, length });
        }
        let memory = bytes.capacity() + items.capacity() * size_of::<SortItem>();
        if self.names.items.len() - self.in_runs >= RUN_LENGTH {
            self.end_run();
        }
        if let Some(lease) = &mut self.lease {
            self.lacks_memory |= !lease.grow_to(memory);
        }
    }

    /// Whether the names cannot be sorted.
    pub(super) fn unsorted(&self) -> Option<Unsorted> {
        if self.names.items.len() > SORTED_NAMES_MAX {
            Some(Unsorted::TooMany)
        } else {
            self.lacks_memory.then_some(Unsorted::NoMemory)
        }
    }

    pub(super) fn into_sorted_names(mut self) -> SortedNames {
        self.end_run();
        let length = self.names.items.len();
        let mut runs = Runs::of_length(RUN_LENGTH, length);
        runs.order(|one, other| self.names.precedes(one, other, self.reverse));
        self.into_names(runs)
    }

    /// In the order in which they were added: sorted by one number each, which takes a few
    /// milliseconds at most.
    pub(super) fn into_unsorted_names(mut self) -> SortedNames {
        self.names.items.sort_unstable_by_key(|item| item.start);
        let length = self.names.items.len();
        self.into_names(Runs::of_length(length, length))
    }

    fn into_names(self, runs: Runs) -> SortedNames {
        SortedNames {
            names: self.names,
            reverse: self.reverse,
            runs,
            current: None,
            _lease: self.lease,
        }
    }

    fn end_run(&mut self) {
        self.names.sort_from(self.in_runs, self.reverse);
        self.in_runs = self.names.items.len();
    }
}

impl KeyedNames {
    /// Sorts the items from this one on.
    fn sort_from(&mut self, first: usize, reverse: bool) {
        let Self { bytes, items } = self;
        if let Some(run) = items.get_mut(first..) {
            run.sort_unstable_by(|one, other| one.order(other, bytes, reverse));
        }
    }

    /// Whether one item comes before another.
    fn precedes(&self, one: usize, other: usize, reverse: bool) -> bool {
        match (self.items.get(one), self.items.get(other)) {
            (Some(one), Some(other)) => one.order(other, &self.bytes, reverse).is_lt(),
            _ => false,
        }
    }

    fn name(&self, index: usize) -> &[u8] {
        let item = self.items.get(index);
        item.map_or(b"", |item| item.name(&self.bytes))
    }
}

impl SortItem {
    fn order(&self, other: &Self, bytes: &[u8], reverse: bool) -> Ordering {
        let by_key = other.key.cmp(&self.key);
        let order = by_key.then_with(|| self.name(bytes).cmp(other.name(bytes)));
        if reverse { order.reverse() } else { order }
    }

    fn name<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let start = self.start as usize;
        bytes
            .get(start..start + usize::from(self.length))
            .unwrap_or_default()
    }
}

impl SortedNames {
    /// Goes on to the next name. False: there is none.
    pub(super) fn advance(&mut self) -> bool {
        let Self { names, reverse, .. } = self;
        let precedes = |one, other| names.precedes(one, other, *reverse);
        self.current = self.runs.next(precedes);
        self.current.is_some()
    }

    pub(super) fn name(&self) -> &[u8] {
        self.current.map_or(b"", |index| self.names.name(index))
    }
}

/// What an entry is sorted by.
pub(super) fn sort_key(entry: &Entry, order: ListOrder) -> i64 {
    match order {
        ListOrder::Directory => 0,
        ListOrder::Size => i64::try_from(entry.size).unwrap_or(i64::MAX),
        ListOrder::Time => entry
            .modified
            .saturating_mul(1_000_000_000)
            .saturating_add(entry.modified_nanos.into()),
    }
}

/// Names that one step sorts. About a hundred runs of them are merged at most.
const RUN_LENGTH: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    /// Names with keys in no order.
    fn added(count: u64, flags: ListFlags) -> (SortBuffer, Vec<(i64, String)>) {
        let mut buffer = SortBuffer::new(flags, None);
        let mut expected = Vec::new();
        for number in 0..count {
            let scattered = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
            let (name, key) = (format!("{scattered:x}"), (scattered % 50) as i64);
            buffer.add(name.as_bytes(), key);
            expected.push((key, name));
        }
        (buffer, expected)
    }

    fn all(mut names: SortedNames) -> Vec<String> {
        core::iter::from_fn(|| {
            names
                .advance()
                .then(|| String::from_utf8_lossy(names.name()).into_owned())
        })
        .collect()
    }

    #[test]
    fn runs_are_merged_in_order() {
        for count in [0, 1, 2, 1023, 1024, 1025, 5000] {
            for reverse in [false, true] {
                let flags = ListFlags {
                    reverse,
                    ..ListFlags::default()
                };
                let (buffer, mut expected) = added(count, flags);
                expected.sort_by(|(key, name), (other_key, other)| {
                    let order = other_key.cmp(key).then_with(|| name.cmp(other));
                    if reverse { order.reverse() } else { order }
                });
                let expected: Vec<String> = expected.into_iter().map(|(_, name)| name).collect();
                assert_eq!(
                    all(buffer.into_sorted_names()),
                    expected,
                    "{count} {reverse}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_sorted_keeps_its_order() {
        let (buffer, expected) = added(3000, ListFlags::default());
        let expected: Vec<String> = expected.into_iter().map(|(_, name)| name).collect();
        assert_eq!(all(buffer.into_unsorted_names()), expected);
    }
}
