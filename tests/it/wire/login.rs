//! Who may log in, how long that takes, and what a user without write permission may do.

use std::fs;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::server::{Setup, TestServer, USER};

#[test]
fn anonymous_changes_no_attributes() {
    let server = Setup::without_account()
        .flags(&["-i", "127.0.0.1"])
        .in_process();
    server.write("file", "text");
    server.set_mode("file", 0o600);
    server.set_modified("file", 1_000_000_000);
    let mut client = Client::greeted(server.address);
    client.command("USER anonymous", 331);
    client.command("PASS x", 230);
    client.command("SITE CHMOD 666 file", 550);
    client.command("MFMT 20251122130709 file", 550);
    assert_eq!(
        (server.mode("file"), server.modified("file")),
        (0o600, 1_000_000_000)
    );
}

#[test]
fn login_attempts_are_limited() {
    let server = TestServer::in_process(&["--max-login-attempts", "3"]);
    let mut client = Client::greeted(server.address);
    for code in [530, 530, 421] {
        client.command(format!("USER {USER}"), 331);
        client.command("PASS wrong", code);
    }
    client.expect_closed();
    // The next connection starts at zero.
    server.client().expect_in_step();
}

/// A wrong password is answered after a delay; meanwhile others are served, and later commands
/// wait.
#[test]
fn a_wrong_password_is_answered_late() {
    let delay = Duration::from_millis(200);
    let setup = Setup::new().settings(move |settings| settings.login_delay = delay);
    let server = setup.in_process();
    let mut client = Client::greeted(server.address);
    client.command(format!("USER {USER}"), 331);
    let since = Instant::now();
    client.send_bytes("PASS wrong\r\nNOOP\r\n");
    server.client().expect_in_step();
    client.expect(530);
    assert!(since.elapsed() >= delay);
    client.expect(200);
}

#[test]
fn a_client_may_leave_during_the_delay() {
    let server = TestServer::in_process(&["--login-delay", "60"]);
    let mut client = Client::greeted(server.address);
    client.command(format!("USER {USER}"), 331);
    client.send("PASS wrong");
    // The server's end finds no session that still waits.
}

#[test]
fn anonymous_reads_only() {
    let server = Setup::without_account()
        .flags(&["-i", "127.0.0.1"])
        .in_process();
    server.write("file", "text");
    fs::create_dir(server.path("directory")).expect("a directory");
    let mut client = Client::greeted(server.address);
    client.command("USER anonymous", 331);
    client.command("PASS me@example.org", 230);
    for (line, code) in [
        ("APPE file", 550),
        ("DELE file", 550),
        ("MKD new", 550),
        ("RMD directory", 550),
        ("RNFR file", 550),
        ("STOR file", 553),
        ("STOR new", 553),
        ("STOU", 553),
    ] {
        client.command(line, code);
        // Nor does a data connection change it.
        client.extended_passive();
        client.command(line, code);
    }
    assert_eq!(client.fetch("RETR file"), b"text");
    let entries = fs::read_dir(server.root()).expect("the root").count();
    assert_eq!((server.read("file"), entries), (b"text".to_vec(), 2));
}

/// A client that closes the connection does not avoid the delay; one that closes only its sending
/// side gets the reply.
#[test]
fn a_client_that_leaves_does_not_shorten_the_delay() {
    let server = TestServer::in_process(&["--login-delay", "1", "--max-cons-per-ip", "1"]);
    let mut client = Client::greeted(server.address);
    client.command(format!("USER {USER}"), 331);
    let since = Instant::now();
    client.send("PASS wrong");
    client
        .stream
        .shutdown(Shutdown::Write)
        .expect("half a close");
    Client::connect(server.address).expect(421);
    client.expect(530);
    assert!(since.elapsed() >= Duration::from_secs(1));
    client.expect_closed();
}
