//! A login that hooks know of.

use std::time::Instant;

/// A login that hooks know of, until its logout.
#[derive(Debug)]
pub(super) struct ReportedLogin {
    pub(super) user: Vec<u8>,
    pub(super) since: Instant,
}
