//! What a walk asks its driver for, and what the driver answers.

use super::name_list::NameList;
use crate::listing::batch::EntryBatch;
use crate::listing::entry::Entry;
use crate::listing::notice::WalkNotice;
use crate::path::FtpPath;
use crate::refusal::Refusal;

/// What a walk asks for, or has done. A driver must handle every kind.
#[derive(Debug)]
#[must_use]
pub enum WalkStep<'a> {
    /// Look at this path. A symbolic link at its end is followed only if the details say so:
    /// [`WalkAnswer::Entry`].
    LookAt {
        /// A path of the client's.
        path: &'a FtpPath,
        /// What the entry must contain.
        details: Details,
    },
    /// Look at a name in an open directory. A symbolic link is followed only if the details say so:
    /// [`WalkAnswer::Entry`]. The name may also be `.` or `..`; the latter is never asked for
    /// in a directory that was answered with [`OpenedDirectory::is_root`].
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
    /// Read the next names of an open directory, about
    /// [`NAMES_PER_STEP`](crate::listing::limits::NAMES_PER_STEP) of them: [`WalkAnswer::Names`].
    Read(DirectoryId),
    /// The walk no longer needs this directory. There is no answer.
    Close(DirectoryId),
    /// Lines have been appended. There is no answer.
    Lines,
    /// A part of the reply to STAT, for [`FileAnswer::Entries`](crate::FileAnswer::Entries); only
    /// of [`Walk::of_status`](crate::listing::Walk::of_status). There is no answer. The walk
    /// has ended if the batch is the last.
    Entries(EntryBatch),
    /// Nothing yet; the driver may do other work before the next step. There is no answer.
    Pending,
    /// For the log. There is no answer.
    Notice(WalkNotice),
    /// The listing is complete.
    End,
    /// The listing has failed. If no line has been sent, the reason is the outcome of
    /// [`OpenTransfer`](crate::Action::OpenTransfer); otherwise the transfer has failed with a
    /// local read error.
    Failed(Refusal),
}

/// What a driver answers to a step of a walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalkAnswer {
    /// What the name or path is. The entry's own name is ignored.
    Entry(Entry),
    /// The directory is open.
    Opened(OpenedDirectory),
    /// Names in the directory. `.` and `..` may be among them, and are left out: where they are
    /// shown, the walk looks at them without having read them. A piece without names is the
    /// last.
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
pub struct DirectoryId(pub(super) u64);

/// A directory to open.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct OpenRequest<'a> {
    /// What later steps call it.
    pub id: DirectoryId,
    /// Its path. Symbolic links are followed only in the path of the listing itself: without
    /// `parent`.
    pub path: &'a FtpPath,
    /// The directory that contains it, which is open still. `None`: the walk begins here.
    pub parent: Option<DirectoryId>,
    /// Whether its names will be read. If not, it need not be readable: names in it will be looked
    /// at.
    pub is_read: bool,
}

/// What a driver knows of an open directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenedDirectory {
    /// The device that stores it, as in [`Entry::device`].
    pub device: u64,
    /// Its inode, as in [`Entry::inode`]. A directory that is not the one its entry showed is not
    /// entered.
    pub inode: u64,
    /// It is the top of what is served: no client sees what is above it.
    pub is_root: bool,
}

/// What of an [`Entry`] a listing needs besides kind, size, times and numbers, which are always
/// needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Details {
    /// The names of owner and group.
    pub owners: bool,
    /// The target of a symbolic link.
    pub link_target: bool,
    /// Everything but the name is that of what a symbolic link leads to, so that MLSD and MLST
    /// agree with SIZE and RETR. The entry is that of the link itself, with its target, if it leads
    /// nowhere, out of what is served, or to a directory that contains it: a client that enters
    /// every directory would run in circles.
    pub follow_links: bool,
}

impl Details {
    /// Everything about the name itself.
    pub const ALL: Self = Self {
        owners: true,
        link_target: true,
        follow_links: false,
    };

    /// What MLST shows: also for [`FileRequest::Facts`](crate::FileRequest::Facts).
    pub const FACTS: Self = Self {
        owners: true,
        link_target: true,
        follow_links: true,
    };
}
