//! Text from a server, for a terminal.

use ftp_proto::text::printable;

/// The bytes on one line, and not too many of them. Nothing in them can move the cursor, begin a
/// line, or change the direction in which the line is read.
pub(super) fn shown(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(BYTES_MAX)];
    let mut text = String::new();
    for character in printable(cut).to_string().chars() {
        if is_invisible(character) {
            text.extend(character.escape_unicode());
        } else {
            text.push(character);
        }
    }
    if cut.len() < bytes.len() {
        text.push_str("...");
    }
    text
}

/// Characters that show nothing, and change how others are shown.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// More than any reply needs that is made for people.
const BYTES_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_changes_the_terminal() {
        for (bytes, text) in [
            (&b"FTP server ready."[..], "FTP server ready."),
            (b"a\x1b[2J\r\nb\0", "a\\u{1b}[2J\\r\\nb\\u{0}"),
            ("日本 é".as_bytes(), "日本 é"),
            ("a\u{202e}b\u{2028}".as_bytes(), "a\\u{202e}b\\u{2028}"),
            (b"\xff", "\\xff"),
        ] {
            assert_eq!(shown(bytes), text);
        }
        assert_eq!(shown(&[b'x'; 1000]), "x".repeat(BYTES_MAX) + "...");
    }
}
