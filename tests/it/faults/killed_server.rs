//! A server that is killed during uploads, at a moment that differs each time: the name holds the
//! whole old or the whole new file, and the next server removes what the killed one has left.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::{
    begin, expect_beginning, expect_bytes, expect_no_leftovers, leftovers, other_noise, serve,
};
use crate::support::client::Client;
use crate::support::file_contents::noise;
use crate::support::server::{Program, TestServer};
use crate::support::wait::pass_time;

#[test]
fn overwrites_survive_the_death_of_the_server() {
    check_overwrites(12);
}

#[test]
fn long_overwrites_survive_the_death_of_the_server() {
    check_overwrites(200);
}

#[track_caller]
fn check_overwrites(rounds: usize) {
    let directory = TempDir::new().expect("a temporary directory");
    let root = directory.path();
    let file = root.join("file");
    let mut dice = Dice::new();
    let mut old = noise(SIZE);
    fs::write(&file, &old).expect("a file");
    let mut server = serve(root, &[]);
    for round in 0..rounds {
        let what = format!("round {round} of seed {:#x}", dice.seed);
        let new = other_noise(SIZE + 1 + round);
        let mut client = Client::logged_in(server.address);
        let is_complete = overwrite_and_kill(&mut client, server, &new, &mut dice);
        let found = fs::read(&file).expect("the file");
        if is_complete || found.len() == new.len() {
            expect_bytes(&found, &new, &what);
            old = new;
        } else {
            expect_bytes(&found, &old, &what);
        }
        server = serve(root, &[]);
        Client::logged_in(server.address).store("STOR another", "text");
        expect_no_leftovers(root);
        expect_bytes(&fs::read(&file).expect("the file"), &old, &what);
    }
    server.finish();
}

/// Whether the client has got 226 before the server was killed.
fn overwrite_and_kill(
    client: &mut Client,
    server: TestServer<Program>,
    new: &[u8],
    dice: &mut Dice,
) -> bool {
    let mut data = client.data();
    client.command("STOR file", 150);
    let mut is_complete = false;
    match dice.below(4) {
        // In the middle, which may be before the first byte.
        0 | 1 => {
            let sent = dice.below(new.len());
            data.write_all(&new[..sent]).expect("sending data");
        }
        // About when the new file takes the name.
        2 => {
            data.write_all(new).expect("sending data");
            drop(data);
            let moment = Duration::from_micros(dice.below(3000) as u64);
            pass_time(moment, "the moment is what is tested");
        }
        _ => {
            data.write_all(new).expect("sending data");
            drop(data);
            client.expect(226);
            is_complete = true;
        }
    }
    server.signal(Signal::KILL);
    server.ended();
    is_complete
}

/// What a killed server leaves of a new file: with `keep` it takes its name, if that is free.
#[test]
fn an_upload_of_a_killed_server_is_no_newer_file() {
    for (flags, is_kept) in [
        (&["--broken-uploads", "keep"], true),
        (&["--broken-uploads", "discard"], false),
    ] {
        let directory = TempDir::new().expect("a temporary directory");
        let root = directory.path();
        fs::create_dir(root.join("d")).expect("a directory");
        let new = noise(SIZE);
        for name in ["new", "d/new"] {
            let server = serve(root, flags);
            let mut client = Client::logged_in(server.address);
            let _data = begin(&mut client, &format!("STOR {name}"), &new[..SENT]);
            assert!(!root.join(name).exists(), "{name} exists too early");
            server.signal(Signal::KILL);
            server.ended();
        }
        assert_eq!(leftovers(&root.join("d")).len(), 1);
        let server = serve(root, flags);
        let mut client = Client::logged_in(server.address);
        // A directory is looked through when it is written to, not before.
        client.store("STOR d/another", "text");
        expect_no_leftovers(&root.join("d"));
        check_piece(&root.join("d/new"), &new, is_kept);
        // Someone has stored the file meanwhile.
        fs::write(root.join("new"), "newer").expect("a file");
        client.store("STOR another", "text");
        expect_no_leftovers(root);
        assert_eq!(fs::read(root.join("new")).expect("a file"), b"newer");
        let log = server.finish();
        let line = if is_kept {
            format!(
                "WARN  /d/new has {SENT} bytes, the beginning of an upload that a crash cut off"
            )
        } else {
            "which a crash left of an upload".to_owned()
        };
        assert!(log.contains(&line), "{log}");
    }
}

/// A client that goes on asks for the size first. One that may not write changes nothing by that.
#[test]
fn size_finds_what_a_killed_server_has_received() {
    let directory = TempDir::new().expect("a temporary directory");
    let root = directory.path();
    let new = noise(SIZE);
    let server = serve(root, &["--anonymous"]);
    let mut client = Client::logged_in(server.address);
    let _data = begin(&mut client, "STOR new", &new[..SENT]);
    server.signal(Signal::KILL);
    server.ended();
    let server = serve(root, &["--anonymous"]);
    let mut reader = Client::of_user(server.address, "anonymous", "guest@");
    reader.command("SIZE new", 550);
    assert_eq!(leftovers(root).len(), 1);
    let mut client = Client::logged_in(server.address);
    let size = client.command("SIZE new", 213).text();
    assert_eq!(size, format!("213 {SENT}"));
    client.store("APPE new", &new[SENT..]);
    assert!(reader.fetch("RETR new") == new, "another file");
    server.finish();
}

#[track_caller]
fn check_piece(file: &Path, whole: &[u8], is_kept: bool) {
    match fs::read(file) {
        Ok(found) if is_kept => expect_beginning(&found, whole, "the piece"),
        Ok(_) => panic!("the piece was not discarded"),
        Err(error) => assert!(!is_kept, "the piece is lost: {error}"),
    }
}

/// Numbers that differ in each run; the seed is in the message of a failure.
struct Dice {
    seed: u64,
    state: u64,
}

impl Dice {
    fn new() -> Self {
        let seed = RandomState::new().hash_one("a seed") | 1;
        Self { seed, state: seed }
    }

    fn below(&mut self, end: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state % end as u64).expect("below a usize")
    }
}

const SIZE: usize = 2 << 20;
/// Enough for a piece that is worth keeping.
const SENT: usize = 3 << 19;
