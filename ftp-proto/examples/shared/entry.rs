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
    let mut entry = Entry::new(name, kind, metadata.size(), metadata.mtime());
    entry.modified_nanos = metadata.mtime_nsec() as u32;
    (entry.mode, entry.links) = (metadata.mode() & 0o7777, metadata.nlink());
    (entry.uid, entry.gid) = (metadata.uid(), metadata.gid());
    (entry.device, entry.inode) = (metadata.dev(), metadata.ino());
    entry
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
