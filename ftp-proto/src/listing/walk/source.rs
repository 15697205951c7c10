//! The names in one directory, in the directory's own order or sorted.
//!
//! To sort names, all have to be read first: a bounded number of names is stored for that. A
//! directory with more is listed in its own order.

use alloc::sync::Arc;

use super::name_list::{NameList, NamePlace};
use super::scope::NameFilter;
use super::sort::{SortBuffer, SortedNames, Unsorted};
use super::sort_memory::SortMemory;
use crate::listing::flags::{ListFlags, ListOrder};

/// The remaining names of a directory.
#[derive(Debug)]
pub(super) struct NameSource {
    filter: NameFilter,
    flags: ListFlags,
    piece: NameList,
    /// The next name of the piece.
    next: usize,
    /// The name before that.
    current: NamePlace,
    /// A name of this piece took part.
    has_found: bool,
    /// No piece comes after this one.
    is_last: bool,
    order: Order,
    /// It may be one that does not exist.
    pub(super) may_be_missing: bool,
}

#[derive(Debug)]
enum Order {
    AsRead,
    /// All names are read before they are sorted.
    Reading(SortBuffer),
    /// All names have been read, or too many.
    Buffered(SortedNames),
}

/// The outcome of asking for the next name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextName {
    /// [`NameSource::name`] is the next one.
    Name,
    /// The names after the current piece are needed.
    Read,
    /// What [`NameSource::name`] is sorted by is needed.
    Key,
    /// No name yet, and a whole piece of names has been looked at.
    Pending,
    /// The names cannot be sorted: they come in the directory's own order.
    Unsorted(Unsorted),
    End,
}

impl NameSource {
    /// All names that a filter includes. Where `.` and `..` are shown, they come first: not every
    /// system returns them.
    pub(super) fn of_directory(
        filter: NameFilter,
        flags: ListFlags,
        memory: Option<&Arc<SortMemory>>,
    ) -> Self {
        let dots: &[&str] = match filter {
            NameFilter::All { dots: true } => &[".", ".."],
            NameFilter::All { dots: false } | NameFilter::Matching(_) => &[],
        };
        Self {
            filter,
            flags,
            piece: NameList::from_iter(dots),
            next: 0,
            current: NamePlace::default(),
            has_found: true,
            is_last: false,
            order: if flags.are_sorted() {
                Order::Reading(SortBuffer::new(flags, memory))
            } else {
                Order::AsRead
            },
            may_be_missing: false,
        }
    }

    /// One name alone. Whether it exists shows when its attributes are read.
    pub(super) fn of_name(name: &[u8]) -> Self {
        Self {
            filter: NameFilter::All { dots: false },
            flags: ListFlags::default(),
            piece: NameList::from_iter([name]),
            next: 0,
            current: NamePlace::default(),
            has_found: true,
            is_last: true,
            order: Order::AsRead,
            may_be_missing: true,
        }
    }

    /// The names after the current piece.
    pub(super) fn on_read(&mut self, names: NameList, is_last: bool) {
        if let NameFilter::All { dots } = &mut self.filter {
            *dots = false;
        }
        self.is_last = is_last || names.is_empty();
        self.piece = names;
        (self.next, self.current) = (0, NamePlace::default());
        // Reading is not counted twice: where nothing follows, the end of the directory is counted.
        self.has_found = self.is_last;
    }

    /// What the current name is sorted by.
    pub(super) fn on_key(&mut self, key: i64) {
        if let Order::Reading(buffer) = &mut self.order {
            buffer.add(self.piece.get(self.current), key);
        }
    }

    /// Goes on to the next name. Looks at no name for which `is_hidden` is true.
    pub(super) fn advance(&mut self, is_hidden: impl Fn(&[u8]) -> bool) -> NextName {
        loop {
            match &mut self.order {
                Order::Buffered(names) => {
                    if names.advance() {
                        return NextName::Name;
                    } else {
                        // Where too many were read to sort them, there are more.
                        self.order = Order::AsRead
                    }
                }
                Order::Reading(buffer) => {
                    if let Some(reason) = buffer.unsorted() {
                        self.end_reading(SortBuffer::into_unsorted_names);
                        return NextName::Unsorted(reason);
                    }
                }
                Order::AsRead => {}
            }
            if let Some(place) = self.piece.place(self.next) {
                self.next += 1;
                self.current = place;
                let name = self.piece.get(place);
                if !self.filter.includes(name) || is_hidden(name) {
                    continue;
                }
                match &mut self.order {
                    Order::Reading(_) if self.flags.order != ListOrder::Directory => {
                        return NextName::Key;
                    }
                    Order::Reading(buffer) => buffer.add(name, 0),
                    Order::AsRead | Order::Buffered(_) => {
                        self.has_found = true;
                        return NextName::Name;
                    }
                }
                continue;
            }
            if !self.is_last {
                return if core::mem::replace(&mut self.has_found, true) {
                    NextName::Read
                } else {
                    NextName::Pending
                };
            }
            match &self.order {
                Order::Reading(_) => self.end_reading(SortBuffer::into_sorted_names),
                Order::AsRead | Order::Buffered(_) => return NextName::End,
            }
        }
    }

    /// All names have been read, or as many as can be sorted.
    fn end_reading(&mut self, into_names: impl FnOnce(SortBuffer) -> SortedNames) {
        self.order = match core::mem::replace(&mut self.order, Order::AsRead) {
            Order::Reading(buffer) => Order::Buffered(into_names(buffer)),
            other => other,
        };
    }

    /// The current name.
    pub(super) fn name(&self) -> &[u8] {
        match &self.order {
            Order::Buffered(names) => names.name(),
            Order::AsRead | Order::Reading(_) => self.piece.get(self.current),
        }
    }
}
