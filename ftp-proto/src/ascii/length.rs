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
        // Without a branch for each byte, so that the compiler can use vector instructions.
        let pairs = input.iter().zip(&input[1..]);
        let added: usize = pairs
            .map(|(&before, &byte)| usize::from(byte == LF && before != CR))
            .sum();
        let is_first_added = first == LF && !self.after_cr;
        self.octets += (input.len() + added + usize::from(is_first_added)) as u64;
        self.after_cr = last == CR;
    }

    /// The octets so far.
    #[must_use]
    pub const fn octets(&self) -> u64 {
        self.octets
    }
}
