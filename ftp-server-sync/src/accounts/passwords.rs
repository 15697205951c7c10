//! Passwords: compared in constant time, never printed, not even by `Debug`, and overwritten when
//! they are dropped.

use std::fmt;

use ftp_proto::Secret;
use zeroize::Zeroizing;

/// A password as the bytes that PASS carries.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Takes the bytes as a client must send them.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
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
