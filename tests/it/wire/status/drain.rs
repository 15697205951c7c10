//! The end of a server: by the status socket, and by SIGUSR2.

use std::net::TcpStream;

use ftp_server_sync::status::snapshot::ServerPhase;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::client_program::path;
use crate::support::data::{read_all, read_some};
use crate::support::file_contents::noise;
use crate::support::server::TestServer;
use crate::support::status_client::StatusClient;

/// No new client, no limit for the others, and an end with the last of them.
#[test]
fn a_server_that_drains_ends_with_its_last_session() {
    for by_signal in [true, false] {
        let directory = TempDir::new().expect("a temporary directory");
        let socket = directory.path().join("status");
        let flags = ["--shutdown-grace", "1", "--status-socket", path(&socket)];
        let server = TestServer::program(&flags);
        let mut status = StatusClient::connect(&socket);
        let (mut first, mut second) = (server.client(), server.client());
        let who = if by_signal {
            server.signal(Signal::USR2);
            "SIGUSR2"
        } else {
            let done = status.done("drain");
            assert!(done.ends_with("2 sessions left"), "{done}");
            "a client of the status socket"
        };
        server.log_with(&format!("draining: {who} asks for it"));
        assert!(
            TcpStream::connect(server.address).is_err(),
            "it accepts clients"
        );
        let snapshot = status.who();
        assert_eq!(snapshot.server.phase, ServerPhase::Draining);
        assert_eq!(snapshot.server.listen, []);
        let reloaded = status.error("reload");
        assert_eq!(reloaded, "the server is draining");
        first.command("QUIT", 221);
        second.store("STOR new", "text");
        assert_eq!(second.fetch("RETR new"), b"text");
        second.command("QUIT", 221);
        assert_eq!(server.ended().0, Some(0));
        assert!(!socket.exists(), "it is left behind");
    }
}

#[test]
fn sigterm_ends_a_server_that_drains() {
    let server = TestServer::program(&[]);
    let mut client = server.client();
    server.signal(Signal::USR2);
    server.log_with("draining: ");
    client.expect_in_step();
    server.signal(Signal::TERM);
    client.expect(421);
    assert_eq!(server.ended().0, Some(0));
}

/// The first one lets transfers end, as SIGTERM does, and the second one does not.
#[test]
fn the_socket_stops_the_server() {
    for twice in [false, true] {
        let server = TestServer::program(&[]);
        let bytes = noise(64 << 20);
        server.write("big", &bytes);
        let (mut busy, mut idle) = (server.client(), server.client());
        let mut data = busy.data();
        busy.command("RETR big", 150);
        read_some(&mut data, 1);
        let mut status = server.status_client();
        assert_eq!(status.done("stop"), "the server shuts down");
        idle.expect(421);
        assert_eq!(status.who().server.phase, ServerPhase::ShuttingDown);
        if twice {
            assert_eq!(status.done("stop"), "the server shuts down");
        } else {
            assert!(
                read_all(&mut data) == bytes[1..],
                "the download is not whole"
            );
            busy.expect(226);
        }
        busy.expect(421);
        let (code, log) = server.ended();
        assert_eq!(code, Some(0));
        let line = "shutting down: a client of the status socket asks for it";
        assert!(log.contains(line), "{log}");
    }
}

#[test]
fn the_log_names_the_signal() {
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")] {
        let server = TestServer::program(&["--shutdown-grace", "0"]);
        server.signal(signal);
        let (code, log) = server.ended();
        assert_eq!(code, Some(0));
        let line = format!("shutting down: {name} asks for it");
        assert!(log.contains(&line), "{log}");
    }
}
