//! Symbolic links in the listings of programs: each is shown as what it leads to, as far as a
//! program that enters every directory comes to an end.

use std::os::fd::OwnedFd;

use ftp_proto::{FtpPath, Right, Rights};
use rustix::fs::{FileType, Mode, OFlags, Stat};

use super::real_rights::RealRights;
use super::root::{Root, identity};

/// The directories that contain a directory, and itself: a link to one of them would lead in
/// circles. They are looked up only when a link leads to a directory.
#[derive(Debug)]
pub(super) struct Containers {
    directory: FtpPath,
    /// Device and inode of each.
    found: Option<Vec<(u64, u64)>>,
}

impl Containers {
    pub(super) fn of(directory: FtpPath) -> Self {
        Self {
            directory,
            found: None,
        }
    }

    fn contain(&mut self, root: &Root, target: (u64, u64)) -> bool {
        let found = self
            .found
            .get_or_insert_with(|| containers(root, &self.directory));
        found.contains(&target)
    }
}

impl Root {
    /// The attributes of what the symbolic link at `path` leads to, and the login's rights there,
    /// which are all rights without `real`. `None`: it is none, or it leads nowhere, out of the
    /// shared directory, to a directory that contains it, to one of the server's own files, or to
    /// where the login may list nothing.
    pub(super) fn follow(
        &self,
        path: &FtpPath,
        stat: &Stat,
        containers: &mut Containers,
        real: Option<&RealRights>,
    ) -> Option<(Stat, Rights)> {
        if !is_link(stat) {
            return None;
        }
        // Only named, not opened: it may be a FIFO.
        let stat = rustix::fs::fstat(self.handle(path).ok()?).ok()?;
        let leads_in_circles = FileType::from_raw_mode(stat.st_mode) == FileType::Directory
            && containers.contain(self, identity(&stat));
        if leads_in_circles || self.is_own(identity(&stat)) {
            return None;
        }
        let rights = match real {
            Some(real) => real.of_target(self, path)?,
            None => Rights::READ_WRITE,
        };
        rights.contains(Right::List).then_some((stat, rights))
    }
}

/// Whether these are the attributes of a symbolic link itself.
pub(super) fn is_link(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
}

/// Device and inode of a directory and of all that contain it: those that its path names, which may
/// lead through links, and those on the disk.
fn containers(root: &Root, directory: &FtpPath) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    let mut path = directory.clone();
    loop {
        if let Ok((handle, stat)) = root.directory_handle(&path) {
            found.push(identity(&stat));
            if path == *directory {
                climb(root, handle, stat, &mut found);
            }
        }
        if path.is_root() {
            return found;
        }
        path = path.parent();
    }
}

/// Adds the directories that contain this one, up to the shared one.
fn climb(root: &Root, mut handle: OwnedFd, mut stat: Stat, found: &mut Vec<(u64, u64)>) {
    let named = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // If it is moved out of the shared directory meanwhile, the way up does not end there.
    for _ in 0..LEVELS_MAX {
        if root.is_root(&stat) {
            return;
        }
        let Ok(parent) = rustix::fs::openat(&handle, "..", named, Mode::empty()) else {
            return;
        };
        let Ok(of_parent) = rustix::fs::fstat(&parent) else {
            return;
        };
        (handle, stat) = (parent, of_parent);
        found.push(identity(&stat));
    }
}

/// More levels than a path of the core has.
const LEVELS_MAX: usize = 256;

#[cfg(test)]
mod tests;
