//! A listing whose transfer has not begun: its first entry, or that there is none, may take long to
//! find.

use ftp_proto::TransferRequest;

use crate::data::pump::Pump;

/// The core has asked for it, and waits for the outcome: no command is read before that.
#[derive(Debug)]
pub(super) struct OpeningListing {
    pub(super) request: TransferRequest,
    pub(super) pump: Pump,
}
