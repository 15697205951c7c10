//! What the process logs, as lines: of its log, and of panics.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;
use std::thread;

use log::{LevelFilter, Log, Metadata, Record, error};

use super::writer::Lines;
use super::{clock, format};

/// The logger of the process.
struct StderrLogger(Arc<Lines>);

/// From now on, the process logs to these lines.
///
/// # Panics
///
/// If the process has a logger already.
pub(super) fn install(lines: &Arc<Lines>, level: LevelFilter) {
    let logger = StderrLogger(Arc::clone(lines));
    log::set_boxed_logger(Box::new(logger)).expect("the process has no other logger");
    log::set_max_level(level);
    // The standard library would write to stderr from the thread that panics. Where stderr is not
    // read, that thread would wait there for ever, and never report its end.
    panic::set_hook(Box::new(log_panic));
}

impl Log for StderrLogger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = format::line(clock::unix_seconds(), record.level(), record.args());
            self.0.push(&(line + "\n"));
        }
    }

    fn flush(&self) {
        self.0.wait_until_drained();
    }
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let thread = thread.name().unwrap_or("without a name");
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
