//! The only writers of lines, to stderr and to files: a thread for each.
//!
//! It starts after the process has given up rights: threads keep those that they began with.
//!
//! A write to stderr can take for ever: where it is a pipe, its reader may have stopped (`| tee`
//! in a terminal that is paused, a container's log driver, a full disk behind it). So can one to a
//! file on a network drive. Sessions must go on then, and the server must end when it is asked to.
//! So all others only add lines to a queue, which never waits.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::line_queue::LineQueue;
use super::log_file::LogFile;
use super::log_format::LogFormat;
use super::output::{FileChange, Output};
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
    const fn thread(self) -> &'static str {
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

    /// Opens the file again, which may be another one; `None`: closes it. The thread does that
    /// after the lines that wait: a disk may not answer.
    pub(super) fn reopen(&self, path: Option<PathBuf>) {
        if path.is_some() || self.is_on() {
            self.set_on(path.is_some());
            self.change(path.map_or(FileChange::Close, FileChange::Reopen));
        }
    }

    fn change(&self, change: FileChange) {
        lock(&self.state).changes.push(change);
        self.filled.notify_one();
    }

    /// Starts the thread that writes them, unless it exists or has nothing to write to.
    ///
    /// # Errors
    ///
    /// If the system has no thread for it.
    pub(super) fn start_writing(self: &Arc<Self>) -> io::Result<()> {
        let mut state = lock(&self.state);
        if !state.is_started && self.is_on() {
            let source = Arc::clone(self);
            thread::Builder::new()
                .name(self.kind.thread().to_owned())
                .stack_size(STACK_BYTES)
                .spawn(move || source.write_all())?;
            state.is_started = true;
        }
        Ok(())
    }

    /// Adds a line, which ends with a line end. Never waits for the reader of the lines.
    pub(super) fn push(&self, line: &str) {
        lock(&self.state).queue.push(line);
        self.filled.notify_one();
    }

    /// Lines for the place that is left.
    pub(super) fn write_elsewhere(&self, lines: &[u8]) {
        if let Some(elsewhere) = &self.elsewhere {
            for line in String::from_utf8_lossy(lines).split_inclusive('\n') {
                elsewhere.push(line);
            }
        }
    }

    /// Writes what there is, where the system has no thread. The caller waits for the reader.
    pub(super) fn write_directly(&self) {
        let mut state = lock(&self.state);
        let (batch, changes) = (state.queue.take(), std::mem::take(&mut state.changes));
        drop(state);
        Output::new(self).write_all(&batch, changes);
    }

    pub(super) fn wait_until_drained(&self) {
        let deadline = Instant::now() + DRAIN_MAX;
        let mut state = lock(&self.state);
        while state.is_started && (state.is_writing || state.has_work()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.drained.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The thread: writes batch after batch, for ever.
    fn write_all(&self) {
        let mut output = Output::new(self);
        let mut state = lock(&self.state);
        loop {
            state = self.wait_until_filled(state);
            let (batch, changes) = (state.queue.take(), std::mem::take(&mut state.changes));
            state.is_writing = true;
            drop(state);
            let lost = output.write_all(&batch, changes);
            state = lock(&self.state);
            state.queue.add_lost(lost);
            state.is_writing = false;
        }
    }

    fn wait_until_filled<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        while !state.has_work() {
            self.drained.notify_all();
            let waited = self.filled.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state
    }
}

impl State {
    fn has_work(&self) -> bool {
        !self.queue.is_empty() || !self.changes.is_empty()
    }
}

/// How long the end of the process waits for a reader.
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// Only the pages that are used need memory.
const STACK_BYTES: usize = 128 * 1024;
