//! The only way to stderr.

use std::fmt;
use std::io;
use std::sync::Arc;

use log::LevelFilter;

use super::logger;
use super::writer::Lines;

/// Writes lines to stderr in a thread of its own, in their order. Lines that stderr does not take
/// are lost, and one line says how many.
///
/// Dropping it writes what is still there, but waits for at most one second.
#[derive(Debug, Default)]
pub struct StderrWriter {
    lines: Arc<Lines>,
}

impl StderrWriter {
    /// Lines wait until the thread starts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts the thread, unless it runs. It has the rights that the process has now, and keeps
    /// them.
    ///
    /// # Errors
    ///
    /// If the system has no thread for it.
    pub fn start(&self) -> io::Result<()> {
        self.lines.start_writing()
    }

    /// From now on, writes the log lines of the whole process, if they have at least this level,
    /// and the messages of panics.
    ///
    /// A reload changes the level by [`log::set_max_level`].
    ///
    /// # Panics
    ///
    /// If the process has a logger already.
    pub fn log(&self, level: LevelFilter) {
        logger::install(&self.lines, level);
    }

    /// Writes one line, without time and level.
    pub fn print(&self, line: &dyn fmt::Display) {
        self.lines.push(&format!("{line}\n"));
    }

    /// Starts the thread, and waits until everything is written or lost, but for at most one
    /// second: a stopped reader must not keep the process from ending.
    pub fn flush(&self) {
        match self.start() {
            Ok(()) => self.lines.wait_until_drained(),
            // If this fails, no other place is left to write to.
            Err(_) => self.lines.write_directly(),
        }
    }
}

impl Drop for StderrWriter {
    fn drop(&mut self) {
        self.flush();
    }
}
