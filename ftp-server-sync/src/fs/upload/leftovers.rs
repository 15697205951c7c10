//! Temporaries that a server left when it was killed, or its machine lost power.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use ftp_proto::FtpPath;
use ftp_proto::text::printable;
use log::{info, warn};
use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::intended_name;
use super::staged::rename_if_free;
use crate::fs::temporary_name::is_temporary;
use crate::fs::upload_rules::BrokenUploads;

/// Clears up all temporaries of a directory that no living upload has locked. Returns the names of
/// files that are older than what was received for them. `path` is that of the directory, if it
/// is known, for the log.
///
/// # Errors
///
/// Any of the system; there may be more of them.
pub(in crate::fs) fn clear_up(
    directory: impl AsFd,
    path: Option<&FtpPath>,
    broken: BrokenUploads,
) -> io::Result<Vec<OsString>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = match rustix::fs::openat(&directory, ".", flags, Mode::empty()) {
        // Files can be stored in it, and none can be listed.
        Err(Errno::ACCESS) => return Ok(Vec::new()),
        opened => opened?,
    };
    let mut older = Vec::new();
    for entry in Dir::new(opened)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if is_temporary(name.as_bytes())
            && let Some(leftover) = open_leftover(&directory, name)
        {
            older.extend(end_leftover(&directory, path, name, &leftover, broken)?);
        }
    }
    Ok(older)
}

/// The temporary, unless an upload of any server on this machine writes to it. Where the file
/// system has no locks, every upload counts as alive.
fn open_leftover(directory: impl AsFd, name: &OsStr) -> Option<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::empty()).ok()?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(file)
}

/// A leftover takes the name that it is for, if that is known and free; else it is removed. Returns
/// the name if it is another file's.
fn end_leftover(
    directory: impl AsFd,
    path: Option<&FtpPath>,
    name: &OsStr,
    leftover: &OwnedFd,
    broken: BrokenUploads,
) -> io::Result<Option<OsString>> {
    let shown = |name: &OsStr| match path.and_then(|path| path.child(name.as_bytes())) {
        Some(path) => path.to_string(),
        None => printable(name.as_bytes()).to_string(),
    };
    let intended = intended_name::read(leftover);
    if let Some(intended) = &intended
        && broken == BrokenUploads::Keep
        && rename_if_free(&directory, name, intended).is_ok()
    {
        intended_name::forget(leftover);
        let bytes = rustix::fs::fstat(leftover)?.st_size;
        warn!(
            "{} has {bytes} bytes, the beginning of an upload that a crash cut off: let its client \
             go on with it, or store it again",
            shown(intended)
        );
        return Ok(None);
    }
    rustix::fs::unlinkat(&directory, name, AtFlags::empty())?;
    let temporary = shown(name);
    match &intended {
        Some(intended) => warn!(
            "removed {temporary}, which a crash left of an upload of {}: let its client store it \
             again",
            shown(intended)
        ),
        None => info!("removed {temporary}, which a crash left of an upload"),
    }
    Ok(intended)
}
