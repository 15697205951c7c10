//! What a walk reports to the operator's log.

use core::fmt;

use super::limits::{PENDING_MAX, SORTED_NAMES_MAX};
use crate::path::FtpPath;
use crate::refusal::Refusal;

/// Something about a listing that its client does not see. Its text names the path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WalkNotice {
    /// The directory has too many names to sort.
    Unsorted(FtpPath),
    /// The [`SortMemory`](super::SortMemory) of all walks has no room for the names of the
    /// directory.
    NoSortMemory(FtpPath),
    /// Too many directories wait to be entered: the listing below this directory ends with a
    /// failure.
    TooManyDirectories(FtpPath),
    /// A subdirectory cannot be opened, so its entries are left out.
    NotOpened(FtpPath, Refusal),
    /// A subdirectory was replaced by another directory meanwhile, which is not entered.
    Replaced(FtpPath),
    /// A name in this directory has no attributes, because it was removed meanwhile or its file
    /// system fails: it is left out.
    NoEntry(FtpPath, Refusal),
}

impl WalkNotice {
    /// Whether the operator should see it: the listing is not what the client asked for.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        match self {
            Self::Unsorted(_) | Self::NoSortMemory(_) | Self::TooManyDirectories(_) => true,
            Self::NotOpened(..) | Self::Replaced(_) | Self::NoEntry(..) => false,
        }
    }
}

impl fmt::Display for WalkNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsorted(path) => write!(
                f,
                "{path} has more than {SORTED_NAMES_MAX} entries: they are listed unsorted"
            ),
            Self::NoSortMemory(path) => write!(
                f,
                "other listings use all memory for sorting: the entries of {path} are listed \
                 unsorted"
            ),
            Self::TooManyDirectories(path) => write!(
                f,
                "{path} has more than {PENDING_MAX} directories to list at once: the listing ends"
            ),
            Self::NotOpened(path, reason) => write!(f, "cannot list {path}: {reason}"),
            Self::Replaced(path) => {
                write!(
                    f,
                    "cannot list {path}: it was replaced by another directory"
                )
            }
            Self::NoEntry(path, reason) => {
                write!(f, "cannot list an entry of {path}: {reason}")
            }
        }
    }
}
