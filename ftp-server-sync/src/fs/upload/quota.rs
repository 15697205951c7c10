//! What one upload takes of its login's quota.

use std::fs::File;
use std::io;
use std::sync::Arc;

use ftp_proto::{ExceededQuota, Refusal, TransferError};

use super::in_place::InPlace;
use super::target::Target;
use crate::accounts::quota::Quota;
use crate::fs::quota::usage::{Amount, HomeUsage};
use crate::fs::root::identity;
use crate::fs::share_rules::QuotaInForce;

/// The part of the quota that an upload has taken. What has no name by the end is given back when
/// this is dropped.
#[derive(Debug)]
pub(super) struct UploadQuota {
    usage: Arc<HomeUsage>,
    quota: Arc<QuotaInForce>,
    /// What is received, or will be created, and has no name.
    pending: Amount,
    /// The file that is written under its name.
    in_place: Option<WrittenFile>,
}

#[derive(Debug)]
struct WrittenFile {
    /// Its device and inode; `None` if it has lost its name, or another upload is writing it too.
    identity: Option<(u64, u64)>,
    /// As it is counted, in bytes.
    size: u64,
}

impl UploadQuota {
    pub(super) fn new(target: &Target) -> Self {
        Self {
            usage: target.usage().clone(),
            quota: target.quota().clone(),
            pending: Amount::default(),
            in_place: None,
        }
    }

    pub(super) fn usage(&self) -> Arc<HomeUsage> {
        self.usage.clone()
    }

    /// Whether an upload can begin. `creates`: it is one of a new file, which is reserved then.
    ///
    /// # Errors
    ///
    /// [`Refusal::QuotaExceeded`].
    pub(super) fn check_begin(&mut self, creates: bool) -> Result<(), Refusal> {
        let quota = self.quota.get();
        let refuse = Refusal::QuotaExceeded;
        self.usage.check_room(quota).map_err(refuse)?;
        if creates {
            self.reserve(Amount::FILE).map_err(refuse)?;
        }
        Ok(())
    }

    fn reserve(&mut self, amount: Amount) -> Result<(), ExceededQuota> {
        let quota = self.quota.get();
        self.usage.reserve(amount, self.pending, quota)?;
        self.pending += amount;
        Ok(())
    }

    /// Takes what is written to a temporary.
    ///
    /// # Errors
    ///
    /// [`TransferError::QuotaExceeded`]; nothing has to be written then.
    pub(super) fn take(&mut self, count: usize) -> Result<(), TransferError> {
        let taken = self.reserve(Amount::bytes(count as u64));
        taken.map_err(TransferError::QuotaExceeded)
    }

    /// Creates the file that was reserved, under its name.
    ///
    /// # Errors
    ///
    /// Those of `create`.
    pub(super) fn create(&mut self, create: impl FnOnce() -> io::Result<File>) -> io::Result<File> {
        let usage = self.usage();
        let change = usage.name_change();
        let file = create()?;
        change.finish(Amount::FILE, std::mem::take(&mut self.pending));
        Ok(file)
    }

    /// Whether the upload may take its name, within a change of names. `is_free`: nothing has the
    /// name, perhaps because another session has removed the old file.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::QuotaExceeded`] if there is no room for one more file by now.
    pub(super) fn check_name(&mut self, is_free: bool) -> io::Result<()> {
        if !is_free || self.pending.files > 0 {
            return Ok(());
        }
        let reserved = self.reserve(Amount::FILE);
        reserved.map_err(|_| io::ErrorKind::QuotaExceeded.into())
    }

    /// What is pending will be finished by the caller.
    pub(super) fn take_pending(&mut self) -> Amount {
        std::mem::take(&mut self.pending)
    }

    /// Changes the size of a file that will be written under its name. Other sessions may change
    /// names meanwhile: to cut a large file may take long.
    ///
    /// # Errors
    ///
    /// Those of `change`, and of finding out the size.
    pub(super) fn begin_in_place<T>(
        &mut self,
        file: &mut InPlace,
        change: impl FnOnce(&mut InPlace) -> io::Result<T>,
    ) -> io::Result<T> {
        let usage = self.usage();
        let mut name_change = usage.name_change();
        let stat = file.stat()?;
        let identity = identity(&stat);
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        // It may have lost its name already.
        let bytes = Amount::bytes(size).bytes;
        let is_counted = stat.st_nlink > 0 && usage.begin_to_write(identity, bytes);
        name_change.release_names();
        self.in_place = Some(WrittenFile {
            identity: is_counted.then_some(identity),
            size,
        });
        let changed = change(file);
        self.count_size_within_change(file);
        changed
    }

    /// Takes what makes the file larger than it was.
    ///
    /// # Errors
    ///
    /// [`TransferError::QuotaExceeded`]; nothing has to be written then.
    pub(super) fn grow_to(&mut self, size: u64) -> Result<(), TransferError> {
        let Some(written) = &mut self.in_place else {
            return Ok(());
        };
        if size <= written.size {
            return Ok(());
        }
        let grown = Amount::bytes(size - written.size).bytes;
        let resized = self.usage.resize(written.identity, grown, self.quota.get());
        self.pending += resized.map_err(TransferError::QuotaExceeded)?;
        written.size = size;
        Ok(())
    }

    /// Counts the size that the file has at the end: less was written than was taken, or it was
    /// cut. To be called while the file is locked: the next upload of this file would find that
    /// another one writes to it, and not be counted.
    pub(super) fn count_size_at_end(&mut self, file: &InPlace) {
        let usage = self.usage();
        let change = usage.change();
        self.count_size_within_change(file);
        drop(change);
        self.end_in_place();
    }

    fn end_in_place(&mut self) {
        let written = self.in_place.take();
        if let Some(identity) = written.and_then(|written| written.identity) {
            self.usage.end_to_write(identity);
        }
    }

    fn count_size_within_change(&mut self, file: &InPlace) {
        let (Some(written), Ok(size)) = (&mut self.in_place, file.size()) else {
            return;
        };
        let signed = |size| Amount::bytes(size).bytes;
        let difference = signed(size) - signed(written.size);
        let unlimited = Quota::default();
        let resized = self.usage.resize(written.identity, difference, unlimited);
        self.pending += resized.unwrap_or_default();
        written.size = size;
    }
}

impl Drop for UploadQuota {
    fn drop(&mut self) {
        self.usage.release(self.pending);
        self.end_in_place();
    }
}
