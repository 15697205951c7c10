//! The shared directory: opening files and directories beneath it.
//!
//! Every path is opened relative to one directory handle, and the kernel refuses to leave it: no
//! `..`, no symbolic link, not even one made between check and use, leads outside.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, MetadataExt as _, OpenOptions, OpenOptionsExt};
use ftp_proto::{FtpPath, Refusal};
use rustix::fs::{Access, AtFlags, FileType, OFlags, Stat};
use rustix::io::Errno;

use super::quota::usage::HomeUsage;
use super::share_rules::ShareRules;
use crate::logging::system_text::SystemText;

/// The shared directory. Cloning shares the handle.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    pub(super) directory: Arc<Dir>,
    /// The directory's device and inode.
    pub(super) identity: (u64, u64),
    pub(super) rules: Arc<ShareRules>,
    /// What quotas count in it.
    pub(super) usage: Arc<HomeUsage>,
}

impl Root {
    /// Opens the shared directory.
    ///
    /// # Errors
    ///
    /// The system's error, with the directory's path, if it is missing, not a directory, or not
    /// readable.
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        let opened = Dir::open_ambient_dir(directory, ambient_authority())
            .and_then(|opened| Ok((identity(&rustix::fs::fstat(&opened)?), opened)));
        let (identity, opened) = opened.map_err(|error| {
            let text = format!(
                "cannot share {}: {}",
                directory.display(),
                SystemText(&error)
            );
            io::Error::new(error.kind(), text)
        })?;
        Ok(Self::new(
            opened.into(),
            identity,
            Arc::default(),
            Arc::default(),
        ))
    }

    /// Whether this process may list it now.
    ///
    /// # Errors
    ///
    /// The system's error, with the directory's path and the remedy.
    pub(crate) fn check_listable(&self, path: &Path) -> io::Result<()> {
        check_listable(&self.directory, path)
    }

    /// An open directory with this device and inode, of which some names are not served.
    pub(super) fn new(
        directory: Arc<Dir>,
        identity: (u64, u64),
        rules: Arc<ShareRules>,
        usage: Arc<HomeUsage>,
    ) -> Self {
        Self {
            directory,
            identity,
            rules,
            usage,
        }
    }

    /// The same directory, of which other names are not served.
    #[must_use]
    pub(super) fn with_rules(self, rules: impl Into<Arc<ShareRules>>) -> Self {
        Self {
            rules: rules.into(),
            ..self
        }
    }

    /// Whether this is the shared directory itself, by whatever path it was reached.
    pub(super) fn is_root(&self, stat: &Stat) -> bool {
        identity(stat) == self.identity
    }

    pub(super) fn open_directory(&self, path: &FtpPath) -> Result<Dir, Refusal> {
        let opened = self.directory.open_dir(relative(path));
        opened.map_err(|error| match refusal(&error) {
            // The server's own file does not exist, so it is not something else either.
            Refusal::NotADirectory if self.check_not_own(path).is_err() => Refusal::NotFound,
            refusal => refusal,
        })
    }

    /// A handle of a directory, and its attributes. It can look up names, and need not have the
    /// right to read the directory.
    ///
    /// # Errors
    ///
    /// The file system's refusal.
    pub(super) fn directory_handle(&self, path: &FtpPath) -> Result<(OwnedFd, Stat), Refusal> {
        let directory = self.open_directory(path)?;
        // The shared directory itself may have been removed while it is served.
        let stat = rustix::fs::fstat(&directory).map_err(|errno| refusal(&errno.into()))?;
        match stat.st_nlink {
            0 => Err(Refusal::NotFound),
            _ => Ok((directory.into_std_file().into(), stat)),
        }
    }

    /// A handle that names what is at `path`, and does not open it.
    pub(super) fn handle(&self, path: &FtpPath) -> io::Result<OwnedFd> {
        let mut options = OpenOptions::new();
        let named = OFlags::PATH.bits().cast_signed();
        let options = options.read(true).custom_flags(named);
        let handle = self.directory.open_with(relative(path), options)?;
        Ok(handle.into_std().into())
    }

    /// Opens what is at `path`, without waiting. Only for what is new or was looked at: an open
    /// alone wakes the writer of a FIFO, and can move a tape.
    pub(super) fn open_with(&self, path: &FtpPath, options: &mut OpenOptions) -> io::Result<File> {
        // A FIFO that has taken the name since it was looked at must not block the session.
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        let file = self
            .directory
            .open_with(relative(path), options.custom_flags(nonblocking))?;
        Ok(file.into_std())
    }

    /// Whether nothing has this name, not even a symbolic link that leads nowhere.
    ///
    /// # Errors
    ///
    /// [`Refusal::Exists`], or the file system's refusal.
    pub(super) fn check_free(&self, path: &FtpPath) -> Result<(), Refusal> {
        match self.directory.symlink_metadata(relative(path)) {
            Ok(_) => Err(Refusal::Exists),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(refusal(&error)),
        }
    }

    /// The attributes of a regular file, which is not opened: only those can be transferred.
    ///
    /// # Errors
    ///
    /// The file system's refusal, or that it is not a regular file.
    pub(super) fn look_at_file(&self, path: &FtpPath) -> Result<Metadata, Refusal> {
        let metadata = self.directory.metadata(relative(path));
        let metadata = metadata.map_err(|error| refusal(&error))?;
        check_regular(metadata.is_file(), metadata.is_dir())?;
        if self.is_own((metadata.dev(), metadata.ino())) {
            return Err(Refusal::NotFound);
        }
        Ok(metadata)
    }

    /// Opens a regular file.
    ///
    /// # Errors
    ///
    /// As for [`look_at_file`](Self::look_at_file).
    pub(super) fn open_file(
        &self,
        path: &FtpPath,
        options: &mut OpenOptions,
    ) -> Result<(File, std::fs::Metadata), Refusal> {
        if !self.seems_regular(path) {
            self.look_at_file(path)?;
        }
        let file = self
            .open_with(path, options)
            .map_err(|error| refusal(&error))?;
        // The name may lead to something else by now.
        let metadata = file.metadata().map_err(|error| refusal(&error))?;
        check_regular(metadata.is_file(), metadata.is_dir())?;
        if self.is_own((metadata.dev(), metadata.ino())) {
            return Err(Refusal::NotFound);
        }
        Ok((file, metadata))
    }

    /// Whether a regular file that is none of the server's own has this path. One system call
    /// instead of the three that also find out what is outside: opening the path refuses that. A
    /// link at its end is not followed, as what is outside may not answer.
    fn seems_regular(&self, path: &FtpPath) -> bool {
        let flags = AtFlags::NO_AUTOMOUNT | AtFlags::SYMLINK_NOFOLLOW;
        let found = rustix::fs::statat(&self.directory, relative(path), flags);
        found.is_ok_and(|stat| {
            FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
                && !self.is_own(identity(&stat))
        })
    }
}

fn check_regular(is_file: bool, is_directory: bool) -> Result<(), Refusal> {
    match (is_file, is_directory) {
        (true, _) => Ok(()),
        (false, true) => Err(Refusal::IsADirectory),
        (false, false) => Err(Refusal::NotARegularFile),
    }
}

/// The core's refusal for an error of the system.
#[cold]
#[inline(never)]
pub(crate) fn refusal(error: &io::Error) -> Refusal {
    // The standard library has no stable kind for these.
    match Errno::from_io_error(error) {
        // A symbolic link that leads in circles.
        Some(Errno::LOOP) => Refusal::Denied,
        Some(Errno::ILSEQ) => Refusal::NameRejected,
        // A FIFO without a reader, or a device without a driver.
        Some(Errno::NXIO | Errno::NODEV) => Refusal::NotARegularFile,
        _ => error.into(),
    }
}

/// Whether this process may list a directory that is open. `path` is for the error.
pub(super) fn check_listable(directory: &Dir, path: &Path) -> io::Result<()> {
    let listed = directory.read_dir(".").map(drop);
    listed.map_err(|error| {
        let text = format!(
            "the shared directory {} cannot be listed: {}; give this user the right to read \
             and search it",
            path.display(),
            SystemText(&error)
        );
        io::Error::new(error.kind(), text)
    })
}

/// Why this user may not create files in the directory, if that is so.
pub(crate) fn unwritable(directory: &Path) -> Option<Errno> {
    let rights = Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::accessat(rustix::fs::CWD, directory, rights, AtFlags::EACCESS).err()
}

/// What a file or directory is known by: its device and inode.
#[allow(
    clippy::unnecessary_cast,
    reason = "the fields have other types on 32-bit machines"
)]
pub(super) fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

/// The path as the system takes it, relative to the root.
pub(super) fn relative(path: &FtpPath) -> &Path {
    Path::new(OsStr::from_bytes(path.relative()))
}

/// The path, unless it is the root: the root itself is never created, removed, renamed or changed.
pub(super) fn changeable(path: &FtpPath) -> Result<&FtpPath, Refusal> {
    if path.is_root() {
        Err(Refusal::Denied)
    } else {
        Ok(path)
    }
}

#[cfg(test)]
mod tests;
