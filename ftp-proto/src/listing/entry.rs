//! An entry: what a listing shows of a file, a directory or any other name.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::rights::Rights;

/// What a listing shows of a file, a directory or any other entry of a directory. Make one with
/// [`Entry::new`] and set what else is known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its name, as the file system stores it.
    pub name: Vec<u8>,
    /// Whether it is a file, a directory or something else.
    pub kind: EntryKind,
    /// Permission bits with setuid, setgid and sticky; bits above `0o7777` are ignored.
    pub mode: u32,
    /// The number of hard links.
    pub links: u64,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The owner's name, if there is one. Many entries share one.
    pub owner: Option<Arc<[u8]>>,
    /// The group's name, if there is one.
    pub group: Option<Arc<[u8]>>,
    /// The size in bytes.
    pub size: u64,
    /// The time of last modification, in seconds since 1970 (UTC).
    pub modified: i64,
    /// The part of that second, in nanoseconds: it decides the order of `-t`.
    pub modified_nanos: u32,
    /// The seconds that local time is ahead of UTC at that time, for the date of LIST and STAT.
    /// [`Walk::in_time_zone`](super::Walk::in_time_zone) sets it.
    pub utc_offset: i32,
    /// The device that stores it; device and inode identify the entry.
    pub device: u64,
    /// Its inode number on that device.
    pub inode: u64,
    /// The major and minor number of a device; not used for other entries.
    pub device_numbers: (u32, u32),
    /// The target of a symbolic link.
    pub link_target: Option<Vec<u8>>,
    /// What the account may do with it at most, for the fact `perm`. A driver sets it for what lies
    /// elsewhere than its path says, such as behind a symbolic link. `None`: the path decides.
    pub rights: Option<Rights>,
    /// It can be neither deleted nor renamed itself, whatever the rights are, for the fact `perm`:
    /// a directory that the operator has put there, or that contains such a one.
    pub is_fixed: bool,
}

impl Entry {
    /// An entry with usual values: one link, owner and group 0 without names, and permission bits
    /// that let its owner change it and all others read it. `size` in bytes, `modified` in
    /// seconds since 1970 (UTC).
    pub fn new(name: impl Into<Vec<u8>>, kind: EntryKind, size: u64, modified: i64) -> Self {
        Self {
            name: name.into(),
            kind,
            mode: match kind {
                EntryKind::Directory => 0o755,
                EntryKind::Symlink => 0o777,
                _ => 0o644,
            },
            links: 1,
            uid: 0,
            gid: 0,
            owner: None,
            group: None,
            size,
            modified,
            modified_nanos: 0,
            utc_offset: 0,
            device: 0,
            inode: 0,
            device_numbers: (0, 0),
            link_target: None,
            rights: None,
            is_fixed: false,
        }
    }
}

/// The kind of an [`Entry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; the entry describes the link itself.
    Symlink,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}
