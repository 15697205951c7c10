//! Files that may be replaced while the server runs: when to read them again, and when to report a
//! problem.
//!
//! The files are checked every few seconds. That takes a handful of system calls, needs no service
//! of the kernel, and detects each way to replace a file: overwrite it, rename another file to its
//! name, or change a symbolic link. Times come as arguments. Nothing in this file reads the content
//! of a file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Some files, and their states when they were last accepted or rejected.
#[derive(Clone, Debug)]
pub(crate) struct WatchedFiles {
    files: Vec<PathBuf>,
    /// The states that were accepted or rejected.
    settled: FileStates,
    /// Later states that are neither accepted nor rejected, and since when the files have them.
    changed: Option<(FileStates, Instant)>,
    next_check: Instant,
}

/// The states of some files. One that does not exist has the state `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileStates(Vec<Option<FileState>>);

/// What distinguishes one state of a file from the next. Symbolic links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileState {
    file: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
    /// Covers permissions too: a file that could not be read may be readable now.
    changed: (i64, i64),
}

impl WatchedFiles {
    /// Accepts the files as they are now. Read them after this call: then no change is missed.
    pub(crate) fn new(files: Vec<PathBuf>, now: Instant) -> Self {
        Self {
            settled: FileStates::read(&files, |_| ()),
            files,
            changed: None,
            next_check: now + PAUSE,
        }
    }

    /// Whether these are the same files as the others.
    pub(crate) fn is_of(&self, others: &Self) -> bool {
        self.files == others.files
    }

    /// When to call [`update`](Self::update) next; `None` without files.
    pub(crate) fn next_check(&self) -> Option<Instant> {
        (!self.files.is_empty()).then_some(self.next_check)
    }

    /// The files as they are now. This may wait for their disks: `visit` is called for each first.
    pub(crate) fn states(&self, visit: impl Fn(&Path)) -> FileStates {
        FileStates::read(&self.files, visit)
    }

    /// Whether these states are neither accepted nor rejected.
    pub(crate) fn is_changed(&self, found: &FileStates) -> bool {
        *found != self.settled
    }

    /// Takes the states of the files. True if they have changed: then read them, and call
    /// [`accept`](Self::accept) or [`reject`](Self::reject).
    pub(crate) fn update(&mut self, found: FileStates, now: Instant) -> bool {
        self.next_check = now + PAUSE;
        if !self.is_changed(&found) {
            self.changed = None;
            return false;
        }
        if self
            .changed
            .as_ref()
            .is_none_or(|(states, _)| *states != found)
        {
            self.changed = Some((found, now));
        }
        true
    }

    /// Checks the files if it is time.
    #[cfg(test)]
    pub(crate) fn check(&mut self, now: Instant) -> bool {
        let is_due = self.next_check().is_some_and(|at| now >= at);
        is_due && self.update(self.states(|_| ()), now)
    }

    /// The files are in force, in the states of the last check.
    pub(crate) fn accept(&mut self) {
        if let Some((states, _)) = self.changed.take() {
            self.settled = states;
        }
    }

    /// The files cannot be used, in the states of the last check. True if the problem is to be
    /// reported.
    ///
    /// That is once for these states, and not at first: a program may still be writing a file, or
    /// may have replaced one file and not yet the other.
    pub(crate) fn reject(&mut self, now: Instant) -> bool {
        let is_over = |(_, since): &mut (_, Instant)| now >= *since + PATIENCE;
        match self.changed.take_if(is_over) {
            Some((states, _)) => {
                self.settled = states;
                true
            }
            None => false,
        }
    }
}

impl FileStates {
    fn read(files: &[PathBuf], visit: impl Fn(&Path)) -> Self {
        let state = |file: &PathBuf| {
            visit(file);
            let metadata = fs::metadata(file).ok()?;
            Some(FileState {
                file: (metadata.dev(), metadata.ino()),
                bytes: metadata.len(),
                modified: (metadata.mtime(), metadata.mtime_nsec()),
                changed: (metadata.ctime(), metadata.ctime_nsec()),
            })
        };
        Self(files.iter().map(state).collect())
    }
}

/// Between two checks.
const PAUSE: Duration = Duration::from_secs(2);

/// Time to replace several files, or to write one slowly.
const PATIENCE: Duration = Duration::from_secs(6);

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// The result of a check, where only the content `good` can be used.
    #[derive(Debug, PartialEq, Eq)]
    enum Check {
        Unchanged,
        Accepted,
        Rejected,
        Reported,
    }

    use Check::{Accepted, Rejected, Reported, Unchanged};

    struct Scene {
        directory: tempfile::TempDir,
        files: WatchedFiles,
        now: Instant,
    }

    impl Scene {
        /// Two files, `a` and `b`, of which `b` is a link to `target`.
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = |name: &str| directory.path().join(name);
            fs::write(path("a"), "good").unwrap();
            fs::write(path("target"), "good").unwrap();
            symlink("target", path("b")).unwrap();
            let now = Instant::now();
            let files = WatchedFiles::new(vec![path("a"), path("b")], now);
            Self {
                directory,
                files,
                now,
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        /// Replaces a file as a careful program does.
        fn replace(&self, name: &str, text: &str) {
            fs::write(self.path("new"), text).unwrap();
            fs::rename(self.path("new"), self.path(name)).unwrap();
        }

        fn next_check(&mut self) -> Check {
            self.now += PAUSE;
            if !self.files.check(self.now) {
                return Unchanged;
            }
            let is_good = |file: &Path| fs::read(file).is_ok_and(|text| text == b"good");
            if self.files.files.iter().all(|file| is_good(file)) {
                self.files.accept();
                Accepted
            } else if self.files.reject(self.now) {
                Reported
            } else {
                Rejected
            }
        }

        #[track_caller]
        fn check(&mut self, expected: &[Check]) {
            for (index, expected) in expected.iter().enumerate() {
                assert_eq!(self.next_check(), *expected, "check {index}");
            }
        }
    }

    #[test]
    fn each_way_to_replace_a_file_is_detected() {
        let mut scene = Scene::new();
        scene.check(&[Unchanged, Unchanged]);
        scene.replace("a", "good");
        scene.check(&[Accepted, Unchanged]);
        fs::write(scene.path("other"), "good").unwrap();
        fs::remove_file(scene.path("b")).unwrap();
        symlink("other", scene.path("b")).unwrap();
        scene.check(&[Accepted, Unchanged]);
        scene.replace("other", "good");
        scene.check(&[Accepted, Unchanged]);
        // No link leads to this file any more.
        scene.replace("target", "good");
        scene.check(&[Unchanged]);
    }

    #[test]
    fn a_problem_is_reported_late_and_once() {
        let mut scene = Scene::new();
        scene.replace("a", "bad");
        scene.check(&[Rejected, Rejected, Rejected, Reported, Unchanged, Unchanged]);
        scene.replace("a", "worse");
        scene.check(&[Rejected, Rejected, Rejected, Reported, Unchanged]);
        scene.replace("a", "good");
        scene.check(&[Accepted, Unchanged]);
    }

    #[test]
    fn the_second_file_may_be_replaced_later() {
        let mut scene = Scene::new();
        scene.replace("a", "bad");
        scene.check(&[Rejected, Rejected, Rejected]);
        // The wait starts again with each change.
        scene.replace("b", "half");
        scene.check(&[Rejected, Rejected, Rejected]);
        scene.replace("a", "good");
        scene.replace("b", "good");
        scene.check(&[Accepted, Unchanged]);
    }

    #[test]
    fn a_file_that_is_gone_is_rejected() {
        let mut scene = Scene::new();
        fs::rename(scene.path("a"), scene.path("away")).unwrap();
        scene.check(&[Rejected]);
        // The same file is back. Its change time may differ.
        fs::rename(scene.path("away"), scene.path("a")).unwrap();
        assert_ne!(scene.next_check(), Rejected);
        fs::remove_file(scene.path("target")).unwrap();
        scene.check(&[Rejected, Rejected, Rejected, Reported, Unchanged]);
        fs::write(scene.path("target"), "good").unwrap();
        scene.check(&[Accepted, Unchanged]);
    }

    #[test]
    fn without_files_there_is_nothing_to_check() {
        let now = Instant::now();
        let mut files = WatchedFiles::new(Vec::new(), now);
        assert_eq!(files.next_check(), None);
        assert!(!files.check(now + PAUSE));
        let files = WatchedFiles::new(vec![PathBuf::from("/")], now);
        assert_eq!(files.next_check(), Some(now + PAUSE));
    }
}
