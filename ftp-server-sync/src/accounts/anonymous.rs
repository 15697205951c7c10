//! The names of the user who needs no password.

/// The name in the users file and in the log.
pub(crate) const ANONYMOUS: &str = "anonymous";

/// Whether `name` is one of the two names of anonymous.
pub(crate) fn is_anonymous(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(ANONYMOUS.as_bytes()) || name.eq_ignore_ascii_case(b"ftp")
}
