//! What an account may do: one right for each kind of operation, and sets of them.
//!
//! These are the rights that the FTP server grants. The file system may still refuse an operation.

/// One kind of operation on a path. The core asks [`Account::allows`](crate::Account::allows) for
/// the right of each command before it asks the driver for anything.
///
/// The letter of each right is that of pyftpdlib's users, whose `w` is both [`Store`](Self::Store)
/// and [`Overwrite`](Self::Overwrite): [`Rights::from_letters`] reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Right {
    /// Enter directories: CWD, CDUP. Letter `e`.
    ChangeDirectory,
    /// List directories and show facts: LIST, NLST, MLSD, MLST, STAT, SIZE, MDTM. Letter `l`.
    List,
    /// Download files, and know their digests: RETR, HASH, XCRC. Letter `r`.
    Read,
    /// Append to files, or create them: APPE. Together with [`Store`](Self::Store) it also resumes
    /// uploads at the end of a file: STOR after REST. Letter `a`.
    Append,
    /// Remove files and directories: DELE, RMD. Letter `d`.
    Delete,
    /// Rename files and directories: RNFR, RNTO. Needed for the old path and for the new one.
    /// Letter `f`.
    Rename,
    /// Create directories: MKD. Needed for the path of the new directory. Letter `m`.
    MakeDirectory,
    /// Create files: STOR, STOU. STOU needs it for the directory too, because the driver chooses
    /// the name. Letter `w`, together with [`Overwrite`](Self::Overwrite).
    Store,
    /// Replace the content of a file that exists: STOR, also after REST, and RNTO with a name that
    /// exists. It is needed in addition to [`Store`](Self::Store) or [`Rename`](Self::Rename).
    /// Letter `w`.
    Overwrite,
    /// Change permission bits: SITE CHMOD; those of new files: SITE UMASK. Letter `M`.
    ChangeMode,
    /// Change times: MFMT. Letter `T`.
    ChangeTime,
}

/// A set of rights.
///
/// ```
/// # use ftp_proto::{Right, Rights};
/// let uploads = Rights::NONE.with(Right::ChangeDirectory).with(Right::Store);
/// assert!(uploads.contains(Right::Store) && !uploads.contains(Right::Overwrite));
/// assert_eq!(Rights::from_letters("elr"), Some(Rights::READ_ONLY));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rights(u16);

impl Rights {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// List and read everything, change nothing: `elr`.
    pub const READ_ONLY: Self = Self::NONE
        .with(Right::ChangeDirectory)
        .with(Right::List)
        .with(Right::Read);

    /// Everything: `elradfmwMT`.
    pub const READ_WRITE: Self = Self::READ_ONLY
        .with(Right::Append)
        .with(Right::Delete)
        .with(Right::Rename)
        .with(Right::MakeDirectory)
        .with(Right::Store)
        .with(Right::Overwrite)
        .with(Right::ChangeMode)
        .with(Right::ChangeTime);

    /// Reads letters as pyftpdlib does, each named at its [`Right`], in any order: `elradfmwMT`.
    /// `None`: one of them is not such a letter.
    #[must_use]
    pub fn from_letters(letters: &str) -> Option<Self> {
        letters.chars().try_fold(Self::NONE, |rights, letter| {
            Some(match letter {
                'e' => rights.with(Right::ChangeDirectory),
                'l' => rights.with(Right::List),
                'r' => rights.with(Right::Read),
                'a' => rights.with(Right::Append),
                'd' => rights.with(Right::Delete),
                'f' => rights.with(Right::Rename),
                'm' => rights.with(Right::MakeDirectory),
                'w' => rights.with(Right::Store).with(Right::Overwrite),
                'M' => rights.with(Right::ChangeMode),
                'T' => rights.with(Right::ChangeTime),
                _ => return None,
            })
        })
    }

    /// Whether some right of the set is one to change something.
    #[must_use]
    pub const fn may_change(self) -> bool {
        self.0 & !Self::READ_ONLY.0 != 0
    }

    /// The set with this right.
    #[must_use]
    pub const fn with(self, right: Right) -> Self {
        Self(self.0 | right.bit())
    }

    /// The set without this right.
    #[must_use]
    pub const fn without(self, right: Right) -> Self {
        Self(self.0 & !right.bit())
    }

    /// The rights that both sets have.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether this right is in the set.
    #[must_use]
    pub const fn contains(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        rights.into_iter().fold(Self::NONE, Self::with)
    }
}

impl Right {
    /// Whether it is to change something.
    pub(crate) const fn changes(self) -> bool {
        Rights::NONE.with(self).may_change()
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets() {
        let set = Rights::from_iter([Right::Read, Right::Delete]);
        assert_eq!(set, Rights::NONE.with(Right::Delete).with(Right::Read));
        assert!(set.contains(Right::Read) && !set.contains(Right::List));
        assert_eq!(
            set.without(Right::Read).without(Right::Delete),
            Rights::NONE
        );
        assert_eq!(Rights::default(), Rights::NONE);
    }

    #[test]
    fn letters() {
        assert_eq!(Rights::from_letters(""), Some(Rights::NONE));
        assert_eq!(Rights::from_letters("rle"), Some(Rights::READ_ONLY));
        assert_eq!(Rights::from_letters("elradfmwMT"), Some(Rights::READ_WRITE));
        assert_eq!(
            Rights::from_letters("aT"),
            Some(Rights::from_iter([Right::Append, Right::ChangeTime]))
        );
        assert_eq!(Rights::from_letters("elx"), None);
    }
}
