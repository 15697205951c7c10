//! What the servers in this process log: their warnings and errors, all in one place.
//!
//! A test finds its own lines by an address that no other test uses.

use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use log::{LevelFilter, Log, Metadata, Record};

struct Lines(Mutex<Vec<String>>);

/// From now on lines are collected.
pub(super) fn collect() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        log::set_logger(&LINES).expect("the only logger");
        log::set_max_level(LEVEL);
    });
}

/// The lines that hold this text, in their order.
pub(crate) fn lines_with(text: &str) -> Vec<String> {
    let lines = LINES.lock();
    lines
        .iter()
        .filter(|line| line.contains(text))
        .cloned()
        .collect()
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // A reload changes the level of the whole process.
        metadata.level() <= LEVEL
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.lock().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

static LINES: Lines = Lines(Mutex::new(Vec::new()));
const LEVEL: LevelFilter = LevelFilter::Warn;
