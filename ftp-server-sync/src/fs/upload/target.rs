//! Where an upload goes: a name in a directory, with symbolic links followed.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use cap_std::fs::Dir;
use ftp_proto::{FtpPath, Kept, Refusal, UploadStart};
use rustix::fs::{Access, AtFlags, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::fs::access::check_access;
use crate::fs::quota::counting::amount_of;
use crate::fs::quota::usage::{Amount, HomeUsage, NameChange, NamedFile};
use crate::fs::resolve::{Resolved, stat};
use crate::fs::root::{Root, identity, refusal, relative};
use crate::fs::share_rules::QuotaInForce;

/// A name in a directory. The name is none of a symbolic link, or was none a moment ago.
#[derive(Debug)]
pub(super) struct Target {
    directory: Arc<Dir>,
    directory_identity: (u64, u64),
    name: Vec<u8>,
    root: Root,
    /// The path that the client names.
    path: FtpPath,
    /// Whether the path leads through a symbolic link at its end.
    is_linked: bool,
}

/// What two uploads of one name have in common: the device and inode of the directory, and the name
/// in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct TargetKey {
    pub(super) directory: (u64, u64),
    pub(super) name: Vec<u8>,
}

/// What a name leads to, if it counts in a quota.
pub(super) type CountedName = Option<NamedFile>;

impl Root {
    /// Where an upload to this path goes, and the attributes of what has the name. A link that
    /// leads nowhere leads to a file to be created.
    ///
    /// # Errors
    ///
    /// The file system's refusal; [`Refusal::Denied`] for a link out of the shared directory;
    /// [`Refusal::LoginDenied`].
    pub(super) fn upload_target(
        &self,
        path: &FtpPath,
        start: UploadStart,
    ) -> Result<(Target, Option<Stat>), Refusal> {
        let found = self.resolve(path)?;
        self.check_storable(&found, start)?;
        let stat = found.stat;
        Ok((self.target_in(found, path)?, stat))
    }

    fn target_in(&self, found: Resolved, path: &FtpPath) -> Result<Target, Refusal> {
        let Resolved {
            directory,
            name,
            is_linked,
            ..
        } = found;
        let directory_identity = if Arc::ptr_eq(&directory, &self.directory) {
            self.identity
        } else {
            let stat = rustix::fs::fstat(&directory).map_err(|errno| refusal(&errno.into()))?;
            identity(&stat)
        };
        // A link may lead to the path of one of the server's own files that is missing.
        if self.rules.hides(&name) || self.rules.own_files.have_path(directory_identity, &name) {
            return Err(Refusal::NotFound);
        }
        Ok(Target {
            directory,
            directory_identity,
            name,
            root: self.clone(),
            path: path.clone(),
            is_linked,
        })
    }
}

impl Target {
    pub(super) fn key(&self) -> TargetKey {
        TargetKey {
            directory: self.directory_identity,
            name: self.name.clone(),
        }
    }

    pub(super) fn name(&self) -> &OsStr {
        OsStr::from_bytes(&self.name)
    }

    /// The path of the directory, if it is known.
    pub(super) fn directory_path(&self) -> Option<FtpPath> {
        (!self.is_linked).then(|| self.path.parent())
    }

    /// The attributes of what has the name; `None` if that is free.
    pub(super) fn stat(&self) -> io::Result<Option<Stat>> {
        Ok(stat(self, self.name())?)
    }

    /// Opens, or with the right flags creates, the file with the name itself.
    pub(super) fn open(&self, flags: OFlags, mode: u32) -> io::Result<File> {
        // A FIFO that has taken the name since it was looked at must not block the session.
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(self, self.name(), flags, Mode::from_raw_mode(mode))?;
        Ok(file.into())
    }

    /// Removes what has the name, if that is possible.
    pub(super) fn remove(&self) {
        self.remove_where(|| true);
    }

    /// The same if it is this file, known by its device and inode.
    pub(super) fn remove_if(&self, file: (u64, u64)) {
        let has_name = || matches!(self.stat(), Ok(Some(found)) if identity(&found) == file);
        self.remove_where(has_name);
    }

    fn remove_where(&self, is_meant: impl FnOnce() -> bool) {
        let change = self.usage().name_change();
        let before = self.counted(&change);
        if is_meant() {
            // Not fatal: what the client has sent stays.
            let _ = rustix::fs::unlinkat(self, self.name(), AtFlags::empty());
        }
        let after = self.counted(&change);
        self.finish(change, (before, after), Amount::default());
    }

    /// What quotas count in the home.
    pub(super) fn usage(&self) -> &Arc<HomeUsage> {
        &self.root.usage
    }

    pub(super) fn quota(&self) -> &Arc<QuotaInForce> {
        &self.root.rules.quota
    }

    /// What the name counts in a quota, with its device and inode. Nothing is looked up where no
    /// user has one.
    pub(super) fn counted(&self, change: &NameChange<'_>) -> CountedName {
        let stat = change.is_tracked().then(|| self.stat().ok()).flatten();
        stat.flatten().map(|stat| {
            let found = (identity(&stat), amount_of(&stat));
            change.named_file(self, Path::new(self.name()), found)
        })
    }

    /// The name led to the first of these, and leads to the second now, which was pending.
    pub(super) fn finish(
        &self,
        change: NameChange<'_>,
        (before, after): (CountedName, CountedName),
        pending: Amount,
    ) {
        let stored = match (before, after) {
            (Some(before), Some(after)) if before.identity == after.identity => {
                if change.is_written(after.identity) {
                    Amount::default()
                } else {
                    after.amount - before.amount
                }
            }
            (before, after) => {
                let lost = before.map(|lost| change.forget_file(lost));
                let come = after.map(|found| found.amount);
                come.unwrap_or_default() - lost.unwrap_or_default()
            }
        };
        change.finish(stored, pending);
    }

    /// Whether a file can be created.
    ///
    /// # Errors
    ///
    /// The file system's refusal.
    pub(super) fn check_creatable(&self) -> Result<(), Refusal> {
        let rights = Access::WRITE_OK | Access::EXEC_OK;
        check_access(self, rights).map_err(|errno| refusal(&errno.into()))
    }

    /// Whether the name is directly in the shared directory: then no client can move it away.
    pub(super) fn is_in_root(&self) -> bool {
        self.path.parent().is_root() && Arc::ptr_eq(&self.directory, &self.root.directory)
    }

    /// What is under the client's path if it does not lead to the upload's file.
    pub(super) fn kept_by_others(&self) -> Kept {
        let path = relative(&self.path);
        match rustix::fs::statat(&self.root.directory, path, AtFlags::empty()) {
            Ok(_) => Kept::OldFile,
            Err(_) => Kept::Nothing,
        }
    }

    /// Whether the client's path still leads to this file, known by its device and inode. The
    /// file, or a directory on the way, may have been renamed or removed while the upload ran.
    pub(super) fn leads_to(&self, file: (u64, u64)) -> bool {
        // Nothing is opened: a path that leads outside by now leads to another file.
        let found =
            rustix::fs::statat(&self.root.directory, relative(&self.path), AtFlags::empty());
        found.is_ok_and(|found| identity(&found) == file)
    }
}

impl AsFd for Target {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

/// Locks a file that is to be written in place.
///
/// # Errors
///
/// [`Refusal::Busy`]: another upload, of any server on this machine, is writing to it.
pub(super) fn lock_file(file: &File) -> Result<(), Refusal> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Err(Refusal::Busy),
        // Not every file system has locks.
        _ => Ok(()),
    }
}

/// The client's path does not lead to the bytes that it has sent.
pub(super) fn name_is_lost() -> io::Error {
    let problem = "the file or its directory was renamed, replaced or removed meanwhile";
    io::Error::new(io::ErrorKind::NotFound, problem)
}
