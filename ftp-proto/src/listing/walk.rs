//! A listing in bounded steps: which paths to look at, which directories to read, and the lines.
//!
//! The walk knows patterns, recursion, order and limits; the driver knows the file system. Names come in pieces
//! and are shown as they come, so memory does not grow with their number, except to sort them, which is bounded.
//!
//! One directory is read at a time, and a directory is entered after everything in its parent directory has been
//! listed. No symbolic link below the base is followed: each directory must be the one that its entry showed, so a
//! walk cannot run in circles.

use alloc::vec::Vec;

use super::names::NameList;
use super::notice::WalkNotice;
use super::{Entry, EntryBatch, Selection};
use crate::listing::style::ListStyle;
use crate::path::FtpPath;
use crate::refusal::Refusal;

/// The walk of one listing. Call [`step`](Self::step) until it returns [`WalkStep::End`] or
/// [`WalkStep::Failed`], and [`answer`](Self::answer) after each step that asks for something.
#[derive(Debug)]
pub struct Walk {}

/// What a walk asks for, or has done. A driver must handle every kind.
#[derive(Debug)]
#[must_use]
pub enum WalkStep<'a> {
    /// Look at this path, without following a symbolic link at its end: [`WalkAnswer::Entry`].
    LookAt(&'a FtpPath),
    /// Look at a name in an open directory, without following a symbolic link: [`WalkAnswer::Entry`]. The
    /// name may also be `.` or `..`; the latter is never asked for in a directory that was answered with
    /// [`OpenedDirectory::is_root`].
    Look {
        /// The directory.
        directory: DirectoryId,
        /// A name that the driver has returned, or a name in the client's pattern.
        name: &'a [u8],
        /// What the entry must contain.
        details: Details,
    },
    /// Open a directory: [`WalkAnswer::Opened`].
    Open(OpenRequest<'a>),
    /// Read the next names of an open directory, about [`NAMES_PER_STEP`](super::limits::NAMES_PER_STEP) of them: [`WalkAnswer::Names`].
    Read(DirectoryId),
    /// The walk no longer needs this directory. There is no answer.
    Close(DirectoryId),
    /// Lines have been appended. There is no answer.
    Lines,
    /// A part of the reply to STAT, for [`FileAnswer::Entries`](crate::FileAnswer::Entries); only of
    /// [`Walk::of_status`]. There is no answer. The walk has ended if the batch is the last.
    Entries(EntryBatch),
    /// Nothing yet; the driver may do other work before the next step. There is no answer.
    Pending,
    /// For the log. There is no answer.
    Notice(WalkNotice),
    /// The listing is complete.
    End,
    /// The listing has failed. If no line has been sent, the reason is the outcome of
    /// [`OpenTransfer`](crate::Action::OpenTransfer); otherwise the transfer has failed with a local read error.
    Failed(Refusal),
}

/// What a driver answers to a step of a walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalkAnswer {
    /// What the name or path is. The entry's own name is ignored.
    Entry(Entry),
    /// The directory is open.
    Opened(OpenedDirectory),
    /// Names in the directory; `.` and `..` may be among them. A piece without names is the last.
    Names {
        /// Any number of names.
        names: NameList,
        /// There are no others.
        is_last: bool,
    },
    /// It did not work.
    Refused(Refusal),
}

/// A directory that a walk has opened. Each directory of a walk has another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DirectoryId(u64);

/// A directory to open.
#[derive(Clone, Copy, Debug)]
pub struct OpenRequest<'a> {
    /// What later steps call it.
    pub id: DirectoryId,
    /// Its path. Symbolic links are followed only in the path of the listing itself: without `parent`.
    pub path: &'a FtpPath,
    /// The directory that contains it, which is open still. `None`: the walk begins here.
    pub parent: Option<DirectoryId>,
    /// Whether its names will be read. If not, it need not be readable: names in it will be looked at.
    pub is_read: bool,
}

/// What a driver knows of an open directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenedDirectory {
    /// The device that stores it, as in [`Entry::device`].
    pub device: u64,
    /// Its inode, as in [`Entry::inode`]. A directory that is not the one its entry showed is not entered.
    pub inode: u64,
    /// It is the top of what is served: no client sees what is above it.
    pub is_root: bool,
}

/// What of an [`Entry`] a listing needs besides kind, size, times and numbers, which are always needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Details {
    /// The names of owner and group.
    pub owners: bool,
    /// The target of a symbolic link.
    pub link_target: bool,
}

impl Walk {
    /// The lines of LIST, NLST or MLSD. `now`: in seconds since 1970, UTC; it decides whether a date shows the
    /// time of day or the year.
    pub fn new(_selection: Selection, _style: ListStyle, _now: i64) -> Self {
        Self {}
    }

    /// The entries of STAT with a path, in batches; at most
    /// [`STAT_ENTRIES_MAX`](crate::limits::STAT_ENTRIES_MAX).
    pub fn of_status(_selection: Selection, _now: i64) -> Self {
        Self {}
    }

    /// Never shows or enters the names for which `is_hidden(directory, name)` is true.
    #[must_use]
    pub fn hiding(self, _is_hidden: impl Fn(&FtpPath, &[u8]) -> bool + Send + 'static) -> Self {
        self
    }

    /// Shows the dates of LIST and STAT in another time zone: `utc_offset(time)` are the seconds that local time
    /// is ahead of UTC at that time. MLSD's times are always in UTC (RFC 3659, section 2.3).
    #[must_use]
    pub fn in_time_zone(self, _utc_offset: impl Fn(i64) -> i32 + Send + 'static) -> Self {
        self
    }

    /// Walks on for a bounded time, and appends lines to `out`. A question that is not answered is repeated.
    pub fn step(&mut self, _out: &mut Vec<u8>) -> WalkStep<'_> {
        WalkStep::Failed(Refusal::Unsupported)
    }

    /// Answers the last step. An answer of another kind than the step asked for counts as
    /// [`Refusal::Failed`]; one that no step asked for is ignored.
    pub fn answer(&mut self, _answer: WalkAnswer) {}

    /// Whether the listing has begun, so that [`OpenTransfer`](crate::Action::OpenTransfer) is answered with
    /// success: the directory is open, the first entry has been found, or the search for it takes long.
    pub fn has_begun(&self) -> bool {
        false
    }
}
