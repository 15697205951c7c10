//! The ASCII type: lines end with CRLF on the network and with LF in files (RFC 959, section
//! 3.1.1.1).
//!
//! Both translators give the same output for any division of the input into buffers.

mod chunk;
mod length;
mod skip;

use alloc::vec::Vec;
use core::slice::from_ref;

use chunk::{CHUNK_BYTES, Chunk, Places, has, places, with_inserted, without};

pub use length::TextLength;
pub use skip::Skip;

/// From file to network, for RETR: an LF without a CR before it becomes CRLF, all other bytes stay.
///
/// A line that already ends with CRLF stays as it is, so that files with either line end reach the
/// client correctly. Use a new `Encoder` for each transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoder {
    /// Whether the last byte so far was a CR.
    after_cr: bool,
}

/// From network to file, for STOR, STOU and APPE: CRLF becomes LF, any other CR stays.
///
/// Use a new `Decoder` for each transfer, and call [`finish`](Self::finish) at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a CR may be pending: call finish at the end of the transfer"]
pub struct Decoder {
    /// Whether the last byte so far was a CR. It is not written yet.
    pending_cr: bool,
    is_binary: bool,
}

impl Encoder {
    /// For the beginning of a file.
    #[must_use]
    pub const fn new() -> Self {
        Self { after_cr: false }
    }

    /// Appends the translation of `input` to `output`: at most twice as many bytes.
    pub fn push(&mut self, input: &[u8], output: &mut Vec<u8>) {
        // Lines of usual length fit without a second allocation.
        output.reserve(input.len() + input.len() / 8);
        let (chunks, rest) = input.as_chunks();
        let mut written = 0;
        for (index, chunk) in chunks.iter().enumerate() {
            if !has(chunk, LF) {
                continue;
            }
            let before = index.checked_sub(1).and_then(|index| chunks[index].last());
            let added = self.added(chunk, before);
            if added != 0 {
                // What needs no change is copied as a whole.
                output.extend_from_slice(chunks[written..index].as_flattened());
                let (text, length) = with_inserted(chunk, added, CR);
                output.extend_from_slice(&text[..length]);
                written = index + 1;
            }
        }
        output.extend_from_slice(chunks[written..].as_flattened());
        self.update(chunks.as_flattened());
        for byte in rest {
            if *byte == LF && !self.after_cr {
                output.push(CR);
            }
            output.push(*byte);
            self.update(from_ref(byte));
        }
    }

    /// The line ends of a chunk that get a CR. `before`: the byte before the chunk, if it is in the
    /// same input.
    fn added(&self, chunk: &Chunk, before: Option<&u8>) -> Places {
        let is_after_cr = before.map_or(self.after_cr, |&before| before == CR);
        let after_cr = places(chunk, CR) << 1 | Places::from(is_after_cr);
        places(chunk, LF) & !after_cr
    }

    /// These bytes are translated.
    fn update(&mut self, input: &[u8]) {
        if let Some(&last) = input.last() {
            self.after_cr = last == CR;
        }
    }
}

impl Decoder {
    /// Whether there was a NUL so far, or a CR that no LF follows. Text has neither: the client has
    /// probably sent binary data, and the translation has damaged it.
    #[must_use]
    pub const fn is_binary(&self) -> bool {
        self.is_binary
    }

    /// Appends the translation of `input` to `output`: at most one byte more than `input`.
    pub fn push(&mut self, input: &[u8], output: &mut Vec<u8>) {
        let Some(&first) = input.first() else {
            return;
        };
        output.reserve(input.len() + 1);
        if self.pending_cr && first != LF {
            self.is_binary = true;
            output.push(CR);
        }
        let (chunks, rest) = input.as_chunks();
        self.is_binary =
            self.is_binary || chunks.iter().any(|chunk| has(chunk, 0)) || rest.contains(&0);
        let mut written = 0;
        for (index, chunk) in chunks.iter().enumerate() {
            if !has(chunk, CR) {
                continue;
            }
            let removed = self.removed(chunk, input.get((index + 1) * CHUNK_BYTES));
            if removed != 0 {
                // What needs no change is copied as a whole.
                output.extend_from_slice(chunks[written..index].as_flattened());
                let (text, length) = without(chunk, removed);
                output.extend_from_slice(&text[..length]);
                written = index + 1;
            }
        }
        output.extend_from_slice(chunks[written..].as_flattened());
        for (index, &byte) in rest.iter().enumerate() {
            let next = rest.get(index + 1);
            if byte != CR || next.is_some_and(|&next| next != LF) {
                self.is_binary |= byte == CR;
                output.push(byte);
            }
        }
        self.pending_cr = input.last() == Some(&CR);
    }

    /// The CRs of a chunk that are not written, as an LF or the end of the input follows.
    /// `next`: the byte after the chunk.
    fn removed(&mut self, chunk: &Chunk, next: Option<&u8>) -> Places {
        let is_last_removed = next.is_none_or(|&next| next == LF);
        let is_removed =
            places(chunk, LF) >> 1 | Places::from(is_last_removed) << (CHUNK_BYTES - 1);
        let returns = places(chunk, CR);
        self.is_binary |= returns & !is_removed != 0;
        returns & is_removed
    }

    /// Appends the last CR, if the input ended with one.
    pub fn finish(self, output: &mut Vec<u8>) {
        if self.pending_cr {
            output.push(CR);
        }
    }
}

const CR: u8 = b'\r';
const LF: u8 = b'\n';

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(pieces: &[&[u8]]) -> Vec<u8> {
        let mut encoder = Encoder::default();
        let mut length = TextLength::default();
        let mut output = Vec::new();
        for piece in pieces {
            encoder.push(piece, &mut output);
            length.push(piece);
        }
        assert_eq!(length.octets(), output.len() as u64);
        output
    }

    fn decode(pieces: &[&[u8]]) -> Vec<u8> {
        let mut decoder = Decoder::default();
        let mut output = Vec::new();
        for piece in pieces {
            decoder.push(piece, &mut output);
        }
        decoder.finish(&mut output);
        output
    }

    /// The input whole, cut in two and in three at every position, and byte by byte.
    fn check(translate: fn(&[&[u8]]) -> Vec<u8>, input: &[u8], expected: &[u8]) {
        assert_eq!(translate(&[input]), expected, "{input:?}");
        for first in 0..=input.len() {
            let (head, tail) = input.split_at(first);
            for second in 0..=tail.len() {
                let (middle, end) = tail.split_at(second);
                let output = translate(&[head, middle, end]);
                assert_eq!(output, expected, "{head:?} {middle:?} {end:?}");
            }
        }
        let single: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(translate(&single), expected, "{input:?}");
    }

    #[test]
    fn encoding() {
        check(encode, b"", b"");
        check(encode, b"one\ntwo\n", b"one\r\ntwo\r\n");
        check(encode, b"one\r\ntwo\r\n", b"one\r\ntwo\r\n");
        check(encode, b"one\r\ntwo\nthree", b"one\r\ntwo\r\nthree");
        check(encode, b"\n\n\r\n\n", b"\r\n\r\n\r\n\r\n");
        check(encode, b"\r", b"\r");
        check(encode, b"\r\r\n\r", b"\r\r\n\r");
        check(encode, b"a\rb\n", b"a\rb\r\n");
        check(encode, b"\0\xff\x80", b"\0\xff\x80");
    }

    #[test]
    fn decoding() {
        check(decode, b"", b"");
        check(decode, b"one\r\ntwo\r\n", b"one\ntwo\n");
        check(decode, b"one\ntwo", b"one\ntwo");
        check(decode, b"\r\n\r\n\n\r", b"\n\n\n\r");
        check(decode, b"\r\r\n", b"\r\n");
        check(decode, b"\r\r\r", b"\r\r\r");
        check(decode, b"a\rb\r\0c", b"a\rb\r\0c");
        check(decode, b"\xff\r\n\x80", b"\xff\n\x80");
    }

    #[test]
    fn binary_data_is_recognized() {
        for (input, expected) in [
            (&b""[..], false),
            (b"one\r\ntwo\nthree", false),
            (b"one\r\n\xff\xfe", false),
            (b"one\r", false),
            (b"a\rb", true),
            (b"\r\r\n", true),
            (b"one\r\n\0", true),
        ] {
            for end in 0..=input.len() {
                let mut decoder = Decoder::default();
                let mut output = Vec::new();
                decoder.push(&input[..end], &mut output);
                decoder.push(&input[end..], &mut output);
                assert_eq!(decoder.is_binary(), expected, "{input:?} {end}");
            }
        }
    }

    #[test]
    fn local_lines_survive_the_round_trip() {
        // Every text of up to five of these bytes; those with CRLF in them are the exception.
        let alphabet = [CR, LF, b'x'];
        let mut texts = Vec::from([Vec::new()]);
        for length in 0..5 {
            let longest: Vec<_> = texts
                .iter()
                .filter(|t| t.len() == length)
                .cloned()
                .collect();
            for text in longest {
                for byte in alphabet {
                    texts.push([&text[..], &[byte]].concat());
                }
            }
        }
        assert_eq!(texts.len(), 1 + 3 + 9 + 27 + 81 + 243);
        for text in texts {
            let network = encode(&[&text]);
            assert_eq!(
                encode(&[&network]),
                network,
                "encoding twice changes nothing: {text:?}"
            );
            if !text.windows(2).any(|pair| pair == b"\r\n") {
                assert_eq!(decode(&[&network]), text, "{text:?}");
            }
        }
    }

    #[test]
    fn lines_longer_than_a_chunk() {
        for length in 0..3 * CHUNK_BYTES {
            let line = alloc::vec![b'x'; length];
            let local = [&line[..], b"\n", &line[..], b"\n"].concat();
            let network = [&line[..], b"\r\n", &line[..], b"\r\n"].concat();
            assert_eq!(encode(&[&local]), network);
            assert_eq!(decode(&[&network]), local);
        }
    }

    /// Texts of several chunks in which line ends are dense, rare, and at the borders of chunks.
    fn long_texts() -> impl Iterator<Item = Vec<u8>> {
        let mut state = 1_u32;
        (0..600).map(move |round| {
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state >> 24
            };
            let usual = [0, 1, 2, 4, 16, 64][round % 6];
            let length = next() as usize % (5 * CHUNK_BYTES);
            let bytes = (0..length).map(|_| match next() % (usual + 4) {
                0 => LF,
                1 => CR,
                2 if round % 5 == 0 => 0,
                _ => b'x',
            });
            bytes.collect()
        })
    }

    /// The translators have one path for chunks, and another for the bytes behind the last one.
    #[test]
    fn chunks_are_translated_as_single_bytes_are() {
        for text in long_texts() {
            let single: Vec<&[u8]> = text.chunks(1).collect();
            assert_eq!(encode(&[&text]), encode(&single), "{text:?}");
            assert_eq!(decode(&[&text]), decode(&single), "{text:?}");
            let is_binary = |pieces: &[&[u8]]| {
                let mut decoder = Decoder::default();
                let mut output = Vec::new();
                pieces
                    .iter()
                    .for_each(|piece| decoder.push(piece, &mut output));
                decoder.is_binary()
            };
            assert_eq!(is_binary(&[&text]), is_binary(&single), "{text:?}");
            for cut in [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1] {
                let (head, tail) = text.split_at(cut.min(text.len()));
                assert_eq!(encode(&[head, tail]), encode(&single), "{text:?}");
                assert_eq!(decode(&[head, tail]), decode(&single), "{text:?}");
            }
        }
    }
}
