//! The entries of listings: what the file system knows about one name.

use std::os::fd::AsFd;

use ftp_proto::listing::{Entry, EntryKind};
use ftp_proto::{FtpPath, Refusal};
use rustix::fs::{AtFlags, FileType, Stat};

use super::owners::Owners;
use super::root::{Root, refusal};

impl Root {
    /// The entry at `path`; a symbolic link is not followed.
    pub(super) fn entry(&self, path: &FtpPath) -> Result<Entry, Refusal> {
        let parent = self.open_directory(&path.parent())?;
        let name = if path.is_root() { b"." } else { path.name() };
        let stat = rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| refusal(&errno.into()))?;
        let mut entry = entry_of(&parent, name, &stat, &mut Owners::default());
        entry.name = path.name().to_vec();
        Ok(entry)
    }
}

/// The entry for `name` in the directory `parent`; `stat` is about the name itself, not about the target of
/// a link.
#[allow(
    clippy::unnecessary_cast,
    reason = "the fields have other types on 32-bit machines"
)]
pub(super) fn entry_of(parent: impl AsFd, name: &[u8], stat: &Stat, owners: &mut Owners) -> Entry {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Symlink,
        FileType::CharacterDevice => EntryKind::CharacterDevice,
        FileType::BlockDevice => EntryKind::BlockDevice,
        FileType::Fifo => EntryKind::Fifo,
        FileType::Socket => EntryKind::Socket,
        _ => EntryKind::File,
    };
    let link_target = match kind {
        EntryKind::Symlink => rustix::fs::readlinkat(parent, name, Vec::new())
            .ok()
            .map(|target| target.into_bytes()),
        _ => None,
    };
    let device = stat.st_rdev as rustix::fs::Dev;
    Entry {
        name: name.to_vec(),
        kind,
        mode: stat.st_mode & 0o7777,
        links: stat.st_nlink as u64,
        uid: stat.st_uid,
        gid: stat.st_gid,
        owner: owners.user(stat.st_uid),
        group: owners.group(stat.st_gid),
        size: stat.st_size as u64,
        modified: stat.st_mtime as i64,
        device: stat.st_dev as u64,
        inode: stat.st_ino as u64,
        device_numbers: (rustix::fs::major(device), rustix::fs::minor(device)),
        link_target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_their_numbers() {
        let devices = std::fs::File::open("/dev").unwrap();
        let stat = rustix::fs::statat(&devices, "null", AtFlags::empty()).unwrap();
        let entry = entry_of(&devices, b"null", &stat, &mut Owners::default());
        assert_eq!(entry.kind, EntryKind::CharacterDevice);
        assert_eq!(entry.device_numbers, (1, 3));
        assert_eq!(entry.owner.as_deref(), Some(&b"root"[..]));
    }
}
