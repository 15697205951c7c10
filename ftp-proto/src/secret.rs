//! Bytes that must not appear in any log.

use alloc::vec::Vec;
use core::fmt;
use core::hint::black_box;

use zeroize::Zeroizing;

/// A password for the driver to check. `Debug` does not print it, [`matches`](Self::matches)
/// compares it in constant time, and dropping it overwrites the bytes.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Copies `bytes`.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec().into())
    }

    /// Whether the client sent `expected`. Every byte that was sent is compared, so the time does
    /// not show where the first difference is.
    #[must_use]
    pub fn matches(&self, expected: &[u8]) -> bool {
        let mut difference = usize::from(self.0.len() != expected.len());
        for (index, byte) in self.0.iter().enumerate() {
            let expected = expected.get(index).copied().unwrap_or_default();
            difference |= usize::from(black_box(expected ^ byte));
        }
        black_box(difference) == 0
    }

    /// The bytes, for code that checks the password in another way, such as by a hash.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn only_the_same_bytes_match() {
        let secret = Secret::new(b"secret");
        assert!(secret.matches(b"secret"));
        for other in [
            &b""[..],
            b"s",
            b"secre",
            b"Secret",
            b"secreT",
            b"secret\0",
            b"secrets",
        ] {
            assert!(!secret.matches(other), "{}", other.escape_ascii());
            assert!(!Secret::new(other).matches(b"secret"));
        }
        assert!(Secret::new(b"").matches(b""));
    }

    #[test]
    fn debug_does_not_print_it() {
        assert_eq!(format!("{:?}", Secret::new(b"secret")), "Secret");
    }
}
