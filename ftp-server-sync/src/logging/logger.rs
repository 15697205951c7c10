//! What the process logs, as lines: of its log, and of panics.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::io;
use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, OnceLock};
use std::thread;

use env_logger::{Builder, Target};
use log::{Level, LevelFilter, Record, error};

use super::lines::{LineKind, Lines};
use super::log_format::{LogFormat, LogSettings};
use super::session_name::thread_session;
use super::{clock, format, writer};

/// The two places of the log: each record goes to the file, if there is one, else to stderr.
#[derive(Debug)]
pub(super) struct LogLines {
    pub(super) stderr: Arc<Lines>,
    pub(super) file: Arc<Lines>,
    /// What suits stderr where no one has chosen.
    detected: LogFormat,
}

impl LogLines {
    pub(super) fn new(detected: LogFormat) -> Self {
        let stderr = Arc::new(Lines::new(LineKind::Stderr, None));
        stderr.set_format(detected);
        Self {
            file: Lines::new(LineKind::Log, Some(stderr.clone())).into(),
            stderr,
            detected,
        }
    }

    pub(super) fn set_format(&self, format: Option<LogFormat>) {
        self.stderr.set_format(format.unwrap_or(self.detected));
        self.file.set_format(format.unwrap_or_default());
    }

    fn write(&self, record: &Record<'_>) {
        let (level, text) = (record.level(), record.args());
        if self.file.is_on() {
            self.write_to_file(level, text);
            if record.target() == ALSO_TO_STDERR {
                self.write_to(&self.stderr, level, text);
            }
        } else {
            self.write_to(&self.stderr, level, text);
        }
    }

    pub(super) fn write_to_file(&self, level: Level, text: &fmt::Arguments<'_>) {
        self.write_to(&self.file, level, text);
    }

    fn write_to(&self, lines: &Lines, level: Level, text: &fmt::Arguments<'_>) {
        lines.push(&format::record(
            lines.format(),
            clock::unix_time(),
            level,
            text,
        ));
    }
}

/// From now on, the process logs to these lines.
///
/// # Panics
///
/// If the process has a logger already.
pub(super) fn install(lines: &Arc<LogLines>, level: LevelFilter) {
    let is_first = LINES.set(Arc::clone(lines)).is_ok();
    assert!(is_first, "the process has a logger already");
    let lines = Arc::clone(lines);
    filtered()
        // A record goes to a queue, so that no thread ever waits; nothing is left for the target.
        .format(move |_, record| {
            lines.write(record);
            Ok(())
        })
        .target(Target::Pipe(Box::new(io::sink())))
        .init();
    // The level that decides is this one, because it can change.
    log::set_max_level(level);
    // The standard library would write to stderr from the thread that panics. Where stderr is not
    // read, that thread would wait there for ever, and never report its end.
    panic::set_hook(Box::new(log_panic));
}

/// New settings: the level, the format and the file, which is opened again in any case, since
/// another program may have rotated it. Without a logger of ours, only the level.
pub(crate) fn reload(level: LevelFilter, settings: &LogSettings) {
    log::set_max_level(level);
    if let Some(lines) = LINES.get() {
        lines.set_format(settings.format);
        lines.file.reopen(settings.file.clone());
        // A thread that cannot start now has its lines written at the end.
        let _ = writer::start(&lines.file);
    }
}

/// What libraries say below a warning is about their insides, and `--debug` is for clients.
fn filtered() -> Builder {
    let mut builder = Builder::new();
    builder.filter_level(LevelFilter::Warn);
    for target in OWN_TARGETS {
        builder.filter_module(target, LevelFilter::Trace);
    }
    builder
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    // A thread keeps the name of its first session.
    let thread = match thread_session() {
        Some(number) => format!("session {number}"),
        None => thread::current()
            .name()
            .unwrap_or("without a name")
            .to_owned(),
    };
    let payload = panic.payload();
    let message = (payload.downcast_ref::<&str>().copied())
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let place = panic.location().map(ToString::to_string);
    let place = place.unwrap_or_else(|| "an unknown place".to_owned());
    let backtrace = Backtrace::capture();
    let backtrace = match backtrace.status() {
        BacktraceStatus::Captured => format!("\n{}", backtrace.to_string().trim_end()),
        _ => String::new(),
    };
    error!("thread '{thread}' panicked at {place}: {message}{backtrace}");
}

/// The target of lines that programs read from stderr, also where the log has a file.
pub(crate) const ALSO_TO_STDERR: &str = "ftp_server_sync::also_to_stderr";

/// The crates whose lines are written whatever their level.
const OWN_TARGETS: [&str; 2] = ["ftp_server_sync", "ftp_proto"];

/// The logger is one for the whole process.
static LINES: OnceLock<Arc<LogLines>> = OnceLock::new();

#[cfg(test)]
mod tests {
    use log::{Log, Metadata};

    use super::*;

    #[test]
    fn libraries_have_warnings_only() {
        let logger = filtered().build();
        for (target, level, expected) in [
            ("ftp_server_sync::session", Level::Trace, true),
            ("ftp_server_sync", Level::Debug, true),
            ("ftp_proto", Level::Debug, true),
            (ALSO_TO_STDERR, Level::Info, true),
            ("rustls::server", Level::Warn, true),
            ("rustls::server", Level::Info, false),
            ("mio::poll", Level::Debug, false),
        ] {
            let metadata = Metadata::builder().target(target).level(level).build();
            assert_eq!(logger.enabled(&metadata), expected, "{target} {level}");
        }
    }
}
