//! How much a login may still store, and how much it has stored.

use core::fmt;

/// How much can be stored in a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Space {
    /// In bytes: what is free in the file system, without what has to stay free, or what the
    /// login's quota leaves, whichever is less. `None`: no limit is known.
    pub available: Option<u64>,
    /// In bytes: what could be stored if nothing else was, by the size of the file system and by
    /// the login's quota. `None`: no limit is known.
    pub total: Option<u64>,
    /// The size of the largest file that the server accepts; `None`: any size.
    pub file_max: Option<u64>,
}

/// What a login has stored of its quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct QuotaUse {
    /// The size of all files together.
    pub bytes: u64,
    /// The number of files and directories.
    pub files: u64,
    /// The limit of the bytes; `None`: there is none.
    pub bytes_max: Option<u64>,
    /// The limit of the files; `None`: there is none.
    pub files_max: Option<u64>,
    /// What was stored before the server started is not counted yet.
    pub is_incomplete: bool,
}

/// For a reply.
impl fmt::Display for QuotaUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, files, .. } = self;
        match self.bytes_max {
            Some(max) => write!(f, "{bytes} of {max} bytes, ")?,
            None => write!(f, "{bytes} bytes, ")?,
        }
        match self.files_max {
            Some(max) => write!(f, "{files} of {max} files")?,
            None => write!(f, "{files} files")?,
        }
        if self.is_incomplete {
            f.write_str("; older files are not counted yet")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn limits_are_named_where_there_are_some() {
        let quota = |bytes_max, files_max, is_incomplete| QuotaUse {
            bytes: 7,
            files: 2,
            bytes_max,
            files_max,
            is_incomplete,
        };
        for (quota, expected) in [
            (
                quota(Some(10), Some(5), false),
                "7 of 10 bytes, 2 of 5 files",
            ),
            (quota(Some(10), None, false), "7 of 10 bytes, 2 files"),
            (
                quota(None, Some(5), true),
                "7 bytes, 2 of 5 files; older files are not counted yet",
            ),
        ] {
            assert_eq!(quota.to_string(), expected);
        }
    }
}
