//! Converts bytes to readable text and back, for transcripts and logs.

/// Displays bytes as one line of text: UTF-8 unchanged, control bytes and other bytes as `\xNN`.
pub fn show(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                '\r' => text.push_str("\\r"),
                '\n' => text.push_str("\\n"),
                '\0'..='\x1f' | '\x7f' => text.push_str(&format!("\\x{:02x}", character as u32)),
                other => text.push(other),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Reads the output of [`show`]. A transcript may also contain `\{5000*A}` for 5000 times `A`.
pub fn read(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(place) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..place]);
        rest = read_escape(&rest[place + 1..], &mut bytes)
            .ok_or_else(|| format!("bad escape in {text:?}"))?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// Reads the escape after a backslash, and returns the text after the escape.
fn read_escape<'a>(text: &'a str, bytes: &mut Vec<u8>) -> Option<&'a str> {
    let mut characters = text.chars();
    match characters.next()? {
        '\\' => bytes.push(b'\\'),
        'r' => bytes.push(b'\r'),
        'n' => bytes.push(b'\n'),
        'x' => {
            bytes.push(u8::from_str_radix(text.get(1..3)?, 16).ok()?);
            return text.get(3..);
        }
        '{' => {
            let (inside, after) = text[1..].split_once('}')?;
            let (count, repeated) = inside.split_once('*')?;
            bytes.extend(repeated.repeat(count.parse().ok()?).bytes());
            return Some(after);
        }
        _ => return None,
    }
    Some(characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn show_and_read_are_inverse() {
        let bytes: Vec<u8> = (0..=255).chain("中\\".bytes()).collect();
        assert_eq!(read(&show(&bytes)), Ok(bytes));
        assert_eq!(read("\\{3*ab}c"), Ok(b"abababc".to_vec()));
        for bad in ["\\", "\\q", "\\x1", "\\xgg", "\\{3A}"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
