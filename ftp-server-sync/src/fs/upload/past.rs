//! What is known of uploads that have ended, in this process or in one that was killed.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use log::warn;

use super::failed::FailedUploads;
use super::leftovers::{LIVING_MAX, clear_up};
use super::target::{Target, TargetKey};
use crate::fs::upload_rules::BrokenUploads;
use crate::locks::lock;
use crate::logging::system_text::SystemText;

/// The uploads that failed, and where leftovers were looked for.
#[derive(Debug, Default)]
pub(super) struct PastUploads {
    failed: Mutex<FailedUploads>,
    /// Directories by device and inode. Each has a lock of its own: one that the system reads
    /// slowly, or never, is no reason for the uploads to others to wait.
    looks: Mutex<HashMap<(u64, u64), SharedLook>>,
}

type SharedLook = Arc<Mutex<NextLook>>;

/// When a directory is to be read.
#[derive(Clone, Copy, Debug, Default)]
enum NextLook {
    #[default]
    Now,
    /// What may be living uploads of other machines was there.
    From(Instant),
    Never,
}

impl PastUploads {
    /// Whether the file is not the beginning of what a client would continue.
    pub(super) fn has_failed(&self, key: &TargetKey) -> bool {
        lock(&self.failed).contain(key, Instant::now())
    }

    /// An upload failed, and the file is an older one.
    pub(super) fn set_failed(&self, key: TargetKey) {
        lock(&self.failed).add(key, Instant::now());
    }

    /// The file is the whole new one, or its beginning.
    pub(super) fn set_resumable(&self, key: &TargetKey) {
        lock(&self.failed).remove(key);
    }

    /// Clears up what is left in the target's directory. The directory is read once in a process,
    /// unless it has what may be uploads of other machines: false if it was read before.
    pub(super) fn clear_up(&self, target: &Target, broken: BrokenUploads) -> bool {
        let directory = target.key().directory;
        let path = target.directory_path();
        let on_older = |name: OsString| {
            let name = name.into_vec();
            self.set_failed(TargetKey { directory, name });
        };
        let look = self.look(directory);
        // No session creates a temporary in the directory before the end.
        let mut look = lock(&look);
        let now = Instant::now();
        if !look.is_due(now) {
            return false;
        }
        *look = match clear_up(target, path.as_ref(), broken, target.usage(), on_older) {
            Ok(false) => NextLook::From(now + LIVING_MAX),
            Ok(true) => NextLook::Never,
            Err(error) => {
                warn!(
                    "cannot look for leftovers of broken uploads: {}",
                    SystemText(&error)
                );
                NextLook::Never
            }
        };
        true
    }

    fn look(&self, directory: (u64, u64)) -> SharedLook {
        let mut all = lock(&self.looks);
        if all.len() >= DIRECTORIES_MAX {
            all.clear();
        }
        all.entry(directory).or_default().clone()
    }
}

impl NextLook {
    fn is_due(self, now: Instant) -> bool {
        match self {
            Self::Now => true,
            Self::From(time) => now >= time,
            Self::Never => false,
        }
    }
}

/// Directories that are remembered.
const DIRECTORIES_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_directory_is_waited_for_by_its_own_uploads_only() {
        let past = PastUploads::default();
        let slow = past.look((1, 1));
        let slow = lock(&slow);
        *lock(&past.look((1, 2))) = NextLook::Never;
        assert!(matches!(*lock(&past.look((1, 2))), NextLook::Never));
        assert!(matches!(*slow, NextLook::Now));
    }

    #[test]
    fn what_may_live_is_looked_at_again() {
        let now = Instant::now();
        let later = NextLook::From(now + LIVING_MAX);
        assert!(NextLook::Now.is_due(now));
        assert!(!later.is_due(now));
        assert!(later.is_due(now + LIVING_MAX));
        assert!(!NextLook::Never.is_due(now + 2 * LIVING_MAX));
    }
}
