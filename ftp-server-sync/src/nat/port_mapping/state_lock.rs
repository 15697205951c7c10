//! Which server on this machine the record of mappings is about.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Held as long as the server runs, and released when it crashes.
#[derive(Debug)]
pub(super) struct StateLock {
    /// Closing it releases the lock. `None`: there is no file, so that no other server has it.
    _file: Option<File>,
}

impl StateLock {
    /// `file` is one of the state directory; `None`: another server has it.
    pub(super) fn take(file: &Path) -> Option<Self> {
        let file = File::open(file).ok();
        let locked = file.as_ref().map(|file| {
            let operation = FlockOperation::NonBlockingLockExclusive;
            flock(file, operation)
        });
        // A file system without locks has no other server to ask for.
        let is_taken = matches!(locked, Some(Err(Errno::WOULDBLOCK)));
        (!is_taken).then_some(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_has_the_directory() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let first = StateLock::take(file.path());
        assert!(first.is_some());
        assert!(StateLock::take(file.path()).is_none());
        drop(first);
        assert!(StateLock::take(file.path()).is_some());
        assert!(StateLock::take(Path::new("/nowhere/nonce")).is_some());
    }
}
