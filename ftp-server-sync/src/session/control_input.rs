//! What a client has sent on its control connection, until the core has used it.

use std::mem;

use ftp_proto::limits::LINE_BYTES_MAX;
use zeroize::Zeroize;

/// Received bytes. They may contain a password: all that is used, moved or dropped is overwritten.
///
/// Most clients send one short command and wait: the buffer is small, and kept. One that was filled
/// grows to the longest line, until everything in it is used.
#[derive(Debug, Default)]
pub(super) struct ControlInput {
    /// Zeros but for what is received and not used.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl ControlInput {
    /// Received, and not used yet.
    pub(super) fn unused(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Where the next bytes are received. Empty if that many are unused that a line is too long.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.end == self.buffer.len() {
            if self.start > 0 {
                self.move_to(self.buffer.len());
            } else if self.end < SMALL_BYTES {
                self.move_to(SMALL_BYTES);
            } else if self.end < LINE_BYTES_MAX {
                self.move_to(LINE_BYTES_MAX);
            }
        }
        &mut self.buffer[self.end..]
    }

    /// This number of bytes was received into the [`room`](Self::room).
    pub(super) fn received(&mut self, count: usize) {
        self.end += count;
    }

    /// Forgets the first `count` unused bytes.
    pub(super) fn use_bytes(&mut self, count: usize) {
        self.buffer[self.start..self.start + count].zeroize();
        self.start += count;
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.use_bytes(self.unused().len());
    }

    /// No more is expected soon: an idle session needs no large buffer.
    pub(super) fn shrink(&mut self) {
        if self.is_empty() && self.buffer.len() > SMALL_BYTES {
            self.buffer = Vec::new();
        }
    }

    /// Moves what is unused to the beginning of a buffer of this size.
    fn move_to(&mut self, bytes: usize) {
        let length = self.unused().len();
        if bytes == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.buffer[length..self.end].zeroize();
        } else {
            let mut larger = vec![0; bytes];
            larger[..length].copy_from_slice(self.unused());
            let mut smaller = mem::replace(&mut self.buffer, larger);
            smaller[self.start..self.end].zeroize();
        }
        (self.start, self.end) = (0, length);
    }
}

impl Drop for ControlInput {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A command with a name of usual length fits.
const SMALL_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Receives from `sent` what there is room for.
    fn receive(input: &mut ControlInput, sent: &mut &[u8]) -> usize {
        let room = input.room();
        let count = room.len().min(sent.len());
        room[..count].copy_from_slice(&sent[..count]);
        *sent = &sent[count..];
        input.received(count);
        count
    }

    #[test]
    fn the_longest_line_fits_and_no_more() {
        let mut sent = &[b'x'; 2 * LINE_BYTES_MAX][..];
        let mut input = ControlInput::default();
        let counts: Vec<usize> = std::iter::repeat_with(|| receive(&mut input, &mut sent))
            .take(4)
            .collect();
        assert_eq!(counts, [SMALL_BYTES, LINE_BYTES_MAX - SMALL_BYTES, 0, 0]);
        input.use_bytes(1);
        assert_eq!(receive(&mut input, &mut sent), 1);
        input.clear();
        assert!(input.is_empty());
        input.shrink();
        assert_eq!(receive(&mut input, &mut sent), SMALL_BYTES);
    }

    proptest! {
        /// Nothing is lost, and nothing else stays in the buffer.
        #[test]
        fn bytes_come_out_as_they_went_in(uses in prop::collection::vec((any::<bool>(), 0_usize..600), 1..80)) {
            let all: Vec<u8> = (1..=u8::MAX).cycle().take(20_000).collect();
            let (mut sent, mut expected) = (&all[..], &all[..]);
            let mut input = ControlInput::default();
            for (reads, count) in uses {
                if reads {
                    receive(&mut input, &mut sent);
                }
                let count = count.min(input.unused().len());
                prop_assert_eq!(&input.unused()[..count], &expected[..count]);
                expected = &expected[count..];
                input.use_bytes(count);
                input.shrink();
                prop_assert!(input.unused().len() <= LINE_BYTES_MAX);
                let others = [&input.buffer[..input.start], &input.buffer[input.end..]];
                prop_assert!(others.concat().iter().all(|&byte| byte == 0));
            }
        }
    }
}
