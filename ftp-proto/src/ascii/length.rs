//! SIZE in ASCII: how many octets the text of a file is.

use super::{CR, LF};

/// Counts the octets that [`Encoder`](super::Encoder) makes of a file, without making them.
///
/// ```
/// use ftp_proto::ascii::TextLength;
///
/// let mut length = TextLength::default();
/// length.push(b"one\ntwo\r\n");
/// assert_eq!(length.octets(), 10);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextLength {
    octets: u64,
    /// Whether the last byte so far was a CR.
    after_cr: bool,
}

impl TextLength {
    /// Counts the next bytes of the file.
    pub fn push(&mut self, input: &[u8]) {
        let (Some(&first), Some(&last)) = (input.first(), input.last()) else {
            return;
        };
        let added = line_ends_without_cr(&input[..input.len() - 1], &input[1..]);
        let is_first_added = first == LF && !self.after_cr;
        self.octets += (input.len() + added + usize::from(is_first_added)) as u64;
        self.after_cr = last == CR;
    }

    /// For text that follows other text.
    pub(super) const fn after(after_cr: bool) -> Self {
        let octets = 0;
        Self { octets, after_cr }
    }

    pub(super) const fn is_after_cr(&self) -> bool {
        self.after_cr
    }

    /// The octets so far.
    #[must_use]
    pub const fn octets(&self) -> u64 {
        self.octets
    }
}

/// How many LFs have no CR before them: `befores` has the byte before each of `bytes`.
fn line_ends_without_cr(befores: &[u8], bytes: &[u8]) -> usize {
    let (before_pieces, befores) = befores.as_chunks::<PIECE_BYTES>();
    let (pieces, rest) = bytes.as_chunks::<PIECE_BYTES>();
    let in_pieces = before_pieces.iter().zip(pieces);
    let in_pieces = in_pieces.map(|(befores, bytes)| count(befores.iter().zip(bytes)));
    in_pieces.sum::<usize>() + count(befores.iter().zip(rest))
}

/// The same for one piece at most. Without a branch, and in a byte, so that the compiler can use
/// vector instructions.
#[inline]
fn count<'a>(pairs: impl Iterator<Item = (&'a u8, &'a u8)>) -> usize {
    let is_counted = |(before, byte): (&u8, &u8)| u8::from((*byte == LF) & (*before != CR));
    let count = pairs
        .map(is_counted)
        .fold(0, |count: u8, one| count.wrapping_add(one));
    count.into()
}

/// Fewer than a byte can count.
const PIECE_BYTES: usize = 128;
