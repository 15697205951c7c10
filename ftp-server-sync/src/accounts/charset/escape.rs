//! `%XX`: the byte XX of a name, in hexadecimal, where the charset has no form for it.
//!
//! An escape stands for `%`, for a control character other than NUL and TAB, or for a byte that is
//! not ASCII. Everything else that looks like one, such as `%20`, is itself: no name gets around a
//! rule in another spelling, and names that come from web pages stay readable. A percent sign of a
//! name is escaped only where an escape would be read.

/// Appends a piece of a name that is ASCII.
pub(super) fn push_ascii(piece: &[u8], wire: &mut Vec<u8>) {
    for (at, byte) in piece.iter().enumerate() {
        let would_be_read = *byte == b'%' && first(&piece[at..]).is_some();
        if would_be_read || !is_literal(*byte) {
            push(&[*byte], wire);
        } else {
            wire.push(*byte);
        }
    }
}

/// Appends an escape for each byte.
pub(super) fn push(bytes: &[u8], wire: &mut Vec<u8>) {
    let digit = |number: u8| b"0123456789ABCDEF"[usize::from(number)];
    let escapes = bytes.iter();
    wire.extend(escapes.flat_map(|byte| [b'%', digit(byte >> 4), digit(byte & 15)]));
}

/// The bytes of a name whose characters are in UTF-8 already.
pub(super) fn read(text: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = first(rest);
        name.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() {
            &rest[ESCAPE_BYTES..]
        } else {
            after
        };
    }
    name
}

/// The byte of the escape at the beginning, if there is one.
fn first(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else {
        return None;
    };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let byte = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
    (byte == b'%' || !is_literal(byte)).then_some(byte)
}

/// Whether this byte of ASCII is never escaped, except for `%`.
fn is_literal(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b' '..=b'~')
}

const ESCAPE_BYTES: usize = b"%XX".len();
