//! The name that a temporary is for, as an extended attribute: after a crash, the temporary of a
//! large new file can still take it.

use std::ffi::{CStr, OsStr, OsString};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use rustix::fs::XattrFlags;

/// Notes the name. Not every file system can: there, a crash leaves nothing to go on with.
pub(super) fn note(temporary: impl AsFd, name: &OsStr) {
    let _ = rustix::fs::fsetxattr(temporary, ATTRIBUTE, name.as_bytes(), XattrFlags::empty());
}

/// Removes the note: the file is about to have the name.
pub(super) fn forget(temporary: impl AsFd) {
    let _ = rustix::fs::fremovexattr(temporary, ATTRIBUTE);
}

/// The name, if one is noted that a file in the same directory can have.
pub(super) fn read(temporary: impl AsFd) -> Option<OsString> {
    let mut name = vec![0; NAME_BYTES_MAX];
    let length = rustix::fs::fgetxattr(temporary, ATTRIBUTE, &mut name).ok()?;
    name.truncate(length);
    let is_name = !name.is_empty() && !name.contains(&b'/') && name != b"." && name != b"..";
    is_name.then(|| OsString::from_vec(name))
}

const ATTRIBUTE: &CStr = c"user.ftp-upload.name";

/// The longest name of a file.
const NAME_BYTES_MAX: usize = 255;
