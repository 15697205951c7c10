//! Lists of names in one allocation, as a directory may contain many.

use alloc::vec::Vec;

/// A list of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameList {
    bytes: Vec<u8>,
    /// Where each name ends.
    ends: Vec<usize>,
}

impl NameList {
    /// Adds a name at the end.
    pub fn push(&mut self, name: &[u8]) {
        self.bytes.extend_from_slice(name);
        self.ends.push(self.bytes.len());
    }

    /// The number of names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Where the name at `index` is.
    pub(super) fn place(&self, index: usize) -> Option<NamePlace> {
        let end = *self.ends.get(index)?;
        let before = index.checked_sub(1);
        let start = before.and_then(|before| self.ends.get(before).copied());
        Some(NamePlace {
            start: start.unwrap_or_default(),
            end,
        })
    }

    /// The name in this place; empty if there is none.
    pub(super) fn get(&self, place: NamePlace) -> &[u8] {
        let name = self.bytes.get(place.start..place.end);
        name.unwrap_or_default()
    }
}

/// Where a name is in a list. A walk looks at the same name several times.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NamePlace {
    start: usize,
    end: usize,
}

impl<N: AsRef<[u8]>> FromIterator<N> for NameList {
    fn from_iter<I: IntoIterator<Item = N>>(names: I) -> Self {
        let mut list = Self::default();
        names.into_iter().for_each(|name| list.push(name.as_ref()));
        list
    }
}
