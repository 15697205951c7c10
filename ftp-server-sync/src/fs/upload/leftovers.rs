//! Temporaries that a server left when it was killed, or its machine lost power.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::AsFd;
use std::sync::Mutex;

use log::{info, warn};
use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags};

use super::target::Target;
use crate::fs::temporary_name::is_temporary;
use crate::locks::lock;

/// The directories, by device and inode, in which this process has looked for them.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    seen: Mutex<BTreeSet<(u64, u64)>>,
}

impl Leftovers {
    /// Removes what is left in the target's directory. The directory is read once in a process.
    pub(super) fn remove_from(&self, target: &Target) {
        // Held until the end: no session creates a temporary in the directory before that.
        let mut seen = lock(&self.seen);
        if seen.len() >= DIRECTORIES_MAX {
            seen.clear();
        }
        if seen.insert(target.key().directory)
            && let Err(error) = remove_leftovers(target)
        {
            warn!("cannot look for leftovers of broken uploads: {error}");
        }
    }
}

/// Removes all temporaries of a directory that no living upload has locked.
pub(in crate::fs) fn remove_leftovers(directory: impl AsFd) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = match rustix::fs::openat(&directory, ".", flags, Mode::empty()) {
        // Files can be stored in it, and none can be listed.
        Err(rustix::io::Errno::ACCESS) => return Ok(()),
        opened => opened?,
    };
    for entry in Dir::new(opened)? {
        let entry = entry?;
        let name = entry.file_name();
        if is_temporary(name.to_bytes()) && !is_alive(&directory, name) {
            rustix::fs::unlinkat(&directory, name, AtFlags::empty())?;
            info!(
                "removed {}, which an upload left that never ended",
                name.to_string_lossy()
            );
        }
    }
    Ok(())
}

/// Whether an upload of any server on this machine writes to this file. Where the file system has
/// no locks, every upload counts as alive.
fn is_alive(directory: impl AsFd, name: &std::ffi::CStr) -> bool {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(directory, name, flags, Mode::empty());
    let locked =
        opened.and_then(|file| rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive));
    locked.is_err()
}

/// Directories that are remembered.
const DIRECTORIES_MAX: usize = 100_000;
