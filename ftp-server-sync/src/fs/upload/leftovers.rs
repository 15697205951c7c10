//! Temporaries that a server left when it was killed, or its machine lost power.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::Mutex;

use ftp_proto::text::printable;
use log::{info, warn};
use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::intended_name;
use super::staged::rename_if_free;
use super::target::Target;
use crate::fs::temporary_name::is_temporary;
use crate::fs::upload_rules::BrokenUploads;
use crate::locks::lock;

/// The directories, by device and inode, in which this process has looked for them.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    seen: Mutex<BTreeSet<(u64, u64)>>,
}

impl Leftovers {
    /// Clears up what is left in the target's directory. The directory is read once in a process.
    pub(super) fn clear_up(&self, target: &Target, broken: BrokenUploads) {
        // Held until the end: no session creates a temporary in the directory before that.
        let mut seen = lock(&self.seen);
        if seen.len() >= DIRECTORIES_MAX {
            seen.clear();
        }
        if seen.insert(target.key().directory)
            && let Err(error) = clear_up(target, broken)
        {
            warn!("cannot look for leftovers of broken uploads: {error}");
        }
    }
}

/// Clears up all temporaries of a directory that no living upload has locked.
///
/// # Errors
///
/// Any of the system; there may be more of them.
pub(in crate::fs) fn clear_up(directory: impl AsFd, broken: BrokenUploads) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = match rustix::fs::openat(&directory, ".", flags, Mode::empty()) {
        // Files can be stored in it, and none can be listed.
        Err(Errno::ACCESS) => return Ok(()),
        opened => opened?,
    };
    for entry in Dir::new(opened)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if is_temporary(name.as_bytes())
            && let Some(leftover) = open_leftover(&directory, name)
        {
            end_leftover(&directory, name, &leftover, broken)?;
        }
    }
    Ok(())
}

/// The temporary, unless an upload of any server on this machine writes to it. Where the file
/// system has no locks, every upload counts as alive.
fn open_leftover(directory: impl AsFd, name: &OsStr) -> Option<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::empty()).ok()?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(file)
}

/// A leftover takes the name that it is for, if that is known and free; else it is removed.
fn end_leftover(
    directory: impl AsFd,
    name: &OsStr,
    leftover: &OwnedFd,
    broken: BrokenUploads,
) -> io::Result<()> {
    let intended = intended_name::read(leftover).filter(|_| broken == BrokenUploads::Keep);
    let shown = printable(name.as_bytes());
    if let Some(intended) = intended
        && rename_if_free(&directory, name, &intended).is_ok()
    {
        intended_name::forget(leftover);
        let intended = printable(intended.as_bytes());
        info!("{intended} is what was received when its upload was cut off by a crash ({shown})");
        return Ok(());
    }
    rustix::fs::unlinkat(&directory, name, AtFlags::empty())?;
    info!("removed {shown}, which an upload left that was cut off by a crash");
    Ok(())
}

/// Directories that are remembered.
const DIRECTORIES_MAX: usize = 100_000;
