//! The entries of STAT with a path, in pieces.

use alloc::vec::Vec;

use super::Entry;

/// A part of the answer to [`FileRequest::Status`](crate::FileRequest::Status). The session makes
/// the lines.
///
/// If all batches have more than [`STAT_ENTRIES_MAX`](crate::limits::STAT_ENTRIES_MAX) entries, the
/// session refuses the command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryBatch {
    /// A heading before the entries, in a recursive listing: the directory that contains them, and
    /// those of the following batches without a heading.
    pub directory: Option<Vec<u8>>,
    /// The entries; their names are shown as they are.
    pub entries: Vec<Entry>,
    /// The current time in seconds since 1970, UTC: it decides whether a date shows the time of
    /// day or the year.
    pub now: i64,
    /// `-F`: a mark after each name shows the kind of the entry.
    pub classify: bool,
    /// No other batch follows.
    pub is_last: bool,
}

impl EntryBatch {
    /// All entries in one batch, or a piece of them. `now`: see [`EntryBatch::now`].
    #[must_use]
    pub fn new(entries: Vec<Entry>, now: i64, is_last: bool) -> Self {
        Self {
            entries,
            now,
            is_last,
            ..Self::default()
        }
    }
}
