//! REST before a download in ASCII: where in the file the rest of the text begins.

use super::{CR, Encoder, LF, TextLength};

/// Finds the place in a file from which a download in ASCII continues.
///
/// The offset of REST counts the octets that the client has received: two for each line end,
/// although the file may have one byte for it. So the file is read from its beginning up to that
/// place, and nothing is sent meanwhile.
///
/// ```
/// use ftp_proto::ascii::Skip;
///
/// let (file, mut sent) = (b"one\ntwo\n", Vec::new());
/// let mut skip = Skip::new(6);
/// let from = skip.push(file);
/// let mut encoder = skip.into_encoder().expect("the file is long enough");
/// encoder.push(&file[from..], &mut sent);
/// assert_eq!(sent, b"wo\r\n");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    encoder: Encoder,
    /// Octets to skip.
    left: u64,
}

impl Skip {
    /// `octets`: the offset of REST.
    #[must_use]
    pub const fn new(octets: u64) -> Self {
        Self {
            encoder: Encoder::new(),
            left: octets,
        }
    }

    /// The fewest bytes that a file has, if it is long enough: a file of line ends alone has half
    /// as many bytes as octets. A driver can refuse a shorter file without reading it.
    #[must_use]
    pub const fn file_bytes_min(&self) -> u64 {
        self.left.div_ceil(2)
    }

    /// Skips the next bytes of the file and returns how many. They are fewer than `input` has only
    /// if the place is found.
    #[must_use = "the download continues at this place in the file"]
    pub fn push(&mut self, input: &[u8]) -> usize {
        let mut skipped = 0;
        while self.left >= 2 * PIECE_BYTES as u64
            && let Some(piece) = input[skipped..].first_chunk::<PIECE_BYTES>()
        {
            let mut length = TextLength::after(self.encoder.after_cr);
            length.push(piece);
            self.left -= length.octets();
            self.encoder.after_cr = length.is_after_cr();
            skipped += PIECE_BYTES;
        }
        let rest = input[skipped..].iter();
        skipped + rest.take_while(|&&byte| self.skip_byte(byte)).count()
    }

    /// Whether the place is found.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.left == 0
    }

    /// The encoder for the bytes from this place on. `None`: the place is not found yet, and if the
    /// file has no more bytes, the offset is beyond its end.
    ///
    /// Its first octet may be the second one of a line end.
    #[must_use]
    pub const fn into_encoder(self) -> Option<Encoder> {
        match self.left {
            0 => Some(self.encoder),
            _ => None,
        }
    }

    /// False: the place before this byte, or in the middle of a line end, is where it continues.
    fn skip_byte(&mut self, byte: u8) -> bool {
        let is_extended = byte == LF && !self.encoder.after_cr;
        let octets = if is_extended { 2 } else { 1 };
        if self.left >= octets {
            self.left -= octets;
            self.encoder.after_cr = byte == CR;
            return true;
        }
        if self.left == 1 {
            // The CR of the line end is skipped, its LF is not: the encoder sends that alone.
            self.encoder.after_cr = true;
            self.left = 0;
        }
        false
    }
}

/// How much is skipped at once, while it is certain that the place is not in it.
const PIECE_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Skips `octets` of `pieces`, and encodes what is left. `None`: they are not as many.
    fn rest(pieces: &[&[u8]], octets: u64) -> Option<Vec<u8>> {
        let mut skip = Skip::new(octets);
        let total: usize = pieces.iter().map(|piece| piece.len()).sum();
        let least = skip.file_bytes_min();
        let mut from = 0;
        for piece in pieces {
            let skipped = skip.push(piece);
            assert!(skipped == piece.len() || skip.is_done());
            from += skipped;
            if skip.is_done() {
                break;
            }
        }
        let mut encoder = skip.into_encoder()?;
        assert!(least <= total as u64);
        let mut sent = Vec::new();
        encoder.push(&pieces.concat()[from..], &mut sent);
        Some(sent)
    }

    #[test]
    fn every_offset_is_followed_by_the_rest_of_the_text() {
        for text in [
            &b""[..],
            b"a",
            b"\n",
            b"\r\n",
            b"\r\r\n\r",
            b"one\ntwo\r\n\n\nthree\r",
            b"\n\n\r\n\nx",
        ] {
            let mut whole = Vec::new();
            Encoder::new().push(text, &mut whole);
            for octets in 0..=whole.len() {
                let expected = Some(&whole[octets..]);
                for cut in 0..=text.len() {
                    let (head, tail) = text.split_at(cut);
                    let sent = rest(&[head, tail], octets as u64);
                    assert_eq!(sent.as_deref(), expected, "{octets} of {text:?}, {cut}");
                }
                let single: Vec<&[u8]> = text.chunks(1).collect();
                assert_eq!(rest(&single, octets as u64).as_deref(), expected);
            }
            for beyond in [whole.len() as u64 + 1, u64::MAX] {
                assert_eq!(rest(&[text], beyond), None, "{text:?}");
            }
        }
    }
}
