//! Temporaries that a server left when it was killed, or its machine lost power.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ftp_proto::FtpPath;
use ftp_proto::text::printable;
use log::{info, warn};
use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::intended_name;
use super::temporary::rename_if_free;
use super::version::Version;
use crate::fs::quota::counting::amount_of;
use crate::fs::quota::usage::{Amount, HomeUsage};
use crate::fs::root::identity;
use crate::fs::temporary_name::is_temporary;
use crate::fs::upload_rules::BrokenUploads;
use crate::logging::system_text::SystemText;

/// Clears up all temporaries of a directory that no living upload has locked. `on_older` gets the
/// names of files that are older than what was received for them. `path` is that of the directory,
/// if it is known, for the log.
///
/// # Errors
///
/// The system's error of reading the directory; there may be more temporaries.
pub(in crate::fs) fn clear_up(
    directory: impl AsFd,
    path: Option<&FtpPath>,
    broken: BrokenUploads,
    usage: &HomeUsage,
    mut on_older: impl FnMut(OsString),
) -> io::Result<()> {
    let entries = match read(&directory) {
        // Files can be stored in it, and none can be listed.
        Err(Errno::ACCESS) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if !is_temporary(name.as_bytes()) {
            continue;
        }
        let leftover = open(&directory, name);
        let Some(leftover) = leftover.and_then(|file| lock_if_dead(file, &directory, name)) else {
            continue;
        };
        if may_be_of_another_machine(&leftover) {
            continue;
        }
        match end_leftover(&directory, path, name, (&leftover, usage), broken) {
            Ok(older) => older.into_iter().for_each(&mut on_older),
            Err(error) => warn!(
                "cannot remove {}: {}",
                printable(name.as_bytes()),
                SystemText(&error)
            ),
        }
    }
    Ok(())
}

/// Whether a client sees nothing in this directory, and temporaries are there.
pub(in crate::fs) fn are_alone(directory: impl AsFd) -> io::Result<bool> {
    for entry in read(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." && !is_temporary(name) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn read(directory: impl AsFd) -> Result<Dir, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Dir::new(rustix::fs::openat(directory, ".", flags, Mode::empty())?)
}

fn open(directory: impl AsFd, name: &OsStr) -> Option<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::empty()).ok()
}

/// The temporary, unless an upload of any server on this machine writes to it. Where the file
/// system has no locks, every upload counts as alive.
fn lock_if_dead(file: OwnedFd, directory: impl AsFd, name: &OsStr) -> Option<OwnedFd> {
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    // Its upload may have been alive when it was opened, and complete by now: then the name is
    // free, or another temporary has it.
    let opened = rustix::fs::fstat(&file).ok()?;
    let named = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    (identity(&opened) == identity(&named)).then_some(file)
}

/// Whether an upload of another machine may be writing to a temporary that no upload of this one
/// has locked. The locks of most FUSE file systems are those of one machine, and the system does
/// not say which of them do more.
fn may_be_of_another_machine(temporary: &OwnedFd) -> bool {
    let status = rustix::fs::fstatfs(temporary);
    if !status.is_ok_and(|status| i128::from(status.f_type) == FUSE) {
        return false;
    }
    let Ok(stat) = rustix::fs::fstat(temporary) else {
        return true;
    };
    // NTFS and exFAT, too, are FUSE on some machines: those on a disk are of this one alone.
    if rustix::fs::major(identity(&stat).0) != 0 {
        return false;
    }
    let (modified, _) = Version::of(&stat).modified();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let age = now.unwrap_or_default().as_secs().cast_signed() - modified;
    age < LIVING_MAX.as_secs().cast_signed()
}

/// A leftover takes the name that it is for, if that is known and free; else it is removed. Returns
/// the name if it is another file's.
fn end_leftover(
    directory: impl AsFd,
    path: Option<&FtpPath>,
    name: &OsStr,
    (leftover, usage): (&OwnedFd, &HomeUsage),
    broken: BrokenUploads,
) -> io::Result<Option<OsString>> {
    let shown = |name: &OsStr| match path.and_then(|path| path.child(name.as_bytes())) {
        Some(path) => path.to_string(),
        None => printable(name.as_bytes()).to_string(),
    };
    let intended = intended_name::read(leftover);
    if let Some(intended) = &intended
        && broken == BrokenUploads::Keep
        && adopt(&directory, name, intended, (leftover, usage)).is_ok()
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

/// Gives a leftover the name that it is for: from now on it counts in a quota.
fn adopt(
    directory: impl AsFd,
    name: &OsStr,
    intended: &OsStr,
    (leftover, usage): (&OwnedFd, &HomeUsage),
) -> io::Result<()> {
    let stat = rustix::fs::fstat(leftover)?;
    let change = usage.name_change();
    rename_if_free(directory, name, intended)?;
    change.finish(amount_of(&stat), Amount::default());
    Ok(())
}

/// How long an upload of another machine may write nothing: more than each limit that servers
/// usually have for that.
const LIVING_MAX: Duration = Duration::from_secs(60 * 60);

/// What `statfs` says of FUSE file systems.
const FUSE: i128 = 0x6573_5546;

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn an_upload_that_ends_while_it_is_looked_at_is_no_leftover() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let handle = File::open(directory.path()).unwrap();
        let name = OsStr::new(".ftp-upload.1-1.part");
        for is_another_there in [false, true] {
            fs::write(path(".ftp-upload.1-1.part"), "complete").unwrap();
            let found = open(&handle, name).unwrap();
            fs::rename(path(".ftp-upload.1-1.part"), path("file")).unwrap();
            if is_another_there {
                fs::write(path(".ftp-upload.1-1.part"), "another").unwrap();
            }
            assert!(lock_if_dead(found, &handle, name).is_none());
        }
        let found = open(&handle, name).unwrap();
        assert!(lock_if_dead(found, &handle, name).is_some());
    }
}
