//! What the log says of a transfer.

use std::time::{Duration, Instant};

use ftp_proto::FtpPath;

use super::subject::{transfer_request, unique_file};
use crate::data::transfer::Transfer;
use crate::fs::upload::UploadEnd;

/// What the log says of a transfer that has ended.
#[derive(Debug)]
pub(super) struct TransferFacts {
    /// The command and the path.
    pub(super) name: String,
    pub(super) bytes: u64,
    /// How an upload failed, and what it has left.
    pub(super) upload_end: Option<UploadEnd>,
    /// How long its data connection was established; `None` if there was none.
    pub(super) moving: Option<Duration>,
    /// The file of an upload.
    pub(super) target: Option<FtpPath>,
}

impl TransferFacts {
    /// The system's error.
    pub(super) fn cause(&self) -> String {
        let error = self.upload_end.as_ref().and_then(|end| end.error.as_ref());
        error.map_or(String::new(), |error| format!(" ({error})"))
    }

    /// What is left of an upload.
    pub(super) fn left(&self) -> String {
        let end = self.upload_end.as_ref();
        end.map_or(String::new(), |end| format!("; {}", end.kept))
    }

    /// What the log line of a transfer needs, by now.
    pub(super) fn of(transfer: &Transfer, now: Instant) -> Self {
        Self {
            name: match &transfer.unique_name {
                Some(name) => unique_file(transfer.request.kind.path(), name),
                None => transfer_request(&transfer.request),
            },
            bytes: transfer.bytes(),
            upload_end: transfer.upload_end().cloned(),
            target: transfer.is_upload().then(|| target(transfer)),
            moving: transfer.connected.map(|since| now - since),
        }
    }
}

/// The file of an upload.
fn target(transfer: &Transfer) -> FtpPath {
    let path = transfer.request.kind.path();
    let name = transfer.unique_name.as_deref();
    let unique = name.and_then(|name| path.parent().child(name));
    unique.unwrap_or_else(|| path.clone())
}
