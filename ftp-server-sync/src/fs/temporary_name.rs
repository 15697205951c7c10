//! The names of files that receive an upload until it is complete.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::LazyLock;

/// The name of the temporary with this number. Names of other processes differ: not every file
/// system sees that another machine has just created the same name, and the numbers of processes
/// are the same in many containers.
pub(crate) fn temporary_name(number: u64) -> String {
    // The keys of the standard library's hash maps are random in each process.
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
    format!("{PREFIX}{}-{number}{SUFFIX}", *PROCESS)
}

/// Whether a file with this name is a temporary, of this or another server process. Clients never
/// see one.
pub(crate) fn is_temporary(name: &[u8]) -> bool {
    // Each name of a listing comes here.
    if name.first() != PREFIX.as_bytes().first() {
        return false;
    }
    let numbers = name
        .strip_prefix(PREFIX.as_bytes())
        .and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
    let mut numbers = numbers.unwrap_or_default().splitn(2, |&byte| byte == b'-');
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    numbers.next().is_some_and(is_number) && numbers.next().is_some_and(is_number)
}

const PREFIX: &str = ".ftp-upload.";

const SUFFIX: &str = ".part";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_own_names_are_temporaries() {
        let name = temporary_name(17);
        assert!(is_temporary(name.as_bytes()));
        assert!(!name.contains(&format!(".{}-", std::process::id())));
        assert!(is_temporary(b".ftp-upload.1-0.part"));
        for name in [
            ".ftp-upload.1.part",
            ".ftp-upload.-1.part",
            ".ftp-upload.1-.part",
            ".ftp-upload.1-2-3.part",
            ".ftp-upload.notes.part",
            ".ftp-upload.1-2.part.txt",
            "x.ftp-upload.1-2.part",
            "",
        ] {
            assert!(!is_temporary(name.as_bytes()), "{name}");
        }
    }
}
