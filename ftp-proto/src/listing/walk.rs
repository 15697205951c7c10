//! A listing in bounded steps: which paths to look at, which directories to read, and the lines.
//!
//! The walk knows patterns, recursion, order and limits; the driver knows the file system. Names
//! come in pieces and are shown as they come, so memory does not grow with their number, except to
//! sort them, which is bounded.
//!
//! One directory is read at a time, and a directory is entered after everything in its parent
//! directory has been listed. No symbolic link below the base is followed: each directory must be
//! the one that its entry showed, so a walk cannot run in circles.

mod collect;
mod directory;
mod format;
mod merge;
mod name_list;
mod progress;
mod rules;
mod scope;
mod sort;
mod sort_memory;
mod source;
mod step;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::long::LongLines;
use super::request::ListRequest;
use crate::path::FtpPath;

pub use name_list::NameList;
pub use sort_memory::SortMemory;
pub use step::{Details, DirectoryId, OpenRequest, OpenedDirectory, WalkAnswer, WalkStep};

use format::{Format, Status};
use progress::{Event, Progress, Question};
use rules::Rules;

/// The walk of one listing. Call [`step`](Self::step) until it returns [`WalkStep::End`] or
/// [`WalkStep::Failed`], and [`answer`](Self::answer) after each step that asks for something.
///
/// ```
/// # use ftp_proto::listing::{Entry, EntryKind, ListRequest, NameList, OpenedDirectory, Selection};
/// # use ftp_proto::listing::{Walk, WalkAnswer, WalkStep};
/// # use ftp_proto::{Account, FtpPath, ListStyle, Rights};
/// // NLST of a directory that contains one file. A session makes the request.
/// let root = Selection::of_path(FtpPath::root());
/// let account = Account::new(Rights::READ_ONLY).into();
/// let mut walk = Walk::new(ListRequest::new(root, ListStyle::Names, account), 0);
/// let mut lines = Vec::new();
/// loop {
///     let answer = match walk.step(&mut lines) {
///         WalkStep::Open(_) => WalkAnswer::Opened(OpenedDirectory::default()),
///         WalkStep::Read(_) => WalkAnswer::Names {
///             names: NameList::from_iter(["file"]),
///             is_last: true,
///         },
///         WalkStep::LookAt { .. } | WalkStep::Look { .. } => {
///             WalkAnswer::Entry(Entry::new("file", EntryKind::File, 3, 0))
///         }
///         WalkStep::Close(_) | WalkStep::Lines | WalkStep::Pending => continue,
///         WalkStep::Entries(_) | WalkStep::Notice(_) => continue,
///         WalkStep::End => break,
///         WalkStep::Failed(refusal) => panic!("{refusal}"),
///     };
///     walk.answer(answer);
/// }
/// assert_eq!(lines, b"file\r\n");
/// ```
#[derive(Debug)]
pub struct Walk {
    rules: Rules,
    progress: Progress,
    /// Not answered yet, or its answer is not used yet.
    question: Option<Question>,
    answer: Option<WalkAnswer>,
}

impl Walk {
    /// The lines of LIST, NLST or MLSD. `now`: in seconds since 1970, UTC; it decides whether a
    /// date shows the time of day or the year.
    #[must_use]
    pub fn new(request: ListRequest, now: i64) -> Self {
        let format = Format {
            style: request.style,
            classify: request.selection.flags.classify,
            now,
            long_lines: LongLines::new(now, request.selection.flags.classify),
            prefix: Vec::new(),
            name: Vec::new(),
            utc_offset: None,
            names: request.names.clone(),
            account: request.account.clone(),
            directory: request.selection.path.clone(),
            is_first: true,
            status: None,
        };
        Self {
            rules: Rules {
                request,
                is_hidden: None,
                sort_memory: None,
            },
            progress: Progress::new(format),
            question: None,
            answer: None,
        }
    }

    /// The entries of STAT with a path, in batches. The walk fails with
    /// [`Refusal::TooManyEntries`](crate::Refusal::TooManyEntries) if there are more than
    /// [`STAT_ENTRIES_MAX`](crate::limits::STAT_ENTRIES_MAX), or the search for them takes too
    /// long.
    #[must_use]
    pub fn of_status(request: ListRequest, now: i64) -> Self {
        let mut walk = Self::new(request, now);
        walk.progress.format.status = Some(Status::default());
        walk
    }

    /// Never shows or enters the names for which `is_hidden(directory, name)` is true. A path that
    /// contains such a name is not found.
    #[must_use]
    pub fn hiding(mut self, is_hidden: impl Fn(&FtpPath, &[u8]) -> bool + Send + 'static) -> Self {
        self.rules.is_hidden = Some(Box::new(is_hidden));
        self
    }

    /// Sorts names only as far as this memory, which several walks share, has room for them.
    /// Without it, each walk may sort
    /// [`SORTED_NAMES_MAX`](crate::listing::limits::SORTED_NAMES_MAX) names.
    #[must_use]
    pub fn sorting_in(mut self, memory: Arc<SortMemory>) -> Self {
        self.rules.sort_memory = Some(memory);
        self
    }

    /// Shows the dates of LIST and STAT in another time zone: `utc_offset(time)` are the seconds
    /// that local time is ahead of UTC at that time. MLSD's times are always in UTC (RFC 3659,
    /// section 2.3).
    #[must_use]
    pub fn in_time_zone(mut self, utc_offset: impl Fn(i64) -> i32 + Send + 'static) -> Self {
        self.progress.format.utc_offset = Some(Box::new(utc_offset));
        self
    }

    /// Walks on for a bounded time, and appends lines to `out`. A question that is not answered is
    /// repeated.
    pub fn step(&mut self, out: &mut Vec<u8>) -> WalkStep<'_> {
        if self.question.is_none() || self.answer.is_some() {
            match self.next_event(out) {
                Event::Ask(question) => self.question = Some(question),
                Event::Lines => return WalkStep::Lines,
                Event::Entries(batch) => return WalkStep::Entries(batch),
                Event::Pending => return WalkStep::Pending,
                Event::Notice(notice) => return WalkStep::Notice(notice),
                Event::Close(id) => return WalkStep::Close(id),
                Event::Ended(Ok(())) => return WalkStep::End,
                Event::Ended(Err(refusal)) => return WalkStep::Failed(refusal),
            }
        }
        match &self.question {
            Some(question) => self.progress.ask(question, &self.rules),
            None => WalkStep::Pending,
        }
    }

    /// Answers the last step. An answer of another kind than the step asked for counts as
    /// [`Refusal::Failed`](crate::Refusal::Failed); one that no step asked for is ignored.
    pub fn answer(&mut self, answer: WalkAnswer) {
        if self.question.is_some() && self.answer.is_none() {
            self.answer = Some(answer);
        }
    }

    /// Whether the listing has begun, so that [`OpenTransfer`](crate::Action::OpenTransfer) is
    /// answered with success: the directory is open, the first entry has been found, or the
    /// search for it takes long.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.progress.has_begun
    }

    /// How many entries have been shown so far; `.` and `..` do not count. For
    /// [`DataEvent::Entries`](crate::DataEvent::Entries).
    #[must_use]
    pub fn entries_shown(&self) -> u64 {
        self.progress.entries_shown
    }

    fn next_event(&mut self, out: &mut Vec<u8>) -> Event {
        if let Some(answer) = &mut self.answer
            && let Some(question) = self.question.take()
        {
            // Where it is: an entry is large to move.
            let event = self.progress.on_answer(question, answer, &self.rules, out);
            self.answer = None;
            if let Some(event) = event {
                return event;
            }
        }
        self.progress.advance(&self.rules, out)
    }
}

#[cfg(test)]
mod tests;
