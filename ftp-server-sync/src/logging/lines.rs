//! Lines on their way to their writer, and what the writer shares with all others.
//!
//! Nothing in this file waits for a reader or a disk, but for the end of the process.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::line_queue::{Batch, LineQueue};
use super::log_file::LogFile;
use super::log_format::LogFormat;
use crate::locks::lock;

/// What the writer and all others share.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) kind: LineKind,
    /// Where lines go that have no file any more, and what is wrong with it.
    elsewhere: Option<Arc<Self>>,
    format: AtomicU8,
    /// There is a file, or it is stderr.
    is_on: AtomicBool,
    state: Mutex<State>,
    /// There is something to write, or to do.
    filled: Condvar,
    /// Everything has been written, or is lost.
    drained: Condvar,
}

/// What the lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    /// The log, or what is printed.
    Stderr,
    /// The log in a file.
    Log,
    /// The transfers in a file of their own.
    Transfers,
}

#[derive(Debug, Default)]
struct State {
    queue: LineQueue,
    /// What happens to the file, in this order.
    changes: Vec<FileChange>,
    /// The thread exists.
    is_started: bool,
    is_writing: bool,
    /// The thread waits: without it, a wake-up would be a system call for nothing.
    is_waiting: bool,
    /// How many threads wait until everything is written.
    draining: usize,
}

/// What happens to the file.
#[derive(Debug)]
pub(super) enum FileChange {
    /// It is open already.
    Take(LogFile),
    /// Another program may have rotated it, or it has another name.
    Reopen(PathBuf),
    Close,
}

impl LineKind {
    /// The flag that names the file.
    pub(super) const fn flag(self) -> &'static str {
        match self {
            Self::Stderr => "stderr",
            Self::Log => "--log-file",
            Self::Transfers => "--xferlog",
        }
    }

    /// The thread's name in `ps` and `top`.
    pub(super) const fn thread(self) -> &'static str {
        match self {
            Self::Stderr => "log",
            Self::Log => "log-file",
            Self::Transfers => "xferlog",
        }
    }
}

impl Lines {
    pub(super) fn new(kind: LineKind, elsewhere: Option<Arc<Self>>) -> Self {
        Self {
            kind,
            elsewhere,
            format: AtomicU8::default(),
            is_on: (kind == LineKind::Stderr).into(),
            state: Mutex::default(),
            filled: Condvar::new(),
            drained: Condvar::new(),
        }
    }

    /// The form of the log's lines that this writes itself.
    pub(super) fn format(&self) -> LogFormat {
        LogFormat::of_number(self.format.load(Ordering::Relaxed))
    }

    pub(super) fn set_format(&self, format: LogFormat) {
        self.format.store(format.number(), Ordering::Relaxed);
    }

    /// Whether lines have a place.
    pub(super) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    pub(super) fn set_on(&self, is_on: bool) {
        self.is_on.store(is_on, Ordering::Relaxed);
    }

    /// Writes to this file from now on.
    pub(super) fn take_file(&self, file: LogFile) {
        self.set_on(true);
        self.change(FileChange::Take(file));
    }

    /// Opens the file again, which may be another one; `None`: closes it. The thread does that, as
    /// a disk may not answer.
    pub(super) fn reopen(&self, path: Option<PathBuf>) {
        if path.is_some() || self.is_on() {
            self.set_on(path.is_some());
            self.change(path.map_or(FileChange::Close, FileChange::Reopen));
        }
    }

    fn change(&self, change: FileChange) {
        self.add(|state| state.changes.push(change));
    }

    /// Whether a thread is needed that does not exist. The caller then starts it, by `start`.
    ///
    /// # Errors
    ///
    /// That of `start`.
    pub(super) fn start_once(&self, start: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut state = lock(&self.state);
        if !state.is_started && self.is_on() {
            start()?;
            state.is_started = true;
        }
        Ok(())
    }

    /// What there is to write, and to do.
    pub(super) fn take(&self) -> (Batch, Vec<FileChange>) {
        lock(&self.state).take()
    }

    /// The same, once there is something. `lost`: lines of what was taken before that were not
    /// written.
    pub(super) fn wait_and_take(&self, lost: u64) -> (Batch, Vec<FileChange>) {
        let mut state = lock(&self.state);
        state.queue.add_lost(lost);
        state.is_writing = false;
        while !state.has_work() {
            if state.draining > 0 {
                self.drained.notify_all();
            }
            state.is_waiting = true;
            let waited = self.filled.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.is_waiting = false;
        state.is_writing = true;
        state.take()
    }

    /// Adds a line, which ends with a line end. Never waits for the reader of the lines.
    pub(super) fn push(&self, line: &str) {
        self.add(|state| state.queue.push(line));
    }

    /// Adds something for the thread, which is woken once, however much is added until it runs.
    fn add(&self, add: impl FnOnce(&mut State)) {
        let mut state = lock(&self.state);
        add(&mut state);
        let must_wake = std::mem::take(&mut state.is_waiting);
        drop(state);
        if must_wake {
            self.filled.notify_one();
        }
    }

    /// Lines for the place that is left.
    pub(super) fn write_elsewhere(&self, lines: &[u8]) {
        if let Some(elsewhere) = &self.elsewhere {
            for line in String::from_utf8_lossy(lines).split_inclusive('\n') {
                elsewhere.push(line);
            }
        }
    }

    pub(super) fn wait_until_drained(&self) {
        let deadline = Instant::now() + DRAIN_MAX;
        let mut state = lock(&self.state);
        while state.is_started && (state.is_writing || state.has_work()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state.draining += 1;
            let waited = self.drained.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.draining -= 1;
        }
    }
}

impl State {
    fn take(&mut self) -> (Batch, Vec<FileChange>) {
        (self.queue.take(), std::mem::take(&mut self.changes))
    }

    fn has_work(&self) -> bool {
        !self.queue.is_empty() || !self.changes.is_empty()
    }
}

/// The target of lines that programs read from stderr, also where the log has a file.
pub(crate) const ALSO_TO_STDERR: &str = "ftp_server_sync::also_to_stderr";

/// How long the end of the process waits for a reader.
const DRAIN_MAX: Duration = Duration::from_secs(1);
