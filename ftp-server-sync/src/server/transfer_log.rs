//! The file of `--xferlog`: opened before rights are given up, and again at a reload.

use std::io;

use log::warn;

use super::Server;
use crate::logging::file_log::FileLog;
use crate::logging::system_text::SystemText;
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

impl Server {
    /// Starts the thread that writes the file, with the rights that the process has now.
    pub(super) fn start_transfer_log(&self) {
        if let Err(error) = self.state.transfer_log.start() {
            let error = SystemText(&error);
            warn!("--xferlog is not written, as the system has no thread for it: {error}");
        }
    }

    pub(super) fn reload_transfer_log(&self, settings: &Settings) {
        let file = settings.transfer_log.as_ref().map(|log| log.file.clone());
        self.state.transfer_log.reopen(file);
        self.start_transfer_log();
    }
}
