//! Names that are sorted: all in one allocation, as there may be many.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::sort_memory::{SortLease, SortMemory};

use crate::listing::entry::Entry;
use crate::listing::flags::{ListFlags, ListOrder};
use crate::listing::limits::SORTED_NAMES_MAX;

/// Names to sort, each with what it is sorted by.
#[derive(Debug, Default)]
pub(super) struct SortBuffer {
    bytes: Vec<u8>,
    items: Vec<SortItem>,
    /// `None`: only the number of names is limited.
    lease: Option<SortLease>,
    lacks_memory: bool,
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
    bytes: Vec<u8>,
    items: vec::IntoIter<SortItem>,
    current: Option<SortItem>,
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
    pub(super) fn new(memory: Option<&Arc<SortMemory>>) -> Self {
        Self {
            lease: memory.cloned().map(SortLease::new),
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, name: &[u8], key: i64) {
        // A name that does not fit is longer than any path, so no client could use it.
        if let (Ok(start), Ok(length)) = (self.bytes.len().try_into(), name.len().try_into()) {
            self.bytes.extend_from_slice(name);
            self.items.push(SortItem { key, start, length });
        }
        let bytes = self.bytes.capacity() + self.items.capacity() * size_of::<SortItem>();
        if let Some(lease) = &mut self.lease {
            self.lacks_memory |= !lease.grow_to(bytes);
        }
    }

    /// Whether the names cannot be sorted.
    pub(super) fn unsorted(&self) -> Option<Unsorted> {
        if self.items.len() > SORTED_NAMES_MAX {
            Some(Unsorted::TooMany)
        } else {
            self.lacks_memory.then_some(Unsorted::NoMemory)
        }
    }

    pub(super) fn into_sorted_names(mut self, flags: ListFlags) -> SortedNames {
        let name = |item: &SortItem| item.name(&self.bytes);
        self.items.sort_unstable_by(|one, other| {
            let by_key = other.key.cmp(&one.key);
            let order = by_key.then_with(|| name(one).cmp(name(other)));
            if flags.reverse {
                order.reverse()
            } else {
                order
            }
        });
        self.into_names()
    }

    pub(super) fn into_names(self) -> SortedNames {
        SortedNames {
            bytes: self.bytes,
            items: self.items.into_iter(),
            current: None,
            _lease: self.lease,
        }
    }
}

impl SortItem {
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
        self.current = self.items.next();
        self.current.is_some()
    }

    pub(super) fn name(&self) -> &[u8] {
        let current = self.current.as_ref();
        current.map_or(b"", |item| item.name(&self.bytes))
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
