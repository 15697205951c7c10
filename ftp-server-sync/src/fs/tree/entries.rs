//! What listings show at a path of the tree.

use std::hash::{DefaultHasher, Hash, Hasher};

use ftp_proto::listing::{Details, Entry, EntryKind};
use ftp_proto::{FtpPath, Refusal, Rights};

use super::{Place, Tree};
use crate::fs::entry::entry_of;
use crate::fs::owners::Owners;

impl Tree {
    /// The entry at a path. A symbolic link is followed if the details say so.
    ///
    /// # Errors
    ///
    /// The file system's refusal.
    pub(in crate::fs) fn entry(
        &self,
        path: &FtpPath,
        details: Details,
        owners: &mut Owners,
    ) -> Result<Entry, Refusal> {
        if self.is_fixed(path) && !path.is_root() {
            return self.fixed_entry(path, details, owners);
        }
        match self.place(path)? {
            Place::Shared(root, path) => root.entry_with(&path, details, owners),
            Place::Bare => Ok(bare_entry(path, Rights::READ_ONLY)),
        }
    }

    /// The entry of a mount point, or of a directory that contains one. It is shown as a directory
    /// even if what is mounted is not available: where it disappeared, a program that mirrors the
    /// tree would delete its copies.
    ///
    /// # Errors
    ///
    /// The file system's refusal.
    pub(in crate::fs) fn fixed_entry(
        &self,
        path: &FtpPath,
        details: Details,
        owners: &mut Owners,
    ) -> Result<Entry, Refusal> {
        let (root, inner) = match self.place(path) {
            Ok(Place::Shared(root, inner)) => (root, inner),
            Ok(Place::Bare) => return Ok(bare_entry(path, Rights::READ_ONLY)),
            Err(Refusal::ShareUnavailable) => return Ok(bare_entry(path, Rights::NONE)),
            Err(refusal) => return Err(refusal),
        };
        let (handle, stat) = root.directory_handle(&inner)?;
        let mut entry = entry_of(&handle, path.name(), &stat, details, owners);
        let real = root.real_rights();
        entry.rights = real.map(|real| real.of_directory(root, handle));
        entry.is_fixed = true;
        Ok(entry)
    }
}

/// A directory that is not on the disk.
fn bare_entry(path: &FtpPath, rights: Rights) -> Entry {
    let mut entry = Entry::new(path.name(), EntryKind::Directory, 0, 0);
    entry.mode = 0o555;
    entry.links = 2;
    (entry.device, entry.inode) = bare_identity(path);
    entry.rights = Some(rights);
    entry.is_fixed = true;
    entry
}

/// What listings know such a directory by. No file system has this device.
pub(in crate::fs) fn bare_identity(path: &FtpPath) -> (u64, u64) {
    let mut hasher = DefaultHasher::new();
    path.as_bytes().hash(&mut hasher);
    (0, hasher.finish())
}
