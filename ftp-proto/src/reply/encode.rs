//! The only code that writes replies as bytes.

use alloc::borrow::Cow;
use alloc::vec::Vec;

/// A line with a code.
#[expect(
    clippy::ptr_arg,
    reason = "what is borrowed is sent without a look at it"
)]
pub(super) fn coded_line(code: u16, separator: u8, text: &Cow<'static, [u8]>, out: &mut Vec<u8>) {
    let digit = |value: u16| b'0' + (value % 10) as u8;
    // At once, so that nothing below has to look for room.
    out.reserve(CODE_BYTES + text.len() + LINE_END.len());
    out.extend_from_slice(&[digit(code / 100), digit(code / 10), digit(code), separator]);
    match text {
        Cow::Borrowed(text) => {
            debug_assert!(is_plain_text(text));
            encode_plain(text, out);
        }
        Cow::Owned(text) => encode_text(text, out),
    }
}

/// Of a code and the byte after it.
const CODE_BYTES: usize = 4;

const LINE_END: &[u8] = b"\r\n";

pub(super) fn encode_text(text: &[u8], out: &mut Vec<u8>) {
    if is_plain_text(text) {
        encode_plain(text, out);
        return;
    }
    for run in text.chunk_by(|&a, &b| is_plain(a) && is_plain(b)) {
        match run {
            [0xff] => out.extend_from_slice(&[0xff, 0xff]),
            [byte] if !is_plain(*byte) => out.push(b'?'),
            plain => out.extend_from_slice(plain),
        }
    }
    out.extend_from_slice(LINE_END);
}

fn encode_plain(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(text);
    out.extend_from_slice(LINE_END);
}

/// Whether a text is sent as it is. Without a branch for each byte: the compiler looks at many at
/// once.
pub(super) const fn is_plain_text(text: &[u8]) -> bool {
    let (mut is_all_plain, mut at) = (true, 0);
    while at < text.len() {
        is_all_plain &= is_plain(text[at]);
        at += 1;
    }
    is_all_plain
}

const fn is_plain(byte: u8) -> bool {
    (byte >= b' ') & (byte != 0x7f) & (byte != 0xff) | (byte == b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Also where the text is long enough that many bytes are looked at at once.
    #[test]
    fn no_byte_is_overlooked() {
        for length in 1..70 {
            for at in 0..length {
                for (byte, sent) in [
                    (b'\n', &b"?"[..]),
                    (0x7f, b"?"),
                    (0xff, b"\xff\xff"),
                    (b'\t', b"\t"),
                    (0xfe, b"\xfe"),
                ] {
                    let mut text = vec![b'x'; length];
                    text[at] = byte;
                    let expected = [b"257 ", &text[..at], sent, &text[at + 1..], b"\r\n"];
                    let mut out = Vec::new();
                    coded_line(257, b' ', &Cow::Owned(text.clone()), &mut out);
                    assert_eq!(out, expected.concat());
                }
            }
        }
    }
}
