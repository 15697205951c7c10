//! A disk that becomes full: a file system of two mebibytes, in a mount namespace of the server's.

use std::fs;
use std::path::{Path, PathBuf};

use super::{expect_bytes, expect_no_leftovers, expect_no_resume, other_noise, upload};
use crate::support::client_program::path;
use crate::support::file_contents::noise;
use crate::support::process;
use crate::support::server::{Program, Setup, TestServer};

#[test]
fn a_full_disk_leaves_the_old_file() {
    let (server, root) = start();
    let (old, new) = (noise(OLD_BYTES), other_noise(TOO_MANY_BYTES));
    let mut client = server.client();
    client.store("STOR file", &old);
    let reply = upload(&mut client, "STOR file", &new);
    assert!([452, 552].contains(&reply.code), "{}", reply.text());
    expect_bytes(&read(&root, "file"), &old, "the old file");
    expect_no_leftovers(&root);
    client.expect_in_step();
    assert_eq!(client.fetch("RETR file").len(), OLD_BYTES);

    // Clients connect anew before they resume.
    client.command("QUIT", 221);
    let mut client = server.client();
    for offset in [1, OLD_BYTES / 2, OLD_BYTES] {
        expect_no_resume(&mut client, offset, "file");
    }
    expect_bytes(&read(&root, "file"), &old, "the old file");
    // Other files are not concerned.
    client.store("STOR other", "text");
    client.command("REST 2", 350);
    client.store("STOR other", "st");
    assert_eq!(read(&root, "other"), b"test");

    client.store("STOR file", "small");
    client.command("REST 5", 350);
    client.store("STOR file", " again");
    assert_eq!(read(&root, "file"), b"small again");
    expect_no_leftovers(&root);
    server.finish();
}

/// The new file alone would have room on the disk.
#[test]
fn without_room_for_two_copies_reply_and_file_agree() {
    let (server, root) = start();
    let (old, new) = (noise(OLD_BYTES), other_noise(1 << 20));
    let mut client = server.client();
    client.store("STOR file", &old);
    let reply = upload(&mut client, "STOR file", &new);
    match reply.code {
        226 => expect_bytes(&read(&root, "file"), &new, "the new file"),
        452 | 552 => expect_bytes(&read(&root, "file"), &old, "the old file"),
        _ => panic!("{}", reply.text()),
    }
    expect_no_leftovers(&root);
    server.finish();
}

#[test]
fn a_full_disk_leaves_nothing_of_a_new_file() {
    let (server, root) = start();
    let mut client = server.client();
    client.store("STOR old", noise(OLD_BYTES));
    for command in ["STOR new", "STOU"] {
        let reply = upload(&mut client, command, &noise(1 << 20));
        assert!([452, 552].contains(&reply.code), "{}", reply.text());
        assert_eq!(client.fetch("NLST"), b"old\r\n", "{command}");
        expect_no_leftovers(&root);
        // All room is there again.
        client.store("STOR new", noise(400_000));
        client.command("DELE new", 250);
    }
    server.finish();
}

/// The server, and the directory as it sees it.
fn start() -> (TestServer<Program>, PathBuf) {
    let script = "mount -t tmpfs -o size=2m tmpfs \"$0\" && exec \"$@\"";
    let setup = Setup::new();
    let root = setup.root();
    let mount = ["unshare", "--mount", "sh", "-c", script, path(&root)];
    let server = setup
        .wrapped(|serve| process::prefixed(&mount, &serve))
        .program();
    let seen = format!("/proc/{}/root{}", server.id(), path(&root));
    (server, seen.into())
}

fn read(root: &Path, name: &str) -> Vec<u8> {
    fs::read(root.join(name)).expect(name)
}

const OLD_BYTES: usize = 3 << 19;
/// On an empty disk they would have room.
const TOO_MANY_BYTES: usize = 1_800 << 10;
