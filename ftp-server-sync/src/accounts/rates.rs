//! How fast transfers may be.

use std::num::NonZeroU64;

/// Bytes per second, in each session or in all sessions of a user together; `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// From the client to the server: uploads.
    pub inward: Option<NonZeroU64>,
    /// From the server to the client: downloads and listings.
    pub outward: Option<NonZeroU64>,
}
