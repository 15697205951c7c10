//! Passwords: compared in constant time, and never printed, not even by `Debug`.

use std::fmt;
use std::hint;

/// A password as the bytes that PASS carries.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Vec<u8>);

impl Password {
    /// Takes the bytes as a client must send them.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Whether the client sent this password. Looks at every byte of `sent`, wherever the first difference
    /// is: the time shows nothing about the password.
    pub(super) fn matches(&self, sent: &[u8]) -> bool {
        let mut difference = usize::from(self.0.len() != sent.len());
        for (index, byte) in sent.iter().enumerate() {
            let expected = self.0.get(index).copied().unwrap_or_default();
            difference |= usize::from(hint::black_box(expected ^ byte));
        }
        hint::black_box(difference) == 0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(not shown)")
    }
}
