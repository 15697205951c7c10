//! Who may log in, how long that takes, and what a user without write permission may do.

use std::fs::{self, File};
use std::net::Shutdown;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, Instant, SystemTime};

use crate::support::client::Client;
use crate::support::server::{InProcess, Setup, TestServer, USER};

#[test]
fn anonymous_changes_no_attributes() {
    let server = Setup::without_account()
        .flags(&["-i", "127.0.0.1"])
        .in_process();
    server.write("file", "text");
    set_mode(&server, "file", 0o600);
    set_time(&server.path("file"), 1_000_000_000);
    let mut client = Client::greeted(server.address);
    client.command("USER anonymous", 331);
    client.command("PASS x", 230);
    client.command("SITE CHMOD 666 file", 550);
    client.command("MFMT 20251122130709 file", 550);
    assert_eq!(
        (mode(&server, "file"), modified(&server, "file")),
        (0o600, 1_000_000_000)
    );
}

fn mode(server: &TestServer<InProcess>, name: &str) -> u32 {
    fs::metadata(server.path(name)).expect(name).mode() & 0o7777
}

fn modified(server: &TestServer<InProcess>, name: &str) -> i64 {
    fs::metadata(server.path(name)).expect(name).mtime()
}

fn set_mode(server: &TestServer<InProcess>, name: &str, mode: u32) {
    fs::set_permissions(server.path(name), fs::Permissions::from_mode(mode)).expect(name);
}

fn set_time(path: &std::path::Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let file = File::options().write(true).open(path);
    file.and_then(|file| file.set_modified(time))
        .expect("its time");
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

/// A wrong password is answered after a delay; meanwhile others are served, and later commands wait.
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

/// A client that closes the connection does not avoid the delay; one that closes only its sending side gets the
/// reply.
#[test]
fn a_client_that_leaves_does_not_shorten_the_delay() {
    let server = TestServer::in_process(&["--login-delay", "1", "--max-cons", "1"]);
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
