//! The directory that a walk reads, and those that it will enter.

use alloc::vec::Vec;

use super::rules::Rules;
use super::source::NameSource;
use super::step::DirectoryId;
use crate::listing::entry::Entry;
use crate::path::FtpPath;

/// The directory that is read.
#[derive(Debug)]
pub(super) struct CurrentDirectory {
    pub(super) id: DirectoryId,
    pub(super) path: FtpPath,
    /// How many directories below the base.
    pub(super) level: usize,
    /// It is the top of what is served.
    pub(super) is_root: bool,
    pub(super) names: NameSource,
    /// Directories in this one, to be entered after it.
    pub(super) subdirectories: Vec<PendingDirectory>,
}

/// A directory to enter later.
#[derive(Debug)]
pub(super) struct PendingDirectory {
    pub(super) path: FtpPath,
    pub(super) level: usize,
    pub(super) parent: DirectoryId,
    /// The parent directory is not needed after this one is open.
    pub(super) is_last: bool,
    /// Device and inode, from its entry.
    identity: (u64, u64),
}

impl CurrentDirectory {
    /// Remembers a subdirectory, unless the account may not list it, or it is too deep, or has a
    /// name that no client can send.
    pub(super) fn enter_later(&mut self, entry: &Entry, rules: &Rules) {
        if let Some(path) = self.path.child(self.names.name())
            && rules.request.may_enter(&path)
        {
            self.subdirectories.push(PendingDirectory {
                path,
                level: self.level + 1,
                parent: self.id,
                is_last: false,
                identity: (entry.device, entry.inode),
            });
        }
    }

    /// What a driver is asked to look at for the current name: no client sees what is above the
    /// root.
    pub(super) fn looked_at(&self) -> &[u8] {
        match self.names.name() {
            b".." if self.is_root => b".",
            name => name,
        }
    }
}

impl PendingDirectory {
    /// Whether this is the directory that the entry showed, and not one put in its place.
    pub(super) fn is_still(&self, device: u64, inode: u64) -> bool {
        self.identity == (device, inode)
    }
}
