//! An upload whose file is in use: it is tried again for a moment, and then refused.
//!
//! A camera stores one picture in each session, and closes that without reading the last reply. The
//! next session may come before the thread of the last one has seen its end.

use std::time::{Duration, Instant};

use ftp_proto::TransferRequest;

/// The core has asked for it, and waits for the outcome: no command is read before that.
#[derive(Debug)]
pub(super) struct BusyUpload {
    pub(super) request: TransferRequest,
    /// When it is refused.
    pub(super) until: Instant,
}

impl BusyUpload {
    /// When to try again.
    pub(super) fn due(&self, now: Instant) -> Instant {
        self.until.min(now + RETRY)
    }
}

/// How long an upload is tried: longer than a session takes to end, also on a machine with many
/// sessions or a slow disk, and so short that it does not matter if the file stays in use.
pub(super) const BUSY_WAIT: Duration = Duration::from_secs(1);

const RETRY: Duration = Duration::from_millis(10);
