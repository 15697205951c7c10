//! Standard output that takes nothing: each flag that prints says so, and fails. A reader that is
//! gone is no failure.

use std::fs::{self, File};
use std::io;
use std::process::{Command, Stdio};

use crate::support::client_program::path;
use crate::support::process::{self, Finished};
use crate::support::server::{self, Program, TestServer};
use crate::support::wait::wait_until;

/// What prints without a server.
const ALONE: &[&[&str]] = &[
    &["--help"],
    &["--help", "all"],
    &["--version"],
    &["--hash-password"],
    &["--check", "-d", "/usr", "-p", "0", "-i", "127.0.0.1"],
    &["--rules", "text", "-r", "20000-20009", "-d", "/usr"],
];

/// What prints an answer of one. The last one ends it.
const OF_A_SERVER: &[&[&str]] = &[
    &["--who"],
    &["--who", "--json"],
    &["--who", "--watch"],
    &["--who", "--watch", "--json"],
    &["--reload"],
    &["--kick", "1"],
    &["--drain"],
    &["--stop"],
];

/// The password is for `--hash-password`.
fn run(command: &mut Command, stdout: Stdio) -> Finished {
    let file = tempfile::tempfile().expect("a file");
    io::Write::write_all(&mut &file, b"secret\n").expect("a password");
    io::Seek::rewind(&mut &file).expect("its beginning");
    command.stdin(file).stdout(stdout).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program");
    let stderr = process::drain(child.stderr.take().expect("stderr is piped"));
    let status = process::wait(&mut child, std::time::Duration::from_secs(20));
    Finished {
        command: format!("{command:?}"),
        status,
        stdout: Vec::new(),
        stderr: stderr.join().expect("reading stderr"),
    }
}

#[track_caller]
fn check(command: &mut Command) {
    let full = File::options().write(true).open("/dev/full");
    let finished = run(command, full.expect("/dev/full").into());
    let (text, code) = (finished.text(), finished.status.and_then(|it| it.code()));
    assert_eq!(code, Some(2), "{text}");
    let stderr = String::from_utf8_lossy(&finished.stderr);
    let problem =
        "ftp-server-sync: cannot print the result: No space left on device (os error 28); ";
    assert!(stderr.starts_with(problem), "{text}");
    assert_eq!(stderr.lines().count(), 1, "{text}");
}

/// As for `| head`.
#[track_caller]
fn check_closed(command: &mut Command) {
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    let finished = run(command, writer.into()).expect_success();
    assert!(finished.stderr.is_empty(), "{}", finished.text());
}

fn asking(server: &TestServer<Program>, flags: &[&str]) -> Command {
    let socket = server.status_socket();
    server::command(&[flags, &["--status-socket", path(&socket)]].concat())
}

#[test]
fn each_flag_that_prints_fails_without_room() {
    for flags in ALONE {
        check(&mut server::command(flags));
    }
    let server = TestServer::program(&["--anonymous"]);
    let address = server.address.to_string();
    let mut client = server.client();
    check(&mut server::command(&["--probe", &address]));
    for flags in OF_A_SERVER {
        // It ends with its last client, and `--kick` has ended the first one.
        if flags[0] == "--drain" {
            client = server.client();
        }
        check(&mut asking(&server, flags));
    }
    client.expect(421);
    server.ended();
}

#[test]
fn a_recount_without_room_fails() {
    let server = TestServer::program(&[]);
    let users = server.directory().join("users");
    let line = format!("anna:*:{}:all:quota=1M\n", path(&server.root()));
    fs::write(&users, line).expect("a file");
    let flags = ["--recount", "--users", path(&users)];
    let mut command = server::command(&flags);
    command.env("STATE_DIRECTORY", server.directory());
    check(&mut command);
}

#[test]
fn a_reader_that_is_gone_is_no_failure() {
    for flags in ALONE {
        check_closed(&mut server::command(flags));
    }
    let server = TestServer::program(&[]);
    let mut client = server.client();
    client.expect_in_step();
    for flags in OF_A_SERVER {
        if flags[0] == "--drain" {
            drop(client);
            client = server.client();
        }
        check_closed(&mut asking(&server, flags));
    }
    wait_until("the server ends", || !server.status_socket().exists());
}
