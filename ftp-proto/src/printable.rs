//! Bytes from a client as printable text, for one line of a log or of a terminal.
//!
//! A name may contain any byte. Written unchanged, a name could start a new line that looks like an
//! event of the log, or send commands to a terminal.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

/// Displays bytes as text on one line: valid UTF-8 unchanged, but for what is not visible as
/// itself, and for backslashes, which become Rust escapes; other bytes as `\xff`. Different bytes
/// always give different text.
///
/// Not visible are control characters, white space other than a space, line and paragraph
/// separators, and characters that change the order or the look of others: bidirectional controls,
/// zero-width characters, variation selectors, tags.
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

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            let mut rest = chunk.valid();
            while let Some(at) = rest.find(needs_escape) {
                f.write_str(&rest[..at])?;
                let mut after = rest[at..].chars();
                if let Some(character) = after.next() {
                    write!(f, "{}", character.escape_default())?;
                }
                rest = after.as_str();
            }
            f.write_str(rest)?;
            if !chunk.invalid().is_empty() {
                write!(f, "{}", chunk.invalid().escape_ascii())?;
            }
        }
        Ok(())
    }
}

/// Whether a character is invisible, looks like a space, or changes how others are shown.
fn needs_escape(character: char) -> bool {
    match character {
        ' '..='~' => character == '\\',
        _ => character.is_control() || character.is_whitespace() || is_invisible(character),
    }
}

/// Unicode's format characters (category Cf) and default-ignorable code points, and a blank pattern
/// of Braille.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
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
    fn what_hides_or_reorders_other_characters_is_escaped() {
        for (text, shown) in [
            // A name that a terminal would show as `/exe.txt`, and marks of direction.
            ("/\u{202e}txt.exe", "/\\u{202e}txt.exe"),
            ("\u{200e}\u{200f}\u{61c}", "\\u{200e}\\u{200f}\\u{61c}"),
            ("\u{2066}a\u{2069}", "\\u{2066}a\\u{2069}"),
            // Lines of their own for some readers of logs.
            ("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}"),
            (
                "a\u{200b}\u{200d}\u{feff}b",
                "a\\u{200b}\\u{200d}\\u{feff}b",
            ),
            ("a\u{a0}b\u{3000}c", "a\\u{a0}b\\u{3000}c"),
            (
                "\u{fe0f}\u{e0101}\u{e0041}",
                "\\u{fe0f}\\u{e0101}\\u{e0041}",
            ),
            // Letters with marks of their own, as a Mac sends them, are what they seem to be.
            (
                "e\u{301} \u{e9} \u{4e2d} \u{1f600}",
                "e\u{301} \u{e9} \u{4e2d} \u{1f600}",
            ),
        ] {
            assert_eq!(printable(text.as_bytes()).to_string(), shown);
        }
    }

    /// The standard library escapes format characters and separators too, besides others.
    #[test]
    fn nothing_is_escaped_that_is_plain_text() {
        // Unicode calls these marks and letters, but they cannot be seen.
        let ignorable = |character: char| {
            matches!(u32::from(character), 0x34f | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f
                | 0x2800 | 0x3164 | 0xfe00..=0xfe0f | 0xffa0 | 0xe0100..=0xe01ef)
        };
        for character in ('\u{a0}'..=char::MAX).filter(|&character| !ignorable(character)) {
            // Marks are escaped at the beginning of a text only.
            let text = format!("a{character}");
            let is_escaped = printable(text.as_bytes()).to_string() != text;
            let by_std = text.escape_debug().count() > 2;
            assert!(by_std || !is_escaped, "{:x}", u32::from(character));
        }
    }

    #[test]
    fn the_end_of_a_word_is_visible() {
        for (bytes, shown) in [
            (&b"plain"[..], "plain"),
            (b"", "\"\""),
            (b"a b", "\"a b\""),
            (b"a\nb", "a\\nb"),
            ("a\u{2003}b".as_bytes(), "a\\u{2003}b"),
        ] {
            assert_eq!(printable_word(bytes), shown);
        }
    }
}
