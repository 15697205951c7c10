//! Lines on their way to a reader that may not read.
//!
//! The queue holds at most [`QUEUE_BYTES_MAX`]. What does not fit is lost, and counted: the reader
//! finds the number where the lines would be.

use std::sync::atomic::{AtomicU64, Ordering};

/// The lines that wait to be written.
#[derive(Debug, Default)]
pub(super) struct LineQueue {
    text: Vec<u8>,
    /// Lines lost before `text`, because they could not be written.
    lost_before: u64,
    /// Lines lost after `text`, because it is full. From the first of them on, none is added until
    /// the text is taken: otherwise a short line would stand in front of longer ones that are lost.
    lost_after: u64,
}

/// Lines to be written now, and how many are missing around them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) lost_before: u64,
    pub(super) text: Vec<u8>,
    pub(super) lost_after: u64,
}

impl LineQueue {
    /// Adds a line, which ends with a line end, or counts it as lost.
    pub(super) fn push(&mut self, line: &str) {
        if self.lost_after > 0 || self.text.len() + line.len() > QUEUE_BYTES_MAX {
            self.lost_after += 1;
            count_lost(1);
        } else {
            self.text.extend_from_slice(line.as_bytes());
        }
    }

    /// Counts lines of the last batch that could not be written.
    pub(super) fn add_lost(&mut self, lines: u64) {
        self.lost_before += lines;
    }

    /// Nothing waits. A count of lines that could not be written waits for the next line: trying
    /// again and again would use the processor for nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.lost_after == 0
    }

    /// Takes everything.
    pub(super) fn take(&mut self) -> Batch {
        let Self {
            text,
            lost_before,
            lost_after,
        } = std::mem::take(self);
        Batch {
            lost_before,
            text,
            lost_after,
        }
    }
}

/// Counts lines that were lost.
pub(super) fn count_lost(lines: u64) {
    LOST.fetch_add(lines, Ordering::Relaxed);
}

/// How many lines of this process were lost until now.
pub(crate) fn lost_lines() -> u64 {
    LOST.load(Ordering::Relaxed)
}

static LOST: AtomicU64 = AtomicU64::new(0);

/// About 4000 lines. While the writer waits for its reader, it holds as much again.
const QUEUE_BYTES_MAX: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_leave_in_their_order() {
        let mut queue = LineQueue::default();
        assert!(queue.is_empty());
        queue.push("one\n");
        queue.push("two\n");
        assert!(!queue.is_empty());
        let batch = queue.take();
        assert_eq!(batch.text, b"one\ntwo\n");
        assert_eq!((batch.lost_before, batch.lost_after), (0, 0));
        assert!(queue.is_empty());
        assert_eq!(queue.take(), Batch::default());
    }

    #[test]
    fn what_does_not_fit_is_counted_behind_the_lines() {
        let mut queue = LineQueue::default();
        let long = format!("{}\n", "x".repeat(QUEUE_BYTES_MAX - 3));
        queue.push(&long);
        queue.push("123\n");
        // It would fit, but it comes after one that is lost.
        queue.push("\n");
        let batch = queue.take();
        assert_eq!(batch.text, long.as_bytes());
        assert_eq!((batch.lost_before, batch.lost_after), (0, 2));
        queue.push("next\n");
        let batch = queue.take();
        assert_eq!(batch.text, b"next\n");
        assert_eq!((batch.lost_before, batch.lost_after), (0, 0));
    }

    #[test]
    fn the_last_lines_that_are_lost_are_reported_without_another_line() {
        let mut queue = LineQueue::default();
        queue.push(&"x".repeat(QUEUE_BYTES_MAX + 1));
        assert!(!queue.is_empty());
        assert_eq!(queue.take().lost_after, 1);
        assert!(queue.is_empty());
    }

    #[test]
    fn what_could_not_be_written_waits_for_the_next_line() {
        let mut queue = LineQueue::default();
        queue.push("one\n");
        queue.take();
        queue.push("two\n");
        queue.add_lost(1);
        let batch = queue.take();
        assert_eq!((batch.lost_before, batch.lost_after), (1, 0));
        assert_eq!(batch.text, b"two\n");
        queue.add_lost(2);
        assert!(queue.is_empty());
        queue.push("three\n");
        assert_eq!(queue.take().lost_before, 2);
    }
}
