//! An upload that is written to a file under its name: one that is continued, and one whose place
//! no other file can take.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};

use ftp_proto::{Kept, Refusal};
use rustix::fs::{AtFlags, FlockOperation};
use rustix::io::Errno;

use super::staged::{name_is_lost, sync_directory};
use super::target::Target;
use crate::fs::root::identity;

/// A file that is being written.
#[derive(Debug)]
pub(super) struct InPlace {
    target: Target,
    file: File,
    /// Whether this upload has created the file.
    is_new: bool,
}

impl InPlace {
    pub(super) fn new(target: Target, file: File, is_new: bool) -> Self {
        Self {
            target,
            file,
            is_new,
        }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Whether this upload has created the file.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Removes all bytes behind the offset; the next ones go there.
    pub(super) fn cut(&mut self, offset: u64) -> io::Result<()> {
        self.file.set_len(offset)?;
        self.file.seek(SeekFrom::Start(offset))?;
        Ok(())
    }

    /// The size by now, in bytes.
    pub(super) fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Closes the file. `sync`: it is on the disk after that.
    ///
    /// # Errors
    ///
    /// Any of the system; [`io::ErrorKind::NotFound`] if the client's path leads to another file by
    /// now, or to none. A new file is removed then. The second value is what is left.
    pub(super) fn complete(self, sync: bool) -> Result<(), (io::Error, Kept)> {
        let synced = if sync { self.sync() } else { Ok(()) };
        let is_found = self.is_found();
        let kept = self.kept();
        // The system may report a write error only now.
        let closed = synced.and_then(|()| Ok(nix::unistd::close(self.file)?));
        match closed {
            Ok(()) if is_found => Ok(()),
            Ok(()) => Err((name_is_lost(), kept)),
            Err(error) if self.is_new && is_found => {
                remove(&self.target);
                Err((error, Kept::Nothing))
            }
            Err(error) => Err((error, kept)),
        }
    }

    /// What has the name, in an upload that failed.
    pub(super) fn kept(&self) -> Kept {
        let (Ok(Some(found)), Ok(written)) = (self.target.stat(), rustix::fs::fstat(&self.file))
        else {
            return Kept::Nothing;
        };
        if identity(&found) == identity(&written) {
            Kept::Bytes(u64::try_from(written.st_size).unwrap_or(0))
        } else {
            // Another file: it must not be continued at the size of the one that was written.
            Kept::OldFile
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_all()?;
        sync_directory(&self.target)
    }

    /// Removes the file, if it still has the name.
    pub(super) fn remove(self) {
        if self.is_found() {
            remove(&self.target);
        }
    }

    fn is_found(&self) -> bool {
        rustix::fs::fstat(&self.file).is_ok_and(|stat| self.target.leads_to(identity(&stat)))
    }
}

fn remove(target: &Target) {
    // Not fatal: what the client has sent stays.
    let _ = rustix::fs::unlinkat(target, target.name(), AtFlags::empty());
}

/// Locks a file that is to be written in place.
///
/// # Errors
///
/// [`Refusal::Busy`]: another upload, of any server on this machine, is writing to it.
pub(super) fn lock_file(file: &File) -> Result<(), Refusal> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Err(Refusal::Busy),
        // Not every file system has locks.
        _ => Ok(()),
    }
}
