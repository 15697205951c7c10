//! Conversions from what the standard library reports, for drivers that use its files (feature
//! `std`).
//!
//! No other file of this crate names the standard library.

extern crate std;

use alloc::vec::Vec;
use std::fs::{FileType, Metadata};
use std::io::{self, ErrorKind};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::listing::{Entry, EntryKind};
use crate::outcome::TransferError;
use crate::refusal::Refusal;

/// Why the system refused an operation on a file. What it did not say precisely is
/// [`Refusal::Failed`].
impl From<&io::Error> for Refusal {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::NotFound,
            // A symbolic link that leads out of what is served, for a driver that opens files
            // beneath a directory.
            ErrorKind::CrossesDevices => Self::Denied,
            ErrorKind::PermissionDenied => Self::Denied,
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnlyFileSystem,
            ErrorKind::AlreadyExists => Self::Exists,
            ErrorKind::DirectoryNotEmpty => Self::NotEmpty,
            ErrorKind::NotADirectory => Self::NotADirectory,
            ErrorKind::IsADirectory => Self::IsADirectory,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                Self::NoSpace
            }
            ErrorKind::InvalidFilename | ErrorKind::InvalidInput => Self::NameRejected,
            ErrorKind::ResourceBusy | ErrorKind::ExecutableFileBusy | ErrorKind::WouldBlock => {
                Self::Busy
            }
            _ => Self::Failed,
        }
    }
}

/// The same, for `?` in functions that return a refusal.
impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::from(&error)
    }
}

/// How a transfer failed, by an error of its data connection or of the file that it reads; for the
/// file that it writes there is [`TransferError::of_write`].
impl From<&io::Error> for TransferError {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NotConnected
            | ErrorKind::TimedOut => Self::ConnectionLost,
            _ => match Refusal::from(error) {
                Refusal::NoSpace => Self::NoSpace,
                _ => Self::LocalRead,
            },
        }
    }
}

impl TransferError {
    /// How a transfer failed, by an error of the file that it writes or closes.
    #[must_use]
    pub fn of_write(error: &io::Error) -> Self {
        match Refusal::from(error) {
            Refusal::NoSpace => Self::NoSpace,
            _ => Self::LocalWrite,
        }
    }
}

impl Entry {
    /// An entry with this name, as [`std::fs::symlink_metadata`] describes it. The names of owner
    /// and group and the target of a link are not part of that.
    pub fn from_metadata(name: impl Into<Vec<u8>>, metadata: &Metadata) -> Self {
        let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
        let (seconds, nanos) = since_1970(modified);
        let kind = kind(metadata.file_type());
        let mut entry = Self::new(name, kind, metadata.len(), seconds);
        entry.modified_nanos = nanos;
        #[cfg(unix)]
        entry.add_unix_details(metadata);
        entry
    }

    #[cfg(unix)]
    fn add_unix_details(&mut self, metadata: &Metadata) {
        use std::os::unix::fs::MetadataExt;
        self.mode = metadata.mode() & 0o7777;
        self.links = metadata.nlink();
        (self.uid, self.gid) = (metadata.uid(), metadata.gid());
        (self.device, self.inode) = (metadata.dev(), metadata.ino());
        #[cfg(target_os = "linux")]
        {
            let device = metadata.rdev();
            let major = (device >> 8 & 0xfff) | (device >> 32 & !0xfff);
            let minor = (device & 0xff) | (device >> 12 & !0xff);
            self.device_numbers = (major as u32, minor as u32);
        }
    }
}

fn kind(file_type: FileType) -> EntryKind {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if file_type.is_char_device() {
            return EntryKind::CharacterDevice;
        } else if file_type.is_block_device() {
            return EntryKind::BlockDevice;
        } else if file_type.is_fifo() {
            return EntryKind::Fifo;
        } else if file_type.is_socket() {
            return EntryKind::Socket;
        }
    }
    if file_type.is_dir() {
        EntryKind::Directory
    } else if file_type.is_symlink() {
        EntryKind::Symlink
    } else {
        EntryKind::File
    }
}

/// Whole seconds, and the nanoseconds after them. A time before 1970 is negative.
fn since_1970(time: SystemTime) -> (i64, u32) {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (
            i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            after.subsec_nanos(),
        ),
        Err(error) => {
            let before = error.duration();
            let seconds = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
            match before.subsec_nanos() {
                0 => (-seconds, 0),
                nanos => (-seconds - 1, 1_000_000_000 - nanos),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn errors_of_the_system() {
        let check = |errno, refusal| {
            let error = io::Error::from_raw_os_error(errno);
            assert_eq!(Refusal::from(&error), refusal, "{error}");
        };
        // The numbers that all systems share.
        check(2, Refusal::NotFound);
        check(1, Refusal::Denied);
        check(13, Refusal::Denied);
        check(17, Refusal::Exists);
        check(18, Refusal::Denied);
        check(20, Refusal::NotADirectory);
        check(21, Refusal::IsADirectory);
        check(22, Refusal::NameRejected);
        check(26, Refusal::Busy);
        check(27, Refusal::NoSpace);
        check(28, Refusal::NoSpace);
        check(30, Refusal::ReadOnlyFileSystem);
        check(5, Refusal::Failed);
        let other = io::Error::other("anything");
        assert_eq!(Refusal::from(&other), Refusal::Failed);
    }

    #[test]
    fn errors_of_transfers() {
        let full = io::Error::from_raw_os_error(28);
        let reset = io::Error::from(ErrorKind::ConnectionReset);
        let other = io::Error::from_raw_os_error(5);
        assert_eq!(TransferError::from(&full), TransferError::NoSpace);
        assert_eq!(TransferError::from(&reset), TransferError::ConnectionLost);
        assert_eq!(TransferError::from(&other), TransferError::LocalRead);
        assert_eq!(TransferError::of_write(&full), TransferError::NoSpace);
        assert_eq!(TransferError::of_write(&other), TransferError::LocalWrite);
    }

    #[test]
    fn times_before_1970() {
        let before = |nanos| since_1970(UNIX_EPOCH - Duration::from_nanos(nanos));
        assert_eq!(before(0), (0, 0));
        assert_eq!(before(1), (-1, 999_999_999));
        assert_eq!(before(1_000_000_000), (-1, 0));
        assert_eq!(before(1_000_000_001), (-2, 999_999_999));
        let after = UNIX_EPOCH + Duration::new(3, 4);
        assert_eq!(since_1970(after), (3, 4));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn metadata_of_files_and_devices() {
        let entry = |path: &str| {
            let metadata = std::fs::symlink_metadata(path).unwrap();
            Entry::from_metadata("name", &metadata)
        };
        let null = entry("/dev/null");
        assert_eq!(null.kind, EntryKind::CharacterDevice);
        assert_eq!(null.device_numbers, (1, 3));
        let root = entry("/");
        assert_eq!(
            (root.kind, &root.name[..]),
            (EntryKind::Directory, &b"name"[..])
        );
        assert_ne!((root.inode, root.mode), (0, 0));
        assert_eq!(entry("/proc/self").kind, EntryKind::Symlink);
        let file = entry(concat!(env!("CARGO_MANIFEST_DIR"), "/src/std.rs"));
        assert_eq!(file.kind, EntryKind::File);
        assert!(file.size > 1000 && file.modified > 1_700_000_000 && file.links > 0);
    }
}
