//! The names that clients log in with, for the log.

use std::fmt;

use ftp_proto::text::printable;

/// The name, if this is the line of a USER.
pub(super) fn user_name(line: &[u8]) -> Option<&[u8]> {
    let (verb, name) = line.split_at_checked(b"USER ".len())?;
    if !verb.eq_ignore_ascii_case(b"USER ") {
        return None;
    }
    let name = name.trim_ascii_end();
    (!name.is_empty()).then_some(name)
}

/// A name in double quotes, and none inside: its end is certain. Displayed up to a
/// length that no user has.
pub(super) struct QuotedName<'a>(pub(super) &'a [u8]);

impl fmt::Display for QuotedName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(NAME_BYTES_SHOWN)];
        let rest = if shown.len() < self.0.len() {
            "…"
        } else {
            ""
        };
        let text = printable(shown).to_string().replace('"', "\\\"");
        write!(f, "\"{text}{rest}\"")
    }
}

const NAME_BYTES_SHOWN: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_user_has_a_name() {
        for (line, name) in [
            (&b"USER bob\r\n"[..], Some(&b"bob"[..])),
            (b"user two words\n", Some(b"two words")),
            (b"USER \r\n", None),
            (b"USER\r\n", None),
            (b"PASS secret\r\n", None),
        ] {
            assert_eq!(user_name(line), name, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn a_name_cannot_end_its_quotes() {
        let quoted = |name: &[u8]| QuotedName(name).to_string();
        assert_eq!(quoted(b"bob"), "\"bob\"");
        assert_eq!(quoted(b""), "\"\"");
        assert_eq!(quoted(b"a\" b\\\n\xff"), r#""a\" b\\\n\xff""#);
        let long = quoted(&[b'x'; 200]);
        assert_eq!(long, format!("\"{}…\"", "x".repeat(128)));
    }
}
