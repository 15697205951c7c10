//! The threads that run hooks: how many, and how long their end may take.

use std::io;
use std::thread;
use std::time::Duration;

use super::process::END_MAX;

pub(super) fn spawn(body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let builder = thread::Builder::new().name("hooks".to_owned());
    builder.stack_size(STACK_BYTES).spawn(body).map(drop)
}

/// Runs of one hook at the same time.
pub(super) const RUNNING_MAX: usize = 4;

/// How long the end of the server waits for hooks.
pub(super) const END_WAIT_MAX: Duration = Duration::from_secs(5);

/// And for those that it has ended.
pub(super) const STOP_WAIT_MAX: Duration = END_MAX.saturating_add(Duration::from_secs(1));

/// Only the pages that are used need memory.
const STACK_BYTES: usize = 128 * 1024;
