//! Bytes from a client as printable text, for one line of a log or of a terminal.
//!
//! A name may contain any byte. Written unchanged, a name could start a new line that looks like an
//! event of the log, or send commands to a terminal.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::{self, Write};

/// Displays bytes as text on one line: valid UTF-8 unchanged, control characters and backslashes as
/// Rust escapes, and other bytes as `\xff`. Different bytes always give different text.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(&'a [u8]);

/// The bytes as [`Printable`]; `to_string` returns the text.
#[must_use]
pub fn printable(bytes: &[u8]) -> Printable<'_> {
    Printable(bytes)
}

/// The same as a word in a sentence: in double quotes if it is empty or contains white space, so
/// that its end is visible.
pub fn printable_word(bytes: &[u8]) -> String {
    let text = printable(bytes).to_string();
    if text.is_empty() || text.contains(char::is_whitespace) {
        format!("\"{text}\"")
    } else {
        text
    }
}

/// The part of a command line that a log may contain: without its line end, and without the
/// argument of PASS and ACCT, whose length is hidden too. To print it, use [`printable`].
#[must_use]
pub fn loggable(line: &[u8]) -> &[u8] {
    if may_have_password(line) {
        b"PASS (hidden)"
    } else {
        line.trim_ascii_end()
    }
}

/// Whether a line is, or might be, a PASS or an ACCT. Telnet bytes may come before the verb.
fn may_have_password(line: &[u8]) -> bool {
    let is_secret = |verb: &[u8]| {
        verb.get(..4).is_some_and(|verb| {
            verb.eq_ignore_ascii_case(b"PASS") || verb.eq_ignore_ascii_case(b"ACCT")
        })
    };
    match line.first() {
        Some(0x80..) => line.windows(4).any(is_secret),
        _ => is_secret(line.trim_ascii_start()),
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
    fn control_characters_are_escaped() {
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
    fn passwords_are_hidden_and_files_are_not() {
        for line in ["PASS x", "pass x", " PASS x", "PASS", "ACCT x"] {
            assert_eq!(loggable(line.as_bytes()), b"PASS (hidden)", "{line}");
        }
        assert_eq!(loggable(b"\xff\xfdAPASS x\r\n"), b"PASS (hidden)");
        for line in ["RETR passport.jpg", "CWD /compass", "PAS", "NOOP", ""] {
            let with_end = [line.as_bytes(), b"\r\n"].concat();
            assert_eq!(loggable(&with_end), line.as_bytes());
        }
    }

    #[test]
    fn the_end_of_a_word_is_visible() {
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
