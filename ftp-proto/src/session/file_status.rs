//! The reply to STAT with a path, collected from the driver's batches of entries.
//!
//! It is sent as one reply when it is complete: a failure in the middle is still a refusal with its
//! own code, and no other reply can come between the lines.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::codec::WireNames;
use crate::config::limits::STAT_ENTRIES_MAX;
use crate::listing::{EntryBatch, encode_entry, heading, long_line};
use crate::reply::Reply;

/// The lines so far, with their ends.
#[derive(Debug, Default)]
pub(super) struct FileStatus {
    text: Vec<u8>,
    entries: usize,
    headings: usize,
    /// There may be entries that are not shown.
    is_cut: bool,
}

impl FileStatus {
    /// Adds the lines of a batch, up to the limit.
    pub(super) fn add(&mut self, batch: &EntryBatch, names: &WireNames) {
        if let Some(path) = &batch.directory {
            if self.headings < STAT_ENTRIES_MAX {
                heading(&names.encode(path), self.headings == 0, &mut self.text);
                self.headings += 1;
            } else {
                self.is_cut = true;
            }
        }
        let left = STAT_ENTRIES_MAX - self.entries;
        for entry in batch.entries.iter().take(left) {
            let mut entry = Cow::Borrowed(entry);
            if !names.is_identity() {
                encode_entry(entry.to_mut(), names);
            }
            long_line(&entry, batch.now, batch.classify, &mut self.text);
            self.entries += 1;
        }
        self.is_cut |= batch.is_cut || batch.entries.len() > left;
    }

    pub(super) fn into_reply(self) -> Reply {
        let mut lines: Vec<Vec<u8>> = self
            .text
            .split(|&byte| byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
            .collect();
        // The text behind the last line end is empty.
        lines.pop();
        if self.is_cut {
            lines.push(b"(there may be more; use LIST)".to_vec());
        }
        Reply::file_status(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::{Entry, EntryKind};
    use alloc::string::String;
    use alloc::vec;

    fn shown(batches: &[EntryBatch]) -> String {
        let mut status = FileStatus::default();
        batches
            .iter()
            .for_each(|batch| status.add(batch, &WireNames::default()));
        let mut out = Vec::new();
        status.into_reply().encode(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn batch(count: usize) -> EntryBatch {
        let entry = Entry::new("a\nb", EntryKind::Directory, 0, 0);
        let mut batch = EntryBatch::new(vec![entry; count], 0, false);
        batch.classify = true;
        batch
    }

    #[test]
    fn batches_are_one_reply() {
        let mut first = batch(1);
        first.directory = Some(b".".to_vec());
        let mut second = batch(0);
        second.directory = Some(b"./d".to_vec());
        let line = "drwxr-xr-x   1 0        0               0 Jan  1 00:00 a?b/\r\n";
        assert_eq!(
            shown(&[first, batch(1), second]),
            std::format!(
                "213-Status:\r\n .:\r\n {line} {line} \r\n ./d:\r\n213 End of status.\r\n"
            )
        );
        assert_eq!(shown(&[]), "213-Status:\r\n213 End of status.\r\n");
    }

    #[test]
    fn the_reply_is_bounded_and_says_so() {
        let more = "(there may be more; use LIST)";
        let full = shown(&[batch(STAT_ENTRIES_MAX - 1), batch(1)]);
        assert!(!full.contains(more));
        assert_eq!(full.lines().count(), STAT_ENTRIES_MAX + 2);
        let over = shown(&[batch(STAT_ENTRIES_MAX - 1), batch(2), batch(7)]);
        assert!(over.contains(more));
        assert_eq!(over.lines().count(), STAT_ENTRIES_MAX + 3);
        let mut cut = batch(0);
        cut.is_cut = true;
        assert!(shown(&[cut]).contains(more));
        let mut heading = batch(0);
        heading.directory = Some(b"d".to_vec());
        let headings = shown(&vec![heading; 2 * STAT_ENTRIES_MAX]);
        assert!(headings.contains(more));
        assert_eq!(headings.lines().count(), 2 * STAT_ENTRIES_MAX + 2);
    }
}
