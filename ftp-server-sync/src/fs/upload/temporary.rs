//! What happens to a temporary in its directory.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use crate::fs::temporary_name::temporary_name;

/// Creates a file with a name that no other has, and locks it.
pub(super) fn create_temporary(
    directory: impl AsFd,
    mode: u32,
) -> io::Result<(String, File, Stat)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    for _ in 0..NAMES_MAX {
        let name = temporary_name(NEXT_NUMBER.fetch_add(1, Ordering::Relaxed));
        let file = match rustix::fs::openat(&directory, &name, flags, Mode::from_raw_mode(mode)) {
            // Of another process, or left by one.
            Err(Errno::EXIST) => continue,
            opened => opened?,
        };
        // Without locks, as on some network shares, leftovers are not known.
        let locked = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
        let stat = rustix::fs::fstat(&file)?;
        // Before it was locked, another server could take it for a leftover.
        if locked != Err(Errno::WOULDBLOCK) && stat.st_nlink > 0 {
            return Ok((name, file.into(), stat));
        }
    }
    Err(Errno::EXIST.into())
}

/// Renames a file in a directory if no other has the new name.
pub(super) fn rename_if_free(directory: impl AsFd, from: &OsStr, to: &OsStr) -> io::Result<()> {
    let flags = RenameFlags::NOREPLACE;
    match rustix::fs::renameat_with(&directory, from, &directory, to, flags) {
        // The file system cannot do both in one step, as on some network shares.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        result => return Ok(result?),
    }
    match rustix::fs::statat(&directory, to, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(rustix::fs::renameat(&directory, from, &directory, to)?),
        Err(errno) => Err(errno.into()),
        Ok(_) => Err(ErrorKind::AlreadyExists.into()),
    }
}

/// Removes a file that no client has seen.
pub(super) fn remove_temporary(directory: impl AsFd, name: &str) {
    // Not fatal: the leftover is removed when its directory is next written to.
    let _ = rustix::fs::unlinkat(directory, name, AtFlags::empty());
}

/// The directory's names are on the disk after this.
pub(super) fn sync_directory(directory: impl AsFd) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(directory, ".", flags, Mode::empty())?;
    Ok(rustix::fs::fsync(opened)?)
}

/// The mode of a new file; the process's umask is applied to it.
pub(super) const NEW_FILE_MODE: u32 = 0o666;

/// How many temporaries of other servers a directory may have.
const NAMES_MAX: u32 = 100_000;

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);
