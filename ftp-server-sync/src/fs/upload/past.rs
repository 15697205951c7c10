//! What is known of uploads that have ended, in this process or in one that was killed.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStringExt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use log::warn;

use super::failed::FailedUploads;
use super::leftovers::clear_up;
use super::target::{Target, TargetKey};
use crate::fs::upload_rules::BrokenUploads;
use crate::locks::lock;

/// The uploads that failed, and where leftovers were looked for.
#[derive(Debug, Default)]
pub(super) struct PastUploads {
    failed: Mutex<FailedUploads>,
    /// Directories by device and inode.
    cleared: Mutex<BTreeMap<(u64, u64), Cleared>>,
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

    /// The file is a whole one.
    pub(super) fn set_complete(&self, key: &TargetKey) {
        lock(&self.failed).remove(key);
    }

    /// Clears up what is left in the target's directory. The directory is read once in a process:
    /// no session creates a temporary in it before that is done.
    pub(super) fn clear_up(&self, target: &Target, broken: BrokenUploads) {
        let directory = target.key().directory;
        let once = {
            let mut cleared = lock(&self.cleared);
            if cleared.len() >= DIRECTORIES_MAX {
                cleared.clear();
            }
            cleared.entry(directory).or_default().clone()
        };
        // Without the lock: other directories must not wait for a slow one.
        once.get_or_init(
            || match clear_up(target, target.directory_path().as_ref(), broken) {
                Ok(older) => older.into_iter().for_each(|name| {
                    let name = name.into_vec();
                    self.set_failed(TargetKey { directory, name });
                }),
                Err(error) => warn!("cannot look for leftovers of broken uploads: {error}"),
            },
        );
    }
}

/// Directories that are remembered.
const DIRECTORIES_MAX: usize = 100_000;
