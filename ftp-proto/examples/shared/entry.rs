//! What `std::fs` returns, in the terms of `ftp_proto`.

use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use ftp_proto::Refusal;
use ftp_proto::listing::{Entry, EntryKind};

pub(super) fn entry_of(name: &[u8], metadata: &Metadata) -> Entry {
    let kind = match metadata.file_type() {
        kind if kind.is_dir() => EntryKind::Directory,
        kind if kind.is_symlink() => EntryKind::Symlink,
        kind if kind.is_fifo() => EntryKind::Fifo,
        kind if kind.is_socket() => EntryKind::Socket,
        kind if kind.is_block_device() => EntryKind::BlockDevice,
        kind if kind.is_char_device() => EntryKind::CharacterDevice,
        _ => EntryKind::File,
    };
    Entry {
        name: name.to_vec(),
        kind,
        mode: metadata.mode() & 0o7777,
        links: metadata.nlink(),
        uid: metadata.uid(),
        gid: metadata.gid(),
        owner: None,
        group: None,
        size: metadata.size(),
        modified: metadata.mtime(),
        device: metadata.dev(),
        inode: metadata.ino(),
        device_numbers: (0, 0),
        link_target: None,
    }
}

pub(super) fn refusal(error: &io::Error) -> Refusal {
    match error.kind() {
        ErrorKind::NotFound => Refusal::NotFound,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Refusal::Denied,
        ErrorKind::AlreadyExists => Refusal::Exists,
        ErrorKind::DirectoryNotEmpty => Refusal::NotEmpty,
        ErrorKind::NotADirectory => Refusal::NotADirectory,
        ErrorKind::IsADirectory => Refusal::IsADirectory,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Refusal::NoSpace,
        ErrorKind::InvalidFilename => Refusal::NameRejected,
        ErrorKind::ResourceBusy => Refusal::Busy,
        _ => Refusal::Failed,
    }
}
