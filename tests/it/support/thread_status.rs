//! What the kernel says about the threads of a process: whose rights they have.

use std::fs;
use std::path::PathBuf;

/// The status of each thread of a process.
pub(crate) fn threads(process: u32) -> Vec<String> {
    let tasks = PathBuf::from(format!("/proc/{process}/task"));
    let tasks = fs::read_dir(tasks).expect("the threads of the server");
    // A thread may end meanwhile.
    let status = |task: PathBuf| fs::read_to_string(task.join("status")).ok();
    tasks
        .filter_map(|task| status(task.expect("a thread").path()))
        .collect()
}

/// A line of a status, with single blanks.
pub(crate) fn field(status: &str, name: &str) -> String {
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let words = value.expect(name).split_whitespace();
    words.collect::<Vec<_>>().join(" ")
}
