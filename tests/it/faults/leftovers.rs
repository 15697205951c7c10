//! Temporary files: no client sees one, living ones are left alone, and dead ones are removed.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use super::{begin, expect_no_leftovers, leftovers, serve};
use crate::support::client::Client;
use crate::support::fault::KernelTrace;
use crate::support::server::{Program, TestServer};
use crate::support::wait::wait_until;

/// Names that a server gives its temporary files, here or on another machine.
const NAMES: [&str; 3] = [
    ".ftp-upload.1-1.part",
    ".ftp-upload.4194304-18446744073709551615.part",
    ".ftp-upload.77-0.part",
];

#[test]
fn temporary_files_are_not_listed() {
    let server = TestServer::program(&[]);
    fs::create_dir(server.path("d")).expect("a directory");
    server.write("d/file", "text");
    let _living = NAMES.map(|name| lock(&server.path("d").join(name)));
    let mut writer = server.client();
    let data = begin(&mut writer, "STOR d/new", b"the beginning");
    assert_eq!(leftovers(&server.path("d")).len(), 4, "three and a new one");
    let mut client = server.client();
    for command in [
        "LIST d",
        "LIST -a d",
        "LIST -la d",
        "LIST -R",
        "NLST d",
        "NLST -a d",
        "NLST -R",
        "NLST d/*",
        "NLST d/.*",
        "NLST -a d/.ftp*",
        "MLSD d",
    ] {
        let text = fetch_if_found(&mut client, command);
        assert!(!text.contains("ftp-upload"), "{command}: {text}");
    }
    for command in ["STAT d", "STAT -a d", "STAT -la d"] {
        let text = client.command(command, 213).text();
        assert!(text.contains("file"), "{command}: {text}");
        assert!(!text.contains("ftp-upload"), "{command}: {text}");
    }
    assert_eq!(fetch_if_found(&mut client, "NLST d"), "d/file\r\n");
    drop(data);
    writer.expect(226);
    assert_eq!(leftovers(&server.path("d")).len(), 3);
    server.finish();
}

/// A listing's text; nothing where the server refuses because it finds nothing.
fn fetch_if_found(client: &mut Client, command: &str) -> String {
    let data = client.data();
    client.send(command);
    let reply = client.reply();
    match reply.code {
        150 => {
            let mut data = data;
            let text = crate::support::data::read_all(&mut data);
            client.expect(226);
            String::from_utf8(text).expect("text")
        }
        450 | 550 => String::new(),
        _ => panic!("{command}: {}", reply.text()),
    }
}

/// Every command answers as if there were no such file, or as if the name could not be had.
#[test]
fn temporary_files_are_not_served_by_name() {
    let server = TestServer::program(&[]);
    fs::create_dir(server.path("d")).expect("a directory");
    server.write("file", "text");
    for exists in [true, false] {
        let existing = if exists { &NAMES[..] } else { &[] };
        let living = existing
            .iter()
            .map(|name| lock(&server.path("d").join(name)));
        let _living: Vec<File> = living.collect();
        for name in NAMES {
            let mut client = server.client();
            client.extended_passive();
            for (verb, code) in REFUSED {
                client.command(format!("{verb} d/{name}"), code);
                client.command("CWD d", 250);
                client.command(format!("{verb} {name}"), code);
                client.command("CDUP", 250);
            }
            client.command("RNFR file", 350);
            client.command(format!("RNTO d/{name}"), 553);
            client.command(format!("MFMT 20200101000000 d/{name}"), 550);
            client.command(format!("SITE CHMOD 600 d/{name}"), 550);
            client.expect_in_step();
            if exists {
                let content = fs::read(server.path("d").join(name)).expect(name);
                assert_eq!(content, b"temporary");
            } else {
                expect_no_leftovers(&server.path("d"));
            }
        }
        for name in NAMES {
            let _ = fs::remove_file(server.path("d").join(name));
        }
    }
    server.finish();
}

/// Names that only begin like one are a user's own.
#[test]
fn similar_names_are_ordinary() {
    let server = TestServer::program(&[]);
    let mut client = server.client();
    for name in [
        ".ftp-upload",
        ".ftp-upload.txt",
        "x.ftp-upload.1-1.part",
        "ftp-upload.1-1.part",
    ] {
        client.store(format!("STOR {name}"), "text");
        client.command(format!("SIZE {name}"), 213);
        client.store("STOR another", "text");
        assert_eq!(client.fetch(format!("RETR {name}")), b"text", "{name}");
    }
    server.finish();
}

#[test]
fn dead_leftovers_are_removed_at_the_next_write() {
    check_removal("STOR");
}

/// It makes a new file too.
#[test]
fn dead_leftovers_are_removed_when_appe_makes_a_file() {
    check_removal("APPE");
}

#[test]
fn dead_leftovers_are_removed_when_stou_makes_a_file() {
    check_removal("STOU");
}

#[track_caller]
fn check_removal(command: &str) {
    let directory = TempDir::new().expect("a temporary directory");
    let root = directory.path();
    for name in ["d", "e"] {
        fs::create_dir(root.join(name)).expect("a directory");
        for leftover in NAMES {
            fs::write(root.join(name).join(leftover), "temporary").expect("a file");
        }
    }
    let living = lock(&root.join("d/.ftp-upload.1-2.part"));
    let server = serve(root, &[]);
    let mut client = Client::logged_in(server.address);
    client.fetch("LIST d");
    client.fetch("NLST e");
    client.store(format!("{command} d/file"), "text");
    assert_eq!(leftovers(&root.join("d")), [".ftp-upload.1-2.part"]);
    assert_eq!(leftovers(&root.join("e")).len(), NAMES.len());
    client.store(format!("{command} e/file"), "text");
    expect_no_leftovers(&root.join("e"));
    drop(living);
    let log = server.finish();
    for name in NAMES {
        let line = format!("removed /e/{name}, which a crash left of an upload\n");
        assert!(log.contains(&line), "{log}");
    }
}

/// A directory with many files is not read for each of them.
#[test]
fn leftovers_are_looked_for_once() {
    let server = TestServer::program(&[]);
    fs::create_dir(server.path("d")).expect("a directory");
    let mut client = server.client();
    for directory in [".", "d"] {
        for is_first in [true, false] {
            let trace = KernelTrace::start(server.id(), "getdents,getdents64");
            client.store(format!("STOR {directory}/{is_first}"), "text");
            // The last part of a directory is the empty one.
            let readings = trace.end();
            assert_eq!(readings, usize::from(is_first), "{directory}: {is_first}");
        }
    }
    server.finish();
}

/// What carries such a name and is no file of a server is not touched.
#[test]
fn only_plain_files_are_leftovers() {
    let directory = TempDir::new().expect("a temporary directory");
    let root = directory.path();
    fs::create_dir_all(root.join(".ftp-upload.1-1.part/inner")).expect("a directory");
    fs::write(root.join("precious"), "text").expect("a file");
    symlink("precious", root.join(".ftp-upload.1-2.part")).expect("a link");
    let server = serve(root, &[]);
    let mut client = Client::logged_in(server.address);
    client.store("STOR file", "text");
    assert_eq!(fs::read(root.join("precious")).expect("the file"), b"text");
    assert!(root.join(".ftp-upload.1-1.part/inner").is_dir());
    client.expect_in_step();
    server.finish();
}

/// A client sees an empty directory, so it can remove it.
#[test]
fn a_directory_that_holds_dead_leftovers_only_can_be_removed() {
    let server = TestServer::program(&[]);
    let mut client = server.client();
    for is_written_before in [false, true] {
        client.command("MKD d", 257);
        if is_written_before {
            client.store("STOR d/file", "text");
            client.command("DELE d/file", 250);
        }
        for name in NAMES {
            server.write(&format!("d/{name}"), "temporary");
        }
        client.send("RMD d");
        let reply = client.reply();
        let text = reply.text();
        assert_eq!(
            reply.code, 250,
            "{text}; written before: {is_written_before}"
        );
        assert!(!server.path("d").exists());
    }

    client.command("MKD d", 257);
    let mut writer = server.client();
    let data = begin(&mut writer, "STOR d/file", b"text");
    client.command("RMD d", 550);
    drop(data);
    writer.expect(226);
    assert_eq!(server.read("d/file"), b"text");
    client.command("DELE d/file", 250);
    let living = lock(&server.path("d").join(NAMES[0]));
    client.command("RMD d", 550);
    assert_eq!(leftovers(&server.path("d")), [NAMES[0]]);
    drop(living);
    client.command("RMD d", 250);
    server.finish();
}

/// Two servers share one directory: neither removes what the other one is writing.
#[test]
fn uploads_of_another_server_live() {
    let directory = TempDir::new().expect("a temporary directory");
    let root = directory.path();
    let servers: [TestServer<Program>; 2] = [serve(root, &[]), serve(root, &[])];
    let mut clients = [&servers[0], &servers[1]].map(|server| Client::logged_in(server.address));
    let mut first = begin(&mut clients[0], "STOR first", b"1");
    let second = begin(&mut clients[1], "STOR second", b"2");
    assert_eq!(leftovers(root).len(), 2);
    let mut client = Client::logged_in(servers[1].address);
    let third = begin(&mut client, "STOR third", b"3");
    assert_eq!(leftovers(root).len(), 3);
    drop(third);
    client.expect(226);
    first.write_all(b"11").expect("sending data");
    drop(first);
    drop(second);
    clients
        .iter_mut()
        .for_each(|client| drop(client.expect(226)));
    let read = |name: &str| fs::read(root.join(name)).expect(name);
    assert_eq!(
        (read("first"), read("second")),
        (b"111".to_vec(), b"2".to_vec())
    );
    expect_no_leftovers(root);
    for server in servers {
        server.finish();
    }
}

/// Nor while an upload has just begun, or is about to end: it is alive for its whole life.
#[test]
fn another_server_never_takes_a_living_upload_for_a_dead_one() {
    for calls in ["flock", "rename,renameat,renameat2"] {
        let directory = TempDir::new().expect("a temporary directory");
        let root = directory.path();
        let servers: [TestServer<Program>; 2] = [serve(root, &[]), serve(root, &[])];
        let [mut client, mut other] =
            [&servers[0], &servers[1]].map(|server| Client::logged_in(server.address));
        client.store("STOR first", "text");
        let trace = KernelTrace::delay(servers[0].id(), calls, LATE);
        let mut data = client.data();
        client.command("STOR file", 150);
        data.write_all(b"text").expect("sending data");
        wait_until("the upload has begun", || !leftovers(root).is_empty());
        drop(data);
        // Its first upload: it looks for leftovers.
        other.store("STOR other", "text");
        client.expect(226);
        assert_ne!(trace.end(), 0, "no {calls} has been late");
        assert_eq!(fs::read(root.join("file")).expect("the file"), b"text");
        expect_no_leftovers(root);
        for server in servers {
            server.finish();
        }
    }
}

/// A temporary file that lives as long as this value.
fn lock(path: &Path) -> File {
    fs::write(path, "temporary").expect("a file");
    let file = File::open(path).expect("a file");
    flock(&file, FlockOperation::LockExclusive).expect("a lock");
    file
}

/// Longer than another upload takes.
const LATE: Duration = Duration::from_millis(500);

const REFUSED: [(&str, u16); 16] = [
    ("RETR", 550),
    ("STOR", 553),
    ("APPE", 550),
    ("STOU", 553),
    ("LIST", 550),
    ("NLST", 550),
    ("MLSD", 550),
    ("MLST", 550),
    ("STAT", 550),
    ("SIZE", 550),
    ("MDTM", 550),
    ("DELE", 550),
    ("MKD", 550),
    ("RMD", 550),
    ("CWD", 550),
    ("RNFR", 550),
];
