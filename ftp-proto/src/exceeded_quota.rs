//! The quota of a login that a file or a directory would exceed.

use core::fmt;

/// A limit on everything that a login has stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExceededQuota {
    /// The size of all files together.
    Bytes {
        /// The limit, in bytes.
        quota: u64,
        /// How many bytes can still be stored.
        left: u64,
    },
    /// The number of files and directories, which leaves no room for one more.
    Files {
        /// The limit.
        quota: u64,
    },
}

/// The quota and what is left of it, for a reply.
impl fmt::Display for ExceededQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes { quota, left } => write!(f, "{left} of {quota} bytes are left"),
            Self::Files { quota } => write!(f, "0 of {quota} files are left"),
        }
    }
}
