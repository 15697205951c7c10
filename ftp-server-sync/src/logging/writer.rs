//! The only writers of lines, to stderr and to files: a thread for each.
//!
//! It starts after the process has given up rights: threads keep those that they began with.
//!
//! A write to stderr can take for ever: where it is a pipe, its reader may have stopped (`| tee`
//! in a terminal that is paused, a container's log driver, a full disk behind it). So can one to a
//! file on a network drive. Sessions must go on then, and the server must end when it is asked to.
//! So all others only add lines to a queue, which never waits.

use std::io;
use std::sync::Arc;
use std::thread;

use super::lines::Lines;
use super::output::Output;

/// Starts the thread that writes these lines, unless it exists or has nothing to write to.
///
/// # Errors
///
/// If the system has no thread for it.
pub(super) fn start(lines: &Arc<Lines>) -> io::Result<()> {
    lines.start_once(|| {
        let source = Arc::clone(lines);
        thread::Builder::new()
            .name(lines.kind.thread().to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || write_all(&source))?;
        Ok(())
    })
}

/// Writes what there is, where the system has no thread. The caller waits for the reader.
pub(super) fn write_directly(lines: &Lines) {
    let (batch, changes) = lines.take();
    Output::new(lines).write_all(&batch, changes);
}

/// The thread: writes batch after batch, for ever.
fn write_all(lines: &Lines) {
    let mut output = Output::new(lines);
    let mut lost = 0;
    loop {
        let (batch, changes) = lines.wait_and_take(lost);
        lost = output.write_all(&batch, changes);
    }
}

/// Only the pages that are used need memory.
const STACK_BYTES: usize = 128 * 1024;
