//! What is known of uploads that have ended, in this process or in one that was killed.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use log::warn;

use super::failed::FailedUploads;
use super::leftovers::clear_up;
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
    cleared: Mutex<HashMap<(u64, u64), Cleared>>,
}

/// Set when the directory has been read.
type Cleared = Arc<OnceLock<()>>;

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

    /// Clears up what is left in the target's directory. The directory is read once in a process:
    /// false if that was before.
    pub(super) fn clear_up(&self, target: &Target, broken: BrokenUploads) -> bool {
        let directory = target.key().directory;
        let path = target.directory_path();
        let on_older = |name: OsString| {
            let name = name.into_vec();
            self.set_failed(TargetKey { directory, name });
        };
        let cleared = self.cleared(directory);
        if cleared.get().is_some() {
            return false;
        }
        // No session creates a temporary in the directory before the end.
        cleared.get_or_init(|| {
            if let Err(error) = clear_up(target, path.as_ref(), broken, target.usage(), on_older) {
                warn!(
                    "cannot look for leftovers of broken uploads: {}",
                    SystemText(&error)
                );
            }
        });
        true
    }

    fn cleared(&self, directory: (u64, u64)) -> Cleared {
        let mut all = lock(&self.cleared);
        if all.len() >= DIRECTORIES_MAX {
            all.clear();
        }
        all.entry(directory).or_default().clone()
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
        let mut cleared = 0;
        past.cleared((1, 1)).get_or_init(|| {
            past.cleared((1, 2)).get_or_init(|| cleared += 1);
        });
        past.cleared((1, 2)).get_or_init(|| cleared += 1);
        assert_eq!(cleared, 1);
    }
}
