//! What is known of uploads that have ended, in this process or in one that was killed.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use log::warn;

use super::failed::FailedUploads;
use super::leftovers::ClearUp;
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

/// A directory, and when it was read last.
#[derive(Debug, Default)]
struct Cleared {
    /// The beginning and the end; `None`: never.
    last: Option<(Instant, Instant)>,
    /// The log says what could not be read or removed.
    is_reported: bool,
}

/// What follows, which decides when a directory is read again. All of it is cleared up the first
/// time in a process, and only what is left of the target later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// A whole file. The directory is read each ten minutes at most.
    Store,
    /// A size. The directory may be large, and is read for a small part of the time at most.
    Size,
    /// Bytes behind those of a file, which may be an older one. The directory is always read.
    Continue,
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
        let TargetKey { directory, name } = target.key();
        let asked = Instant::now();
        let cleared = self.cleared(directory);
        let mut cleared = lock(&cleared);
        let begin = Instant::now();
        if !cleared.is_due(look, begin) {
            // Another session may have read it while this one waited.
            return cleared.last.is_some_and(|(_, end)| end >= asked);
        }
        let path = target.directory_path();
        let way = ClearUp {
            path: path.as_ref(),
            broken,
            usage: target.usage(),
            only: cleared.last.is_some().then_some(OsStr::from_bytes(&name)),
            is_quiet: cleared.is_reported,
        };
        let result = way.run(target, |name| {
            let name = name.into_vec();
            self.set_failed(TargetKey { directory, name });
        });
        if let Err(error) = &result
            && !cleared.is_reported
        {
            warn!(
                "cannot look for leftovers of broken uploads: {}",
                SystemText(error)
            );
        }
        cleared.is_reported = !matches!(result, Ok(true));
        cleared.last = Some((begin, Instant::now()));
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

impl Cleared {
    fn is_due(&self, look: Look, now: Instant) -> bool {
        let Some((begin, end)) = self.last else {
            return true;
        };
        let pause = (end - begin) * PAUSE;
        now >= match look {
            Look::Continue => end,
            Look::Size => end + pause,
            Look::Store => end + pause.max(STORE_PAUSE_MIN),
        }
    }
}

/// How many times as long as it took to read a directory it is not read again.
const PAUSE: u32 = 50;

/// A camera that stores a picture each minute does not have its directory read for each.
const STORE_PAUSE_MIN: Duration = Duration::from_secs(600);

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

    #[test]
    fn the_time_for_looks_is_bounded_where_nothing_depends_on_them() {
        let start = Instant::now();
        let mut cleared = Cleared::default();
        assert!(cleared.is_due(Look::Store, start));
        let took = Duration::from_millis(20);
        cleared.last = Some((start, start + took));
        let due = |look| {
            let mut times = [0, 999, 1000, 599_999, 600_000].into_iter();
            times.find(|&ms| cleared.is_due(look, start + took + Duration::from_millis(ms)))
        };
        assert_eq!(due(Look::Continue), Some(0));
        assert_eq!(due(Look::Size), Some(1000));
        assert_eq!(due(Look::Store), Some(600_000));
    }
}
