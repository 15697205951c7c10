//! Where the transfers of a session are written to: `--xferlog`.

use crate::logging::file_log::FileLog;
use crate::settings::LocalTime;

/// The file, and the time zone of its lines.
#[derive(Clone, Debug)]
pub(super) struct TransferLog {
    pub(super) file: FileLog,
    pub(super) zone: Option<LocalTime>,
}
