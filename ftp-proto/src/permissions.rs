//! What a logged-in user may do.
//!
//! These are the rights that the FTP server grants. The file system may still refuse an operation.

/// The rights of a user, one for each kind of operation. The core refuses an operation that is not
/// granted; the `perm` fact of a listing shows the client what is granted (RFC 3659, section 7.5.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Enter directories and list them: CWD, LIST, NLST, MLSD, MLST, STAT.
    pub list: bool,
    /// Download files: RETR.
    pub read: bool,
    /// Append to files, or create them: APPE.
    pub append: bool,
    /// Remove files and directories: DELE, RMD.
    pub delete: bool,
    /// Rename files and directories: RNFR, RNTO.
    pub rename: bool,
    /// Create directories: MKD.
    pub make_directory: bool,
    /// Create, replace and resume files: STOR, also after REST, and STOU.
    pub store: bool,
    /// Change permission bits: SITE CHMOD.
    pub change_mode: bool,
    /// Change times: MFMT.
    pub change_time: bool,
}

impl Permissions {
    /// List and read everything, change nothing.
    pub const READ_ONLY: Self = Self {
        list: true,
        read: true,
        append: false,
        delete: false,
        rename: false,
        make_directory: false,
        store: false,
        change_mode: false,
        change_time: false,
    };

    /// Everything.
    pub const READ_WRITE: Self = Self {
        list: true,
        read: true,
        append: true,
        delete: true,
        rename: true,
        make_directory: true,
        store: true,
        change_mode: true,
        change_time: true,
    };

    /// Whether the user has this right.
    pub(crate) fn allows(self, right: Right) -> bool {
        match right {
            Right::List => self.list,
            Right::Read => self.read,
            Right::Append => self.append,
            Right::Delete => self.delete,
            Right::Rename => self.rename,
            Right::MakeDirectory => self.make_directory,
            Right::Store => self.store,
            Right::ChangeMode => self.change_mode,
            Right::ChangeTime => self.change_time,
        }
    }
}

/// One of the rights in [`Permissions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    List,
    Read,
    Append,
    Delete,
    Rename,
    MakeDirectory,
    Store,
    ChangeMode,
    ChangeTime,
}
