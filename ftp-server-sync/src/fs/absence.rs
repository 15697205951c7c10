//! Why a shared directory is not available, and what to do.

use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use ftp_proto::text::printable_word;

use crate::sandbox;
use crate::settings::file::reason;

/// Why a share is not available.
#[derive(Debug)]
pub(super) enum Absence {
    /// What the path names is no directory that can be opened.
    Error(io::Error),
    /// A file system was mounted there, or should be, and is not.
    NotMounted(PathBuf),
}

/// The reason, and what to do.
impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) if sandbox::may_cause(error) => {
                write!(f, "{}: {UNTIL_THEN} then", reason(error))
            }
            Self::Error(error) if error.kind() == io::ErrorKind::NotConnected => write!(
                f,
                "{}: {UNTIL_THEN} it is mounted again; {UNSERVED_MOUNT}, the server need not be \
                 restarted",
                reason(error)
            ),
            Self::Error(error) => write!(
                f,
                "{}: {UNTIL_THEN} the path names a directory again; mount or create it, the server \
                 need not be restarted",
                reason(error)
            ),
            Self::NotMounted(point) => write!(
                f,
                "nothing is mounted at {}: {UNTIL_THEN} it is mounted again; the server need not be \
                 restarted, except to share the directory that is there now",
                printable_word(point.as_os_str().as_bytes())
            ),
        }
    }
}

/// What clients notice. It may be the root directory of some, and a mount in the tree of others,
/// whose sessions and logins go on.
const UNTIL_THEN: &str = "each operation in it is refused, and each login whose root directory it is, \
                          until";

/// What is to be done about a mount whose directory is "not connected".
pub(crate) const UNSERVED_MOUNT: &str = "the program that serves this mount (FUSE) has ended: unmount \
                                         it by `umount --lazy`, and mount it again";
