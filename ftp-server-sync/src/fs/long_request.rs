//! File requests that take longer, and are performed in steps: STAT with a path, SIZE in type A,
//! HASH.

use ftp_proto::listing::WalkNotice;
use ftp_proto::{FileAnswer, Refusal};

use super::file_hash::{self, FileHash};
use super::list::{ListLimit, StatusEntries};
use super::text_size::{self, TextSize};

/// A file request that is being performed.
#[derive(Debug)]
pub(crate) enum LongRequest {
    /// The entries of STAT with a path.
    Status(Box<StatusEntries>),
    TextSize(TextSize),
    Hash(Box<FileHash>),
}

impl LongRequest {
    /// Performs the next step, within this limit where it lists. `None`: it has found no answer
    /// yet.
    ///
    /// # Errors
    ///
    /// The file system's refusal.
    pub(crate) fn step(&mut self, limit: &mut ListLimit) -> Result<Option<FileAnswer>, Refusal> {
        Ok(match self {
            Self::Status(entries) => entries.next_batch(limit)?.map(FileAnswer::Entries),
            Self::TextSize(size) => size.step()?.map(FileAnswer::Size),
            Self::Hash(hash) => hash.step()?.map(FileAnswer::Digest),
        })
    }

    /// What a listing has noticed since the last call, for the log.
    pub(crate) fn take_notices(&mut self) -> Vec<WalkNotice> {
        match self {
            Self::Status(entries) => entries.take_notices(),
            Self::TextSize(_) | Self::Hash(_) => Vec::new(),
        }
    }

    /// What one step uses of the bytes that a turn may move, besides what its limit counts: it
    /// takes time too.
    pub(crate) fn step_cost(&self) -> usize {
        match self {
            Self::Status(_) => 0,
            Self::TextSize(_) => text_size::STEP_BYTES,
            Self::Hash(_) => file_hash::STEP_COST,
        }
    }

    /// Whether the client may send commands meanwhile.
    pub(crate) fn is_hash(&self) -> bool {
        matches!(self, Self::Hash(_))
    }
}

/// Whether no further answer follows this one.
pub(crate) fn is_last(answer: &FileAnswer) -> bool {
    match answer {
        FileAnswer::Entries(batch) => batch.is_last,
        _ => true,
    }
}
