//! An upload that is written to a file under its name: one that is continued, and one whose place
//! no other file can take.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};

use ftp_proto::Kept;
use rustix::fs::Stat;

use super::target::{Target, name_is_lost};
use super::temporary::sync_directory;
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

    /// What the client finds under the name, if the upload ends now.
    pub(super) fn kept(&self) -> Kept {
        match self.size() {
            Ok(size) if self.is_found() => Kept::Bytes(size),
            _ => self.target.kept_by_others(),
        }
    }

    /// Its attributes by now.
    pub(super) fn stat(&self) -> io::Result<Stat> {
        Ok(rustix::fs::fstat(&self.file)?)
    }

    /// The size by now, in bytes.
    pub(super) fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Closes the file. `sync`: it is on the disk after that.
    ///
    /// # Errors
    ///
    /// Any of the system; [`name_is_lost`] if the client's path leads to another file by now, or to
    /// none. The second value is what is left: nothing of a new file.
    pub(super) fn complete(self, sync: bool) -> Result<(), (io::Error, Kept)> {
        let synced = if sync { self.sync() } else { Ok(()) };
        let kept = self.kept();
        let is_found = matches!(kept, Kept::Bytes(_));
        // The system may report a write error only now.
        let closed = synced.and_then(|()| Ok(nix::unistd::close(self.file)?));
        match closed {
            Ok(()) if is_found => Ok(()),
            Ok(()) => Err((name_is_lost(), kept)),
            Err(error) if self.is_new && is_found => {
                self.target.remove();
                Err((error, Kept::Nothing))
            }
            Err(error) => Err((error, kept)),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_all()?;
        sync_directory(&self.target)
    }

    /// Removes the file, if it still has the name.
    pub(super) fn remove(self) {
        if self.is_found() {
            self.target.remove();
        }
    }

    fn is_found(&self) -> bool {
        rustix::fs::fstat(&self.file).is_ok_and(|stat| self.target.leads_to(identity(&stat)))
    }
}
