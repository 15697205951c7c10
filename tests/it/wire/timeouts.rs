//! What must not last for ever, with small values: each test takes about as long as its timer.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::data::{
    FullListener, connect, connect_stranger, drain, eprt_command, read_all, read_some,
    wait_until_closed,
};
use crate::support::file_contents::noise;
use crate::support::server::{InProcess, Setup, TestServer};
use crate::support::wait::{GUARD, pause};

#[test]
fn a_client_that_does_not_connect_is_425() {
    let server = TestServer::in_process(&["--passive-timeout", "1"]);
    server.write("file", "text");
    let mut client = server.client();
    // Before the transfer command; the session continues, and the next transfer gets 425.
    let port = client.extended_passive();
    wait_until_closed(port);
    client.command("RETR file", 425);
    assert_eq!(client.fetch("RETR file"), b"text");
    // After it.
    client.extended_passive();
    client.command("RETR file", 150);
    client.expect(425);
    assert_eq!(client.fetch("RETR file"), b"text");
}

/// Neither commands nor strangers extend the time.
#[test]
fn noops_do_not_extend_the_time_to_connect() {
    let server = TestServer::in_process(&["--passive-timeout", "1"]);
    let mut client = server.client();
    let port = client.extended_passive();
    let deadline = Instant::now() + GUARD;
    while connect_stranger(port).is_ok() {
        client.command("NOOP", 200);
        client.command("STAT", 211);
        assert!(Instant::now() < deadline, "the port is still open");
        pause();
    }
    client.command("NLST", 425);
    let port = client.extended_passive();
    client.command("NLST", 150);
    while connect_stranger(port).is_ok() {
        assert!(Instant::now() < deadline, "the port is still open");
        pause();
    }
    client.expect(425);
}

/// The time to connect does not run once the client has connected, however late its command comes.
#[test]
fn a_connected_client_may_send_its_command_late() {
    let server = TestServer::in_process(&["--passive-timeout", "1"]);
    server.write("file", "text");
    let mut client = server.client();
    let port = client.extended_passive();
    let mut data = connect(port);
    wait_until_closed(port);
    client.command("RETR file", 150);
    assert_eq!(read_all(&mut data), b"text");
    client.expect(226);
}

#[test]
fn a_client_that_does_not_accept_is_425() {
    let server = TestServer::in_process(&["--passive-timeout", "1"]);
    server.write("file", "text");
    let mut client = server.client();
    let full = FullListener::new();
    client.command(eprt_command(full.address), 200);
    client.command("RETR file", 150);
    client.expect(425);
    client.expect_in_step();
}

#[test]
fn stalled_data_is_426() {
    let server = TestServer::in_process(&["--data-timeout", "1"]);
    server.write_sparse("large", 1 << 30);
    let mut client = server.client();
    let mut data = client.data();
    client.command("RETR large", 150);
    read_some(&mut data, 1000);
    client.expect(426);
    assert!(drain(data) < 1 << 29, "the transfer went on");

    let mut data = client.data();
    client.command("STOR new", 150);
    data.write_all(&noise(1000)).expect("sending data");
    client.expect(426);
    drain(data);
    client.expect_in_step();
    assert_eq!(server.read("new"), noise(1000));
}

/// An idle control connection is what a long transfer looks like.
#[test]
fn the_idle_timer_stops_during_a_transfer() {
    let server = TestServer::in_process(&["--timeout", "1"]);
    let mut client = server.client();
    let mut data = client.data();
    client.command("STOR new", 150);
    until_an_idle_client_is_closed(&server, || {
        data.write_all(b"drop ").expect("sending data");
    });
    drop(data);
    client.expect(226);
    client.expect_in_step();
    // From the end of the transfer it runs again.
    client.expect(421);
    client.expect_closed();
}

#[test]
fn an_idle_client_is_421() {
    let server = TestServer::in_process(&["--timeout", "1"]);
    let mut client = server.client();
    client.expect(421);
    client.expect_closed();
}

/// A command extends the session's time, half a line does not.
#[test]
fn commands_extend_a_session_and_half_a_line_does_not() {
    let server = TestServer::in_process(&["--timeout", "1"]);
    let mut client = server.client();
    until_an_idle_client_is_closed(&server, || {
        client.command("NOOP", 200);
    });
    client.send_bytes("NOO");
    client.expect(421);
    client.expect_closed();
}

/// Repeats a step for longer than a client may be idle: until another client, which is idle, is
/// disconnected.
fn until_an_idle_client_is_closed(server: &TestServer<InProcess>, mut step: impl FnMut()) {
    let mut idle = server.client();
    loop {
        step();
        if let Some(line) = idle.line_within(Duration::from_millis(10)) {
            return assert!(line.starts_with("421 "), "{line}");
        }
    }
}

/// Nothing but a login extends the time for it, not even a failed one.
#[test]
fn a_client_that_does_not_log_in_is_421() {
    let server = TestServer::in_process(&["--timeout", "1", "--max-login-attempts", "1000"]);
    let mut silent = Client::greeted(server.address);
    let mut client = Client::greeted(server.address);
    let deadline = Instant::now() + GUARD;
    let mut is_ended = |line: &str, code: u16| {
        client.send(line);
        let reply = client.reply();
        assert!([code, 421].contains(&reply.code), "{}", reply.text());
        reply.code == 421
    };
    while !is_ended("USER stranger", 331) && !is_ended("PASS wrong", 530) && !is_ended("NOOP", 200)
    {
        assert!(Instant::now() < deadline, "the session does not end");
        pause();
    }
    silent.expect(421);
    silent.expect_closed();
}

#[test]
fn an_upload_without_a_connection_changes_nothing() {
    let setup = Setup::new().settings(|settings| {
        settings.timeouts.data_open = Some(Duration::from_millis(100));
    });
    let server = setup.in_process();
    server.write("file", "text");
    let mut client = server.client();
    for command in ["STOR new", "APPE new", "STOU new", "STOR file", "APPE file"] {
        client.extended_passive();
        client.command(command, 150);
        client.expect(425);
        assert!(!server.path("new").exists(), "{command}");
        assert_eq!(server.read("file"), b"text", "{command}");
    }
    client.expect_in_step();
}
