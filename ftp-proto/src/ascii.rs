//! The ASCII type: lines end with CRLF on the network and with LF in files (RFC 959, section
//! 3.1.1.1).
//!
//! Both translators give the same output for any division of the input into buffers.

mod length;
mod skip;

use alloc::vec::Vec;

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
        output.reserve(input.len());
        let mut rest = input;
        while let Some(end) = find(LF, rest) {
            let line = &rest[..end];
            let after_cr = line.last().map_or(self.after_cr, |&byte| byte == CR);
            output.extend_from_slice(line);
            output.extend_from_slice(if after_cr { b"\n" } else { b"\r\n" });
            self.after_cr = false;
            rest = &rest[end + 1..];
        }
        output.extend_from_slice(rest);
        if let Some(&last) = rest.last() {
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
        self.is_binary = self.is_binary || find(0, input).is_some();
        self.pending_cr = false;
        let mut rest = input;
        while let Some(end) = find(CR, rest) {
            output.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.first() {
                None => self.pending_cr = true,
                Some(&LF) => {}
                Some(_) => {
                    self.is_binary = true;
                    output.push(CR);
                }
            }
        }
        output.extend_from_slice(rest);
    }

    /// Appends the last CR, if the input ended with one.
    pub fn finish(self, output: &mut Vec<u8>) {
        if self.pending_cr {
            output.push(CR);
        }
    }
}

/// Checks whole chunks without an early exit, so that the compiler can use vector instructions.
/// Only the chunk that contains the byte is searched byte by byte.
fn find(wanted: u8, bytes: &[u8]) -> Option<usize> {
    let (chunks, _) = bytes.as_chunks::<CHUNK_BYTES>();
    let skipped = chunks
        .iter()
        .take_while(|chunk| {
            !chunk
                .iter()
                .fold(false, |found, &byte| found | (byte == wanted))
        })
        .count()
        * CHUNK_BYTES;
    let within = bytes[skipped..].iter().position(|&byte| byte == wanted)?;
    Some(skipped + within)
}

const CR: u8 = b'\r';
const LF: u8 = b'\n';
const CHUNK_BYTES: usize = 32;

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

    #[test]
    fn find_gives_the_first() {
        for length in 0..3 * CHUNK_BYTES {
            let mut bytes = alloc::vec![b'x'; length];
            assert_eq!(find(LF, &bytes), None);
            for at in (0..length).rev() {
                bytes[at] = LF;
                assert_eq!(find(LF, &bytes), Some(at));
            }
        }
    }
}
