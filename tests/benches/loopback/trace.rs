//! What strace has written.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// How many system calls there are in a trace whose process has ended. strace is not our child: it
/// may be writing still.
pub(crate) fn count(file: &Path) -> io::Result<usize> {
    let mut before = None;
    for _ in 0..LOOKS_MAX {
        let text = fs::read_to_string(file)?;
        let has_ended = text
            .lines()
            .last()
            .is_some_and(|line| line.contains("+++ "));
        if has_ended && before.as_ref() == Some(&text) {
            return Ok(text.lines().filter(|line| is_call(line)).count());
        }
        before = Some(text);
        thread::sleep(PAUSE);
    }
    Err(io::Error::other("strace does not end"))
}

/// A call that is interrupted by another thread's has two lines.
fn is_call(line: &str) -> bool {
    let others = ["+++ ", "--- ", " resumed>"];
    !others.iter().any(|other| line.contains(other))
}

const LOOKS_MAX: usize = 50;
const PAUSE: Duration = Duration::from_millis(50);
