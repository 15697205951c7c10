//! Lines of their own in a file of their own: `--xferlog`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lines::{LineKind, Lines};
use super::log_file::{LogFile, Owner};
use super::writer;

/// The file, which may not be wanted, and the lines that wait for it.
#[derive(Clone, Debug)]
pub(crate) struct FileLog(Arc<Lines>);

impl FileLog {
    /// Not wanted yet.
    pub(crate) fn new() -> Self {
        Self(Lines::new(LineKind::Transfers, None).into())
    }

    /// Opens the file. The thread that writes it [starts](Self::start) later.
    ///
    /// # Errors
    ///
    /// What the system says, or that it is no file.
    pub(crate) fn open(&self, path: &Path, owner: Option<Owner>) -> io::Result<()> {
        self.0.take_file(LogFile::open(path, owner)?);
        Ok(())
    }

    /// Starts the thread if there is a file. It keeps the rights that the process has now.
    ///
    /// # Errors
    ///
    /// If the system has no thread for it.
    pub(crate) fn start(&self) -> io::Result<()> {
        writer::start(&self.0)
    }

    /// Opens the file again: another program may have rotated it, or it has another name. `None`:
    /// none is wanted.
    pub(crate) fn reopen(&self, path: Option<PathBuf>) {
        self.0.reopen(path);
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.is_on()
    }

    /// Adds a line, without its line end. Never waits.
    pub(crate) fn push(&self, line: &str) {
        if self.is_on() {
            self.0.push(&format!("{line}\n"));
        }
    }

    /// Waits until everything is written or lost, but for at most one second.
    pub(crate) fn flush(&self) {
        self.0.wait_until_drained();
    }
}

/// Makes a file that does not exist yet, for this owner if there is one.
///
/// # Errors
///
/// As for [`FileLog::open`].
pub(crate) fn make_file(path: &Path, owner: Option<Owner>) -> io::Result<()> {
    LogFile::open(path, owner).map(|_| ())
}
