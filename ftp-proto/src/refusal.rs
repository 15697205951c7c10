//! Why a driver did not perform an action, or a step of a listing.

use core::error::Error;
use core::fmt;

use crate::exceeded_quota::ExceededQuota;

/// Why a driver did not perform an action. The core turns it into the code and text of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// No such file or directory.
    NotFound,
    /// Nothing has a name that matches the pattern of a listing.
    NoMatch,
    /// Not permitted, by the file system or a rule.
    Denied,
    /// The account lacks the right where the path leads: through a symbolic link, or by another
    /// spelling of a name. The client gets the same reply as where the core finds that out itself.
    LoginDenied,
    /// The file system can only be read.
    ReadOnlyFileSystem,
    /// The new name is on another file system, or in another directory that the operator has put
    /// into the tree: a rename would have to copy.
    OtherFileSystem,
    /// A directory that the operator has put there, or below: it cannot be removed, renamed or
    /// replaced.
    MountPoint,
    /// The target exists already.
    Exists,
    /// The directory is not empty.
    NotEmpty,
    /// A directory was needed.
    NotADirectory,
    /// A file was needed.
    IsADirectory,
    /// A file, or for some commands a directory, was needed, and this is a device, a pipe or a
    /// socket.
    NotARegularFile,
    /// The disk or a quota is full.
    NoSpace,
    /// The file would be larger than the server accepts.
    FileTooLarge,
    /// What is free has to stay free.
    SpaceReserved,
    /// What the login has stored would be more than it may have.
    QuotaExceeded(ExceededQuota),
    /// The file system does not accept the name.
    NameRejected,
    /// There are more entries than the reply may hold. A part of them would look like all.
    TooManyEntries,
    /// The offset of REST lies beyond the end of the file.
    OffsetTooLarge,
    /// The directory that is shared is not there, such as a disk that is not mounted. It may come
    /// back.
    ShareUnavailable,
    /// An upload of the file has failed, and what has the name is an older file: going on would
    /// glue the new bytes to the old ones. Only a whole upload is possible.
    NotResumable,
    /// How many bytes the file has with the line ends of TYPE A is not counted; for SIZE.
    TextNotCounted,
    /// The file has changed while it was read; a later attempt may succeed.
    Changed,
    /// In use; a later attempt may succeed.
    Busy,
    /// The driver does not support this.
    Unsupported,
    /// Any other error on the server's side.
    Failed,
}

impl Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not found",
            Self::NoMatch => "no files found",
            Self::Denied => "permission denied",
            Self::LoginDenied => "not permitted to this login",
            Self::ReadOnlyFileSystem => "read-only file system",
            Self::OtherFileSystem => "on another file system",
            Self::MountPoint => "mount point",
            Self::Exists => "exists already",
            Self::NotEmpty => "directory not empty",
            Self::NotADirectory => "not a directory",
            Self::IsADirectory => "is a directory",
            Self::NotARegularFile => "not a regular file",
            Self::NoSpace => "no space left",
            Self::FileTooLarge => "file too large",
            Self::SpaceReserved => "free space reserved",
            Self::QuotaExceeded(_) => "quota exceeded",
            Self::NameRejected => "name not allowed",
            Self::TooManyEntries => "too many entries",
            Self::OffsetTooLarge => "restart offset beyond the end",
            Self::ShareUnavailable => "shared directory not available",
            Self::NotResumable => "not the beginning of what would be continued",
            Self::TextNotCounted => "line ends not counted",
            Self::Changed => "changed meanwhile",
            Self::Busy => "busy",
            Self::Unsupported => "not supported",
            Self::Failed => "local error",
        })
    }
}
