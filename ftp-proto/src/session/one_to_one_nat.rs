//! What a session knows of the router of a client that names a private address for active mode.

use core::time::Duration;

use super::transfer_state::{AbortReason, Running, Transfer};
use crate::outcome::TransferError;

/// Whether a client that names a private address can be reached at the address that it connects
/// from: a router forwards all connections to it (1:1 NAT, "DMZ host"). Others need passive mode,
/// and learn that only from a refusal of PORT, which must not take as long as a connection that
/// never succeeds, each time again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum OneToOneNat {
    #[default]
    Unknown,
    /// A connection has succeeded.
    Found,
    /// The first connection has failed.
    Missing,
}

impl OneToOneNat {
    /// The time in which the data connection of this transfer must be established. `limit`: of all
    /// other transfers.
    pub(super) fn limit(self, transfer: &Transfer, limit: Option<Duration>) -> Option<Duration> {
        match transfer {
            Transfer::Running(running)
                if self == Self::Unknown && running.start.named.is_some() =>
            {
                Some(limit.map_or(FIRST_TRY, |limit| limit.min(FIRST_TRY)))
            }
            Transfer::None | Transfer::Opening(_) | Transfer::Running(_) => limit,
        }
    }

    /// A transfer has ended.
    pub(super) fn update(&mut self, running: &Running, result: Result<(), TransferError>) {
        let has_failed = matches!(
            (result, running.abort_reason),
            (Err(_), Some(AbortReason::NeverConnected)) | (Err(TransferError::NotConnected), None)
        );
        match *self {
            _ if running.start.named.is_none() => {}
            // Also one that succeeded while it was being aborted.
            _ if running.connected => *self = Self::Found,
            Self::Unknown if has_failed => *self = Self::Missing,
            Self::Unknown | Self::Found | Self::Missing => {}
        }
    }
}

/// For the first connection to a client that names a private address. Most such clients are behind
/// a router that forwards nothing. Some give up after 20 s, and would not see the reply.
const FIRST_TRY: Duration = Duration::from_secs(10);
