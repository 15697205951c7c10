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
    /// It was a search of a listing, and took so long that it failed only after its begin.
    pub(super) found_nothing: bool,
}

impl TransferFacts {
    /// The system's error.
    pub(super) fn cause(&self) -> String {
        let error = self.upload_end.as_ref().and_then(|end| end.error.as_ref());
        error.map_or(String::new(), |error| format!(" ({error})"))
    }

    /// How fast the bytes moved, where that is more than noise: the time of a small file is that of
    /// a few system calls, and two decimals of few bytes are zeros.
    pub(super) fn rate(&self) -> String {
        let seconds = self.moving.unwrap_or_default().as_secs_f64();
        let rate = self.bytes as f64 / 1e6 / seconds;
        if seconds < MEASURED_SECONDS_MIN || rate < MEASURED_RATE_MIN {
            return String::new();
        }
        format!(", {rate:.2} MB/s")
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
            found_nothing: transfer.found_nothing(),
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

/// The shortest time that gives a rate: the log shows it as `0.001 s`.
const MEASURED_SECONDS_MIN: f64 = 0.001;

/// The lowest rate that is shown, in MB/s: as `0.01`.
const MEASURED_RATE_MIN: f64 = 0.005;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: u64, microseconds: u64, expected: &str) {
        let facts = TransferFacts {
            name: String::new(),
            bytes,
            upload_end: None,
            moving: Some(Duration::from_micros(microseconds)),
            target: None,
            found_nothing: false,
        };
        assert_eq!(facts.rate(), expected);
    }

    #[test]
    fn a_rate_is_shown_where_it_was_measured() {
        check(300_000, 1000, ", 300.00 MB/s");
        check(300_000, 999, "");
        check(300_000, 0, "");
        check(92, 20_000, "");
        check(0, 5_000_000, "");
        check(1_000_000, 60_000_000, ", 0.02 MB/s");
        check(1_000_000, 1_000_000_000, "");
    }
}
