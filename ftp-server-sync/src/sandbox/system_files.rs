//! What the system's libraries read on behalf of the server: names of users, groups and hosts, the
//! time zone; and what the server reads about this machine.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use super::rules::{AllowedAccess, NeededPath, SandboxRule, SandboxRules};
use super::wide::WidePlaces;

/// The rules for it.
pub(super) fn rules() -> Vec<SandboxRule> {
    let need = |path: &&'static str, with_parent| NeededPath {
        name: "",
        path: path.into(),
        access: AllowedAccess::Read,
        with_parent,
    };
    let files = FILES.iter().chain(&NAME_FILES);
    // Where such a file is a link, another program replaces what it leads to.
    let files = files.map(|path| need(path, true));
    let needed = files.chain(PLACES.iter().map(|path| need(path, false)));
    let needed: Vec<NeededPath> = needed.collect();
    let mut rules = SandboxRules::new(&needed, &WidePlaces::default()).rules;
    // The way to change permissions of a file that may not be read begins there.
    rules.push(SandboxRule {
        path: "/proc".into(),
        access: AllowedAccess::List,
    });
    rules
}

/// Handles of those in `/proc`, which the kernel may forget while they are not open.
pub(super) fn held() -> Vec<File> {
    let held = PLACES.iter().filter(|path| path.starts_with("/proc/"));
    held.filter_map(|path| File::open(path).ok()).collect()
}

/// The files with names that the sandbox refuses, as they were replaced since it was entered.
pub(super) fn replaced() -> impl Iterator<Item = &'static str> {
    let is_refused = |path: &&str| {
        let opened = File::open(Path::new(path));
        opened.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    };
    NAME_FILES.into_iter().filter(is_refused)
}

/// Those that programs replace while the machine runs.
const NAME_FILES: [&str; 5] = [
    "/etc/group",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/resolv.conf",
];

const FILES: [&str; 9] = [
    "/etc/fstab",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/mdns.allow",
    "/etc/networks",
    "/etc/services",
    "/etc/timezone",
];

/// Libraries that look names up, and what they read; time zones; this process and the network.
const PLACES: [&str; 21] = [
    "/lib",
    "/lib64",
    "/nix/store",
    "/proc/self",
    "/proc/sys/kernel/pid_max",
    "/proc/sys/kernel/threads-max",
    "/proc/sys/net",
    "/proc/sys/vm/max_map_count",
    "/proc/sys/vm/overcommit_memory",
    "/run/nscd",
    "/run/systemd/resolve",
    "/run/systemd/userdb",
    "/sys/devices/system/cpu",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share/lib/zoneinfo",
    "/usr/share/zoneinfo",
    "/var/db/nscd",
    "/var/lib/extrausers",
    "/var/lib/sss/mc",
];
