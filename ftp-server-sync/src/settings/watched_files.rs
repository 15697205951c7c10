//! Files that may be replaced while the server runs: when to read them again, and when to complain.
//!
//! They are looked at every few seconds. That is a handful of system calls, needs nothing from the kernel, and
//! sees every way of replacing a file: written over, renamed over, or a link that leads elsewhere. Times come as
//! arguments; nothing in this file reads what a file holds.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Some files, and how they were when they were last dealt with.
#[derive(Debug)]
pub(crate) struct WatchedFiles {
    files: Vec<PathBuf>,
    /// As they were taken, or found to be of no use.
    settled: Vec<Option<State>>,
    /// As they are since then, and since when.
    changed: Option<(Vec<Option<State>>, Instant)>,
    look_at: Instant,
}

/// What tells one state of a file from the next; links have been followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    file: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
    /// Permissions too: a file that could not be read may be readable now.
    changed: (i64, i64),
}

impl WatchedFiles {
    /// Counts the files as dealt with as they are now. They are to be read after that, so that no change is missed.
    pub(crate) fn new(files: Vec<PathBuf>, now: Instant) -> Self {
        Self {
            settled: states(&files),
            files,
            changed: None,
            look_at: now + PAUSE,
        }
    }

    /// When to look; `None` when there is nothing to look at.
    pub(crate) fn look_at(&self) -> Option<Instant> {
        (!self.files.is_empty()).then_some(self.look_at)
    }

    /// Looks at the files if it is time: true when they should be read again. Then
    /// [`taken`](Self::taken) or [`useless`](Self::useless) says what came of it.
    pub(crate) fn has_changed(&mut self, now: Instant) -> bool {
        if self.files.is_empty() || now < self.look_at {
            return false;
        }
        self.look_at = now + PAUSE;
        let found = states(&self.files);
        if found == self.settled {
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

    /// The files are in force as they were at the last look.
    pub(crate) fn taken(&mut self) {
        if let Some((states, _)) = self.changed.take() {
            self.settled = states;
        }
    }

    /// The files are of no use as they were at the last look; whether that should be said.
    ///
    /// Not at first: somebody may be writing, or has replaced one file and will replace the other. And only
    /// once for each state.
    pub(crate) fn useless(&mut self, now: Instant) -> bool {
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

/// A file that is not there is a state too.
fn states(files: &[PathBuf]) -> Vec<Option<State>> {
    let state = |file: &PathBuf| {
        let metadata = fs::metadata(file).ok()?;
        Some(State {
            file: (metadata.dev(), metadata.ino()),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    };
    files.iter().map(state).collect()
}

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);

/// For somebody who replaces several files, or writes one slowly.
const PATIENCE: Duration = Duration::from_secs(6);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    /// What a look comes to when every state but `good` is of no use.
    #[derive(Debug, PartialEq, Eq)]
    enum Look {
        Nothing,
        Taken,
        Waiting,
        Complaint,
    }

    use Look::{Complaint, Nothing, Taken, Waiting};

    struct Scene {
        directory: tempfile::TempDir,
        watch: WatchedFiles,
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
            let watch = WatchedFiles::new(vec![path("a"), path("b")], now);
            Self {
                directory,
                watch,
                now,
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        /// As a careful program does it.
        fn replace(&self, name: &str, text: &str) {
            fs::write(self.path("new"), text).unwrap();
            fs::rename(self.path("new"), self.path(name)).unwrap();
        }

        fn look(&mut self) -> Look {
            self.now += PAUSE;
            if !self.watch.has_changed(self.now) {
                return Nothing;
            }
            let is_good = |file: &Path| fs::read(file).is_ok_and(|text| text == b"good");
            match self.watch.files.iter().all(|file| is_good(file)) {
                true => {
                    self.watch.taken();
                    Taken
                }
                false if self.watch.useless(self.now) => Complaint,
                false => Waiting,
            }
        }

        #[track_caller]
        fn check(&mut self, expected: &[Look]) {
            for (index, expected) in expected.iter().enumerate() {
                assert_eq!(self.look(), *expected, "look {index}");
            }
        }
    }

    #[test]
    fn each_way_of_replacing_a_file_is_seen() {
        let mut scene = Scene::new();
        scene.check(&[Nothing, Nothing]);
        scene.replace("a", "good");
        scene.check(&[Taken, Nothing]);
        fs::write(scene.path("other"), "good").unwrap();
        fs::remove_file(scene.path("b")).unwrap();
        symlink("other", scene.path("b")).unwrap();
        scene.check(&[Taken, Nothing]);
        scene.replace("other", "good");
        scene.check(&[Taken, Nothing]);
        // Nobody reads this one any more.
        scene.replace("target", "good");
        scene.check(&[Nothing]);
    }

    #[test]
    fn complaints_wait_and_are_not_repeated() {
        let mut scene = Scene::new();
        scene.replace("a", "bad");
        scene.check(&[Waiting, Waiting, Waiting, Complaint, Nothing, Nothing]);
        scene.replace("a", "worse");
        scene.check(&[Waiting, Waiting, Waiting, Complaint, Nothing]);
        scene.replace("a", "good");
        scene.check(&[Taken, Nothing]);
    }

    #[test]
    fn the_second_file_comes_later() {
        let mut scene = Scene::new();
        scene.replace("a", "bad");
        scene.check(&[Waiting, Waiting, Waiting]);
        // Each change begins a new wait.
        scene.replace("b", "half");
        scene.check(&[Waiting, Waiting, Waiting]);
        scene.replace("a", "good");
        scene.replace("b", "good");
        scene.check(&[Taken, Nothing]);
    }

    #[test]
    fn a_file_that_vanishes_is_of_no_use() {
        let mut scene = Scene::new();
        fs::rename(scene.path("a"), scene.path("away")).unwrap();
        scene.check(&[Waiting]);
        // The very same file is back: its time of change differs, perhaps.
        fs::rename(scene.path("away"), scene.path("a")).unwrap();
        assert_ne!(scene.look(), Waiting);
        fs::remove_file(scene.path("target")).unwrap();
        scene.check(&[Waiting, Waiting, Waiting, Complaint, Nothing]);
        fs::write(scene.path("target"), "good").unwrap();
        scene.check(&[Taken, Nothing]);
    }

    #[test]
    fn nothing_to_look_at() {
        let now = Instant::now();
        let mut watch = WatchedFiles::new(Vec::new(), now);
        assert_eq!(watch.look_at(), None);
        assert!(!watch.has_changed(now + PAUSE));
        let watch = WatchedFiles::new(vec![PathBuf::from("/")], now);
        assert_eq!(watch.look_at(), Some(now + PAUSE));
    }
}
