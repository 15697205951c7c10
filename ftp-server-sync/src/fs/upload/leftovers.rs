//! Temporaries that a server left when it was killed, or its machine lost power.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ftp_proto::FtpPath;
use ftp_proto::text::printable;
use log::{info, warn};
use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags, Stat};
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

/// How the temporaries of a directory are cleared up that no living upload has locked.
#[derive(Debug)]
pub(in crate::fs) struct ClearUp<'a> {
    /// The directory's, for the log, if it is known.
    pub(in crate::fs) path: Option<&'a FtpPath>,
    pub(in crate::fs) broken: BrokenUploads,
    pub(in crate::fs) usage: &'a HomeUsage,
    /// Only what is for this name. The client of another one may have stored its file again, and
    /// someone may have moved it: then an old piece must not take that name.
    pub(in crate::fs) only: Option<&'a OsStr>,
    /// The log has what cannot be removed.
    pub(in crate::fs) is_quiet: bool,
}

impl ClearUp<'_> {
    /// `on_older` gets the names of files that are older than what was received for them. False if
    /// something cannot be removed.
    ///
    /// # Errors
    ///
    /// The system's error of reading the directory; there may be more temporaries.
    pub(in crate::fs) fn run(
        &self,
        directory: impl AsFd,
        mut on_older: impl FnMut(OsString),
    ) -> io::Result<bool> {
        let entries = match read(&directory) {
            // Files can be stored in it, and none can be listed.
            Err(Errno::ACCESS) => return Ok(true),
            entries => entries?,
        };
        let mut is_clear = true;
        for entry in entries {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if !is_temporary(name.as_bytes()) {
                continue;
            }
            let leftover = open(&directory, name);
            let Some(leftover) = leftover.and_then(|file| lock_if_dead(file, &directory, name))
            else {
                continue;
            };
            if may_be_of_another_machine(&leftover) {
                continue;
            }
            match self.end_leftover(&directory, name, &leftover) {
                Ok(older) => older.into_iter().for_each(&mut on_older),
                Err(error) => {
                    is_clear = false;
                    self.log_kept(name, &error);
                }
            }
        }
        Ok(is_clear)
    }

    /// A leftover takes the name that it is for, if that is known and free; else it is removed.
    /// Returns the name if it is that of an older file.
    fn end_leftover(
        &self,
        directory: impl AsFd,
        name: &OsStr,
        leftover: &OwnedFd,
    ) -> io::Result<Option<OsString>> {
        let intended = intended_name::read(leftover);
        if self.only.is_some() && intended.as_deref() != self.only {
            return Ok(None);
        }
        let Some(intended) = intended else {
            rustix::fs::unlinkat(&directory, name, AtFlags::empty())?;
            let temporary = self.shown(name);
            info!("removed {temporary}, which a crash left of an upload");
            return Ok(None);
        };
        if self.broken == BrokenUploads::Keep {
            match adopt(&directory, name, &intended, (leftover, self.usage)) {
                Ok(()) => {
                    intended_name::forget(leftover);
                    self.log_adopted(&intended, rustix::fs::fstat(leftover)?.st_size);
                    return Ok(None);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        let is_stored_again = is_modified_after(&directory, &intended, leftover);
        rustix::fs::unlinkat(&directory, name, AtFlags::empty())?;
        self.log_removed(name, &intended, is_stored_again);
        Ok((!is_stored_again).then_some(intended))
    }

    fn shown(&self, name: &OsStr) -> String {
        match self.path.and_then(|path| path.child(name.as_bytes())) {
            Some(path) => path.to_string(),
            None => printable(name.as_bytes()).to_string(),
        }
    }

    fn log_adopted(&self, intended: &OsStr, bytes: i64) {
        warn!(
            "{} has {bytes} bytes, the beginning of an upload that a crash cut off: let its client \
             go on with it, or store it again",
            self.shown(intended)
        );
    }

    fn log_removed(&self, name: &OsStr, intended: &OsStr, is_stored_again: bool) {
        let (temporary, file) = (self.shown(name), self.shown(intended));
        if is_stored_again {
            info!(
                "removed {temporary}, which a crash left of an upload of {file}: the file has been \
                 stored since"
            );
        } else {
            warn!(
                "removed {temporary}, which a crash left of an upload of {file}: let its client \
                 store it again"
            );
        }
    }

    fn log_kept(&self, name: &OsStr, error: &io::Error) {
        if !self.is_quiet {
            warn!(
                "cannot remove {}, which a crash left of an upload: {}",
                self.shown(name),
                SystemText(error)
            );
        }
    }
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

/// Whether the file of this name was written to after the leftover: it is no older one.
fn is_modified_after(directory: impl AsFd, name: &OsStr, leftover: &OwnedFd) -> bool {
    let named = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW);
    let modified = |stat: &Stat| Version::of(stat).modified();
    match (named, rustix::fs::fstat(leftover)) {
        (Ok(named), Ok(left)) => modified(&named) > modified(&left),
        _ => false,
    }
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
