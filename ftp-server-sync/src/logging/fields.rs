//! Bytes from the network in a log line that programs split: what they may not contain unescaped.
//!
//! [`printable`] escapes what is not visible, in every line. Here follow the separators of a line:
//! spaces between its first fields, and `: ` between what a line is about and what happened to it.

use std::fmt::{self, Write};

use ftp_proto::text::printable;

/// One word of a line: without spaces, and never the `-` that stands for no word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word<'a>(pub(crate) &'a [u8]);

/// What a line is about, such as a path: it has spaces, but no `: `.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a>(pub(crate) &'a [u8]);

/// Escapes the spaces in text that is printable already. In such text `\x20` has no other meaning.
struct Spaces<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    /// Only those after a colon.
    after_colon: bool,
    last: u8,
}

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            b"-" => f.write_str("\\x2d"),
            bytes => Spaces::of(f, false).write(bytes),
        }
    }
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Spaces::of(f, true).write(self.0)
    }
}

impl<'a, 'b> Spaces<'a, 'b> {
    fn of(out: &'a mut fmt::Formatter<'b>, after_colon: bool) -> Self {
        Self {
            out,
            after_colon,
            last: b' ',
        }
    }

    fn write(mut self, bytes: &[u8]) -> fmt::Result {
        write!(self, "{}", printable(bytes))
    }
}

impl Write for Spaces<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut start = 0;
        for (at, byte) in text.bytes().enumerate() {
            let last = std::mem::replace(&mut self.last, byte);
            if byte == b' ' && (last == b':' || !self.after_colon) {
                self.out.write_str(&text[start..at])?;
                self.out.write_str("\\x20")?;
                start = at + 1;
            }
        }
        self.out.write_str(&text[start..])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn separators_are_escaped() {
        for (bytes, word, subject) in [
            (&b"bob"[..], "bob", "bob"),
            (b"", "", ""),
            (b"-", "\\x2d", "-"),
            (b"--", "--", "--"),
            (b"a b@c", "a\\x20b@c", "a b@c"),
            (b" ", "\\x20", " "),
            (b"/a: 5 bytes", "/a:\\x205\\x20bytes", "/a:\\x205 bytes"),
            (b"a:b :", "a:b\\x20:", "a:b :"),
            (b"\\x20\r\n", "\\\\x20\\r\\n", "\\\\x20\\r\\n"),
        ] {
            assert_eq!(Word(bytes).to_string(), word);
            assert_eq!(Subject(bytes).to_string(), subject);
        }
    }

    /// Undoes the escapes.
    fn unescape(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some((plain, escape)) = rest.split_once('\\') {
            bytes.extend_from_slice(plain.as_bytes());
            let length = match &escape[..1] {
                "x" => 3,
                "u" => escape.find('}').expect("an end") + 1,
                _ => 1,
            };
            match &escape[..length] {
                "n" => bytes.push(b'\n'),
                "r" => bytes.push(b'\r'),
                "t" => bytes.push(b'\t'),
                "\\" => bytes.push(b'\\'),
                code if code.starts_with('x') => {
                    bytes.push(u8::from_str_radix(&code[1..], 16).expect("a byte"));
                }
                code => {
                    let digits = &code[2..length - 1];
                    let number = u32::from_str_radix(digits, 16).expect("a number");
                    let character = char::from_u32(number).expect("a character");
                    bytes.extend_from_slice(character.to_string().as_bytes());
                }
            }
            rest = &escape[length..];
        }
        bytes.extend_from_slice(rest.as_bytes());
        bytes
    }

    /// What attacks on a log consist of, beside any bytes.
    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            any::<char>().prop_map(|character| character.to_string().into_bytes()),
            prop::collection::vec(any::<u8>(), 0..4),
            prop::sample::select(vec![
                ": ",
                ":",
                " ",
                "\n",
                "\r\n#18 root@",
                "\\",
                "\\x20",
                "\u{202e}",
                "\u{2028}",
                "\u{2029}",
                "\u{200b}",
                "\u{feff}",
                "\u{85}",
                "\x1b[2J",
                "@",
                "-",
                "\u{2003}",
                "\u{e0041}",
            ])
            .prop_map(|text| text.as_bytes().to_vec()),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_can_forge_a_field_or_a_line(bytes in hostile()) {
            let (word, subject) = (Word(&bytes).to_string(), Subject(&bytes).to_string());
            prop_assert!(!word.contains(char::is_whitespace), "{word:?}");
            prop_assert!(!subject.contains(": "), "{subject:?}");
            for text in [&word, &subject] {
                let is_hidden = |character: char| {
                    character.is_control()
                        || (character.is_whitespace() && character != ' ')
                        || matches!(u32::from(character),
                            0xad | 0x61c | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f
                            | 0xfeff | 0xfff9..=0xfffb | 0xe0000..=0xe007f)
                };
                prop_assert!(!text.contains(is_hidden), "{text:?}");
                prop_assert_eq!(unescape(text), bytes.clone());
            }
        }
    }
}
