//! What happens to a name while an upload to it moves. 226 means that the name leads to the bytes.

use std::fs;

use super::{begin, expect_bytes, expect_no_leftovers, expect_no_open_files, other_noise};
use crate::support::data::reset;
use crate::support::file_contents::noise;
use crate::support::server::{Program, TestServer};

/// What another session does meanwhile.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// DELE of the old file.
    Delete,
    /// RNFR and RNTO of the old file.
    Rename,
    /// Another file takes the name.
    Replace,
    /// The directory gets another name, which no one knows who stores the file.
    MoveDirectory,
}

const CHANGES: [Change; 4] = [
    Change::Delete,
    Change::Rename,
    Change::Replace,
    Change::MoveDirectory,
];

impl Change {
    #[track_caller]
    fn perform(self, server: &TestServer<Program>) {
        let mut other = server.client();
        let (from, to) = match self {
            Self::Delete => {
                other.command("DELE d/file", 250);
                return;
            }
            Self::Rename => ("d/file", "d/moved"),
            Self::Replace => {
                server.write("d/other", "other");
                ("d/other", "d/file")
            }
            Self::MoveDirectory => ("d", "moved"),
        };
        other.command(format!("RNFR {from}"), 350);
        other.command(format!("RNTO {to}"), 250);
    }
}

#[test]
fn a_stored_file_has_its_name_whatever_happened_meanwhile() {
    for change in CHANGES {
        let server = TestServer::program(&[]);
        fs::create_dir(server.path("d")).expect("a directory");
        let (old, new) = (noise(200_000), other_noise(300_000));
        server.write("d/file", &old);
        let mut client = server.client();
        let mut data = begin(&mut client, "STOR d/file", &new[..100_001]);
        change.perform(&server);
        std::io::Write::write_all(&mut data, &new[100_001..]).expect("sending data");
        drop(data);
        let reply = client.reply();
        match change {
            Change::Delete | Change::Rename | Change::Replace => {
                assert_eq!(reply.code, 226, "{change:?}: {}", reply.text());
                expect_bytes(&server.read("d/file"), &new, "the new file");
            }
            Change::MoveDirectory => {
                let leads = fs::read(server.path("d/file")).is_ok_and(|found| found == new);
                assert_eq!(reply.code == 226, leads, "{change:?}: {}", reply.text());
                expect_no_leftovers(&server.path("moved"));
            }
        }
        if let Change::Rename = change {
            expect_bytes(&server.read("d/moved"), &old, "the old file");
        }
        if let Ok(true) = fs::exists(server.path("d")) {
            expect_no_leftovers(&server.path("d"));
        }
        client.expect_in_step();
        server.finish();
    }
}

/// These write to the file that had the name, and it has it no more.
#[test]
fn an_appended_file_that_lost_its_name_is_no_success() {
    for change in CHANGES {
        for command in ["APPE", "STOR"] {
            let server = TestServer::program(&[]);
            fs::create_dir(server.path("d")).expect("a directory");
            server.write("d/file", noise(200_000));
            let mut client = server.client();
            if command == "STOR" {
                client.command("REST 100000", 350);
            }
            let data = begin(&mut client, &format!("{command} d/file"), b"new");
            change.perform(&server);
            drop(data);
            let reply = client.reply();
            assert!(reply.code >= 400, "{change:?}, {command}: {}", reply.text());
            client.expect_in_step();
            server.finish();
        }
    }
}

/// The same where a program, not a session, changes the name.
#[test]
fn programs_may_change_the_name_meanwhile() {
    let server = TestServer::program(&[]);
    for command in ["STOR", "APPE"] {
        server.write("file", "old ");
        let mut client = server.client();
        let data = begin(&mut client, &format!("{command} file"), b"new");
        fs::remove_file(server.path("file")).expect("no file");
        drop(data);
        let reply = client.reply();
        match command {
            "STOR" => {
                assert_eq!(reply.code, 226, "{}", reply.text());
                assert_eq!(server.read("file"), b"new");
            }
            _ => assert!(reply.code >= 400, "{}", reply.text()),
        }
        expect_no_leftovers(&server.root());
    }
    server.finish();
}

/// There is no place for the file any more.
#[test]
fn programs_may_remove_the_directory_meanwhile() {
    let server = TestServer::program(&[]);
    for command in ["STOR", "APPE"] {
        for exists in [true, false] {
            let directory = format!("{command}-{exists}");
            let name = format!("{directory}/file");
            fs::create_dir(server.path(&directory)).expect("a directory");
            if exists {
                server.write(&name, "old ");
            }
            let mut client = server.client();
            let data = begin(&mut client, &format!("{command} {name}"), b"new");
            fs::remove_dir_all(server.path(&directory)).expect("no directory");
            drop(data);
            let reply = client.reply();
            assert!(reply.code >= 400, "{name}: {}", reply.text());
            assert!(!server.path(&directory).exists(), "{name}");
            client.expect_in_step();
            client.command(format!("MKD {directory}"), 257);
            client.store(format!("STOR {name}"), "text");
            assert_eq!(server.read(&name), b"text");
        }
    }
    expect_no_open_files(&server);
    server.finish();
}

/// Another directory has the path now, so the path does not lead to the bytes, or it does by luck.
#[test]
fn another_directory_may_take_the_path_meanwhile() {
    for command in ["STOR", "APPE"] {
        let server = TestServer::program(&[]);
        fs::create_dir(server.path("d")).expect("a directory");
        server.write("d/file", "old ");
        let mut client = server.client();
        let data = begin(&mut client, &format!("{command} d/file"), b"new");
        let mut other = server.client();
        other.command("RNFR d", 350);
        other.command("RNTO away", 250);
        other.command("MKD d", 257);
        other.store("STOR d/file", "another");
        drop(data);
        let reply = client.reply();
        let leads = server.read("d/file").ends_with(b"new");
        assert_eq!(reply.code == 226, leads, "{command}: {}", reply.text());
        if !leads {
            assert_eq!(server.read("d/file"), b"another", "{command}");
        }
        for directory in ["d", "away"] {
            expect_no_leftovers(&server.path(directory));
        }
        client.expect_in_step();
        server.finish();
    }
}

/// A directory is not replaced by a file.
#[test]
fn a_directory_may_take_the_name_meanwhile() {
    for mode in ["keep", "discard"] {
        let server = TestServer::program(&["--broken-uploads", mode]);
        for is_broken in [false, true] {
            let mut client = server.client();
            let data = begin(&mut client, "STOR name", b"new");
            let mut other = server.client();
            other.command("MKD name", 257);
            if is_broken {
                reset(data);
                client.expect(426);
            } else {
                drop(data);
                let reply = client.reply();
                assert!(reply.code >= 400, "{}", reply.text());
            }
            assert!(server.path("name").is_dir());
            expect_no_leftovers(&server.root());
            expect_no_leftovers(&server.path("name"));
            client.expect_in_step();
            client.command("RMD name", 250);
        }
        server.finish();
    }
}

/// While it arrives, a new file is not there; and it comes as a whole, with one name.
#[test]
fn a_new_file_appears_when_it_is_complete() {
    let server = TestServer::program(&[]);
    let mut client = server.client();
    let mut other = server.client();
    let mut data = begin(&mut client, "STOR file", b"the be");
    other.command("SIZE file", 550);
    assert_eq!(other.fetch("NLST"), b"");
    std::io::Write::write_all(&mut data, b"ginning").expect("sending data");
    drop(data);
    client.expect(226);
    assert_eq!(other.command("SIZE file", 213).text(), "213 13");
    server.finish();
}

/// STOU announces its name, and no one else gets it, also while nothing has come yet.
#[test]
fn stou_never_takes_a_name_that_exists() {
    let server = TestServer::program(&[]);
    server.write("file", "old");
    let mut clients = [server.client(), server.client()];
    let mut announced = Vec::new();
    let mut connections = Vec::new();
    for client in &mut clients {
        connections.push(client.data());
        let opened = client.command("STOU file", 150).text();
        let name = opened.strip_prefix("150 FILE: ").expect("a name");
        announced.push(name.to_owned());
    }
    assert_ne!(announced[0], announced[1]);
    for (mut data, name) in connections.into_iter().zip(&announced) {
        std::io::Write::write_all(&mut data, name.as_bytes()).expect("sending data");
    }
    for (client, name) in clients.iter_mut().zip(&announced) {
        client.expect(226);
        assert_eq!(server.read(name), name.as_bytes());
    }
    assert_eq!(server.read("file"), b"old");
    expect_no_leftovers(&server.root());
    server.finish();
}

#[test]
fn a_text_replaces_a_file_as_a_whole_too() {
    let server = TestServer::program(&[]);
    server.write("file", noise(200_000));
    let mut client = server.client();
    client.command("TYPE A", 200);
    let text = "line\r\n".repeat(50_000);
    let mut data = begin(&mut client, "STOR file", &text.as_bytes()[..100_000]);
    expect_bytes(&server.read("file"), &noise(200_000), "the old file");
    std::io::Write::write_all(&mut data, &text.as_bytes()[100_000..]).expect("sending data");
    drop(data);
    client.expect(226);
    expect_bytes(
        &server.read("file"),
        "line\n".repeat(50_000).as_bytes(),
        "the text",
    );
    // A CR at the very end is written when the upload ends.
    client.store("STOR file", "line\r");
    assert_eq!(server.read("file"), b"line\r");
    expect_no_leftovers(&server.root());
    server.finish();
}

/// Nothing that a client continues at the size of the file that it wrote is glued to another one.
#[test]
fn a_file_that_is_replaced_outside_is_not_continued() {
    for is_broken in [false, true] {
        let server = TestServer::program(&[]);
        server.write("file", "old ");
        server.write("other", "another file");
        let mut client = server.client();
        let data = begin(&mut client, "APPE file", b"new");
        fs::rename(server.path("other"), server.path("file")).expect("a file");
        if is_broken {
            reset(data);
        } else {
            drop(data);
        }
        let reply = client.expect(if is_broken { 426 } else { 451 }).text();
        let left = "3 bytes received; the old file is unchanged.";
        assert!(reply.ends_with(left), "{reply}");
        client.extended_passive();
        client.command("REST 7", 350);
        client.command("STOR file", 554);
        assert_eq!(server.read("file"), b"another file");
        let log = server.finish();
        if !is_broken {
            let cause = "the file or its directory was renamed, replaced or removed meanwhile";
            assert!(log.contains(cause), "{log}");
        }
    }
}
