//! The writer of the log: lines to stderr.

use std::io::Write;

use super::{clock, format};

/// From now on, writes the log lines of the whole process to stderr, if they have at least this
/// level.
///
/// A reload changes the level by [`log::set_max_level`].
///
/// # Panics
///
/// If the process has a logger already.
pub fn log_to_stderr(level: log::LevelFilter) {
    env_logger::Builder::new()
        // The level that decides is that of `log::set_max_level`, because it can change.
        .filter_level(log::LevelFilter::Trace)
        .format(|out, record| {
            let line = format::line(clock::unix_seconds(), record.level(), record.args());
            writeln!(out, "{line}")
        })
        .init();
    log::set_max_level(level);
}
