//! What is known of uploads that have ended, in this process or in one that was killed.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::sync::{Arc, Mutex};
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
    cleared: Mutex<HashMap<(u64, u64), SharedCleared>>,
}

type SharedCleared = Arc<Mutex<Cleared>>;

/// A directory that was read.
#[derive(Debug, Default)]
struct Cleared {
    /// When it is worth reading it again; `None`: it was never read.
    next: Option<Instant>,
    /// It cannot be read, and the log says so.
    is_reported: bool,
}

/// When a directory is read that was read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// At most for a small part of the time: it may be large.
    Rarely,
    /// Always: the next bytes go behind those of a file, which may be an older one.
    Now,
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

    /// Clears up what is left in the target's directory: other servers that share it can be killed
    /// at any time. False if the directory was not read.
    pub(super) fn clear_up(&self, target: &Target, broken: BrokenUploads, look: Look) -> bool {
        let directory = target.key().directory;
        let path = target.directory_path();
        let on_older = |name: OsString| {
            let name = name.into_vec();
            self.set_failed(TargetKey { directory, name });
        };
        let cleared = self.cleared(directory);
        let mut cleared = lock(&cleared);
        let begin = Instant::now();
        if look == Look::Rarely && cleared.next.is_some_and(|next| begin < next) {
            return false;
        }
        let result = clear_up(target, path.as_ref(), broken, target.usage(), on_older);
        if let Err(error) = &result
            && !cleared.is_reported
        {
            warn!(
                "cannot look for leftovers of broken uploads: {}",
                SystemText(error)
            );
        }
        cleared.is_reported = result.is_err();
        let end = Instant::now();
        cleared.next = Some(end + (end - begin) * PAUSE);
        true
    }

    fn cleared(&self, directory: (u64, u64)) -> SharedCleared {
        let mut all = lock(&self.cleared);
        if all.len() >= DIRECTORIES_MAX {
            all.clear();
        }
        all.entry(directory).or_default().clone()
    }
}

/// How many times as long as it took to read a directory it is not read again.
const PAUSE: u32 = 50;

/// Directories that are remembered.
const DIRECTORIES_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_directory_is_waited_for_by_its_own_uploads_only() {
        let past = PastUploads::default();
        let slow = past.cleared((1, 1));
        let _reading = lock(&slow);
        assert!(past.cleared((1, 2)).try_lock().is_ok());
        assert!(past.cleared((1, 1)).try_lock().is_err());
    }
}
