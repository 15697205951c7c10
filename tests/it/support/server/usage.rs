//! What the server's process takes from the system, as `/proc` says.

use std::fs;

use super::{Program, TestServer};

/// The threads of a program without sessions: the main one, those of the log and the status socket.
pub(crate) const THREADS_IDLE: usize = 3;

/// Of the heaps of threads, in bytes.
const HEAP_ALIGNMENT: u64 = 64 << 20;

impl TestServer<Program> {
    /// Open descriptors, and threads.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let count = |what: &str| {
            let path = format!("/proc/{}/{what}", self.id());
            fs::read_dir(path).expect("the server's /proc").count()
        };
        (count("fd"), count("task"))
    }

    /// Open sockets. A thread that waits for another session has none.
    pub(crate) fn sockets(&self) -> usize {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.id()));
        let targets = descriptors.expect("the server's /proc").flatten();
        let targets = targets.filter_map(|entry| fs::read_link(entry.path()).ok());
        targets
            .filter(|target| target.to_string_lossy().starts_with("socket:"))
            .count()
    }

    /// What it has in memory.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most that it has ever had in memory.
    pub(crate) fn peak_kib(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// What its allocator has in memory: the heap of the main thread, and that of the others, which
    /// begins where glibc lets such heaps begin.
    pub(crate) fn heap_kib(&self) -> u64 {
        let path = format!("/proc/{}/smaps", self.id());
        let mappings = fs::read_to_string(path).expect("the server's /proc");
        let (mut is_heap, mut total) = (false, 0);
        for line in mappings.lines() {
            let mut words = line.split_whitespace();
            let first = words.next().unwrap_or_default();
            if let Some((start, _)) = first.split_once('-') {
                let start = u64::from_str_radix(start, 16).expect("an address");
                is_heap = line.ends_with("[heap]") || start.is_multiple_of(HEAP_ALIGNMENT);
            } else if first == "Private_Dirty:" && is_heap {
                let count = words.next().and_then(|word| word.parse::<u64>().ok());
                total += count.expect("a number of KiB");
            }
        }
        total
    }

    /// Its part of all memory: what it shares with other processes counts for each in part.
    pub(crate) fn proportional_kib(&self) -> u64 {
        self.number("smaps_rollup", "Pss:")
    }

    /// How many maps its memory has, which the kernel limits.
    pub(crate) fn maps(&self) -> usize {
        let path = format!("/proc/{}/maps", self.id());
        let maps = fs::read_to_string(path).expect("the server's /proc");
        maps.lines().count()
    }

    fn status(&self, name: &str) -> u64 {
        self.number("status", name)
    }

    fn number(&self, file: &str, name: &str) -> u64 {
        let path = format!("/proc/{}/{file}", self.id());
        let text = fs::read_to_string(path).expect("the server's /proc");
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        number.unwrap_or_else(|| panic!("no {name}\n{text}"))
    }
}
