//! What is left of an upload that failed.

use core::fmt;

/// What an upload that failed has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kept {
    /// Nothing is stored, and there was no file of that name before.
    Nothing,
    /// The file that had the name before is as it was.
    OldFile,
    /// The file with the name has this many bytes, and the last of them are the upload's: it can be
    /// continued there, with REST or APPE.
    Bytes(u64),
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing is stored"),
            Self::OldFile => f.write_str("the old file is unchanged"),
            Self::Bytes(size) => write!(f, "the file has {size} bytes"),
        }
    }
}
