//! What the kernel says about this process, as far as it says it: `--sandbox` takes the right to
//! read `/proc` away.

use std::fs;

use rustix::param::page_size;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// The use of the system.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ProcessFacts {
    /// When it was started, in seconds since 1970: the same in each answer, as rules compare it.
    pub(super) start_seconds: i64,
    pub(super) cpu_seconds: f64,
    pub(super) resident_bytes: Option<u64>,
    pub(super) open_files: Option<u64>,
    pub(super) open_files_max: Option<u64>,
}

impl ProcessFacts {
    /// Of a process that was started at this time.
    pub(super) fn read(start_seconds: i64) -> Self {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        Self {
            start_seconds,
            cpu_seconds: cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
            resident_bytes: resident_bytes(),
            open_files: open_files(),
            open_files_max: getrlimit(Resource::Nofile).current,
        }
    }
}

/// The second number of `statm` counts pages.
fn resident_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    pages.checked_mul(u64::try_from(page_size()).ok()?)
}

/// How many descriptors are open, without that of the directory which is read here.
fn open_files() -> Option<u64> {
    let count = fs::read_dir("/proc/self/fd").ok()?.count();
    u64::try_from(count.saturating_sub(1)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let facts = ProcessFacts::read(1);
        assert!(facts.cpu_seconds > 0.0);
        assert!(facts.resident_bytes > Some(1 << 20), "{facts:?}");
        assert!(facts.open_files > Some(2) && facts.open_files < facts.open_files_max);
    }
}
