//! An upload that takes its name when it is complete: until then, a temporary in the same
//! directory.
//!
//! The temporary is locked as long as the upload lives, so that what a crash has left is known.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind, Seek};

use ftp_proto::Kept;
use rustix::fs::{FallocateFlags, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::intended_name;
use super::preserve::{preserve, preserve_rights};
use super::quota::UploadQuota;
use super::target::{Target, lock_file, name_is_lost};
use super::temporary::{
    NEW_FILE_MODE, create_temporary, remove_temporary, rename_if_free, sync_directory,
};
use super::version::Version;
use crate::fs::quota::usage::{Amount, NameChange};
use crate::fs::root::identity;

/// A temporary. It is removed when this is dropped, unless it has taken its name.
#[derive(Debug)]
pub(super) struct Staged {
    target: Target,
    name: String,
    /// `None` when it is closed.
    file: Option<File>,
    /// Its device and inode.
    identity: (u64, u64),
    /// What had the name when the upload began.
    old: Option<Version>,
    /// The name is noted in the file.
    is_noted: bool,
    has_taken_name: bool,
}

/// Which files with the name an upload may replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replace {
    Any,
    /// Only the one from the start of the upload; if there was none, none.
    Same,
    None,
}

impl Staged {
    /// Creates the temporary of a new file.
    pub(super) fn create(target: Target) -> io::Result<Self> {
        let (name, file, stat) = create_temporary(&target, NEW_FILE_MODE)?;
        Ok(Self {
            target,
            name,
            file: Some(file),
            identity: identity(&stat),
            old: None,
            is_noted: false,
            has_taken_name: false,
        })
    }

    /// Creates the temporary of a file that has these attributes, and gives it the same owner and
    /// rights.
    ///
    /// # Errors
    ///
    /// The target is given back if no such file can be created.
    pub(super) fn create_like(
        target: Target,
        old: &File,
        stat: &Stat,
    ) -> Result<Self, Box<(Target, io::Error)>> {
        let mode = stat.st_mode & 0o777;
        let (name, file, new) = match create_temporary(&target, mode) {
            Ok(created) => created,
            Err(error) => return Err((target, error).into()),
        };
        match preserve(old, stat, &file, &new) {
            Ok(()) => Ok(Self {
                target,
                name,
                file: Some(file),
                identity: identity(&new),
                old: Some(Version::of(stat)),
                is_noted: false,
                has_taken_name: false,
            }),
            Err(error) => {
                remove_temporary(&target, &name);
                Err((target, error).into())
            }
        }
    }

    /// The file to write to.
    pub(super) fn file(&mut self) -> io::Result<&mut File> {
        self.file
            .as_mut()
            .ok_or_else(|| ErrorKind::BrokenPipe.into())
    }

    /// Much has been received: if the server is killed, it may be worth going on with.
    pub(super) fn note_name(&mut self) {
        if let Some(file) = &self.file {
            intended_name::note(file, self.target.name());
            self.is_noted = true;
        }
    }

    /// What has the name, in an upload that failed.
    pub(super) fn kept(&self) -> Kept {
        match (self.target.stat(), self.has_taken_name) {
            (Ok(Some(stat)), true) if self.target.leads_to(identity(&stat)) => {
                Kept::Bytes(u64::try_from(stat.st_size).unwrap_or(0))
            }
            (_, true) => self.target.kept_by_others(),
            // Perhaps not the one from the start of the upload: it was removed, or one has come.
            (Ok(Some(_)), false) => Kept::OldFile,
            (Ok(None), false) => Kept::Nothing,
            (Err(_), false) => self.old.map_or(Kept::Nothing, |_| Kept::OldFile),
        }
    }

    /// Closes the file and gives it its name. `sync`: it is on the disk after that.
    ///
    /// # Errors
    ///
    /// Any of the system; [`kept`](Self::kept) is what the name leads to then.
    pub(super) fn take_name(
        &mut self,
        replace: Replace,
        sync: bool,
        quota: &mut UploadQuota,
    ) -> io::Result<()> {
        let file = self.file.take().ok_or(ErrorKind::BrokenPipe)?;
        if self.is_noted {
            intended_name::forget(&file);
        }
        if sync {
            file.sync_all()?;
        }
        self.name_file(file, replace, sync, quota)?;
        if sync {
            sync_directory(&self.target)?;
        }
        // Below the shared directory, clients can move directories away.
        if self.target.is_in_root() || self.target.leads_to(self.identity) {
            Ok(())
        } else {
            Err(name_is_lost())
        }
    }

    /// Closes the file and gives it the name, in place of what has it.
    fn name_file(
        &mut self,
        file: File,
        replace: Replace,
        sync: bool,
        quota: &mut UploadQuota,
    ) -> io::Result<()> {
        let named = match self.old {
            None => self.count(quota.usage().name_change(), quota, Self::rename_if_free),
            Some(_) => Err(ErrorKind::AlreadyExists.into()),
        };
        match named {
            Ok(()) => self.close_new(file),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && replace != Replace::None => {
                self.replace(file, replace, sync, quota)
            }
            Err(error) => Err(error),
        }
    }

    /// Changes what the name leads to, and counts that. What was pending is stored then.
    fn count(
        &mut self,
        change: NameChange<'_>,
        quota: &mut UploadQuota,
        perform: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let before = self.target.counted(&change);
        quota.check_name(change.is_tracked() && before.is_none())?;
        let performed = perform(self);
        let after = self.target.counted(&change);
        let pending = match performed {
            Ok(()) => quota.take_pending(),
            Err(_) => Amount::default(),
        };
        self.target.finish(change, (before, after), pending);
        performed
    }

    /// Closes a file that has its name. The system may report a write error only now: then it loses
    /// the name again, which was free.
    fn close_new(&mut self, file: File) -> io::Result<()> {
        self.has_taken_name = true;
        let closed = nix::unistd::close(file);
        if closed.is_err() {
            self.target.remove_if(self.identity);
        }
        Ok(closed?)
    }

    /// Closes the file and replaces what has the name.
    fn replace(
        &mut self,
        file: File,
        replace: Replace,
        sync: bool,
        quota: &mut UploadQuota,
    ) -> io::Result<()> {
        self.take_changes(&file)?;
        // The lock lives as long as this one: another server on the same directory must not take
        // the temporary for a leftover.
        let _locked = file.try_clone();
        // The system may report a write error only now, and the old file must not be lost by it.
        nix::unistd::close(file)?;
        let usage = quota.usage();
        let renamed = self.count(usage.name_change(), quota, |staged| {
            staged.rename_over(replace)
        });
        match renamed {
            // A single file can be a mount point: that keeps its name, and its lock keeps other
            // uploads away, so that names need not wait for the copy.
            Err(error) if is_of_mount_point(&error) => {
                let copied =
                    self.count(usage.change(), quota, |staged| staged.copy_into_place(sync));
                remove_temporary(&self.target, &self.name);
                copied
            }
            Err(error) => Err(error),
            Ok(()) => {
                self.has_taken_name = true;
                Ok(())
            }
        }
    }

    /// The old file may have got other rights, or another owner, since the upload began.
    fn take_changes(&self, file: &File) -> io::Result<()> {
        let Some(old) = self.old else {
            return Ok(());
        };
        match self.target.stat()? {
            Some(stat) if Version::of(&stat).rights != old.rights => preserve_rights(&stat, file),
            _ => Ok(()),
        }
    }

    fn rename_over(&mut self, replace: Replace) -> io::Result<()> {
        if replace != Replace::Any && !self.is_unchanged()? {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let (directory, from, to) = (&self.target, &self.name, self.target.name());
        Ok(rustix::fs::renameat(directory, from, directory, to)?)
    }

    fn rename_if_free(&mut self) -> io::Result<()> {
        rename_if_free(&self.target, OsStr::new(&self.name), self.target.name())
    }

    /// Whether the file with the name is the one from the start of the upload.
    fn is_unchanged(&self) -> io::Result<bool> {
        let now = self.target.stat()?.map(|stat| Version::of(&stat).contents);
        Ok(now.is_some() && now == self.old.map(|old| old.contents))
    }

    /// The bytes become those of the old file, which cannot be replaced.
    fn copy_into_place(&mut self, sync: bool) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let from = rustix::fs::openat(&self.target, &self.name, flags, Mode::empty())?;
        let mut from = File::from(from);
        let mut to = self.target.open(OFlags::WRONLY, 0)?;
        // Another server may be writing to it.
        lock_file(&to).map_err(io::Error::other)?;
        let size = from.metadata()?.len();
        // A full disk is seen before anything is lost.
        match rustix::fs::fallocate(&to, FallocateFlags::KEEP_SIZE, 0, size.max(1)) {
            Ok(()) | Err(Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(errno.into()),
        }
        if let Err(error) = io::copy(&mut from, &mut to) {
            let copied = to.stream_position()?;
            self.has_taken_name = copied > 0;
            if self.has_taken_name {
                // The rest is the old file's.
                to.set_len(copied)?;
            }
            return Err(error);
        }
        self.has_taken_name = true;
        to.set_len(size)?;
        if sync {
            to.sync_all()?;
        }
        Ok(nix::unistd::close(to)?)
    }
}

fn is_of_mount_point(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::BUSY | Errno::XDEV))
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.has_taken_name {
            remove_temporary(&self.target, &self.name);
        }
    }
}
