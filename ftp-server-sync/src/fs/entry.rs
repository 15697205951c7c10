//! The entries of listings: what the file system knows about one name.

use std::os::fd::AsFd;

use ftp_proto::listing::{Details, Entry, EntryKind};
use ftp_proto::{FtpPath, Refusal, Right};
use rustix::fs::{AtFlags, FileType, Stat};

use super::links::Containers;
use super::owners::Owners;
use super::real_rights::of_link;
use super::root::{Root, identity, refusal};

impl Root {
    /// The entry at `path`. A symbolic link is followed if the details say so.
    pub(super) fn entry_with(
        &self,
        path: &FtpPath,
        details: Details,
        owners: &mut Owners,
    ) -> Result<Entry, Refusal> {
        let directory = path.parent();
        let parent = self.open_directory(&directory)?;
        let name = if path.is_root() { b"." } else { path.name() };
        let stat = rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| refusal(&errno.into()))?;
        if self.is_own(identity(&stat)) {
            return Err(Refusal::NotFound);
        }
        let real = self.real_rights();
        let mut rights = real.as_ref().and_then(|real| real.of_name(self, path));
        let mut stat = stat;
        if details.follow_links
            && let Some((target, of_target)) =
                self.follow(path, &stat, &mut Containers::of(directory), real.as_ref())
        {
            stat = target;
            rights = rights.map(|place| of_link(place, of_target));
        }
        if rights.is_some_and(|rights| !rights.contains(Right::List)) {
            return Err(Refusal::LoginDenied);
        }
        let mut entry = entry_of(&parent, name, &stat, details, owners);
        entry.rights = rights;
        Ok(entry)
    }
}

/// The entry for `name` in the directory `parent`, with these attributes. It has no name itself:
/// those that it is for know it.
pub(super) fn entry_of(
    parent: impl AsFd,
    name: &[u8],
    stat: &Stat,
    details: Details,
    owners: &mut Owners,
) -> Entry {
    let mut entry = Entry::new(Vec::new(), EntryKind::File, 0, 0);
    fill_entry(&mut entry, parent, name, stat, details, owners);
    entry
}

/// The same where the entry is already: it is large to move.
#[allow(
    clippy::unnecessary_cast,
    reason = "the fields have other types on 32-bit machines"
)]
pub(super) fn fill_entry(
    entry: &mut Entry,
    parent: impl AsFd,
    name: &[u8],
    stat: &Stat,
    details: Details,
    owners: &mut Owners,
) {
    entry.kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Symlink,
        FileType::CharacterDevice => EntryKind::CharacterDevice,
        FileType::BlockDevice => EntryKind::BlockDevice,
        FileType::Fifo => EntryKind::Fifo,
        FileType::Socket => EntryKind::Socket,
        _ => EntryKind::File,
    };
    entry.link_target = match entry.kind {
        EntryKind::Symlink if details.link_target => {
            rustix::fs::readlinkat(parent, name, Vec::new())
                .ok()
                .map(|target| target.into_bytes())
        }
        _ => None,
    };
    let device = stat.st_rdev as rustix::fs::Dev;
    (entry.size, entry.modified) = (stat.st_size as u64, stat.st_mtime as i64);
    entry.modified_nanos = stat.st_mtime_nsec as u32;
    entry.mode = stat.st_mode & 0o7777;
    entry.links = stat.st_nlink as u64;
    (entry.uid, entry.gid) = (stat.st_uid, stat.st_gid);
    if details.owners {
        (entry.owner, entry.group) = (owners.user(stat.st_uid), owners.group(stat.st_gid));
    }
    (entry.device, entry.inode) = (stat.st_dev as u64, stat.st_ino as u64);
    entry.device_numbers = (rustix::fs::major(device), rustix::fs::minor(device));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_their_numbers() {
        let devices = std::fs::File::open("/dev").unwrap();
        let stat = rustix::fs::statat(&devices, "null", AtFlags::empty()).unwrap();
        let owners = &mut Owners::default();
        let entry = entry_of(&devices, b"null", &stat, Details::ALL, owners);
        assert_eq!(entry.kind, EntryKind::CharacterDevice);
        assert_eq!(entry.device_numbers, (1, 3));
        assert_eq!(entry.owner.as_deref(), Some(&b"root"[..]));
    }
}
