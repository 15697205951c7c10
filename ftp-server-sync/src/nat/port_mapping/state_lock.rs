//! Which server on this machine the record of mappings is about.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Held as long as the server runs, and released when it crashes.
#[derive(Debug)]
pub(super) struct StateLock {
    /// Closing it releases the lock. `None`: there is no file, so that no other server has it.
    file: Option<File>,
}

impl StateLock {
    /// `file` is one of the state directory for this alone: one that is renamed or removed could be
    /// locked twice. `None`: another server has it, or the system has no answer at present.
    pub(super) fn take(file: &Path) -> Option<Self> {
        let file = match open(file) {
            Ok(file) => file,
            // No other server can have stored anything there either.
            Err(error) if is_unusable(error.kind()) => return Some(Self { file: None }),
            Err(_) => return None,
        };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            // A file system without locks has no other server to ask for.
            Ok(()) | Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::ROFS) => {
                Some(Self { file: Some(file) })
            }
            Err(_) => None,
        }
    }

    /// The number of the file, which a copy of the directory does not have. Not that of the device:
    /// some file systems have another one after each start of the machine.
    pub(super) fn inode(&self) -> Option<u64> {
        let metadata = self.file.as_ref()?.metadata();
        metadata.ok().map(|metadata| metadata.ino())
    }
}

/// Over NFS, only a file that is open for writing can be locked.
fn open(file: &Path) -> io::Result<File> {
    if let Some(directory) = file.parent() {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(directory)?;
    }
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    options.mode(0o600).open(file)
}

/// Whether the directory cannot be written.
fn is_unusable(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::AlreadyExists
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_has_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("state/lock");
        let first = StateLock::take(&file);
        assert!(first.is_some());
        assert!(StateLock::take(&file).is_none());
        drop(first);
        assert!(StateLock::take(&file).is_some());
        // Nothing can be stored there.
        assert!(StateLock::take(&file.join("below/lock")).is_some());
    }

    #[test]
    fn the_file_is_open_for_writing() {
        let directory = tempfile::tempdir().unwrap();
        let lock = StateLock::take(&directory.path().join("lock")).unwrap();
        let flags = rustix::fs::fcntl_getfl(lock.file.unwrap()).unwrap();
        assert!(flags.contains(rustix::fs::OFlags::RDWR));
    }
}
