//! The log: where its lines go and how they look.

pub(crate) mod clock;
mod format;

pub(crate) use format::wrapped;
use std::io::Write;

/// Writes log lines of at least this level to stderr, from now on. For the process as a whole, and once.
///
/// The level can be changed with [`log::set_max_level`] while the server runs, as a reload does.
///
/// # Panics
///
/// If the process has a logger already.
pub fn log_to_stderr(level: log::LevelFilter) {
    env_logger::Builder::new()
        // What is logged is decided by the level that can change.
        .filter_level(log::LevelFilter::Trace)
        .format(|out, record| {
            let line = format::line(clock::unix_seconds(), record.level(), record.args());
            writeln!(out, "{line}")
        })
        .init();
    log::set_max_level(level);
}
