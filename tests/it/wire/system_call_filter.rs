//! The server works with the system calls alone that its documentation lists for systemd.
//!
//! Any other call kills it here, so a call that is missing in the list fails the test.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use rustls::version;

use crate::support::certificates::{Certificate, trusting_any};
use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::data::drain;
use crate::support::file_contents::noise;
use crate::support::process;
use crate::support::server::{Program, Setup, TestServer};
use crate::support::status_client::StatusClient;
use crate::support::wait::wait_until;

/// A server with certificate files, to which a client does what clients do.
#[test]
fn the_listed_system_calls_suffice() {
    let setup = Setup::new();
    let certificate = Certificate::new(setup.directory(), &[]);
    for file in [&certificate.chain, &certificate.key] {
        give(Path::new(file));
    }
    let flags = "-n localhost --sync --free-space-min 1 --umask 027 --hide hidden --local-time";
    let flags: Vec<&str> = flags.split_whitespace().collect();
    let socket = setup.directory().join("status");
    // One that is left behind is replaced.
    drop(UnixListener::bind(&socket).expect("a socket"));
    give(&socket);
    give(setup.directory());
    let setup = setup.flags(&["--status-socket", path(&socket)]);
    let server = confined(setup.flags(&certificate.flags()).flags(&flags), &[]);
    server.log_with("localhost resolves to");
    let mut client = server.client();
    use_files(&mut client);
    use_data_connections(&mut client);
    use_tls(&server);
    let mut status = StatusClient::connect(&socket);
    wait_until("the others have ended", || status.who().sessions.len() == 1);
    server.signal(Signal::USR1);
    server.log_with("1 session");
    assert_eq!(status.error("kick 2"), "no session has the number 2");
    server.signal(Signal::HUP);
    server.log_with("reloaded the settings");
    // The certificate's files are looked at, and read again.
    Certificate::new(server.directory(), &["renewed.example"]);
    give(Path::new(&certificate.key));
    server.log_with("took the changed files");
    client.command("QUIT", 221);
    server.finish();
}

/// A server that makes its certificate.
#[test]
fn they_suffice_to_make_a_certificate() {
    let setup = Setup::new().flags(&["--tls"]);
    let state = setup.directory().join("state");
    fs::create_dir(&state).expect("a directory");
    give(&state);
    let server = confined(setup, &[("STATE_DIRECTORY", &state)]);
    use_tls(&server);
    assert!(state.join("certificate.crt").exists());
    server.finish();
}

/// The list would prove nothing if the filter were not in force.
#[test]
fn another_system_call_kills() {
    let setup = Setup::new();
    let confine = compile(setup.directory(), &["execve", "brk"]);
    let mut confined = Command::new(confine);
    confined.args([USER, "/bin/true"]);
    let finished = process::run(&mut confined, 20);
    let status = finished.status.expect("an end");
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    assert_eq!(signal, Some(SIGSYS), "{}", finished.text());
}

fn use_files(client: &mut Client) {
    let bytes = noise(300_000);
    client.store("STOR file", &bytes);
    client.store("STOR file", &bytes);
    client.store("APPE file", "more");
    client.command("REST 300004", 350);
    client.store("STOR file", "end");
    assert_eq!(client.fetch("RETR file").len(), 300_007);
    client.command("TYPE A", 200);
    client.store("STOR text", "a\r\nb\r\n");
    client.fetch("RETR text");
    client.command("TYPE I", 200);
    for (line, code) in [
        ("SIZE file", 213),
        ("MDTM file", 213),
        ("MFMT 20240102030405 file", 213),
        ("HASH file", 213),
        ("XCRC file", 250),
        ("SITE CHMOD 640 file", 200),
        ("MKD directory", 257),
        ("RNFR file", 350),
        ("RNTO directory/file", 250),
        ("MLST directory/file", 250),
        ("STAT directory", 213),
        ("CWD directory", 250),
        ("DELE file", 250),
        ("CDUP", 250),
        ("RMD directory", 250),
        ("DELE no-such-file", 550),
        ("NOOP", 200),
    ] {
        client.command(line, code);
    }
    client.extended_passive();
    client.command("RETR no-such-file", 550);
    // Sorted, recursive, by pattern.
    for listing in ["LIST", "LIST -t", "LIST -R", "NLST *", "MLSD"] {
        client.fetch(listing);
    }
}

/// Passive and active mode, and a transfer that is aborted.
fn use_data_connections(client: &mut Client) {
    // More than the sockets hold, for a client that is late.
    client.store("STOR large", noise(20_000_000));
    client.fetch_passive("NLST");
    client.fetch_active("NLST");
    let data = client.data();
    client.command("STOR aborted", 150);
    client.send("ABOR");
    client.expect_all(&[426, 226]);
    drop(data);
    let large = client.data();
    client.command("RETR large", 150);
    assert!(drain(large) > 0);
    client.expect(226);
}

fn use_tls(server: &TestServer<Program>) {
    for version in [&version::TLS12, &version::TLS13] {
        let config = trusting_any(version);
        Client::greeted(server.address).use_tls(&config);
    }
}

/// The server as systemd would start it: as a user, with the calls of the documentation.
fn confined(setup: Setup<'_>, variables: &[(&str, &Path)]) -> TestServer<Program> {
    give(&setup.root());
    let confine = compile(setup.directory(), &listed());
    let server = setup.wrapped(|mut serve| {
        serve.envs(variables.iter().copied());
        process::prefixed(&[path(&confine), USER], &serve)
    });
    let server = server.program();
    let status = || fs::read_to_string(format!("/proc/{}/status", server.id()));
    wait_until("the filter is in force", || {
        let status = status().expect("a status");
        status.contains("\nSeccomp:\t2\n") && status.contains("\nUid:\t4711\t")
    });
    server
}

/// The program that starts another one with these calls alone.
fn compile(directory: &Path, calls: &[impl AsRef<str>]) -> PathBuf {
    let numbers = calls.iter().map(|call| {
        let call = call.as_ref();
        // Machines differ in their calls.
        format!("#ifdef __NR_{call}\n__NR_{call},\n#endif\n")
    });
    let numbers: String = numbers.collect();
    fs::write(directory.join("calls.h"), numbers).expect("a header");
    let source = directory.join("confine.c");
    let text = include_str!("system_call_filter/confine.c");
    fs::write(&source, text).expect("the source");
    let program = directory.join("confine");
    let mut compile = Command::new("cc");
    compile.args(["-O1", "-o"]).args([&program, &source]);
    process::run(&mut compile, 20).expect_success();
    program
}

/// The calls that the documentation lists.
fn listed() -> Vec<String> {
    let page = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../ftp-server-sync/docs/operations.md"
    );
    let text = fs::read_to_string(page).expect("the page");
    let lines = text.lines();
    let lines = lines.filter_map(|line| line.strip_prefix("SystemCallFilter="));
    let calls = lines.flat_map(str::split_whitespace).map(str::to_owned);
    let calls: Vec<String> = calls.collect();
    assert!(calls.is_sorted() && calls.len() > 80, "{calls:?}");
    calls
}

fn give(path: &Path) {
    chown(path, Some(4711), Some(4711)).expect("another owner: run as root");
}

/// No user of any machine.
const USER: &str = "4711";

/// A call outside of the filter.
const SIGSYS: i32 = 31;
