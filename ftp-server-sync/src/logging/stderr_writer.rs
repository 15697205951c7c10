//! The only way to stderr, and to the file of the log.

use std::env;
use std::fmt;
use std::io;
use std::sync::Arc;

use log::{Level, LevelFilter};

use super::log_file::{LogFile, Owner};
use super::log_format::{LogFormat, LogSettings};
use super::logger::{self, LogLines};
use super::{format, writer};

/// Writes lines to stderr in a thread of its own, in their order, and the log to its file, if it
/// has one, in another thread. Lines that are not taken are lost, and one line says how many.
///
/// Dropping it writes what is still there, but waits for at most one second for each.
#[derive(Debug)]
pub struct StderrWriter {
    lines: Arc<LogLines>,
}

impl StderrWriter {
    /// Lines wait until the thread starts.
    pub fn new() -> Self {
        let variable = env::var_os("JOURNAL_STREAM");
        let detected = LogFormat::of_stream(io::stderr(), variable.as_deref());
        Self {
            lines: LogLines::new(detected).into(),
        }
    }

    /// Starts the threads, unless they run. They have the rights that the process has now, and keep
    /// them.
    ///
    /// # Errors
    ///
    /// If the system has no thread for them.
    pub fn start(&self) -> io::Result<()> {
        writer::start(&self.lines.stderr)?;
        writer::start(&self.lines.file)
    }

    /// From now on, writes the log lines of the whole process, if they have at least this level,
    /// and the messages of panics.
    ///
    /// A reload changes the level by [`log::set_max_level`]. `owner`: user and group of a file that
    /// does not exist yet.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened.
    ///
    /// # Panics
    ///
    /// If the process has a logger already.
    pub fn log(
        &self,
        level: LevelFilter,
        settings: &LogSettings,
        owner: Option<Owner>,
    ) -> io::Result<()> {
        self.lines.set_format(settings.format);
        let file = settings.file.as_ref();
        if let Some(file) = file.map(|path| LogFile::open(path, owner)).transpose()? {
            self.lines.file.take_file(file);
        }
        logger::install(&self.lines, level);
        Ok(())
    }

    /// Prints one line to stderr. What reads it may need a level; text has none, and no time. Where
    /// the log has a file, that has the line too.
    pub fn print(&self, level: Level, line: &dyn fmt::Display) {
        let stderr = &self.lines.stderr;
        stderr.push(&format::message(stderr.format(), level, line));
        if self.lines.file.is_on() {
            self.lines.write_to_file(level, &format_args!("{line}"));
        }
    }

    /// Starts the threads, and waits until everything is written or lost, but for at most one
    /// second for each: a stopped reader must not keep the process from ending.
    pub fn flush(&self) {
        // What happens to the file may have its line on stderr.
        for lines in [&self.lines.file, &self.lines.stderr] {
            match writer::start(lines) {
                Ok(()) => lines.wait_until_drained(),
                // If this fails, no other place is left to write to.
                Err(_) => writer::write_directly(lines),
            }
        }
    }
}

impl Default for StderrWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for StderrWriter {
    fn drop(&mut self) {
        self.flush();
    }
}
