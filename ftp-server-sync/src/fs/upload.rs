//! Uploads: where the bytes that a client sends become a file.
//!
//! The name leads to the whole old file or to the whole new one, never to a mix: an upload from its
//! start is received in a temporary in the same directory, which takes the name at the end.
//! Nothing is changed before the first byte, or the end, has come; only STOU's file exists before
//! that, because its name has to be announced.

use std::fs::File;
use std::io::{self, Write};

use ftp_proto::{FtpPath, Kept, Refusal, TransferError, UploadStart};

use self::past::Look;
use self::prepared::{Prepared, UploadOptions};
use self::receiving::StoreError;
pub(crate) use self::receiving::UploadFailure;
use self::registry::Claim;
pub(crate) use self::registry::{Uploader, Uploads};
use self::target::Target;
use super::root::{Root, changeable, refusal};

mod failed;
mod in_place;
mod intended_name;
pub(super) mod leftovers;
mod past;
mod prepared;
mod preserve;
mod quota;
mod receiving;
mod registry;
mod running;
mod staged;
mod target;
mod temporary;
mod version;

/// A file to receive into. It ends as after a lost connection when this is dropped.
#[derive(Debug)]
pub(crate) struct Upload {
    claim: Claim,
    unique_name: Option<Vec<u8>>,
    has_begun: bool,
    /// How it has ended.
    end: Option<UploadEnd>,
}

/// How an upload failed.
#[derive(Clone, Debug)]
pub(crate) struct UploadEnd {
    /// What is left.
    pub(crate) kept: Kept,
    /// The system's error, if there was one.
    pub(crate) error: Option<String>,
}

impl Root {
    /// Prepares to receive into a file as `start` says. `umask`: the client's, for a new file.
    ///
    /// # Errors
    ///
    /// The file system's refusal; [`Refusal::OffsetTooLarge`] for an offset behind the end;
    /// [`Refusal::Exists`] if a file exists that may not be replaced, and for STOU when no free
    /// name was found; [`Refusal::Busy`] while another upload of the name runs;
    /// [`Refusal::NotResumable`] if the file is not the beginning of what would be continued;
    /// [`Refusal::FileTooLarge`], [`Refusal::SpaceReserved`] and [`Refusal::QuotaExceeded`] by the
    /// limits.
    pub(crate) fn upload(
        &self,
        path: &FtpPath,
        start: UploadStart,
        umask: Option<u32>,
        uploader: &Uploader,
    ) -> Result<Upload, Refusal> {
        self.visible(changeable(path).map_err(|_| Refusal::IsADirectory)?)?;
        self.check_not_own(path)?;
        if start == UploadStart::Unique {
            return self.unique_upload(path, umask, uploader);
        }
        if start == UploadStart::Create {
            // A link that leads nowhere exists.
            self.check_free(path)?;
        }
        let (target, mut existing) = self.upload_target(path, start)?;
        let (claim, gave_way) = uploader.claim(target.key())?;
        let continues = matches!(start, UploadStart::At { .. } | UploadStart::End);
        let look = if continues {
            Look::Continue
        } else {
            Look::Store
        };
        // Both may give the name to another file.
        let has_cleared = self.clear_up(&target, uploader, look);
        if has_cleared || gave_way {
            existing = target.stat().map_err(|error| refusal(&error))?;
        }
        if continues && existing.is_some() && claim.has_failed() {
            return Err(Refusal::NotResumable);
        }
        let options = self.upload_options(start, umask);
        let prepared = Prepared::new(target, existing, options)?;
        claim.running.set_prepared(prepared);
        Ok(Upload::new(claim, None))
    }

    /// Creates a new file with the name of `path` if that is free, or one that begins with it.
    fn unique_upload(
        &self,
        path: &FtpPath,
        umask: Option<u32>,
        uploader: &Uploader,
    ) -> Result<Upload, Refusal> {
        let (directory, stem) = (path.parent(), path.name());
        for number in 0..UNIQUE_NAMES_MAX {
            let name = match number {
                0 => stem.to_vec(),
                _ => [stem, format!(".{number}").as_bytes()].concat(),
            };
            let Some(path) = directory.child(&name) else {
                return Err(Refusal::NameRejected);
            };
            if self.visible(&path).is_err() {
                continue;
            }
            let (target, existing) = self.upload_target(&path, UploadStart::Unique)?;
            if existing.is_some() {
                continue;
            }
            if let Some(claim) = self.claim_unique(target, umask, uploader)? {
                return Ok(Upload::new(claim, Some(name)));
            }
        }
        Err(Refusal::Exists)
    }

    /// `None`: the name is not free any more.
    fn claim_unique(
        &self,
        target: Target,
        umask: Option<u32>,
        uploader: &Uploader,
    ) -> Result<Option<Claim>, Refusal> {
        let (claim, _) = match uploader.claim(target.key()) {
            Err(Refusal::Busy) => return Ok(None),
            claimed => claimed?,
        };
        self.clear_up(&target, uploader, Look::Store);
        let options = self.upload_options(UploadStart::Unique, umask);
        let prepared = Prepared::unique(target, options)?;
        Ok(prepared.map(|prepared| {
            claim.running.set_prepared(prepared);
            claim
        }))
    }

    /// Clears up what a server that was killed has left where a client looks for a file, which the
    /// client may be about to continue. True if the path may lead to one now.
    pub(crate) fn find_leftover(&self, path: &FtpPath, uploader: &Uploader) -> bool {
        let is_served = self.visible(path).is_ok() && self.check_not_own(path).is_ok();
        match self.upload_target(path, UploadStart::End) {
            // A piece that takes the name now would be in the way of an upload that runs.
            Ok((target, None)) if is_served && !uploader.is_running(&target.key()) => {
                self.clear_up(&target, uploader, Look::Size)
            }
            _ => false,
        }
    }

    /// Clears up what a server that was killed has left in the target's directory. True if names
    /// there may lead to other files now.
    fn clear_up(&self, target: &Target, uploader: &Uploader, look: Look) -> bool {
        let past = &uploader.uploads.past;
        past.clear_up(target, self.rules.uploads.broken, look)
    }

    fn upload_options(&self, start: UploadStart, umask: Option<u32>) -> UploadOptions {
        UploadOptions {
            start,
            umask: umask.or(self.rules.umask),
            rules: self.rules.uploads,
        }
    }
}

impl Upload {
    fn new(claim: Claim, unique_name: Option<Vec<u8>>) -> Self {
        Self {
            claim,
            unique_name,
            has_begun: false,
            end: None,
        }
    }

    /// The name that was chosen for STOU.
    pub(crate) fn unique_name(&self) -> Option<&[u8]> {
        self.unique_name.as_deref()
    }

    /// Whether another session of the same login has taken the name over.
    pub(crate) fn gave_way(&self) -> bool {
        self.claim.running.gave_way()
    }

    /// The client has sent QUIT.
    pub(crate) fn set_quit(&self) {
        self.claim.running.set_quit();
    }

    /// Writes bytes that have come. The first ones begin the upload.
    ///
    /// # Errors
    ///
    /// The system's error, or a limit. The upload has ended.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), TransferError> {
        self.store(bytes.len(), &mut |file| file.write_all(bytes))
    }

    /// Stores bytes that have come: `write` writes `count` bytes to the file.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write).
    pub(crate) fn store(
        &mut self,
        count: usize,
        write: &mut dyn FnMut(&mut File) -> io::Result<()>,
    ) -> Result<(), TransferError> {
        self.has_begun = true;
        let stored = self.claim.running.store(count, write);
        stored.map_err(|error| {
            let kept = self.claim.running.fail(UploadFailure::Server);
            self.failed(error, kept)
        })
    }

    /// Every byte has come: the file is closed and has its name.
    ///
    /// # Errors
    ///
    /// The system's error, or a limit. The upload has ended.
    pub(crate) fn complete(&mut self) -> Result<(), TransferError> {
        self.has_begun = true;
        match self.claim.running.complete() {
            Ok(()) => {
                self.claim.set_complete();
                self.claim.release();
                Ok(())
            }
            Err((error, kept)) => Err(self.failed(error, kept)),
        }
    }

    /// The upload ends before it is complete, unless it has ended.
    pub(crate) fn fail(&mut self, cause: UploadFailure) {
        if self.end.is_none() {
            let kept = self.claim.running.fail(cause);
            self.set_end(kept, None);
        }
    }

    /// How it failed, if it did.
    pub(crate) fn end(&self) -> Option<&UploadEnd> {
        self.end.as_ref()
    }

    fn failed(&mut self, error: StoreError, kept: Kept) -> TransferError {
        self.set_end(kept, error.text);
        error.kind
    }

    fn set_end(&mut self, kept: Kept, error: Option<String>) {
        // After it gave way, the file is another session's.
        if self.has_begun && !self.gave_way() {
            self.claim
                .set_left(kept, self.claim.running.is_from_start());
        }
        // Now, and not after the log line and the reply about it: its client may be waiting to
        // store the file again, in another session.
        self.claim.release();
        self.end = Some(UploadEnd { kept, error });
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.fail(UploadFailure::Broken);
    }
}

/// How many names STOU tries.
const UNIQUE_NAMES_MAX: u32 = 10_000;

#[cfg(test)]
mod tests;
