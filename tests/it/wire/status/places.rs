//! Where the status socket is, whose it is, and what happens where it cannot be made.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::client_program::path;
use crate::support::server::{Setup, TestServer};
use crate::support::status_client::StatusClient;

#[test]
fn only_its_owner_can_connect_and_the_end_removes_it() {
    let directory = TempDir::new().expect("a temporary directory");
    let socket = directory.path().join("status");
    let flags = ["--umask", "000", "--status-socket", path(&socket)];
    let server = TestServer::program(&flags);
    let found = fs::metadata(&socket).expect("the socket");
    assert!(found.file_type().is_socket());
    assert_eq!(found.mode() & 0o7777, 0o600);
    StatusClient::connect(&socket).who();
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

/// An old server that drains has it until its end, and the new one is not without it for ever.
#[test]
fn a_server_takes_its_socket_when_the_other_has_ended() {
    let directory = TempDir::new().expect("a temporary directory");
    let place = directory.path().join("status");
    let flags = ["--status-socket", path(&place)];
    let first = TestServer::program(&flags);
    let second = TestServer::program(&flags);
    second.log_with("another server uses it");
    first.finish();
    second.log_with(&format!("INFO  status socket at {}", place.display()));
    let pid = StatusClient::connect(&place).who().server.pid;
    assert_eq!(pid, second.id());
    second.finish();
    assert!(!place.exists());
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

/// Root makes it in a directory of root's, and elsewhere the user does. That one can connect.
#[test]
fn a_server_that_gives_up_rights_has_one_of_its_user() {
    for mode in [0o755, 0o777] {
        let directory = TempDir::new().expect("a temporary directory");
        let socket = directory.path().join("status");
        let flags = ["--run-as", "daemon", "--status-socket", path(&socket)];
        let setup = Setup::new().flags(&flags);
        let set_mode = |path: &Path, mode| {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
        };
        set_mode(directory.path(), mode);
        set_mode(setup.directory(), 0o755);
        set_mode(&setup.root(), 0o777);
        let server = setup.program();
        server.log_with("the server has become daemon");
        let found = fs::metadata(&socket).expect("the socket");
        assert_eq!(found.mode() & 0o7777, 0o600);
        assert_ne!(found.uid(), 0);
        StatusClient::connect(&socket).who();
        server.finish();
        // In a directory of root's it has no right to remove it, and the next one replaces it.
        assert_eq!(socket.exists(), mode == 0o755);
    }
}

/// In a state directory of its own, the user can remove it.
#[test]
fn the_state_directory_is_given_to_the_user() {
    let setup = Setup::new().flags(&["--run-as", "daemon"]);
    let directory = TempDir::new().expect("a temporary directory");
    let state = directory.path().join("state");
    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
    };
    set_mode(directory.path(), 0o755);
    set_mode(setup.directory(), 0o755);
    set_mode(&setup.root(), 0o777);
    let variable = state.clone();
    let setup = setup.wrapped(move |mut command| {
        command.env_remove("RUNTIME_DIRECTORY");
        command.env("STATE_DIRECTORY", variable);
        command
    });
    let server = setup.program();
    let name = format!("status-{}.socket", server.address.port());
    let socket = state.join(name);
    StatusClient::connect(&socket).who();
    let owner = |path: &Path| fs::metadata(path).expect("a file").uid();
    assert_eq!(owner(&socket), owner(&state));
    assert_ne!(owner(&state), 0);
    server.finish();
    assert!(!socket.exists());
}
