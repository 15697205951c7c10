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
#[derive(Debug)]
pub struct StderrWriter {
    lines: Arc<Lines>,
}

impl StderrWriter {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the system has no thread for it.
    pub fn start() -> io::Result<Self> {
        let lines = Lines::start_writing()?;
        Ok(Self { lines })
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

    /// Waits until everything is written or lost, but for at most one second: a stopped reader
    /// must not keep the process from ending.
    pub fn flush(&self) {
        self.lines.wait_until_drained();
    }
}

impl Drop for StderrWriter {
    fn drop(&mut self) {
        self.flush();
    }
}
