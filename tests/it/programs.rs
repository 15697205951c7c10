//! Client programs that people have, against the real binary on loopback.
//!
//! Each story compares what arrived with what was sent, byte for byte and in both directions, and then reads in
//! the server's log which commands the client really used: a client that quietly falls back to another kind of data
//! connection, or fetches a file anew instead of resuming it, fails its test. The ways that a client has to resume
//! differ; what cannot be told to it is missing in its story, not in a list of exceptions.

mod client_certificates;
mod dialogue;
mod fetchers;
mod filezilla;
mod ftp;
mod lftp;
mod libraries;
mod listings;
mod suppaftp;
mod tls;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::clients::{NAMES, PASSWORD, USER, path, url_byte};
use crate::support::file_contents::noise;
use crate::support::process::{self, Finished};
use crate::support::server::Server;

use dialogue::Dialogue;

/// A server that logs each command, its directory, and a directory that is the client's home and all it knows.
struct Site {
    server: Server,
    directory: TempDir,
    address: SocketAddr,
}

impl Site {
    fn loopback() -> Self {
        Self::listening_on("127.0.0.1")
    }

    fn listening_on(host: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        Self::with(directory, host, &[])
    }

    fn with(directory: TempDir, host: &str, extra: &[&str]) -> Self {
        let root = directory.path().join("root");
        fs::create_dir(&root).expect("the root");
        fs::create_dir(directory.path().join("work")).expect("the client's directory");
        let common = ["-i", host, "-p", "0", "-d", path(&root), "-w", "--debug"];
        let server = Server::start(&[&common[..], &["-u", USER, "-P", PASSWORD], extra].concat());
        let address = server.address;
        Self {
            server,
            directory,
            address,
        }
    }

    /// Ends the server; what it wrote down is the evidence of what the client did.
    #[track_caller]
    fn finish(self) -> Dialogue {
        Dialogue::new(self.server.finish(&[PASSWORD]))
    }

    fn root(&self, name: &str) -> PathBuf {
        self.directory.path().join("root").join(name)
    }

    fn work(&self, name: &str) -> PathBuf {
        self.directory.path().join("work").join(name)
    }

    fn host(&self) -> String {
        self.address.ip().to_string()
    }

    fn port(&self) -> String {
        self.address.port().to_string()
    }

    /// The URL of a path that begins with a slash, without user and password.
    fn url(&self, name: &str) -> String {
        let encoded: String = name.bytes().map(url_byte).collect();
        format!("ftp://{}{encoded}", self.address)
    }

    /// A program in the client's directory, without this machine's settings.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command
            .current_dir(self.work(""))
            .env("HOME", self.work(""))
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "dumb");
        for setting in SETTINGS {
            command.env_remove(setting);
        }
        command
    }

    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str]) -> Finished {
        process::run(self.program(program).args(arguments), SECONDS_MAX)
    }

    /// The sample in `place`, whole.
    fn sample_in(place: &Path) {
        fs::write(place, noise(SIZE)).expect("the sample");
    }

    /// The sample's beginning in `place`, as an interrupted transfer leaves it: newer than the whole sample.
    fn part_in(place: &Path) {
        fs::write(place, &noise(SIZE)[..HALF]).expect("a partial file");
        let later = SystemTime::now() + Duration::from_secs(2);
        let part = fs::File::options().write(true).open(place);
        part.and_then(|file| file.set_modified(later))
            .expect("a later date");
    }
}

/// A directory with everything that makes listings hard to read: odd names, depth, an empty file, an empty
/// directory.
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
            let content = match place.is_dir() {
                true => None,
                false => Some(fs::read(&place).expect("a file")),
            };
            if content.is_none() {
                ahead.push(place);
            }
            found.insert(name, content);
        }
    }
    found
}

/// The lines of what a program printed, sorted.
fn sorted_lines(finished: &Finished) -> Vec<String> {
    let text = String::from_utf8_lossy(&finished.stdout);
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// All names, sorted, as a listing of the directory should bring them.
fn sorted_names() -> Vec<String> {
    let mut names: Vec<_> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    names.sort();
    names
}

const SIZE: usize = 3 * 1024 * 1024 + 17;
const HALF: usize = 1_234_567;
const SECONDS_MAX: u64 = 60;
/// Environment variables that change what these clients do.
const SETTINGS: [&str; 10] = [
    "ftp_proxy",
    "FTP_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "FTPMODE",
    "FTPANONPASS",
    "FTPSERVER",
    "FTPUSER",
    "WGETRC",
    "LFTP_HOME",
];
