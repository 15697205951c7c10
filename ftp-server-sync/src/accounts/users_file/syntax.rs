//! How a line is divided: by separators that are not escaped, from the outer parts to the inner
//! ones. A backslash makes the next character a part of the text.

/// The parts between the separators. An empty text has one part, which is empty.
pub(super) fn split(text: &[u8], separator: u8) -> Vec<&[u8]> {
    split_first(text, separator, usize::MAX)
}

/// The same, but with at most `parts_max` parts: the last one may contain separators.
pub(super) fn split_first(text: &[u8], separator: u8, parts_max: usize) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let (mut start, mut is_escaped) = (0, false);
    for (index, &byte) in text.iter().enumerate() {
        if parts.len() + 1 >= parts_max {
            break;
        }
        if is_escaped {
            is_escaped = false;
        } else if byte == b'\\' {
            is_escaped = true;
        } else if byte == separator {
            parts.push(&text[start..index]);
            start = index + 1;
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The text without its backslashes.
///
/// # Errors
///
/// What is wrong with an escape.
pub(super) fn unescape(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'x') => bytes.push(hex(&mut rest).ok_or(
                "\\x needs two hexadecimal digits, such as \\xe4; write a backslash as \\\\",
            )?),
            Some(&escaped) if ESCAPED.contains(&escaped) => bytes.push(escaped),
            Some(&other) => {
                let other = char::from(other);
                return Err(format!(
                    "\\{} is no escape; write a backslash as \\\\",
                    other.escape_default()
                ));
            }
            None => return Err("ends with a single backslash; write it as \\\\".to_owned()),
        }
    }
    Ok(bytes)
}

fn hex<'a>(digits: &mut impl Iterator<Item = &'a u8>) -> Option<u8> {
    let mut digit = || char::from(*digits.next()?).to_digit(16);
    u8::try_from(digit()? * 16 + digit()?).ok()
}

/// What may follow a backslash, besides `x` and two digits.
const ESCAPED: &[u8] = b"\\:;,#= ";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, separator: u8, expected: &[&str]) {
        let parts = split(text.as_bytes(), separator);
        let parts: Vec<&str> = parts
            .iter()
            .map(|part| str::from_utf8(part).unwrap())
            .collect();
        assert_eq!(parts, expected, "{text}");
    }

    #[test]
    fn separators_divide_unless_they_are_escaped() {
        check("", b':', &[""]);
        check("a:b::c", b':', &["a", "b", "", "c"]);
        check(r"a\:b:c\\:d", b':', &[r"a\:b", r"c\\", "d"]);
        check(r"a\\\:b", b':', &[r"a\\\:b"]);
        check("a,b", b';', &["a,b"]);
        let first = split_first(b"a:b:c:d", b':', 3);
        assert_eq!(first, [&b"a"[..], b"b", b"c:d"]);
        assert_eq!(split_first(br"a\:b:c", b':', 1), [br"a\:b:c"]);
    }

    #[test]
    fn escapes() {
        let bytes = |text: &str| unescape(text.as_bytes());
        assert_eq!(bytes("plain"), Ok(b"plain".to_vec()));
        assert_eq!(bytes(r"\:\;\,\\\#\=\ "), Ok(br":;,\#= ".to_vec()));
        assert_eq!(bytes(r"\xe4\xFF"), Ok(b"\xe4\xff".to_vec()));
        for wrong in [r"\", r"a\", r"\q", r"\x", r"\x1", r"\xzz", r"\n"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
