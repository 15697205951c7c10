//! What a login can still store, and what it has stored.

use std::os::fd::AsFd;

use ftp_proto::{FtpPath, QuotaUse, Refusal, Space};

use super::quota::usage::Amount;
use super::root::Root;
use super::upload_limits::{free_bytes, size_bytes};

impl Root {
    /// How much the login can store in a directory, as an upload that begins now would find it.
    ///
    /// # Errors
    ///
    /// The file system's refusal.
    pub(super) fn space(&self, path: &FtpPath) -> Result<Space, Refusal> {
        let directory = self.open_directory(path)?;
        let uploads = self.rules.uploads;
        let reserved = uploads.free_bytes_min.unwrap_or(0);
        let free = free_bytes(&directory).map(|free| free.saturating_sub(reserved));
        let quota = self.rules.quota.get();
        let left = self.usage.bytes_left(quota);
        let mut space = Space::default();
        space.available = free.into_iter().chain(left).min();
        space.total = self.total_bytes(&directory);
        space.file_max = uploads.max_bytes;
        Ok(space)
    }

    /// How much could be in a directory of the share if nothing else were there.
    pub(super) fn total_bytes(&self, directory: &impl AsFd) -> Option<u64> {
        let quota = self.rules.quota.get();
        let size = size_bytes(directory);
        size.into_iter().chain(quota.bytes_max).min()
    }

    /// What is used of the quota; `None`: there is none.
    pub(super) fn quota_use(&self) -> Option<QuotaUse> {
        let quota = self.rules.quota.get();
        if !quota.is_limited() {
            return None;
        }
        let (taken, is_counted) = self.usage.taken();
        let Amount { bytes, files } = taken;
        let mut used = QuotaUse::default();
        used.bytes = u64::try_from(bytes).unwrap_or(0);
        used.files = u64::try_from(files).unwrap_or(0);
        used.bytes_max = quota.bytes_max;
        used.files_max = quota.files_max;
        used.is_incomplete = !is_counted;
        Some(used)
    }
}
