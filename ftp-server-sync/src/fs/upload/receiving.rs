//! An upload that has begun: bytes go to its file, and at its end the file has its name, or not.

use std::fs::File;
use std::io;

use ftp_proto::{Kept, TransferError};

use super::in_place::InPlace;
use super::quota::UploadQuota;
use super::staged::{Replace, Staged};
use crate::fs::upload_limits::UploadLimits;
use crate::fs::upload_rules::{BrokenUploads, UploadRules};
use crate::logging::system_text::SystemText;

/// A file that receives an upload.
#[derive(Debug)]
pub(super) struct Receiving {
    place: Place,
    /// A file that has the name by the end is not replaced.
    is_exclusive: bool,
    rules: UploadRules,
    limits: UploadLimits,
    quota: UploadQuota,
    /// The size of the file, in bytes.
    size: u64,
    written: u64,
}

#[derive(Debug)]
pub(super) enum Place {
    Staged(Staged),
    InPlace(InPlace),
}

/// Why an upload ends before it is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UploadFailure {
    /// The client, or its connection, has ended it.
    Broken,
    /// This server could not store it.
    Server,
}

/// Why an upload cannot be stored.
#[derive(Clone, Debug)]
pub(super) struct StoreError {
    pub(super) kind: TransferError,
    /// The system's error, if it was one.
    pub(super) text: Option<String>,
}

impl Receiving {
    /// `size`: what is in front of the bytes that come.
    pub(super) fn new(
        place: Place,
        is_exclusive: bool,
        rules: UploadRules,
        limits: UploadLimits,
        quota: UploadQuota,
        size: u64,
    ) -> Self {
        Self {
            place,
            is_exclusive,
            rules,
            limits,
            quota,
            size,
            written: 0,
        }
    }

    /// Stores bytes that have come: `write` writes `count` bytes to the file, if the limits let it.
    pub(super) fn store(
        &mut self,
        count: usize,
        write: &mut dyn FnMut(&mut File) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        let size = self.size + count as u64;
        let usage = self.quota.usage();
        let (file, changing) = match &mut self.place {
            Place::Staged(staged) => (staged.file()?, None),
            Place::InPlace(in_place) => (in_place.file(), Some(usage.change())),
        };
        self.limits.before_write(file, size, count)?;
        match changing {
            Some(_) => self.quota.grow_to(size)?,
            None => self.quota.take(count)?,
        }
        write(file)?;
        self.size = size;
        let before = self.written;
        self.written += count as u64;
        if before < LARGE_BYTES
            && self.written >= LARGE_BYTES
            && self.rules.broken == BrokenUploads::Keep
            && let Place::Staged(staged) = &mut self.place
        {
            staged.note_name();
        }
        Ok(())
    }

    /// Every byte has come.
    ///
    /// # Errors
    ///
    /// Any of the system, with what is left.
    pub(super) fn complete(mut self) -> Result<(), (StoreError, Kept)> {
        let sync = self.rules.sync;
        let replace = self.replace(Replace::Any);
        match self.place {
            Place::Staged(mut staged) => {
                let result = staged.take_name(replace, sync, &mut self.quota);
                result.map_err(|error| (error.into(), staged.kept()))
            }
            Place::InPlace(in_place) => {
                self.quota.count_size_at_end(&in_place);
                let result = in_place.complete(sync);
                result.map_err(|(error, kept)| (error.into(), kept))
            }
        }
    }

    /// Which files may be replaced, if this is what an upload may replace that is not exclusive.
    fn replace(&self, usual: Replace) -> Replace {
        if self.is_exclusive {
            Replace::None
        } else {
            usual
        }
    }

    /// The upload ends before it is complete.
    pub(super) fn fail(mut self, cause: UploadFailure) -> Kept {
        let keeps = self.rules.broken == BrokenUploads::Keep
            && cause == UploadFailure::Broken
            && self.written > 0;
        let replace = self.replace(Replace::Same);
        match self.place {
            Place::Staged(mut staged) => {
                let quota = &mut self.quota;
                if keeps && staged.take_name(replace, self.rules.sync, quota).is_ok() {
                    Kept::Bytes(self.written)
                } else {
                    staged.kept()
                }
            }
            Place::InPlace(in_place) => {
                self.quota.count_size_at_end(&in_place);
                if in_place.is_new() && !keeps {
                    in_place.remove();
                    Kept::Nothing
                } else {
                    in_place.kept()
                }
            }
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        Self {
            kind: TransferError::of_write(&error),
            text: Some(SystemText(&error).to_string()),
        }
    }
}

impl From<TransferError> for StoreError {
    fn from(kind: TransferError) -> Self {
        Self { kind, text: None }
    }
}

/// What is worth a system call, so that not all of it is lost in a crash.
const LARGE_BYTES: u64 = 1 << 20;
