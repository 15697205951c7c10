//! Transfers below a rate: never faster than that, and the session is as responsive as ever.

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::data::{connect, drain, read_all, read_some};
use crate::support::file_contents::noise;
use crate::support::server::TestServer;

/// Half a second's worth, of which a quarter of a second's may move at once.
const BYTES: usize = 50_000;
const RATE: &str = "100000";
/// The rest takes at least this time.
const TIME_MIN: Duration = Duration::from_millis(240);

#[test]
fn downloads_do_not_exceed_the_rate() {
    for ascii in [false, true] {
        let server = TestServer::in_process(&["--rate-out", RATE]);
        let bytes = noise(BYTES);
        server.write("file", &bytes);
        let mut client = server.client();
        if ascii {
            client.command("TYPE A", 200);
        }
        let begun = Instant::now();
        let received = client.fetch("RETR file");
        assert!(begun.elapsed() >= TIME_MIN, "{:?}", begun.elapsed());
        assert!(ascii || received == bytes);
    }
}

#[test]
fn uploads_do_not_exceed_the_rate() {
    let server = TestServer::in_process(&["--rate-in", RATE, "--rate-out", "1"]);
    let bytes = noise(BYTES);
    let begun = Instant::now();
    server.client().store("STOR new", &bytes);
    assert!(begun.elapsed() >= TIME_MIN, "{:?}", begun.elapsed());
    assert!(server.read("new") == bytes);
}

/// The limit is the session's, not each file's.
#[test]
fn many_small_files_do_not_exceed_the_rate() {
    let server = TestServer::in_process(&["--rate-out", RATE]);
    server.write("file", noise(BYTES / 10));
    let mut client = server.client();
    let begun = Instant::now();
    for _ in 0..10 {
        assert_eq!(client.fetch("RETR file").len(), BYTES / 10);
    }
    assert!(begun.elapsed() >= TIME_MIN, "{:?}", begun.elapsed());
}

#[test]
fn commands_are_answered_while_data_waits() {
    let server = TestServer::in_process(&["--rate-out", "100"]);
    server.write("file", noise(BYTES));
    let mut client = server.client();
    let mut data = client.data();
    client.command("RETR file", 150);
    read_some(&mut data, 25);
    client.command("STAT", 211);
    client.send("ABOR");
    client.expect(426);
    client.expect(226);
    drain(data);
    client.expect_in_step();
}

/// A wait for the rate is no stall.
#[test]
fn a_low_rate_is_no_stall() {
    let server = TestServer::in_process(&["--rate-in", "20", "--data-timeout", "1"]);
    let mut client = server.client();
    let mut data = client.data();
    client.command("STOR new", 150);
    data.write_all(&noise(45)).expect("sending data");
    drop(data);
    client.expect(226);
    assert_eq!(server.read("new"), noise(45));
}

/// Another rate holds for a transfer that runs, at its next piece.
#[test]
fn a_reload_changes_the_rate() {
    let directory = TempDir::new().expect("a temporary directory");
    let config = directory.path().join("config");
    fs::write(&config, "rate-out 1000\n").expect("a configuration");
    let server = TestServer::in_process(&["--config", config.to_str().expect("text")]);
    let bytes = noise(1_000_000);
    server.write("file", &bytes);
    let mut client = server.client();
    let mut data = connect(client.extended_passive());
    client.command("RETR file", 150);
    read_some(&mut data, 100);
    fs::write(&config, "rate-out 0\n").expect("a configuration");
    server.reload();
    // At the old rate this would take more than a quarter of an hour.
    assert_eq!(read_all(&mut data), bytes[100..]);
    client.expect(226);
}
