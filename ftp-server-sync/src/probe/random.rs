//! A name that no file has yet.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// A name with 128 random bits, without characters that any server changes.
pub(super) fn file_name() -> String {
    // The keys of the standard library's hash maps are random in each process.
    let [high, low] = ["high", "low"].map(|half| RandomState::new().hash_one(half));
    format!("ftp-server-sync-probe-{high:016x}{low:016x}.tmp")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ() {
        let names = [file_name(), file_name()];
        assert_ne!(names[0], names[1]);
        assert!(names[0].bytes().all(|byte| byte.is_ascii_graphic()));
    }
}
