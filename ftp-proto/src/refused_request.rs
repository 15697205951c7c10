//! What a reply refuses, for a driver's log: the client may have sent a part of the path only.

use crate::path::FtpPath;

/// A request of the client that the core has refused without asking the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedRequest {
    /// The name of the command, in upper case.
    pub command: &'static str,
    /// The first path that the client named.
    pub path: FtpPath,
    /// The login may change nothing anywhere, and that is the reason.
    pub is_read_only_login: bool,
}
