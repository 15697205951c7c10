//! The log in a file: rotated by logrotate, on a full disk, after rights were given up.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::process::{self, mounting};
use crate::support::server::{self, Program, Setup, TestServer};
use crate::support::wait::wait_until;

/// A directory for logs, in which only its owner may make files, and the log in it.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("a mode");
        Self { directory }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    fn flags(&self) -> [String; 2] {
        ["--log-file".to_owned(), path(&self.file("log")).to_owned()]
    }

    /// A server with its log on a small disk, which is full of lines, and a client.
    fn serve_until_full(&self, flags: &[&str]) -> (TestServer<Program>, Client) {
        let directory = self.directory.path().to_owned();
        let setup = Setup::new().flags(&self.flags()).flags(&["--debug"]);
        let setup = setup.flags(flags).wrapped(|serve| {
            let script = "mount -t tmpfs -o size=16k none \"$0\"";
            mounting(script, &[&directory], &serve)
        });
        let server = setup.program();
        let mut client = server.client();
        for number in 0..300 {
            client.command(format!("ALLO {number} {}", "x".repeat(200)), 501);
        }
        (server, client)
    }

    /// Waits until the log has this.
    #[track_caller]
    fn log_with(&self, text: &str) -> String {
        wait_until(&format!("{text} is in the log"), || {
            self.read("log").contains(text)
        });
        self.read("log")
    }

    /// Has logrotate rotate the log by these directives.
    fn rotate(&self, directives: &str) {
        let config = self.file("logrotate.conf");
        let text = format!(
            "{} {{\nrotate 3\nsu root root\n{directives}\n}}\n",
            path(&self.file("log"))
        );
        fs::write(&config, text).expect("a file");
        fs::set_permissions(&config, Permissions::from_mode(0o600)).expect("a mode");
        let mut logrotate = Command::new("logrotate");
        logrotate
            .args(["--force", "--state"])
            .arg(self.file("state"));
        process::run(logrotate.arg(&config), 30).expect_success();
    }
}

/// What a unit of a distribution would have.
fn create(owner: &str, server: &TestServer<Program>) -> String {
    let pid = server.id();
    format!("create 0640 {owner}\npostrotate\nkill -HUP {pid}\nendscript")
}

#[test]
fn the_log_goes_to_the_file_and_its_port_to_stderr_too() {
    let place = Place::new();
    fs::write(place.file("log"), "an older line\n").expect("a file");
    let server = Setup::new().flags(&place.flags()).program();
    server.client().command("MKD d", 257);
    place.log_with(" tester@127.0.0.1 MKD /d\n");
    let stderr = server.finish();
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{stderr}");
    assert!(
        lines[0].contains(" INFO  listening on 127.0.0.1:"),
        "{stderr}"
    );
    let log = place.read("log");
    assert!(log.starts_with("an older line\n20"), "{log}");
    assert!(log.contains(" INFO  listening on 127.0.0.1:"), "{log}");
    assert!(log.ends_with(" INFO  ended\n"), "{log}");
}

#[test]
fn logrotate_moves_the_log_away() {
    let place = Place::new();
    let server = Setup::new().flags(&place.flags()).program();
    let mode = fs::metadata(place.file("log")).expect("the log").mode();
    assert_eq!(mode & 0o137, 0, "{mode:o}");
    server.client().command("MKD before", 257);
    place.log_with("MKD /before");
    place.rotate(&create("root root", &server));
    // The line about it is written to the new file, once that is open.
    place.log_with("reloaded the settings");
    server.client().command("MKD after", 257);
    let log = place.log_with("MKD /after");
    assert!(!log.contains("MKD /before"), "{log}");
    assert!(place.read("log.1").contains("MKD /before"));
    server.finish();
}

#[test]
fn logrotate_copies_and_truncates_the_log() {
    let place = Place::new();
    let server = Setup::new().flags(&place.flags()).program();
    server.client().command("MKD before", 257);
    place.log_with("MKD /before");
    place.rotate("copytruncate");
    server.client().command("MKD after", 257);
    let log = place.log_with("MKD /after");
    // Without O_APPEND there would be a hole of zeros in front.
    assert!(
        log.starts_with("20") && !log.contains("MKD /before"),
        "{log}"
    );
    assert!(place.read("log.1").contains("MKD /before"));
    server.finish();
}

#[test]
fn the_sandbox_lets_the_log_be_rotated() {
    let place = Place::new();
    let setup = Setup::new().flags(&place.flags()).flags(&["--sandbox"]);
    let server = setup.program();
    server.client().command("MKD before", 257);
    place.log_with("MKD /before");
    place.rotate(&create("root root", &server));
    place.log_with("reloaded the settings");
    server.client().command("MKD after", 257);
    place.log_with("MKD /after");
    assert!(place.read("log.1").contains("MKD /before"));
    server.finish();
}

/// The server has become another user, who may not make files there.
#[test]
fn a_server_without_rights_says_what_the_new_file_needs() {
    let place = Place::new();
    let setup = Setup::new().flags(&place.flags());
    let setup = setup.flags(&["--run-as", "daemon:daemon"]);
    chown(setup.root(), Some(DAEMON), Some(DAEMON)).expect("another owner: run as root");
    let server = setup.program();
    let own = fs::metadata(place.file("log")).expect("the log");
    assert_eq!((own.uid(), own.gid()), (DAEMON, DAEMON));
    // A reload alone needs no right: the file is the same.
    server.signal(Signal::HUP);
    let log = place.log_with("reloaded the settings");
    assert!(!log.contains("cannot open"), "{log}");

    fs::rename(place.file("log"), place.file("log.1")).expect("a rotation");
    server.signal(Signal::HUP);
    let cure = "have logrotate make the new one for the server's user (create 0640 USER GROUP)";
    wait_until("the log says what is wrong", || {
        place.read("log.1").contains(cure)
    });
    server.client().command("MKD old", 257);
    wait_until("the old log goes on", || {
        place.read("log.1").contains("MKD /old")
    });
    assert!(!place.file("log").exists());

    // What the line says.
    fs::write(place.file("log"), "").expect("a file");
    place.rotate(&create("daemon daemon", &server));
    server.client().command("MKD new", 257);
    place.log_with("MKD /new");
    server.finish();
}

#[test]
fn a_disk_without_room_stops_no_session() {
    let place = Place::new();
    let (server, mut client) = place.serve_until_full(&[]);
    let shown =
        server.log_with(": No space left on device; lines are lost until it can be written");
    assert_eq!(
        shown.matches("cannot write --log-file").count(),
        1,
        "{shown}"
    );
    client.store("STOR file", "text");
    assert_eq!(client.fetch("RETR file"), b"text");
    let log = server.seen(&place.file("log"));
    fs::write(&log, "").expect("room again");
    client.command("NOOP", 200);
    wait_until("the log says how many lines are lost", || {
        let log = fs::read_to_string(&log).expect("the log");
        log.contains(" WARN  lost log lines: ") && log.contains(" (No space left on device)\n")
    });
    server.finish();
}

/// The log is no place for what is wrong with the other file: it is on the same disk.
#[test]
fn two_files_on_a_full_disk_have_a_line_each() {
    let place = Place::new();
    let transfers = place.file("transfers");
    let flags = ["--xferlog", path(&transfers)];
    let (server, mut client) = place.serve_until_full(&flags);
    server.log_with("cannot write --log-file ");
    for name in ["one", "two"] {
        client.store(format!("STOR {name}"), "text");
    }
    server.log_with("cannot write --xferlog ");
    fs::write(server.seen(&place.file("log")), "").expect("room again");
    client.store("STOR three", "text");
    server.log_with(&format!("INFO  --xferlog {} can be", transfers.display()));
    client.command("NOOP", 200);
    server.log_with("INFO  --log-file ");
    wait_until("the line of the last upload", || {
        let written = fs::read_to_string(server.seen(&transfers)).expect("the file");
        written.contains("/three")
    });
    let log = server.finish();
    for flag in ["--log-file", "--xferlog"] {
        let count = |text: &str| {
            let lines = log.lines().filter(|line| line.contains(flag));
            lines.filter(|line| line.contains(text)).count()
        };
        let counts = ["cannot write ", "can be written again"].map(count);
        assert_eq!(counts, [1, 1], "{flag}\n{log}");
    }
}

#[test]
fn a_log_that_cannot_be_opened_is_refused() {
    let place = Place::new();
    fs::create_dir(place.file("directory")).expect("a directory");
    let fails = |flags: &[&str], text: &str| {
        let found = process::run(&mut server::command(flags), 20);
        found.expect_refusal(text);
    };
    let (directory, log) = (place.file("directory"), place.file("log"));
    let missing = place.file("missing/log");
    for flag in ["--log-file", "--xferlog"] {
        fails(&[flag, path(&directory)], "a directory; give a file in it");
        fails(
            &[flag, path(&missing)],
            "make it, or give a file in another one",
        );
    }
    fails(
        &["--log-file", path(&log), "--log-format", "journald"],
        "--log-format journald: journald reads no file; give text or json",
    );
    fails(
        &["--log-file", path(&log), "--xferlog", path(&log)],
        "is the file of --log-file too; give another one",
    );
    let pipe = place.file("pipe");
    process::run(Command::new("mkfifo").arg(&pipe), 10).expect_success();
    for flag in ["--log-file", "--xferlog"] {
        let flags = ["-p", "0", "-i", "127.0.0.1", flag, path(&pipe)];
        fails(&flags, "it is not a file; give a file that the user");
    }
    // An error at the start is in both.
    let flags = ["-p", "1", "-i", "192.0.2.1", "--log-file", path(&log)];
    fails(&flags, "cannot listen on 192.0.2.1");
    let log = place.read("log");
    assert!(
        log.contains(" ERROR ftp-server-sync: cannot listen on 192.0.2.1"),
        "{log}"
    );
}

/// The directory of the log is gone, and the log with it.
#[test]
fn a_reload_that_fails_has_its_line_on_stderr_too() {
    let place = Place::new();
    let (logs, config) = (place.file("logs"), place.file("ftp.conf"));
    fs::create_dir(&logs).expect("a directory");
    let text = format!("log-file {}\n", path(&logs.join("log")));
    fs::write(&config, text).expect("a file");
    let flags = ["--config", path(&config)];
    let server = Setup::new().flags(&flags).program();
    fs::remove_dir_all(&logs).expect("the directory is removed");
    server.signal(Signal::HUP);
    let log = server.log_with("not reloading, the old settings stay: ");
    assert!(
        log.contains("logs/log: the directory of this file: "),
        "{log}"
    );
    server.finish();
}

#[test]
fn one_file_does_not_hold_both_kinds_of_lines() {
    let place = Place::new();
    let log = place.file("log");
    for (other, target) in [("link", "log"), ("directory", ".")] {
        symlink(target, place.file(other)).expect("a link");
    }
    let refused = |name: &str| {
        let other = place.file(name);
        let flags = ["--log-file", path(&log), "--xferlog", path(&other)];
        let found = process::run(&mut server::command(&flags), 20);
        found.expect_refusal("is the file of --log-file too; give another one");
    };
    refused("directory/log");
    fs::write(&log, "").expect("a file");
    for name in ["link", "directory/log", "directory/link"] {
        refused(name);
    }
}

/// Clients may not read who else is there, nor write what happened.
#[test]
fn clients_do_not_see_the_logs() {
    let setup = Setup::new();
    let files = ["log", "transfers"].map(|name| setup.root().join(name));
    let flags = ["--log-file", path(&files[0]), "--xferlog", path(&files[1])];
    let server = setup.flags(&flags).program();
    let mut client = server.client();
    client.store("STOR own", "text");
    assert_eq!(client.fetch("NLST"), b"own\r\n");
    for name in ["log", "transfers"] {
        client.command(format!("SIZE {name}"), 550);
        client.command(format!("DELE {name}"), 550);
        client.passive();
        client.command(format!("RETR {name}"), 550);
        client.command(format!("APPE {name}"), 550);
        client.command(format!("RNFR {name}"), 550);
    }
    assert!(files.iter().all(|file| Path::new(file).exists()));
    server.finish();
}

/// The number of the user and of the group daemon.
const DAEMON: u32 = 1;
