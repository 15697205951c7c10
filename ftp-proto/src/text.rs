//! Bytes that a client sent, made fit for one line of a log or of a terminal.
//!
//! A name may hold any byte. Written as it is, it could begin a new line, which a reader of the log
//! would take for an event, or send commands to a terminal.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::{self, Write};

/// Shows bytes as text on one line: valid UTF-8 as it is, but control characters and backslashes as
/// Rust escapes, and other bytes as `\xff`. Two different byte strings never look the same.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(&'a [u8]);

/// [`Printable`] for these bytes; `to_string` makes a text of it.
pub fn printable(bytes: &[u8]) -> Printable<'_> {
    Printable(bytes)
}

/// The same as a word of a sentence: in double quotes where it is empty or has white space, so that a
/// reader sees where it ends.
pub fn printable_word(bytes: &[u8]) -> String {
    let text = printable(bytes).to_string();
    match text.is_empty() || text.contains(char::is_whitespace) {
        true => format!("\"{text}\""),
        false => text,
    }
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                if character.is_control() || character == '\\' {
                    write!(f, "{}", character.escape_default())?;
                } else {
                    f.write_char(character)?;
                }
            }
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_raw() {
        for (bytes, shown) in [
            (&b"plain"[..], "plain"),
            (b"", ""),
            (b"a b", "a b"),
            (b"a\x1b[2J\r\n\xff\xe4\xb8\xad", "a\\u{1b}[2J\\r\\n\\xff中"),
            (b"\\n", "\\\\n"),
            (b"\x7f\xc2\x85", "\\u{7f}\\u{85}"),
        ] {
            assert_eq!(printable(bytes).to_string(), shown);
        }
    }

    #[test]
    fn a_word_shows_where_it_ends() {
        for (bytes, shown) in [
            (&b"plain"[..], "plain"),
            (b"", "\"\""),
            (b"a b", "\"a b\""),
            (b"a\nb", "a\\nb"),
            ("a\u{2003}b".as_bytes(), "\"a\u{2003}b\""),
        ] {
            assert_eq!(printable_word(bytes), shown);
        }
    }
}
