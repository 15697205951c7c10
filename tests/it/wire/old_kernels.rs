//! Kernels that lack what the server likes to use: it serves all the same, or says what it needs.
//!
//! strace refuses the calls as a kernel does that lacks them, and the trace proves that the server
//! has made them. A kernel without netlink sockets is in `without_netlink`, one without Landlock in
//! `sandbox`.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustls::version;
use tempfile::TempDir;

use crate::support::certificates::trusting_any;
use crate::support::client::{Client, sorted_names};
use crate::support::client_program::path;
use crate::support::data::drain;
use crate::support::file_contents::noise;
use crate::support::process;
use crate::support::server::{self, Program, Setup, TestServer};
use crate::support::wait::wait_until;

/// Each alone, so that no fallback rests on another call that is missing too.
#[test]
fn each_later_call_has_a_fallback() {
    for call in [
        "openat2",
        "statx",
        "renameat2",
        "sendfile",
        "splice",
        "pipe2",
        "getrandom",
        "clone3",
        "faccessat2",
    ] {
        serves_without(call, &[call]);
    }
}

/// All that is later than Linux 3.2, which is the oldest that the standard library supports.
#[test]
fn linux_3_2_suffices() {
    let calls = LATER.map(|call| format!("?{call}")).join(",");
    serves_without(&calls, &["openat2", "statx", "renameat2", "memfd_create"]);
}

/// No client would get in, and the log would be silent until the first one tries.
#[test]
fn a_filter_without_accept4_is_named_at_the_start() {
    let setup = Setup::new();
    let trace = setup.directory().join("trace");
    let flags = ["-i", "127.0.0.1", "-p", "0", "-d", path(setup.directory())];
    for check in [&[][..], &["--check"]] {
        let command = server::command(&[&flags[..], check].concat());
        let finished = process::run(&mut without("accept4", &trace, &command), 20);
        let code = finished.status.and_then(|status| status.code());
        assert_eq!(code, Some(2), "{}", finished.text());
        // The report of --check wraps it.
        let text = finished.text();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let problem = "cannot accept connections: Function not implemented; allow the system call \
                       accept4 in the filter of system calls";
        assert!(text.contains(problem), "{text}");
    }
}

/// A server for which the kernel has none of the calls. It must have asked for those that are
/// `refused`.
fn serves_without(calls: &str, refused: &[&str]) {
    let place = TempDir::new().expect("a temporary directory");
    let (trace, state) = (place.path().join("trace"), place.path().join("state"));
    let setup = Setup::new().flags(&["--tls", "--free-space-min", "1"]);
    let setup = setup.wrapped(|mut serve| {
        serve.env("STATE_DIRECTORY", &state);
        without(calls, &trace, &serve)
    });
    let server = setup.program();
    use_files(&server);
    use_tls(&server);
    let id = server.id().to_string();
    // Short numbers have several spaces behind them.
    let is_end = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().take(3).collect();
        words == [&*id, "+++", "exited"]
    };
    let log = server.finish();
    for word in [" ERROR ", "failed"] {
        assert!(!log.contains(word), "{calls}: {log}");
    }
    let text = || fs::read_to_string(&trace).expect("the trace");
    wait_until("strace ends too", || text().lines().any(is_end));
    for call in refused {
        let injected =
            |line: &str| line.contains(&format!(" {call}(")) && line.contains("(INJECTED)");
        assert!(
            text().lines().any(injected),
            "{call} was not used: {}",
            text()
        );
    }
}

fn use_files(server: &TestServer<Program>) {
    let mut client = server.client();
    let (old, new) = (noise(300_000), noise(200_000));
    client.command("ALLO 300000", 200);
    client.store("STOR file", &old);
    client.store("STOR file", &new);
    client.store("APPE file", "more");
    assert_eq!(client.fetch("RETR file"), [&new[..], b"more"].concat());
    for (line, code) in [
        ("SIZE file", 213),
        ("MFMT 20240102030405 file", 213),
        ("SITE CHMOD 640 file", 200),
        ("MKD directory", 257),
        ("RNFR file", 350),
        ("RNTO directory/file", 250),
        ("MLST directory/file", 250),
        ("CWD directory", 250),
        ("CDUP", 250),
    ] {
        client.command(line, code);
    }
    assert_eq!(
        sorted_names(client.fetch("NLST directory")),
        ["directory/file"]
    );
    let listed = String::from_utf8(client.fetch("MLSD directory")).expect("UTF-8");
    assert!(
        listed.contains("size=200004;modify=20240102030405;"),
        "{listed}"
    );
    let listed = String::from_utf8(client.fetch("LIST directory")).expect("UTF-8");
    assert!(
        listed.contains(" 200004 ") && listed.ends_with(" file\r\n"),
        "{listed}"
    );
    client.command("DELE directory/file", 250);
    client.command("RMD directory", 250);
    // More than the sockets hold.
    client.store("STOR large", noise(5_000_000));
    let large = client.data();
    client.command("RETR large", 150);
    assert_eq!(drain(large), 5_000_000);
    client.expect(226);
    client.command("QUIT", 221);
}

fn use_tls(server: &TestServer<Program>) {
    let config = trusting_any(&version::TLS13);
    Client::greeted(server.address).use_tls(&config);
}

/// The command on a kernel that has none of these calls, in strace's words. The trace has all of
/// them.
fn without(calls: &str, trace: &Path, command: &Command) -> Command {
    let (wanted, inject) = (
        format!("trace={calls}"),
        format!("inject={calls}:error=ENOSYS"),
    );
    // With -D the server is our child, and strace its companion.
    let options = ["-D", "-f", "-q", "-e", &wanted, "-e", &inject, "-o"];
    process::prefixed(
        &[&["strace"], &options[..], &[path(trace)]].concat(),
        command,
    )
}

/// What a kernel of 2012 lacks, among what the server, its libraries and its C library may use.
const LATER: [&str; 21] = [
    "clone3",
    "close_range",
    "copy_file_range",
    "epoll_pwait2",
    "execveat",
    "faccessat2",
    "fchmodat2",
    "getrandom",
    "landlock_create_ruleset",
    "listmount",
    "membarrier",
    "memfd_create",
    "openat2",
    "pidfd_open",
    "pidfd_send_signal",
    "preadv2",
    "pwritev2",
    "renameat2",
    "rseq",
    "statmount",
    "statx",
];
