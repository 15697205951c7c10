//! Files to send.

use std::fs::File;
use std::path::Path;

use cap_std::fs::OpenOptions;
use ftp_proto::{FtpPath, Refusal};

use super::named::{NamedFile, current_size};
use super::root::{Root, relative};

/// A file to send.
#[derive(Debug)]
pub(crate) struct Download {
    /// Open for reading.
    pub file: File,
    /// Where to begin, in bytes.
    pub offset: u64,
    /// Where to end: at most the size when it was opened.
    pub size: u64,
}

impl Root {
    /// Opens a file to send, from `offset` on and up to `end`, or its own end if that comes first.
    ///
    /// # Errors
    ///
    /// The file system's refusal; [`Refusal::OffsetTooLarge`] for an offset behind the end.
    pub(crate) fn download(
        &self,
        path: &FtpPath,
        offset: u64,
        end: Option<u64>,
    ) -> Result<Download, Refusal> {
        self.check_readable(self.visible(path)?)?;
        let (file, metadata) = self.open_file(path, OpenOptions::new().read(true))?;
        let size = current_size(&file, &metadata);
        Download::new(file, size, offset, end)
    }

    /// The same where `share`, the path of this directory, leads to the same file as its handle
    /// does: then the look at the file, without which it may not be opened, is one at the directory
    /// too. `None`: it does not, or something else is unusual.
    pub(super) fn download_by_share(
        &self,
        share: &Path,
        path: &FtpPath,
        offset: u64,
        end: Option<u64>,
    ) -> Option<Download> {
        self.visible(path).ok()?;
        if self.has_real_rights() {
            return None;
        }
        let named = NamedFile::at(&share.join(relative(path)))?;
        if self.is_own(named.identity()) {
            return None;
        }
        let file = self.open_with(path, OpenOptions::new().read(true)).ok()?;
        let (opened, size) = NamedFile::of(&file)?;
        if opened != named {
            return None;
        }
        Download::new(file, size, offset, end).ok()
    }
}

impl Download {
    fn new(file: File, size: u64, offset: u64, end: Option<u64>) -> Result<Self, Refusal> {
        if offset > size {
            return Err(Refusal::OffsetTooLarge);
        }
        let size = end.map_or(size, |end| end.min(size));
        Ok(Self { file, offset, size })
    }
}
