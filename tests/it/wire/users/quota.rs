//! Quotas: exact under parallel sessions, and known after a restart, a crash, or a change by
//! others.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use super::{log_in, write_users};
use crate::support::client::{Client, Reply};
use crate::support::client_program::path;
use crate::support::process::{self, Finished};
use crate::support::server::{self, Program, Setup, TestServer};
use crate::support::wait::wait_until;

/// What stays when a server ends: the users file, the homes, and the state directory.
struct Office {
    directory: TempDir,
}

impl Office {
    fn new(lines: &[&str], tree: &[&str]) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let office = Self { directory };
        for name in ["homes", "state"].iter().chain(tree) {
            fs::create_dir_all(office.path(name)).expect("a directory");
        }
        office.rewrite(lines);
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What unfinished uploads into this directory have received.
    fn unfinished_bytes(&self, directory: &str) -> u64 {
        let entries = fs::read_dir(self.path(directory)).expect("a directory");
        let entries = entries.map(|entry| entry.expect("an entry"));
        let pieces = entries.filter(|entry| {
            let name = entry.file_name();
            name.to_string_lossy().starts_with(".ftp-upload.")
        });
        pieces
            .filter_map(|piece| Some(piece.metadata().ok()?.len()))
            .sum()
    }

    fn rewrite(&self, lines: &[&str]) {
        write_users(&self.path("users"), &self.path("homes"), lines);
    }

    fn flags(&self) -> [String; 6] {
        let users = path(&self.path("users")).to_owned();
        ["-i", "127.0.0.1", "-p", "0", "--users", &users].map(str::to_owned)
    }

    fn serve(&self, flags: &[&str]) -> TestServer<Program> {
        let setup = Setup::from_flags_alone().flags(&self.flags()).flags(flags);
        let setup = setup.wrapped(|mut serve| {
            serve.env("STATE_DIRECTORY", self.path("state"));
            serve
        });
        setup.program()
    }

    /// The same once the homes have been counted: nothing disturbs that.
    fn serve_counted(&self, flags: &[&str]) -> TestServer<Program> {
        let server = self.serve(flags);
        server.log_with(" files and directories");
        server
    }

    fn recount(&self) -> Finished {
        let mut command: Command = server::command(&self.flags());
        command.arg("--recount");
        command.env("STATE_DIRECTORY", self.path("state"));
        process::run(&mut command, 20)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path("homes").join(name)).expect("a file")
    }
}

fn client(server: &TestServer<Program>, name: &str) -> Client {
    let mut client = Client::greeted(server.address);
    assert_eq!(log_in(&mut client, name).code, 230);
    client.command("TYPE I", 200);
    client
}

/// The final reply to an upload.
fn store(client: &mut Client, command: &str, bytes: usize) -> Reply {
    let mut data = client.data();
    client.send(command);
    let reply = client.reply();
    if reply.code != 150 {
        return reply;
    }
    // The server may end it early.
    let _ = data.write_all(&vec![b'x'; bytes]);
    drop(data);
    client.reply()
}

const KB: usize = 1024;

const ANNA: &str = "anna:HASH:HOMES/anna:all:quota=100K,5";

#[test]
fn uploads_end_at_the_quota() {
    let office = Office::new(&[ANNA], &["homes/anna"]);
    let server = office.serve_counted(&[]);
    let mut anna = client(&server, "anna");
    assert_eq!(store(&mut anna, "STOR a", 60 * KB).code, 226);
    let reply = store(&mut anna, "STOR b", 41 * KB);
    let left = "552 Quota exceeded: 40960 of 102400 bytes are left; transfer aborted. ";
    assert!(reply.text().starts_with(left), "{}", reply.text());
    // The old file stays, and both are there until the new one is whole.
    let reply = store(&mut anna, "STOR a", 41 * KB);
    assert!(reply.text().starts_with(left), "{}", reply.text());
    assert_eq!(office.read("anna/a").len(), 60 * KB);
    assert_eq!(store(&mut anna, "STOR a", 40 * KB).code, 226);
    assert_eq!(store(&mut anna, "APPE a", 60 * KB).code, 226);
    let full = "552 Quota exceeded: 0 of 102400 bytes are left; delete files first.";
    for command in ["STOR b", "APPE a", "STOU"] {
        assert_eq!(store(&mut anna, command, KB).text(), full, "{command}");
    }
    anna.command("DELE a", 250);
    assert_eq!(store(&mut anna, "STOR b", 100 * KB).code, 226);
    anna.command("DELE b", 250);

    for name in ["d", "d/e", "d/f", "d/g"] {
        anna.command(format!("MKD {name}"), 257);
    }
    assert_eq!(store(&mut anna, "STOR b", 1).code, 226);
    let full = "Quota exceeded: 0 of 5 files are left; delete files first.";
    let reply = anna.command("MKD h", 550);
    assert_eq!(reply.text(), format!("550 {full}"));
    let reply = store(&mut anna, "STOR c", 1);
    assert_eq!(reply.text(), format!("552 {full}"));
    anna.command("RMD d/g", 250);
    assert_eq!(store(&mut anna, "STOR d/c", 1).code, 226);
    // Over another file: there is one less.
    anna.command("RNFR d/c", 350);
    anna.command("RNTO b", 250);
    anna.command("MKD h", 257);
    let log = server.finish();
    assert!(
        log.contains("552 Quota exceeded: 0 of 5 files are left; delete files first. (see option"),
        "{log}"
    );
    assert!(
        log.contains("quota exceeded (see option quota in --users)"),
        "{log}"
    );
}

#[test]
fn clients_learn_what_is_used_and_what_fits() {
    let lines = [
        ANNA,
        "boris:HASH:HOMES/boris:all:max-upload-size=10K",
        "chen:HASH:HOMES/anna:read:quota=1K",
    ];
    let office = Office::new(&lines, &["homes/anna", "homes/boris"]);
    let server = office.serve_counted(&[]);
    let text = |client: &mut Client, line: &str| {
        client.send(line);
        client.reply().text()
    };
    let mut anna = client(&server, "anna");
    let quota = text(&mut anna, "SITE QUOTA");
    assert_eq!(quota, "200 Quota: 0 of 102400 bytes, 0 of 5 files.");
    assert_eq!(store(&mut anna, "STOR a", 60 * KB).code, 226);
    for (line, expected) in [
        (
            "SITE QUOTA",
            "200 Quota: 61440 of 102400 bytes, 1 of 5 files.",
        ),
        ("AVBL", "213 40960"),
        ("AVBL /", "213 40960"),
        ("AVBL a", "550 Not a directory."),
        ("AVBL missing", "550 No such file or directory."),
        ("ALLO 40960", "200 No storage allocation is needed."),
        // It may continue a file, or replace one.
        ("ALLO 40961", "200 Only 40960 bytes can be stored."),
        ("ALLO 102400", "200 Only 40960 bytes can be stored."),
        (
            "ALLO 102401",
            "552 No more than 102400 bytes can be stored.",
        ),
    ] {
        assert_eq!(text(&mut anna, line), expected, "{line}");
    }
    // What another session has sent by now.
    let mut other = client(&server, "anna");
    let mut data = other.data();
    other.command("STOR b", 150);
    data.write_all(&[b'x'; 30 * KB]).expect("sending data");
    wait_until("the bytes are received", || {
        text(&mut anna, "AVBL") == "213 10240"
    });
    let quota = text(&mut anna, "SITE QUOTA");
    assert_eq!(quota, "200 Quota: 92160 of 102400 bytes, 2 of 5 files.");
    drop(data);
    other.expect(226);

    let mut boris = client(&server, "boris");
    let too_large = "552 The file would be larger than this server accepts.";
    assert_eq!(text(&mut boris, "ALLO 10241"), too_large);
    boris.command("ALLO 10240", 200);
    assert_eq!(text(&mut boris, "SITE QUOTA"), "200 Quota: none.");
    let free = text(&mut boris, "AVBL");
    let free: Option<u64> = free.strip_prefix("213 ").and_then(|free| free.parse().ok());
    assert!(free > Some(0), "{free:?}");
    let mut chen = client(&server, "chen");
    chen.command("ALLO 10000", 200);
    chen.command("AVBL", 550);
    let quota = text(&mut chen, "SITE QUOTA");
    assert_eq!(quota, "200 Quota: 92160 of 1024 bytes, 2 files.");
    server.finish();
}

#[test]
fn what_has_to_stay_free_cannot_be_stored() {
    let office = Office::new(&["boris:HASH:HOMES/boris:all"], &["homes/boris"]);
    let server = office.serve(&["--free-space-min", "1000000G"]);
    let mut boris = client(&server, "boris");
    for (line, expected) in [
        ("AVBL", "213 0"),
        ("ALLO 1", "200 Only 0 bytes can be stored."),
    ] {
        boris.send(line);
        assert_eq!(boris.reply().text(), expected);
    }
    server.finish();
}

/// All of them have begun when the first one ends: one more than fit is too much.
#[test]
fn parallel_uploads_share_the_quota() {
    let lines = [
        "anna:HASH:HOMES/home:all:quota=100K",
        "boris:HASH:HOMES/home:all:quota=120K",
        "chen:HASH:HOMES/home:all",
    ];
    let office = Office::new(&lines, &["homes/home"]);
    let server = office.serve_counted(&[]);
    let mut clients: Vec<Client> = (0..6).map(|_| client(&server, "anna")).collect();
    let begun: Vec<TcpStream> = clients
        .iter_mut()
        .enumerate()
        .map(|(number, client)| {
            let data = client.data();
            client.command(format!("STOR file{number}"), 150);
            data
        })
        .collect();
    std::thread::scope(|scope| {
        for mut data in begun {
            scope.spawn(move || data.write_all(&[b'x'; 60 * KB]));
        }
    });
    let codes: Vec<u16> = clients
        .iter_mut()
        .map(|client| client.reply().code)
        .collect();
    let stored = codes.iter().filter(|code| **code == 226).count();
    // If two were in the middle of the quota at once, neither may have got through.
    assert!(stored <= 1, "{codes:?}");
    assert!(
        codes.iter().all(|code| [226, 552].contains(code)),
        "{codes:?}"
    );
    if stored == 0 {
        assert_eq!(store(&mut clients[0], "STOR file", 60 * KB).code, 226);
    }
    // One count for the home, with the limit of each.
    assert_eq!(store(&mut clients[0], "STOR more", 41 * KB).code, 552);
    let mut boris = client(&server, "boris");
    assert_eq!(store(&mut boris, "STOR more", 60 * KB).code, 226);
    let mut chen = client(&server, "chen");
    assert_eq!(store(&mut chen, "STOR without", 100 * KB).code, 226);
    assert_eq!(store(&mut boris, "APPE more", 1).code, 552);
    chen.command("DELE without", 250);
    chen.command("DELE more", 250);
    assert_eq!(store(&mut clients[0], "STOR more", 40 * KB).code, 226);
    server.finish();
}

#[test]
fn a_broken_upload_counts_what_it_leaves() {
    let office = Office::new(&[ANNA], &["homes/anna"]);
    office.recount().expect_success();
    for (flag, left) in [("discard", 100), ("keep", 40)] {
        let server = office.serve(&["--broken-uploads", flag]);
        let mut broken = client(&server, "anna");
        let mut data = broken.data();
        broken.command("STOR piece", 150);
        data.write_all(&[b'x'; 60 * KB]).expect("sending data");
        let mut anna = client(&server, "anna");
        wait_until("the bytes are received", || {
            office.unfinished_bytes("homes/anna") == 60 * KB as u64
        });
        assert_eq!(store(&mut anna, "STOR other", 41 * KB).code, 552);
        drop((data, broken));
        wait_until("the upload has ended", || {
            store(&mut anna, "STOR other", left * KB).code == 226
        });
        assert_eq!(store(&mut anna, "APPE other", 1).code, 552);
        anna.command("DELE other", 250);
        server.finish();
    }
}

#[test]
fn the_count_is_known_after_a_restart() {
    let office = Office::new(&[ANNA], &["homes/anna"]);
    let server = office.serve(&[]);
    server.log_with("homes/anna has 0 bytes in 0 files and directories");
    assert_eq!(
        store(&mut client(&server, "anna"), "STOR a", 60 * KB).code,
        226
    );
    server.finish();
    // It is not counted: what others have changed is not known.
    let other = office.path("homes/anna/other");
    fs::write(&other, [0; 30 * KB]).expect("a file");
    let server = office.serve(&[]);
    let mut anna = client(&server, "anna");
    assert_eq!(store(&mut anna, "STOR b", 41 * KB).code, 552);
    assert_eq!(store(&mut anna, "STOR b", 40 * KB).code, 226);
    anna.command("DELE b", 250);
    // With SIGHUP it is.
    server.signal(Signal::HUP);
    server.log_with("homes/anna has 92160 bytes in 2 files and directories");
    assert_eq!(store(&mut anna, "STOR b", 11 * KB).code, 552);
    server.finish();

    fs::remove_file(&other).expect("no file");
    let counted = office.recount().expect_success();
    let text = String::from_utf8_lossy(&counted.stdout);
    let row = text.lines().nth(1).unwrap_or_default();
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(
        (words[0], &words[2..4]),
        ("anna", &["61440", "1"][..]),
        "{text}"
    );
    let server = office.serve(&[]);
    let running = office.recount().expect_failure();
    assert!(
        running.text().contains("a server runs"),
        "{}",
        running.text()
    );
    let mut anna = client(&server, "anna");
    assert_eq!(store(&mut anna, "STOR b", 41 * KB).code, 552);
    assert_eq!(store(&mut anna, "STOR b", 40 * KB).code, 226);
    let log = server.finish();
    assert!(
        !log.contains("files and directories"),
        "counted again: {log}"
    );
}

/// A server without quotas has changed the home meanwhile, or this one has before the file had one.
#[test]
fn counts_of_before_a_time_without_quotas_do_not_hold() {
    let office = Office::new(&[ANNA], &["homes/anna"]);
    office.serve_counted(&[]).finish();
    office.rewrite(&["anna:HASH:HOMES/anna:all"]);
    let server = office.serve(&[]);
    let mut anna = client(&server, "anna");
    assert_eq!(store(&mut anna, "STOR a", 60 * KB).code, 226);
    office.rewrite(&[ANNA]);
    server.log_with("homes/anna has 61440 bytes in 1 files and directories");
    assert_eq!(store(&mut anna, "STOR b", 41 * KB).code, 552);
    server.finish();

    office.rewrite(&["anna:HASH:HOMES/anna:all"]);
    let server = office.serve(&[]);
    let mut anna = client(&server, "anna");
    assert_eq!(store(&mut anna, "STOR b", 60 * KB).code, 226);
    server.finish();
    office.rewrite(&[ANNA]);
    let server = office.serve(&[]);
    server.log_with("homes/anna has 122880 bytes in 2 files and directories");
    server.finish();
}

/// The state directory may lie in a home.
#[test]
fn clients_do_not_see_the_stored_counts() {
    let office = Office::new(&[ANNA], &["homes/anna"]);
    fs::remove_dir(office.path("state")).expect("no directory");
    symlink(office.path("homes/anna"), office.path("state")).expect("a link");
    let server = office.serve_counted(&[]);
    let mut anna = client(&server, "anna");
    assert_eq!(anna.fetch("NLST"), b"");
    anna.command("DELE quota", 550);
    for name in ["quota", "quota.new"] {
        assert_ne!(store(&mut anna, &format!("STOR {name}"), 1).code, 226);
    }
    assert!(office.read("anna/quota").starts_with(b"quota 1 in use"));
    server.finish();
}

#[test]
fn a_killed_server_has_its_homes_counted() {
    let office = Office::new(&[ANNA], &["homes/anna"]);
    let server = office.serve_counted(&[]);
    let mut anna = client(&server, "anna");
    assert_eq!(store(&mut anna, "STOR a", 60 * KB).code, 226);
    let mut data = anna.data();
    anna.command("STOR b", 150);
    data.write_all(&[b'x'; 20 * KB]).expect("sending data");
    server.signal(Signal::KILL);
    server.ended();
    let server = office.serve(&[]);
    server.log_with("homes/anna has 61440 bytes in 1 files and directories");
    let mut anna = client(&server, "anna");
    assert_eq!(store(&mut anna, "STOR c", 41 * KB).code, 552);
    assert_eq!(store(&mut anna, "STOR c", 40 * KB).code, 226);
    server.finish();
}

/// Also for an upload that runs.
#[test]
fn a_reload_changes_the_quota() {
    let office = Office::new(&[ANNA], &["homes/anna"]);
    let server = office.serve_counted(&[]);
    let mut anna = client(&server, "anna");
    let mut data = anna.data();
    anna.command("STOR a", 150);
    data.write_all(&[b'x'; 60 * KB]).expect("sending data");
    office.rewrite(&["anna:HASH:HOMES/anna:all:quota=200K"]);
    server.signal(Signal::HUP);
    server.log_with("reloaded the settings");
    data.write_all(&[b'x'; 60 * KB]).expect("sending data");
    drop(data);
    anna.expect(226);
    office.rewrite(&[
        "anna:HASH:HOMES/anna:all:quota=100K",
        "boris:HASH:HOMES/b:all:quota=1K",
    ]);
    server.signal(Signal::HUP);
    wait_until("the smaller quota", || {
        store(&mut anna, "STOR b", 1).code == 552
    });
    // The home of a new user may come later.
    fs::create_dir(office.path("homes/b")).expect("a directory");
    let mut boris = client(&server, "boris");
    assert_eq!(store(&mut boris, "STOR b", 2 * KB).code, 552);
    server.finish();
}

/// Counts that cannot be stored are made at each start.
#[test]
fn a_server_without_a_state_directory_counts() {
    let office = Office::new(&[ANNA], &["homes/anna"]);
    fs::remove_dir(office.path("state")).expect("no directory");
    fs::write(office.path("state"), "").expect("a file");
    fs::write(office.path("homes/anna/a"), [0; 60 * KB]).expect("a file");
    for _ in 0..2 {
        let server = office.serve(&[]);
        server.log_with("cannot store what quotas count in");
        server.log_with("homes/anna has 61440 bytes in 1 files and directories");
        let mut anna = client(&server, "anna");
        assert_eq!(store(&mut anna, "STOR b", 41 * KB).code, 552);
        server.finish();
    }
}

#[test]
fn quotas_in_the_sandbox() {
    let office = Office::new(&[ANNA], &["homes/anna"]);
    for has_stored in [false, true] {
        let server = if has_stored {
            office.serve(&["--sandbox"])
        } else {
            office.serve_counted(&["--sandbox"])
        };
        let mut anna = client(&server, "anna");
        let code = if has_stored { 552 } else { 226 };
        assert_eq!(store(&mut anna, "STOR a", 100 * KB).code, code);
        let log = server.finish();
        assert!(!log.contains("cannot store what quotas count"), "{log}");
    }
    let stored = fs::read_to_string(office.path("state/quota")).expect("the counts");
    assert!(stored.contains(" complete"), "{stored}");
    assert!(stored.contains("\n102400 1 "), "{stored}");
}
