//! Whether a file is still the same.

use rustix::fs::Stat;

use crate::fs::root::identity;

/// What shows whether a file is the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version {
    /// Device and inode, size, and when it was modified: differs when the contents change.
    pub(super) contents: ((u64, u64), i64, (i64, i64)),
    /// Permission bits, owner and group.
    pub(super) rights: (u32, u32, u32),
}

impl Version {
    #[allow(
        clippy::unnecessary_cast,
        reason = "the fields have other types on 32-bit machines"
    )]
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            contents: (
                identity(stat),
                stat.st_size as i64,
                (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            ),
            rights: (stat.st_mode & 0o777, stat.st_uid, stat.st_gid),
        }
    }

    /// When the contents were modified: seconds and nanoseconds.
    pub(super) fn modified(&self) -> (i64, i64) {
        self.contents.2
    }
}
