//! Clients that are killed during an upload: both connections end, and what they have sent is not
//! the whole file.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::support::data::{connect, reset};
use crate::support::server::TestServer;
use crate::support::wait::pass_time;

/// The system of a client closes its connections in any order, and the server sees one end first.
#[test]
fn the_upload_of_a_killed_client_is_not_logged_as_complete() {
    let server = TestServer::program(&[]);
    let mut killed = 0;
    for round in 0..30 {
        let mut client = server.client();
        let mut data = client.data();
        client.command(format!("STOR new{round}"), 150);
        data.write_all(b"a part").expect("sending data");
        pass_time(MOVING, "it takes time until a client is killed");
        let started = Instant::now();
        drop(data);
        pass_time(BETWEEN_ENDS, "the server sees the first end alone");
        drop(client);
        // Else the test itself was too slow.
        if started.elapsed() < MOVING / 25 {
            killed += 1;
            server.log_with(&format!(
                "STOR /new{round} ended after 6 bytes: the client is gone"
            ));
        }
    }
    assert!(killed > 0, "this machine is too slow");
}

/// A client that lives gets 226, although it is not known at once whether it does.
#[test]
fn an_upload_is_complete_without_another_command() {
    let server = TestServer::program(&[]);
    let mut client = server.client();
    let mut data = client.data();
    client.command("STOR new", 150);
    data.write_all(b"all").expect("sending data");
    pass_time(
        MOVING,
        "the upload takes long enough for the server to wait",
    );
    drop(data);
    client.expect(226);
    server.log_with("STOR /new: 3 bytes in");
    client.expect_in_step();
}

/// A device needs no reply: it sends QUIT, closes, and its data connection comes after that.
#[test]
fn after_quit_an_upload_may_still_connect() {
    for end in [drop, reset] {
        let server = TestServer::program(&[]);
        let mut client = server.client();
        let port = client.extended_passive();
        client.send_bytes("STOR new\r\nQUIT\r\n");
        client.expect(150);
        end(client.stream);
        let mut data = connect(port);
        data.write_all(b"all").expect("sending data");
        drop(data);
        server.log_with("STOR /new: 3 bytes in");
        assert_eq!(server.read("new"), b"all");
        server.finish();
    }
}

/// An upload outlives a reset while its bytes come. If none do, the log names the cause.
#[test]
fn an_upload_that_stalls_after_a_reset_is_that_of_a_lost_client() {
    let server = TestServer::program(&[]);
    let mut client = server.client();
    let mut data = client.data();
    client.command("STOR new", 150);
    data.write_all(b"a part").expect("sending data");
    reset(client.stream);
    server.log_with("STOR /new ended after 6 bytes: the client is gone");
    drop(data);
}

/// A client that is gone leaves no other connection behind one that was reset.
#[test]
fn an_abandoned_upload_frees_its_name() {
    let server = TestServer::in_process(&[]);
    for is_first in [true, false] {
        let (mut gone, mut next) = (server.client(), server.client());
        let data = gone.data();
        gone.command("STOR new", 150);
        if is_first {
            reset(data);
            drop(gone);
        } else {
            drop(gone);
            reset(data);
        }
        next.store("STOR new", "of the next client");
        assert_eq!(server.read("new"), b"of the next client");
    }
}

/// How long data moves.
const MOVING: Duration = Duration::from_millis(100);

/// Long enough for the server to see the first end alone.
const BETWEEN_ENDS: Duration = Duration::from_millis(1);
