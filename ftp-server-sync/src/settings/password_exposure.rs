//! Who may read the file with the password, besides the server.

use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ftp_proto::text::printable_word;

/// A file with a password that others may read or change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PasswordExposure {
    file: PathBuf,
    readers: &'static str,
    verb: &'static str,
    /// What `chmod` changes.
    change: &'static str,
    /// What is in the file.
    content: &'static str,
}

impl PasswordExposure {
    /// Looks at the file. The group may read one that is not the server's own: without that, the
    /// server could not.
    pub(crate) fn find(file: &Path) -> Option<Self> {
        let metadata = fs::metadata(file).ok().filter(fs::Metadata::is_file)?;
        let user = rustix::process::geteuid();
        let is_own = metadata.uid() == user.as_raw();
        // For root the group may be that of --run-as, which reads the file at a reload.
        let of_group = if user.is_root() { 0o070 } else { 0 };
        Self::of(file, metadata.mode() & !of_group, is_own)
    }

    /// The same for the file with the users.
    pub(crate) fn of_users(file: &Path) -> Option<Self> {
        let content = "the users and the hashes of their passwords";
        let found = Self::find(file)?;
        Some(Self { content, ..found })
    }

    fn of(file: &Path, mode: u32, is_own: bool) -> Option<Self> {
        let (bits, readers) = match (mode & 0o007, mode & 0o070) {
            (0, group) if group != 0 && is_own => (group, "other users of this machine"),
            (0, _) => return None,
            (others, _) => (others, "all users of this machine"),
        };
        Some(Self {
            file: file.to_owned(),
            readers,
            verb: match (bits & 0o044, bits & 0o022) {
                (0, _) => "change",
                (_, 0) => "read",
                _ => "read and change",
            },
            change: if is_own { "go=" } else { "o=" },
            content: "the password",
        })
    }
}

impl fmt::Display for PasswordExposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = printable_word(self.file.as_os_str().as_bytes());
        let Self {
            readers,
            verb,
            change,
            content,
            ..
        } = self;
        write!(
            f,
            "{readers} can {verb} {content} in {file}; chmod {change} {file}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_read_it() {
        let line = |mode, is_own| {
            let found = PasswordExposure::of(Path::new("/etc/a password"), mode, is_own);
            found.map(|found| found.to_string())
        };
        let file = "\"/etc/a password\"";
        for mode in [0o100_600, 0o100_400, 0o700] {
            assert_eq!(line(mode, true), None);
            assert_eq!(line(mode | 0o040, false), None);
        }
        for (mode, is_own, expected) in [
            (0o644, true, ["all users of this machine can read", "go="]),
            (
                0o666,
                true,
                ["all users of this machine can read and change", "go="],
            ),
            (0o604, false, ["all users of this machine can read", "o="]),
            (0o602, true, ["all users of this machine can change", "go="]),
            (0o640, true, ["other users of this machine can read", "go="]),
            (
                0o620,
                true,
                ["other users of this machine can change", "go="],
            ),
        ] {
            let [start, change] = expected;
            let expected = format!("{start} the password in {file}; chmod {change} {file}");
            assert_eq!(line(mode, is_own), Some(expected), "{mode:o}");
        }
    }
}
