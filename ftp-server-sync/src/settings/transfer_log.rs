//! Where the log of transfers goes.

use std::path::PathBuf;

use super::LocalTime;

/// The file that `xferlog(5)` describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferLogSettings {
    /// By absolute path.
    pub file: PathBuf,
    /// The time zone of its lines.
    pub zone: LocalTime,
}
