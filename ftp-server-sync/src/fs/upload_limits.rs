//! How large an upload may become: by `--max-upload-size`, and by `--free-space-min`.
//!
//! A limit that is not set costs no system call.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use ftp_proto::{Refusal, TransferError};

use super::upload_rules::UploadRules;

/// The limits of one upload.
#[derive(Clone, Debug)]
pub(crate) struct UploadLimits {
    bytes_max: Option<u64>,
    reserve: Option<Reserve>,
}

/// The space that has to stay free.
#[derive(Clone, Debug)]
struct Reserve {
    bytes_min: u64,
    /// What may be written before the free space is read again: none at first.
    granted: u64,
}

/// Whether no upload can begin in this directory, because less is free than has to stay free.
pub(crate) fn lacks_space(rules: &UploadRules, directory: &Path) -> bool {
    let limits = UploadLimits::new(rules);
    limits.reserve.is_some()
        && File::open(directory).is_ok_and(|directory| limits.check_free(&directory).is_err())
}

impl UploadLimits {
    pub(crate) fn new(rules: &UploadRules) -> Self {
        let reserve = |bytes_min| Reserve {
            bytes_min,
            granted: 0,
        };
        Self {
            bytes_max: rules.max_bytes,
            reserve: rules.free_bytes_min.map(reserve),
        }
    }

    /// Whether an upload may go on in a file of this size.
    ///
    /// # Errors
    ///
    /// [`Refusal::FileTooLarge`].
    pub(crate) fn check_size(&self, size: u64) -> Result<(), Refusal> {
        match self.bytes_max {
            Some(max) if size > max => Err(Refusal::FileTooLarge),
            _ => Ok(()),
        }
    }

    /// Whether an upload may begin in the file system of this directory.
    ///
    /// # Errors
    ///
    /// [`Refusal::SpaceReserved`].
    pub(crate) fn check_free(&self, directory: &impl AsFd) -> Result<(), Refusal> {
        let Some(reserve) = &self.reserve else {
            return Ok(());
        };
        match free_bytes(directory) {
            Some(free) if free < reserve.bytes_min => Err(Refusal::SpaceReserved),
            _ => Ok(()),
        }
    }

    /// Whether `count` bytes may be written, after which the file has `size_after` bytes. To be
    /// called before each write. The free space is read at the first one, and then every 16 MiB,
    /// or earlier where less is left.
    ///
    /// # Errors
    ///
    /// [`TransferError::FileTooLarge`] and [`TransferError::SpaceReserved`]; nothing has to be
    /// written then.
    pub(crate) fn before_write(
        &mut self,
        file: &File,
        size_after: u64,
        count: usize,
    ) -> Result<(), TransferError> {
        if self.bytes_max.is_some_and(|max| size_after > max) {
            return Err(TransferError::FileTooLarge);
        }
        match &mut self.reserve {
            Some(reserve) => reserve.take(count as u64, || free_bytes(file)),
            None => Ok(()),
        }
    }
}

impl Reserve {
    fn take(
        &mut self,
        count: u64,
        free_bytes: impl FnOnce() -> Option<u64>,
    ) -> Result<(), TransferError> {
        if count > self.granted {
            let free = free_bytes().unwrap_or(u64::MAX);
            let usable = free.saturating_sub(self.bytes_min);
            if count > usable {
                return Err(TransferError::SpaceReserved);
            }
            self.granted = usable.min(LOOK_BYTES).max(count);
        }
        self.granted -= count;
        Ok(())
    }
}

/// What this user may still write to the file system of a file or directory. `None` where the
/// system does not say: some network and memory file systems have no size.
pub(super) fn free_bytes(file: &impl AsFd) -> Option<u64> {
    let status = rustix::fs::fstatvfs(file).ok()?;
    let free = status.f_bavail.saturating_mul(status.f_frsize);
    (status.f_blocks > 0).then_some(free)
}

/// The size of the file system of a file or directory. `None` where the system does not say.
pub(super) fn size_bytes(file: &impl AsFd) -> Option<u64> {
    let status = rustix::fs::fstatvfs(file).ok()?;
    let size = status.f_blocks.saturating_mul(status.f_frsize);
    (size > 0).then_some(size)
}

/// How much is written between two looks at the free space. Other programs write too, so a look
/// does not last for ever.
const LOOK_BYTES: u64 = 16 << 20;

#[cfg(test)]
mod tests;
