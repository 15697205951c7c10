//! The reply to STAT with a path, collected from the driver's batches of entries.
//!
//! It is sent as one reply when it is complete: a failure in the middle is still a refusal with its
//! own code, and no other reply can come between the lines.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::codec::WireNames;
use crate::config::limits::STAT_ENTRIES_MAX;
use crate::listing::{EntryBatch, encode_entry, heading, long_line};
use crate::refusal::Refusal;
use crate::reply::Reply;

/// The lines so far, with their ends.
#[derive(Debug, Default)]
pub(super) struct FileStatus {
    text: Vec<u8>,
    entries: usize,
    headings: usize,
    is_too_long: bool,
}

impl FileStatus {
    /// Adds the lines of a batch.
    pub(super) fn add(&mut self, batch: &EntryBatch, names: &WireNames) {
        if let Some(path) = &batch.directory {
            heading(&names.encode(path), self.headings == 0, &mut self.text);
            self.headings += 1;
        }
        self.entries += batch.entries.len();
        if self.entries.max(self.headings) > STAT_ENTRIES_MAX {
            self.is_too_long = true;
            self.text = Vec::new();
            return;
        }
        for entry in &batch.entries {
            let mut entry = Cow::Borrowed(entry);
            if !names.is_identity() {
                encode_entry(entry.to_mut(), names);
            }
            long_line(&entry, batch.now, batch.classify, &mut self.text);
        }
    }

    /// All lines, or a refusal if there were too many.
    pub(super) fn into_reply(self) -> Result<Reply, Refusal> {
        if self.is_too_long {
            return Err(Refusal::TooManyEntries);
        }
        let mut lines: Vec<Vec<u8>> = self
            .text
            .split(|&byte| byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
            .collect();
        // The text behind the last line end is empty.
        lines.pop();
        Ok(Reply::file_status(lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::{Entry, EntryKind};
    use alloc::string::String;
    use alloc::vec;

    fn shown(batches: &[EntryBatch]) -> Result<String, Refusal> {
        let mut status = FileStatus::default();
        batches
            .iter()
            .for_each(|batch| status.add(batch, &WireNames::default()));
        let mut out = Vec::new();
        status.into_reply()?.encode(&mut out);
        Ok(String::from_utf8(out).unwrap())
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
            shown(&[first, batch(1), second]).unwrap(),
            std::format!(
                "213-Status:\r\n .:\r\n {line} {line} \r\n ./d:\r\n213 End of status.\r\n"
            )
        );
        assert_eq!(shown(&[]).unwrap(), "213-Status:\r\n213 End of status.\r\n");
    }

    /// Never a part of the entries as if they were all.
    #[test]
    fn too_many_entries_are_refused() {
        let full = shown(&[batch(STAT_ENTRIES_MAX - 1), batch(1)]).unwrap();
        assert_eq!(full.lines().count(), STAT_ENTRIES_MAX + 2);
        let over = Err(Refusal::TooManyEntries);
        assert_eq!(
            shown(&[batch(STAT_ENTRIES_MAX - 1), batch(2), batch(7)]),
            over
        );
        let mut heading = batch(0);
        heading.directory = Some(b"d".to_vec());
        let headings = shown(&vec![heading.clone(); STAT_ENTRIES_MAX]).unwrap();
        assert_eq!(headings.lines().count(), 2 * STAT_ENTRIES_MAX + 1);
        assert_eq!(shown(&vec![heading; STAT_ENTRIES_MAX + 1]), over);
    }
}
