//! A machine that allows less than `--max-cons`: the log and `--check` say which limit is too low,
//! and a client for which something is missing gets a reply.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::process;
use crate::support::server::{Program, Setup, TestServer};

#[test]
fn each_limit_that_is_too_low_is_named() {
    let machine = SmallMachine::new();
    let server = machine.serve(&["--max-cons", "10000"]);
    let log = server.finish();
    let warnings = [
        "4000 open files is enough for 496 clients",
        "5530 maps of memory (vm.max_map_count) is enough for 1000 clients",
        "1032 threads of all programs (kernel.threads-max) is enough for 1000 clients",
        "2032 ids of processes and threads (kernel.pid_max) is enough for 2000 clients",
        "532 processes and threads (pids.max of the cgroup) is enough for 500 clients",
    ];
    for warning in warnings {
        let line = format!(
            " WARN  the limit of {warning}, not for --max-cons 10000; more are refused: raise it ("
        );
        assert!(log.contains(&line), "no {line:?} in\n{log}");
    }
    let queue = "note: net.core.somaxconn is 64: ";
    assert!(log.contains(queue), "{log}");
    let report = machine.check(&["--max-cons", "10000"]);
    for text in warnings {
        let note = format!("note the limit of {text}, not for --max-cons 10000; ");
        assert!(report.contains(&note), "no {note:?} in {report}");
    }
    assert!(
        report.contains("note net.core.somaxconn is 64: "),
        "{report}"
    );
    // What is enough is not mentioned.
    let report = machine.check(&["--max-cons", "64"]);
    assert!(
        !report.contains("enough for") && !report.contains("somaxconn"),
        "{report}"
    );
}

/// A session that had only a part of its maps would end the whole server.
#[test]
fn no_more_sessions_are_admitted_than_have_maps_of_memory() {
    let machine = SmallMachine::new();
    machine.set("max_map_count", 1530 + 4 * 3);
    let server = machine.serve(&[]);
    let mut inside = [(); 3].map(|()| server.client());
    Client::connect(server.address).expect(421);
    for client in &mut inside {
        client.command("NOOP", 200);
    }
    let log = server.finish();
    let warning = "(vm.max_map_count) is enough for 3 clients, not for --max-cons 512; ";
    assert!(log.contains(warning), "{log}");
}

/// The kernel counts the threads of the server's user.
#[test]
fn the_limit_of_processes_is_named_when_it_is_reached() {
    let setup = Setup::new().flags(&["--run-as", "4717:4717"]);
    chown(setup.root(), Some(4717), Some(4717)).expect("an owner");
    fs::set_permissions(setup.directory(), Permissions::from_mode(0o755)).expect("a mode");
    let limit = ["prlimit", "--nproc=12"];
    let setup = setup.wrapped(|serve| process::prefixed(&limit, &serve));
    let server = setup.program();
    let mut inside = Vec::new();
    let mut refused = loop {
        let mut client = Client::connect(server.address);
        let reply = client.reply();
        if reply.code == 421 {
            break client;
        }
        client.log_in();
        inside.push(client);
        assert!(inside.len() < 12, "the kernel keeps no limit");
    };
    refused.expect_closed();
    assert!(!inside.is_empty());
    for client in &mut inside {
        client.store("STOR file", "text");
    }
    drop(inside);
    let log = server.finish();
    for line in [
        " WARN  the limit of 12 processes and threads of the server's user is enough for 1 client, ",
        " cannot serve the client: Resource temporarily unavailable; the system has no thread for it, \
         or no memory for one; the lowest limit of threads is that of 12 processes and threads of \
         the server's user: raise it \
         (ulimit -u, LimitNPROC= of a systemd unit), or lower --max-cons",
    ] {
        assert!(log.contains(line), "no {line:?} in\n{log}");
    }
}

/// Files that say what a small machine allows. They are mounted where the server looks.
struct SmallMachine {
    directory: TempDir,
}

impl SmallMachine {
    fn new() -> Self {
        let machine = Self {
            directory: TempDir::new().expect("a temporary directory"),
        };
        for (name, value) in [
            ("max_map_count", 5530),
            ("threads-max", 1032),
            ("pid_max", 2032),
            ("pids.max", 532),
            ("somaxconn", 64),
        ] {
            machine.set(name, value);
        }
        machine
    }

    fn set(&self, name: &str, value: u64) {
        fs::write(self.file(name), format!("{value}\n")).expect("a file");
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn serve(&self, flags: &[&str]) -> TestServer<Program> {
        let paths = FILES.map(|name| self.file(name));
        let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        let limit = ["prlimit", "--nofile=4000"];
        let setup = Setup::new()
            .flags(flags)
            .wrapped(|serve| process::mounting(MOUNT, &paths, &process::prefixed(&limit, &serve)));
        setup.program()
    }

    /// The report, as if its lines were not wrapped.
    fn check(&self, flags: &[&str]) -> String {
        let paths = FILES.map(|name| self.file(name));
        let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        let limit = ["prlimit", "--nofile=4000"];
        let mut setup = Setup::new().flags(flags).flags(&["--check"]);
        let command = process::prefixed(&limit, &setup.command());
        let mut command = process::mounting(MOUNT, &paths, &command);
        let finished = process::run(&mut command, SECONDS_MAX).expect_success();
        let text = String::from_utf8(finished.stdout).expect("UTF-8");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

const FILES: [&str; 5] = [
    "max_map_count",
    "threads-max",
    "pid_max",
    "somaxconn",
    "pids.max",
];

/// A cgroup of either version is seen as the top one.
const MOUNT: &str = "mount --bind \"$0\" /proc/sys/vm/max_map_count
mount --bind \"$1\" /proc/sys/kernel/threads-max
mount --bind \"$2\" /proc/sys/kernel/pid_max
mount --bind \"$3\" /proc/sys/net/core/somaxconn
mount -t tmpfs cgroup /sys/fs/cgroup
mkdir /sys/fs/cgroup/pids
cp \"$4\" /sys/fs/cgroup
cp \"$4\" /sys/fs/cgroup/pids";

const SECONDS_MAX: u64 = 20;
