//! What the process logs, as lines: of its log, and of panics.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;
use std::thread;

use env_logger::{Builder, Target};
use log::{LevelFilter, error};

use super::writer::Lines;
use super::{clock, format};

/// Where the logger writes to: a queue, so that it never waits.
struct Queue(Arc<Lines>);

/// From now on, the process logs to these lines.
///
/// # Panics
///
/// If the process has a logger already.
pub(super) fn install(lines: &Arc<Lines>, level: LevelFilter) {
    Builder::new()
        // The level that decides is that of `log::set_max_level`, because it can change.
        .filter_level(LevelFilter::Trace)
        .format(|out, record| {
            let line = format::line(clock::unix_seconds(), record.level(), record.args());
            writeln!(out, "{line}")
        })
        .target(Target::Pipe(Box::new(Queue(Arc::clone(lines)))))
        .init();
    log::set_max_level(level);
    // The standard library would write to stderr from the thread that panics. Where stderr is not
    // read, that thread would wait there for ever, and never report its end.
    panic::set_hook(Box::new(log_panic));
}

impl Write for Queue {
    /// The logger writes a whole record at once.
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        self.0.push(&String::from_utf8_lossy(record));
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
