//! Transfers below a rate: never faster than that, and the session is as responsive as ever.

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Site, connect, drain, pattern, read_all, read_some};

/// Two and a half seconds' worth, a quarter of which may move at once.
const BYTES: usize = 50_000;
const RATE: &str = "20000";
/// What is left takes at least so long.
const TIME_MIN: Duration = Duration::from_millis(2240);

#[test]
fn downloads_are_no_faster() {
    for ascii in [false, true] {
        let site = Site::new(&["--rate-out", RATE]);
        let bytes = pattern(BYTES);
        site.write("file", &bytes);
        let mut client = site.client();
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
fn uploads_are_no_faster() {
    let site = Site::new(&["--rate-in", RATE, "--rate-out", "1"]);
    let bytes = pattern(BYTES);
    let begun = Instant::now();
    site.client().store("STOR new", &bytes);
    assert!(begun.elapsed() >= TIME_MIN, "{:?}", begun.elapsed());
    assert!(site.read("new") == bytes);
}

/// The limit is the session's, not each file's.
#[test]
fn many_small_files_are_no_faster_than_a_large_one() {
    let site = Site::new(&["--rate-out", RATE]);
    site.write("file", pattern(BYTES / 10));
    let mut client = site.client();
    let begun = Instant::now();
    for _ in 0..10 {
        assert_eq!(client.fetch("RETR file").len(), BYTES / 10);
    }
    assert!(begun.elapsed() >= TIME_MIN, "{:?}", begun.elapsed());
}

#[test]
fn commands_are_heard_while_data_waits() {
    let site = Site::new(&["--rate-out", "100"]);
    site.write("file", pattern(BYTES));
    let mut client = site.client();
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
fn slow_is_not_still() {
    let site = Site::new(&["--rate-in", "20", "--data-timeout", "1"]);
    let mut client = site.client();
    let mut data = client.data();
    client.command("STOR new", 150);
    data.write_all(&pattern(45)).expect("sending data");
    drop(data);
    client.expect(226);
    assert_eq!(site.read("new"), pattern(45));
}

/// Another rate holds for a transfer that runs, at its next piece.
#[test]
fn a_reload_changes_the_rate() {
    let directory = TempDir::new().expect("a temporary directory");
    let config = directory.path().join("config");
    fs::write(&config, "rate-out 1000\n").expect("a configuration");
    let site = Site::new(&["--config", config.to_str().expect("text")]);
    let bytes = pattern(1_000_000);
    site.write("file", &bytes);
    let mut client = site.client();
    let mut data = connect(client.extended_passive());
    client.command("RETR file", 150);
    read_some(&mut data, 100);
    fs::write(&config, "rate-out 0\n").expect("a configuration");
    site.handle.reload();
    // At the old rate this would take more than a quarter of an hour.
    assert_eq!(read_all(&mut data), bytes[100..]);
    client.expect(226);
}
