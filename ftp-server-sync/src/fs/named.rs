//! Which directory or file a path names.

use std::fs::{File, Metadata};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Stat, Statx, StatxFlags};
use rustix::io::Errno;

use super::root::identity;

/// What a directory is known by as long as it is open: afterwards another one may have the same
/// numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NamedDirectory {
    device: u64,
    inode: u64,
    /// The mount through which it was reached: one that was detached and mounted again has lost
    /// what was mounted below it. `None` where the kernel does not say (before Linux 5.8).
    mount: Option<u64>,
}

impl NamedDirectory {
    /// The directory that the path names now, which mounts what is mounted on demand. One system
    /// call.
    ///
    /// # Errors
    ///
    /// The system's error; [`Errno::NOTDIR`] for what is no directory.
    pub(super) fn at(path: &Path) -> Result<Self, Errno> {
        match rustix::fs::statx(CWD, path, AtFlags::empty(), WANTED) {
            Err(Errno::NOSYS | Errno::PERM) => Self::at_without_statx(path),
            found => Self::of_statx(&found?),
        }
    }

    /// An open directory.
    ///
    /// # Errors
    ///
    /// As for [`at`](Self::at).
    pub(super) fn of(directory: impl AsFd) -> Result<Self, Errno> {
        match rustix::fs::statx(&directory, "", AtFlags::EMPTY_PATH, WANTED) {
            Err(Errno::NOSYS | Errno::PERM) => Self::of_stat(&rustix::fs::fstat(directory)?),
            found => Self::of_statx(&found?),
        }
    }

    #[inline(never)]
    fn at_without_statx(path: &Path) -> Result<Self, Errno> {
        Self::of_stat(&rustix::fs::stat(path)?)
    }

    /// Device and inode.
    pub(super) fn identity(&self) -> (u64, u64) {
        (self.device, self.inode)
    }

    /// Whether both are the same directory, however it is mounted.
    pub(super) fn is_same_directory(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }

    /// Whether both were reached through the same mount, as far as the kernel says.
    pub(super) fn is_same_mount(&self, other: &Self) -> bool {
        (self.device, self.mount) == (other.device, other.mount)
    }

    fn of_statx(found: &Statx) -> Result<Self, Errno> {
        check_directory(found.stx_mode.into())?;
        Ok(Self {
            device: device(found),
            inode: found.stx_ino,
            mount: mount(found),
        })
    }

    /// What old kernels, and the system call filters of old containers, say.
    fn of_stat(found: &Stat) -> Result<Self, Errno> {
        check_directory(found.st_mode)?;
        let (device, inode) = identity(found);
        Ok(Self {
            device,
            inode,
            mount: None,
        })
    }
}

/// What a regular file is known by while one look follows the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NamedFile {
    device: u64,
    inode: u64,
    /// As in [`NamedDirectory`].
    mount: Option<u64>,
}

impl NamedFile {
    /// The file that the path names now; `None` for what is no regular file, and where the kernel
    /// does not answer. A link at its end is not followed, as what is outside may not answer.
    pub(super) fn at(path: &Path) -> Option<Self> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        let found = rustix::fs::statx(CWD, path, flags, WANTED).ok()?;
        Self::of_statx(&found)
    }

    /// An open file, and its size.
    pub(super) fn of(file: impl AsFd) -> Option<(Self, u64)> {
        let wanted = WANTED | StatxFlags::SIZE;
        let found = rustix::fs::statx(file, "", FRESH, wanted).ok()?;
        Some((Self::of_statx(&found)?, found.stx_size))
    }

    /// Device and inode.
    pub(super) fn identity(&self) -> (u64, u64) {
        (self.device, self.inode)
    }

    fn of_statx(found: &Statx) -> Option<Self> {
        let kind = FileType::from_raw_mode(found.stx_mode.into());
        (kind == FileType::RegularFile).then(|| Self {
            device: device(found),
            inode: found.stx_ino,
            mount: mount(found),
        })
    }
}

fn device(found: &Statx) -> u64 {
    rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor)
}

fn mount(found: &Statx) -> Option<u64> {
    let has_mount = found.stx_mask & StatxFlags::MNT_ID.bits() != 0;
    has_mount.then_some(found.stx_mnt_id)
}

fn check_directory(mode: u32) -> Result<(), Errno> {
    match FileType::from_raw_mode(mode) {
        FileType::Directory => Ok(()),
        _ => Err(Errno::NOTDIR),
    }
}

/// The size of a file that was just opened, and had these attributes. Another machine may have
/// replaced it since the system last looked at its name: with the size of the old one, a part of
/// the new one would seem to be whole.
pub(super) fn current_size(file: &File, found: &Metadata) -> u64 {
    // A disk is this machine's alone.
    if rustix::fs::major(found.dev()) != 0 {
        return found.len();
    }
    let size = rustix::fs::statx(file, "", FRESH, StatxFlags::SIZE);
    size.map_or(found.len(), |found| found.stx_size)
}

/// An open file, and a network file system asks its server.
const FRESH: AtFlags = AtFlags::EMPTY_PATH.union(AtFlags::STATX_FORCE_SYNC);

const WANTED: StatxFlags = StatxFlags::TYPE
    .union(StatxFlags::INO)
    .union(StatxFlags::MNT_ID);

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_path_and_a_handle_name_the_same_directory() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("a")).unwrap();
        fs::create_dir(path("b")).unwrap();
        fs::write(path("file"), "").unwrap();
        symlink("a", path("link")).unwrap();
        let named = |name: &str| NamedDirectory::at(&path(name));
        let open = File::open(path("a")).unwrap();
        assert_eq!(NamedDirectory::of(&open), named("a"));
        assert_eq!(named("a"), named("link"));
        assert_ne!(named("a"), named("b"));
        assert_eq!(named("file"), Err(Errno::NOTDIR));
        assert_eq!(named("missing"), Err(Errno::NOENT));
        let by_stat = rustix::fs::fstat(&open).unwrap();
        assert_eq!(identity(&by_stat), named("a").unwrap().identity());
    }

    #[test]
    fn only_a_regular_file_is_a_named_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("file"), "text").unwrap();
        fs::write(path("other"), "text").unwrap();
        fs::hard_link(path("file"), path("same")).unwrap();
        symlink("file", path("link")).unwrap();
        let named = |name: &str| NamedFile::at(&path(name));
        let (opened, size) = NamedFile::of(File::open(path("file")).unwrap()).unwrap();
        assert_eq!((Some(opened), size), (named("file"), 4));
        assert_eq!(named("same"), named("file"));
        assert_ne!(named("other"), named("file"));
        for other in [".", "link", "missing"] {
            assert_eq!(named(other), None, "{other}");
        }
    }
}
