//! The file of `--xferlog`: opened before rights are given up.

use std::io;

use crate::logging::file_log::FileLog;
use crate::settings::Settings;

/// Opens the file, if the settings have one.
pub(super) fn open(settings: &Settings) -> io::Result<FileLog> {
    let file = FileLog::new();
    if let Some(log) = &settings.transfer_log {
        let opened = file.open(&log.file, settings.log_file_owner());
        opened.map_err(|error| Settings::cannot_open_log("--xferlog", &log.file, &error))?;
    }
    Ok(file)
}
