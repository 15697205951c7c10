//! Files to send.

use std::fs::File;

use cap_std::fs::OpenOptions;
use ftp_proto::{FtpPath, Refusal};

use super::root::Root;

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
        let size = metadata.len();
        if offset > size {
            return Err(Refusal::OffsetTooLarge);
        }
        let size = end.map_or(size, |end| end.min(size));
        Ok(Download { file, offset, size })
    }
}
