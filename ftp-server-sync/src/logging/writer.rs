//! The only writer to stderr: a thread.
//!
//! It starts after the process has given up rights: threads keep those that they began with.
//!
//! A write to stderr can take for ever: where it is a pipe, its reader may have stopped (`| tee`
//! in a terminal that is paused, a container's log driver, a full disk behind it). Sessions must
//! go on then, and the server must end when it is asked to. So all others only add lines to a
//! queue, which never waits.

use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use log::Level;
use rustix::event::{PollFd, PollFlags, poll};

use super::line_queue::{Batch, LineQueue, count_lost};
use super::system_text::SystemText;
use super::{clock, format};
use crate::locks::lock;

/// What the writer and all others share.
#[derive(Debug, Default)]
pub(super) struct Lines {
    state: Mutex<State>,
    /// There is something to write.
    filled: Condvar,
    /// Everything has been written, or is lost.
    drained: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: LineQueue,
    /// The thread exists.
    is_started: bool,
    is_writing: bool,
}

impl Lines {
    /// Starts the thread that writes them, unless it exists.
    ///
    /// # Errors
    ///
    /// If the system has no thread for it.
    pub(super) fn start_writing(self: &Arc<Self>) -> io::Result<()> {
        let mut state = lock(&self.state);
        if !state.is_started {
            let source = Arc::clone(self);
            thread::Builder::new()
                .name(THREAD.to_owned())
                .stack_size(STACK_BYTES)
                .spawn(move || source.write_all(io::stderr()))?;
            state.is_started = true;
        }
        Ok(())
    }

    /// Adds a line, which ends with a line end. Never waits for the reader of the lines.
    pub(super) fn push(&self, line: &str) {
        lock(&self.state).queue.push(line);
        self.filled.notify_one();
    }

    /// Writes what there is, where the system has no thread. The caller waits for the reader.
    pub(super) fn write_directly(&self) {
        let batch = lock(&self.state).queue.take();
        Output::new(io::stderr()).write_batch(&batch);
    }

    pub(super) fn wait_until_drained(&self) {
        let deadline = Instant::now() + DRAIN_MAX;
        let mut state = lock(&self.state);
        while state.is_writing || !state.queue.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.drained.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The thread: writes batch after batch, for ever.
    fn write_all(&self, stderr: io::Stderr) {
        let mut output = Output::new(stderr);
        let mut state = lock(&self.state);
        loop {
            state = self.wait_until_filled(state);
            let batch = state.queue.take();
            state.is_writing = true;
            drop(state);
            let lost = output.write_batch(&batch);
            state = lock(&self.state);
            state.queue.add_lost(lost);
            state.is_writing = false;
        }
    }

    fn wait_until_filled<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        while state.queue.is_empty() {
            self.drained.notify_all();
            let waited = self.filled.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state
    }
}

/// Where the thread writes to.
struct Output {
    stderr: io::Stderr,
    /// The last write has ended within a line.
    line_is_torn: bool,
    /// Why the last write failed.
    error: Option<io::Error>,
}

impl Output {
    fn new(stderr: io::Stderr) -> Self {
        Self {
            stderr,
            line_is_torn: false,
            error: None,
        }
    }

    /// Returns how many lines are lost that no written line has reported.
    fn write_batch(&mut self, batch: &Batch) -> u64 {
        let lines_of = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
        if batch.lost_before > 0 && !self.report_lost(batch.lost_before) {
            let lost = lines_of(&batch.text);
            count_lost(lost);
            return batch.lost_before + lost + batch.lost_after;
        }
        let written = self.write(&batch.text);
        if written < batch.text.len() {
            let lost = lines_of(&batch.text[written..]);
            count_lost(lost);
            return lost + batch.lost_after;
        }
        if batch.lost_after > 0 && !self.report_lost(batch.lost_after) {
            return batch.lost_after;
        }
        0
    }

    /// Whether the report could be written.
    fn report_lost(&mut self, lines: u64) -> bool {
        let reason = match &self.error {
            Some(error) => SystemText(error).to_string(),
            None => "their reader did not read in time".to_owned(),
        };
        let text = format_args!("lost log lines: {lines} ({reason})");
        let line = format::line(clock::unix_seconds(), Level::Warn, &text) + "\n";
        let is_written = self.write(line.as_bytes()) == line.len();
        if is_written {
            self.error = None;
        }
        is_written
    }

    /// Returns how many of the bytes were written.
    fn write(&mut self, bytes: &[u8]) -> usize {
        // The beginning of a line, whose rest is lost, has a line of its own.
        if self.line_is_torn {
            if self.write_bytes(b"\n") == 0 {
                return 0;
            }
            self.line_is_torn = false;
        }
        let written = self.write_bytes(bytes);
        self.line_is_torn = written > 0 && bytes[written - 1] != b'\n';
        written
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            match self.stderr.write(&bytes[written..]) {
                Ok(0) => {
                    self.error = Some(ErrorKind::WriteZero.into());
                    break;
                }
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Another program that has the same terminal or pipe has made it non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait_until_writable(),
                Err(error) => {
                    self.error = Some(error);
                    break;
                }
            }
        }
        written
    }

    fn wait_until_writable(&self) {
        let mut descriptors = [PollFd::new(&self.stderr, PollFlags::OUT)];
        // If it fails, the next write shows why.
        let _ = poll(&mut descriptors, None);
    }
}

/// How long the end of the process waits for a reader.
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// The thread's name in `ps` and `top`.
const THREAD: &str = "log";

/// Only the pages that are used need memory.
const STACK_BYTES: usize = 128 * 1024;
