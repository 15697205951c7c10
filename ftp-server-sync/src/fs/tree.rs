//! The tree of a login: its share, and the directories of elsewhere that are seen in it (the option
//! `mount` of a users file).
//!
//! A path is in the share whose mount point is the longest beginning of it, and each share is a
//! root of its own: no symbolic link leads from one into another. What is on the disk at a mount
//! point is hidden. A mount point whose parent directories are missing on the disk has them all the
//! same: they contain nothing else, and nothing can be stored there.

pub(super) mod entries;
mod files;
pub(crate) mod session;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use ftp_proto::{FtpPath, Refusal};

use super::root::{Root, relative};
use super::share_rules::ShareRules;
use crate::net::order;

/// The tree as it is during one operation. Cloning shares its directories.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    home: Root,
    /// The longest path comes first.
    mounts: Arc<[MountedRoot]>,
}

#[derive(Debug)]
struct MountedRoot {
    seen: FtpPath,
    /// `None`: it is not available, or the operation does not lead there.
    root: Option<Root>,
}

/// What has a path.
#[derive(Debug)]
pub(super) enum Place<'a> {
    /// Something in a share, at this path relative to it.
    Shared(&'a Root, Cow<'a, FtpPath>),
    /// A directory that contains mount points, and does not exist on the disk.
    Bare,
}

impl Tree {
    /// What has the path, or would have it.
    ///
    /// # Errors
    ///
    /// [`Refusal::ShareUnavailable`] in a mount that is not available.
    pub(super) fn place<'a>(&'a self, path: &'a FtpPath) -> Result<Place<'a>, Refusal> {
        if self.mounts.is_empty() {
            return Ok(Place::Shared(&self.home, Cow::Borrowed(path)));
        }
        let (root, inner) = match self.mount_of(path) {
            None => (&self.home, Cow::Borrowed(path)),
            Some(mount) => {
                let root = mount.root.as_ref().ok_or(Refusal::ShareUnavailable)?;
                (root, Cow::Owned(below(path, &mount.seen)?))
            }
        };
        // A file of that name is hidden too.
        if !inner.is_root() && self.contains_mount(path) && !is_directory(root, &inner) {
            return Ok(Place::Bare);
        }
        Ok(Place::Shared(root, inner))
    }

    /// Whether a mount point is at this path, or below it.
    pub(super) fn is_fixed(&self, path: &FtpPath) -> bool {
        self.mounts.iter().any(|mount| mount.seen.is_within(path))
    }

    /// Whether both paths are in the same share.
    pub(super) fn are_together(&self, one: &FtpPath, other: &FtpPath) -> bool {
        self.share_of(one) == self.share_of(other)
    }

    /// The names in a directory that are those of mount points, or lead to some.
    pub(super) fn mount_names(&self, directory: &FtpPath) -> BTreeSet<Vec<u8>> {
        let mounts = self.mounts.iter().map(|mount| &mount.seen);
        let mounts = mounts.filter(|seen| *seen != directory && seen.is_within(directory));
        order::set_of(mounts.filter_map(|seen| {
            let seen = below(seen, directory).ok()?;
            let name = seen.relative().split(|&byte| byte == b'/').next()?;
            Some(name.to_vec())
        }))
    }

    /// Where the share is seen that this path is in.
    pub(super) fn share_of(&self, path: &FtpPath) -> FtpPath {
        let mount = self.mount_of(path);
        mount.map_or(FtpPath::root(), |mount| mount.seen.clone())
    }

    /// What is not served, and the rules for uploads, in all shares.
    pub(super) fn rules(&self) -> &Arc<ShareRules> {
        &self.home.rules
    }

    fn mount_of(&self, path: &FtpPath) -> Option<&MountedRoot> {
        let mut mounts = self.mounts.iter();
        mounts.find(|mount| path.is_within(&mount.seen))
    }

    fn contains_mount(&self, path: &FtpPath) -> bool {
        let mut mounts = self.mounts.iter();
        mounts.any(|mount| mount.seen != *path && mount.seen.is_within(path))
    }
}

/// A tree of one share.
impl From<Root> for Tree {
    fn from(home: Root) -> Self {
        Self {
            home,
            mounts: Arc::default(),
        }
    }
}

fn is_directory(root: &Root, path: &FtpPath) -> bool {
    let found = root.directory.metadata(relative(path));
    found.is_ok_and(|metadata| metadata.is_dir())
}

/// The path relative to a directory that contains it.
fn below(path: &FtpPath, directory: &FtpPath) -> Result<FtpPath, Refusal> {
    let rest = path.as_bytes().strip_prefix(directory.as_bytes());
    let rest = rest.map(|rest| [b"/", rest].concat());
    rest.and_then(|rest| FtpPath::parse(&rest))
        .ok_or(Refusal::NameRejected)
}

#[cfg(test)]
mod tests;
