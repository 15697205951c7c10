//! Where the status socket is, whose it is, and what happens where it cannot be made.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::client_program::path;
use crate::support::server::{Setup, TestServer};
use crate::support::status_client::StatusClient;

#[test]
fn only_its_owner_can_connect_and_the_end_removes_it() {
    let server = TestServer::program(&["--umask", "000"]);
    let socket = server.status_socket();
    let found = fs::metadata(&socket).expect("the socket");
    assert!(found.file_type().is_socket());
    assert_eq!(found.mode() & 0o7777, 0o600);
    server.status().who();
    server.finish();
    assert!(!socket.exists());
}

#[test]
fn a_flag_says_where_it_is_or_that_there_is_none() {
    let directory = TempDir::new().expect("a temporary directory");
    let place = directory.path().join("status");
    let server = TestServer::program(&["--status-socket", path(&place)]);
    StatusClient::connect(&place).who();
    assert!(!server.status_socket().exists());
    let off = TestServer::program(&["--status-socket", "off"]);
    assert!(!off.status_socket().exists());
    let log = off.finish();
    assert!(!log.contains("status socket"), "{log}");
}

/// What a killed server has left is replaced, and a server that lives loses nothing.
#[test]
fn a_socket_left_behind_is_replaced_and_a_living_one_is_not() {
    let directory = TempDir::new().expect("a temporary directory");
    let place = directory.path().join("status");
    drop(UnixListener::bind(&place).expect("a socket"));
    let flags = ["--status-socket", path(&place)];
    let first = TestServer::program(&flags);
    let pid = |place| StatusClient::connect(place).who().server.pid;
    assert_eq!(pid(&place), first.id());
    let second = TestServer::program(&flags);
    second.client().command("QUIT", 221);
    second.log_with(&format!(
        "WARN  no status socket at {}: another server uses it; give another path with \
         --status-socket, or off",
        place.display()
    ));
    second.finish();
    assert_eq!(pid(&place), first.id());
    first.signal(Signal::KILL);
    first.ended();
    assert!(place.exists());
    let third = TestServer::program(&flags);
    assert_eq!(pid(&place), third.id());
}

/// The default place is no reason for a warning, and for none to serve nothing.
#[test]
fn a_server_without_its_socket_serves() {
    let setup = Setup::new();
    let file = setup.directory().join("file");
    fs::write(&file, "text").expect("a file");
    let server = setup
        .wrapped(move |mut command| {
            command.env("RUNTIME_DIRECTORY", &file);
            command
        })
        .program();
    server.client().command("QUIT", 221);
    let log = server.finish();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("status")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(
        lines[0].contains("INFO  note: no status socket at "),
        "{log}"
    );
}

/// Root makes it in a directory of root's, and its user can connect.
#[test]
fn a_server_that_gives_up_rights_has_one_of_its_user() {
    for mode in [0o755, 0o777] {
        let setup = Setup::new().flags(&["--run-as", "nobody"]);
        let (root, directory) = (setup.root(), setup.directory().to_owned());
        fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).expect("a mode");
        fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).expect("a mode");
        let server = setup.program();
        server.log_with("the server has become nobody");
        let socket = server.status_socket();
        let found = fs::metadata(&socket).expect("the socket");
        assert_eq!(found.mode() & 0o7777, 0o600);
        assert_ne!(found.uid(), 0);
        server.status().who();
        server.finish();
        // In a directory of root's it has no right to.
        assert_eq!(socket.exists(), mode == 0o755);
    }
}
