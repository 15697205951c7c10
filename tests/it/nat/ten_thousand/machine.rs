//! What the machine has to allow for this number of sessions, and what is missing.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::lab::Lab;

/// Fails if the machine allows less than this number of sessions. Returns how many processes are
/// needed for them, of the server.
///
/// Raises the limit of open files of this process, and of those that it starts, as far as possible.
pub(super) fn require_machine(sessions: usize) -> usize {
    let open_files = raise_open_files(sessions * DESCRIPTORS_OF_SESSION + DESCRIPTORS_BESIDE);
    require(
        "open files of one process (ulimit -Hn)",
        open_files,
        sessions + DESCRIPTORS_BESIDE,
    );
    let each = (open_files - DESCRIPTORS_BESIDE) / DESCRIPTORS_OF_SESSION;
    let instances = sessions.div_ceil(each);
    let threads = sessions + THREADS_BESIDE;
    for name in ["threads-max", "pid_max"] {
        let allowed = number(&format!("/proc/sys/kernel/{name}"));
        let free = allowed.saturating_sub(threads_of_all());
        require(&format!("threads (kernel.{name})"), free, threads);
    }
    if let Some(free) = left_of_cgroups() {
        require("threads (pids.max of the cgroup)", free, threads);
    }
    let maps = number("/proc/sys/vm/max_map_count");
    let maps_each = sessions.div_ceil(instances) * MAPS_OF_SESSION + MAPS_BESIDE;
    require("maps of one process (vm.max_map_count)", maps, maps_each);
    let kib = sessions * KIB_OF_SESSION;
    let available = meminfo(&["MemAvailable"]);
    let available = usize::try_from(available).expect("a size");
    require("KiB of memory (MemAvailable)", available, kib);
    instances
}

/// Fails if the balancer's kernel cannot follow this number of connections.
pub(super) fn require_conntrack(lab: &Lab, balancer: &str, sessions: usize) {
    let path = "/proc/sys/net/netfilter/nf_conntrack_max";
    let allowed = lab.namespace_of(balancer).enter(|| number(path));
    let wanted = sessions + CONNECTIONS_BESIDE;
    require(
        "connections (net.netfilter.nf_conntrack_max)",
        allowed,
        wanted,
    );
    let path = "/proc/sys/net/ipv4/ip_local_port_range";
    let range = lab
        .namespace_of("client")
        .enter(|| fs::read_to_string(path));
    let range = range.expect(path);
    let ports: Vec<usize> = range
        .split_whitespace()
        .map(|port| port.parse().expect("a port"))
        .collect();
    require(
        "ports of the clients (net.ipv4.ip_local_port_range)",
        ports[1] - ports[0],
        wanted,
    );
}

/// What the kernel has taken for itself that is not the cache of files.
pub(super) fn kernel_kib() -> u64 {
    meminfo(&["KernelStack", "PageTables", "SReclaimable", "SUnreclaim"])
}

#[track_caller]
fn require(what: &str, allowed: usize, needed: usize) {
    assert!(
        allowed >= needed,
        "this machine allows {allowed} {what}, and this test needs {needed}: raise that limit"
    );
}

/// Root may raise the hard limit, unless its container forbids that.
fn raise_open_files(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = wanted as u64;
    let hard = limit.maximum.unwrap_or(wanted);
    let reached = [hard.max(wanted), hard].into_iter().find(|&most| {
        // No more than is needed: programs of later tests may close all that they could have.
        let limit = Rlimit {
            current: Some(most.min(wanted)),
            maximum: Some(most),
        };
        setrlimit(Resource::Nofile, limit).is_ok()
    });
    usize::try_from(reached.expect("the limit as it is")).expect("a limit")
}

/// Threads that run now, in the whole system.
fn threads_of_all() -> usize {
    let text = fs::read_to_string("/proc/loadavg").expect("/proc/loadavg");
    let counts = text.split_whitespace().nth(3);
    let all = counts.and_then(|counts| counts.split_once('/')?.1.parse().ok());
    all.expect("a number of threads")
}

/// How many threads this process's cgroup may have, and those above it, beside those that run.
fn left_of_cgroups() -> Option<usize> {
    let own = fs::read_to_string("/proc/self/cgroup").expect("/proc/self/cgroup");
    let mut left = Vec::new();
    for line in own.lines() {
        let fields: Vec<&str> = line.splitn(3, ':').collect();
        let top = match fields[1] {
            "" => "/sys/fs/cgroup",
            names if names.split(',').any(|name| name == "pids") => "/sys/fs/cgroup/pids",
            _ => continue,
        };
        for path in Path::new(fields[2].trim_start_matches('/')).ancestors() {
            let read = |name: &str| -> Option<usize> {
                let text = fs::read_to_string(Path::new(top).join(path).join(name)).ok()?;
                text.trim().parse().ok()
            };
            let used = read("pids.current").unwrap_or(0);
            left.extend(read("pids.max").map(|most| most.saturating_sub(used)));
        }
    }
    left.into_iter().min()
}

/// The sum of these lines, in KiB.
fn meminfo(keys: &[&str]) -> u64 {
    let text = fs::read_to_string("/proc/meminfo").expect("/proc/meminfo");
    let values = text.lines().filter_map(|line| {
        let (key, rest) = line.split_once(':')?;
        let value: u64 = rest.trim().trim_end_matches(" kB").parse().ok()?;
        keys.contains(&key).then_some(value)
    });
    values.sum()
}

fn number(path: &str) -> usize {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.trim().parse().expect("a number")
}

/// The server reserves them.
const DESCRIPTORS_OF_SESSION: usize = 8;
/// Of the server and of this test, with those of other tests.
const DESCRIPTORS_BESIDE: usize = 1000;
const THREADS_BESIDE: usize = 1000;
const MAPS_OF_SESSION: usize = 4;
const MAPS_BESIDE: usize = 1600;
const CONNECTIONS_BESIDE: usize = 1000;
/// Of a server without optimizations, of the kernel, and of this test.
const KIB_OF_SESSION: usize = 120;
