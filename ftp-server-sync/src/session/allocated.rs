//! What ALLO says of the next upload, for the threads that show it.

/// The size of the next upload, if this line is an ALLO that says it.
pub(super) fn allocated(line: &[u8]) -> Option<u64> {
    let (verb, rest) = line.split_at_checked(5)?;
    if !verb.eq_ignore_ascii_case(b"ALLO ") {
        return None;
    }
    let rest = str::from_utf8(rest).ok()?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::allocated;

    #[test]
    fn allo_says_the_size() {
        for (line, expected) in [
            (&b"ALLO 1000\r\n"[..], Some(1000)),
            (b"allo 17 R 80\r\n", Some(17)),
            (b"ALLO x\r\n", None),
            (b"ALLO", None),
            (b"ALLO\r\n", None),
            (b"STOR 5\r\n", None),
        ] {
            assert_eq!(allocated(line), expected);
        }
    }
}
