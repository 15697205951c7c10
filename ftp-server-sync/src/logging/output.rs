//! Where a thread writes its lines to: stderr or a file, what is lost on the way, and the line that
//! says so.

use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use ftp_proto::text::printable_word;
use log::{Level, log, warn};
use rustix::event::{PollFd, PollFlags, poll};

use super::line_queue::{Batch, count_lost};
use super::lines::{ALSO_TO_STDERR, FileChange, LineKind, Lines};
use super::log_file::LogFile;
use super::system_text::SystemText;
use super::{clock, format};

/// The writer's side of some lines.
pub(super) struct Output<'a> {
    lines: &'a Lines,
    place: Place,
    /// The last write has ended within a line.
    line_is_torn: bool,
    /// Why the last write failed.
    error: Option<io::Error>,
    /// It has failed, and the log says so.
    is_failing: bool,
}

enum Place {
    Stderr(io::Stderr),
    File(LogFile),
    /// No file is open.
    Nowhere,
}

impl<'a> Output<'a> {
    pub(super) fn new(lines: &'a Lines) -> Self {
        Self {
            place: match lines.kind {
                LineKind::Stderr => Place::Stderr(io::stderr()),
                LineKind::Log | LineKind::Transfers => Place::Nowhere,
            },
            lines,
            line_is_torn: false,
            error: None,
            is_failing: false,
        }
    }

    /// Changes the file, and writes lines: to the new one, or to the old one if there is no new
    /// one. Returns how many lines are lost that no written line has reported.
    pub(super) fn write_all(&mut self, batch: &Batch, changes: Vec<FileChange>) -> u64 {
        let mut lost = None;
        for change in changes {
            if matches!(change, FileChange::Close) && lost.is_none() {
                lost = Some(self.write_batch(batch));
            }
            self.change(change);
        }
        lost.unwrap_or_else(|| self.write_batch(batch))
    }

    fn change(&mut self, change: FileChange) {
        let is_another = match (&change, &self.place) {
            (FileChange::Reopen(path), Place::File(file)) => *path != file.path,
            _ => true,
        };
        // Another file has lines of its own.
        self.is_failing &= !is_another;
        match change {
            FileChange::Take(file) => self.place = Place::File(file),
            FileChange::Close => {
                self.place = Place::Nowhere;
                self.lines.set_on(false);
            }
            FileChange::Reopen(path) => self.reopen(&path),
        }
    }

    fn reopen(&mut self, path: &Path) {
        let result = match &mut self.place {
            Place::File(file) => file.reopen(path),
            place => LogFile::open(path, None).map(|file| *place = Place::File(file)),
        };
        let Err(error) = result else {
            // A change before this one may have given it up, after this one was asked for.
            return self.lines.set_on(true);
        };
        let (flag, error) = (self.lines.kind.flag(), SystemText(&error));
        let path = printable_word(path.as_os_str().as_bytes());
        match &self.place {
            Place::File(old) => warn!(
                "cannot open {flag} {path} again: {error}; the lines go on to the file that was {} \
                 at the start: {REOPEN_REMEDY}",
                printable_word(old.path.as_os_str().as_bytes())
            ),
            _ => {
                self.lines.set_on(false);
                warn!("cannot open {flag} {path}: {error}; it is not written: {REOPEN_REMEDY}");
            }
        }
    }

    fn write_batch(&mut self, batch: &Batch) -> u64 {
        if let Place::Nowhere = self.place {
            // Lines from before the file was given up.
            self.lines.write_elsewhere(&batch.text);
            return batch.lost_before + batch.lost_after;
        }
        let lost = match self.lines.kind {
            LineKind::Stderr | LineKind::Log => self.write_log(batch),
            LineKind::Transfers => self.write_transfers(batch),
        };
        if lost == 0 && !batch.text.is_empty() {
            self.on_success();
        }
        lost
    }

    /// The report stands where the lines would be.
    fn write_log(&mut self, batch: &Batch) -> u64 {
        if batch.lost_before > 0 && !self.report_lost(batch.lost_before) {
            return batch.lost_before + lost_lines_of(&batch.text) + batch.lost_after;
        }
        let written = self.write(&batch.text);
        if written < batch.text.len() {
            return lost_lines_of(&batch.text[written..]) + batch.lost_after;
        }
        if batch.lost_after > 0 && !self.report_lost(batch.lost_after) {
            return batch.lost_after;
        }
        0
    }

    /// Readers of this file know one kind of lines only: the report is in the log.
    fn write_transfers(&mut self, batch: &Batch) -> u64 {
        let written = self.write(&batch.text);
        let lost = batch.lost_before + lost_lines_of(&batch.text[written..]) + batch.lost_after;
        if written < batch.text.len() || lost == 0 {
            return lost;
        }
        warn!("lost lines of --xferlog: {lost} ({})", self.reason());
        self.error = None;
        0
    }

    /// Whether the report could be written.
    fn report_lost(&mut self, lines: u64) -> bool {
        let text = format!("lost log lines: {lines} ({})", self.reason());
        let line = self.line(Level::Warn, &text);
        let is_written = self.write(line.as_bytes()) == line.len();
        if is_written {
            self.error = None;
        }
        is_written
    }

    fn reason(&self) -> String {
        match (&self.error, self.lines.kind) {
            (Some(error), _) => SystemText(error).to_string(),
            (None, LineKind::Stderr) => "their reader did not read in time".to_owned(),
            (None, _) => "the disk did not take them in time".to_owned(),
        }
    }

    fn line(&self, level: Level, text: &str) -> String {
        let (format, now) = (self.lines.format(), clock::unix_time());
        format::record(format, now, level, &format_args!("{text}"))
    }

    /// A file that fails says so elsewhere, once until it works again.
    fn on_error(&mut self, error: io::Error) {
        if let Place::File(file) = &self.place
            && !std::mem::replace(&mut self.is_failing, true)
        {
            let (flag, error) = (self.lines.kind.flag(), SystemText(&error));
            let path = printable_word(file.path.as_os_str().as_bytes());
            let text = format!(
                "cannot write {flag} {path}: {error}; lines are lost until it can be written: make \
                 room on its disk, or give another file and send SIGHUP"
            );
            self.report(Level::Warn, &text);
        }
        self.error = Some(error);
    }

    /// Those who have read that it fails read that it does not any more.
    fn on_success(&mut self) {
        if std::mem::take(&mut self.is_failing)
            && let Place::File(file) = &self.place
        {
            let path = printable_word(file.path.as_os_str().as_bytes());
            let text = format!("{} {path} can be written again", self.lines.kind.flag());
            self.report(Level::Info, &text);
        }
    }

    /// Says something about the file where it is read. The file of the log may be on the same disk:
    /// what is about the transfers is on stderr too.
    fn report(&self, level: Level, text: &str) {
        match self.lines.kind {
            LineKind::Transfers => log!(target: ALSO_TO_STDERR, level, "{text}"),
            _ if level <= log::max_level() => {
                self.lines
                    .write_elsewhere(self.line(level, text).as_bytes());
            }
            _ => {}
        }
    }

    /// Returns how many of the bytes were written.
    fn write(&mut self, bytes: &[u8]) -> usize {
        // The beginning of a line, whose rest is lost, has a line of its own.
        if self.line_is_torn && !bytes.is_empty() {
            if self.write_bytes(b"\n") == 0 {
                return 0;
            }
            self.line_is_torn = false;
        }
        let written = self.write_bytes(bytes);
        self.line_is_torn |= written > 0 && bytes[written - 1] != b'\n';
        written
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            match self.place.write(&bytes[written..]) {
                Ok(0) => {
                    self.on_error(ErrorKind::WriteZero.into());
                    break;
                }
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Another program that has the same terminal or pipe has made it non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait_until_writable(),
                Err(error) => {
                    self.on_error(error);
                    break;
                }
            }
        }
        written
    }

    fn wait_until_writable(&self) {
        if let Some(place) = self.place.descriptor() {
            let mut descriptors = [PollFd::from_borrowed_fd(place, PollFlags::OUT)];
            // If it fails, the next write shows why.
            let _ = poll(&mut descriptors, None);
        }
    }
}

impl Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stderr(stderr) => stderr.write(bytes),
            Self::File(file) => file.file.write(bytes),
            Self::Nowhere => Ok(bytes.len()),
        }
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Stderr(stderr) => Some(stderr.as_fd()),
            Self::File(file) => Some(file.file.as_fd()),
            Self::Nowhere => None,
        }
    }
}

/// How many lines these are that could not be written.
fn lost_lines_of(bytes: &[u8]) -> u64 {
    let lost = bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
    count_lost(lost);
    lost
}

/// The remedy, whichever right the server has given up.
const REOPEN_REMEDY: &str = "have logrotate make the new one for the server's user (create 0640 USER \
                             GROUP), or truncate the old one (copytruncate); with --sandbox, give the \
                             file a directory of its own";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::logging::writer::write_directly;

    /// Two reloads, one right after the other.
    #[test]
    fn the_last_change_of_the_file_counts() {
        let directory = tempfile::tempdir().unwrap();
        let (good, bad) = (
            directory.path().join("log"),
            directory.path().join("none/log"),
        );
        let lines = Lines::new(LineKind::Log, None);
        lines.reopen(Some(bad));
        lines.reopen(Some(good.clone()));
        write_directly(&lines);
        assert!(lines.is_on(), "the file stays empty");
        lines.reopen(Some(good));
        lines.reopen(None);
        write_directly(&lines);
        assert!(!lines.is_on(), "lines for a file that is closed");
        let is_empty = |entry: fs::DirEntry| entry.metadata().unwrap().len() == 0;
        assert!(
            fs::read_dir(directory.path())
                .unwrap()
                .all(|entry| is_empty(entry.unwrap()))
        );
    }
}
