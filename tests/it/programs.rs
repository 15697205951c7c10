//! Client programs that people have, against the real binary on loopback.
//!
//! Each test compares what arrived with what was sent, byte for byte and in both directions, and
//! then reads in the server's log which commands the client really used: a client that silently
//! uses another kind of data connection, or fetches a whole file instead of resuming, fails its
//! test. Clients differ in how they resume; what a client cannot do is missing in its test.

mod broken_uploads;
mod charsets;
mod client_certificates;
mod curl;
mod dialogue;
mod digests;
mod fail2ban;
mod fetchers;
mod filezilla;
mod ftp;
mod ftplib;
mod lftp;
mod libraries;
mod linked_trees;
mod listings;
mod manual;
mod rclone;
mod suppaftp;
mod tls;
mod tls_errors;
mod two_certificates;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::support::client_program::NAMES;
use crate::support::file_contents::noise;
use crate::support::server::{Program, SecureServer, Setup, TestServer};

/// A server for [`USER`](crate::support::server::USER) that logs each command.
fn start(host: &str) -> TestServer<Program> {
    Setup::new().host(host).flags(&["--debug"]).program()
}

/// The same with a certificate.
fn start_secure(flags: &[&str]) -> SecureServer<Program> {
    SecureServer::program(&[&["--debug"], flags].concat())
}

/// What a client of one session needs: the sample and its parts, and a directory for what comes
/// back.
fn prepare(server: &TestServer<Program>) {
    write_sample(&server.work("sample"));
    fs::write(server.work("rest"), &noise(SIZE)[HALF..]).expect("the rest of the sample");
    for part in [
        server.work("part"),
        server.path("part"),
        server.path("appended"),
    ] {
        write_part(&part);
    }
    fs::create_dir(server.work("back")).expect("a directory");
}

/// The sample in `place`, whole.
fn write_sample(place: &Path) {
    fs::write(place, noise(SIZE)).expect("the sample");
}

/// The sample's beginning in `place`, as an interrupted transfer leaves it: newer than the whole
/// sample.
fn write_part(place: &Path) {
    fs::write(place, &noise(SIZE)[..HALF]).expect("a partial file");
    let later = SystemTime::now() + Duration::from_secs(2);
    let part = fs::File::options().write(true).open(place);
    part.and_then(|file| file.set_modified(later))
        .expect("a later date");
}

/// A directory with everything that makes listings hard to read: odd names, depth, an empty file,
/// an empty directory.
fn plant(top: &Path) {
    for directory in ["", "one/two 二", "empty directory"] {
        fs::create_dir_all(top.join(directory)).expect("a directory");
    }
    for (number, name) in NAMES.iter().enumerate() {
        fs::write(top.join(name), noise(1000 + number)).expect("a file");
        fs::write(top.join("one/two 二").join(name), noise(2000 + number)).expect("a file");
    }
    fs::write(top.join("empty"), "").expect("an empty file");
    fs::write(top.join("one/large"), noise(SIZE)).expect("a large file");
}

#[track_caller]
fn assert_sample(place: &Path) {
    let found = fs::read(place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
    assert!(
        found == noise(SIZE),
        "{} is not the sample: {} bytes instead of {SIZE}",
        place.display(),
        found.len()
    );
}

#[track_caller]
fn assert_same_trees(left: &Path, right: &Path) {
    let (some, others) = (tree(left), tree(right));
    let names =
        |tree: &BTreeMap<PathBuf, Option<Vec<u8>>>| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(&some),
        names(&others),
        "names in {} and {}",
        left.display(),
        right.display()
    );
    for (name, content) in &some {
        assert!(
            others[name] == *content,
            "{} differs in {} and {}",
            name.display(),
            left.display(),
            right.display()
        );
    }
}

/// All that is in a directory: files with their content, directories without.
fn tree(top: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut ahead = vec![top.to_owned()];
    while let Some(directory) = ahead.pop() {
        let entries = fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        for entry in entries {
            let place = entry.expect("an entry").path();
            let name = place.strip_prefix(top).expect("below the top").to_owned();
            let content = if place.is_dir() {
                None
            } else {
                Some(fs::read(&place).expect("a file"))
            };
            if content.is_none() {
                ahead.push(place);
            }
            found.insert(name, content);
        }
    }
    found
}

/// All names, sorted, as a listing of the directory should bring them.
fn sorted_names() -> Vec<String> {
    let mut names: Vec<_> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    names.sort();
    names
}

const LOOPBACK: &str = "127.0.0.1";
const SIZE: usize = 3 * 1024 * 1024 + 17;
const HALF: usize = 1_234_567;
