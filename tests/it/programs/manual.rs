//! The complete server in the core's README, built from that page and used by people's clients.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use tempfile::TempDir;

use crate::support::client_program::{SECONDS_MAX, curl, path, sorted_lines};
use crate::support::file_contents::noise;
use crate::support::process::{self, Finished};

#[test]
fn the_server_of_the_manual_serves_and_keeps_its_root() {
    let place = TempDir::new().expect("a directory");
    fs::create_dir_all(place.path().join("served/sub")).expect("directories");
    fs::write(place.path().join("served/sub/large"), noise(SIZE)).expect("a file");
    fs::write(place.path().join("served/text"), "one\ntwo\n").expect("a file");
    fs::write(place.path().join("secret"), "not served").expect("a file");
    let link = place.path().join("served/link");
    std::os::unix::fs::symlink("../secret", link).expect("a link");
    let pipe = place.path().join("served/pipe");
    process::run(Command::new("mkfifo").arg(pipe), SECONDS_MAX).expect_success();
    let server = Server::start(&place.path().join("served"));

    let names = server.curl("/", &["--list-only"]).expect_success();
    assert_eq!(sorted_lines(&names), ["link", "pipe", "sub", "text"]);
    let matching = server.curl("/", &["--quote", "NLST"]);
    assert!(!matching.succeeded(), "no data connection was set up");
    let large = server.curl("/sub/large", &[]).expect_success();
    assert!(large.stdout == noise(SIZE), "the file came back changed");
    let rest = server.curl("/sub/large", &["--continue-at", "5"]);
    assert!(rest.expect_success().stdout == noise(SIZE)[5..]);
    let text = server.curl("/text", &["--disable-epsv"]);
    assert_eq!(text.expect_success().stdout, b"one\ntwo\n");

    for (target, flags) in [
        ("/link", &[][..]),
        ("/../secret", &["--path-as-is"]),
        ("/missing", &[]),
        ("/pipe", &[]),
        ("/text", &["--user", "bob:wrong"]),
        ("/new", &["--upload-file", "/dev/null"]),
    ] {
        server.curl(target, flags).expect_failure();
    }
    let more = server.curl("/text", &[]).expect_success();
    assert_eq!(more.stdout, b"one\ntwo\n", "the server goes on");
}

struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Builds the program on the page and starts it.
    fn start(served: &Path) -> Self {
        let program = build();
        let mut child = process::start(Command::new(program).arg(path(served)));
        let stderr = child.stderr.take().expect("its output");
        let line = BufReader::new(stderr).lines().next();
        let line = line.expect("a line").expect("text");
        let address = line.strip_prefix("listening on ").expect("an address");
        Self {
            address: address.to_owned(),
            child,
        }
    }

    fn curl(&self, target: &str, flags: &[&str]) -> Finished {
        let url = format!("ftp://{}{target}", self.address);
        let mut command = curl();
        command.args(["--user", "bob:secret"]).args(flags).arg(url);
        process::run(&mut command, SECONDS_MAX)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It serves until it is ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_server_of_the_manual_is_short() {
    let lines = program().lines().count();
    assert!(lines <= LINES_MAX, "{lines} lines");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The program on the page.
fn program() -> String {
    let page = fs::read_to_string(root().join("ftp-proto/README.md")).expect("the manual");
    let program = page.split("\n```rust\n").nth(1).expect("a program");
    let program = program.split("\n```\n").next().expect("its end");
    program.to_owned()
}

/// A package with the page's program, built as a stranger would build it.
fn build() -> PathBuf {
    let root = root();
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("manual");
    fs::create_dir_all(package.join("src")).expect("a directory");
    fs::write(package.join("src/main.rs"), program()).expect("the program");
    fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).expect("the versions");
    let core = root.join("ftp-proto");
    let manifest = format!(
        "[package]\nname = \"manual\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         ftp-proto = {{ path = {:?}, features = [\"std\"] }}\n",
        path(&core)
    );
    fs::write(package.join("Cargo.toml"), manifest).expect("the manifest");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--offline", "--quiet", "--target-dir", "target"]);
    process::run(cargo.current_dir(&package), SECONDS_MAX).expect_success();
    package.join("target/debug/manual")
}

const SIZE: usize = 3_000_000;

/// More would not be read.
const LINES_MAX: usize = 150;
