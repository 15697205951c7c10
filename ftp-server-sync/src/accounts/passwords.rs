//! Passwords: compared in constant time, and never printed, not even by `Debug`.

use std::fmt;

use ftp_proto::Secret;

/// A password as the bytes that PASS carries.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Vec<u8>);

impl Password {
    /// Takes the bytes as a client must send them.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Whether the client sent this password.
    pub(super) fn matches(&self, sent: &Secret) -> bool {
        sent.matches(&self.0)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(not shown)")
    }
}
