//! A disk that becomes full: a file system of two mebibytes, in a mount namespace of the server's.

use std::fs;
use std::path::{Path, PathBuf};

use super::{expect_bytes, expect_no_leftovers, expect_no_resume, other_noise, upload};
use crate::support::file_contents::noise;
use crate::support::process;
use crate::support::server::{Program, Setup, TestServer};

#[test]
fn a_full_disk_leaves_the_old_file() {
    let (server, root) = start("size=2m", &[]);
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
    let (server, root) = start("size=2m", &[]);
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
    let (server, root) = start("size=2m", &[]);
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

/// Room for bytes, and none for one more file: three inodes are in use, one of them the root's.
#[test]
fn without_room_for_another_file_reply_and_file_agree() {
    let (server, root) = start("nr_inodes=3", &[]);
    let mut client = server.client();
    client.store("STOR file", "old");
    fs::write(root.join("other"), "text").expect("a file");
    fs::write(root.join("third"), "text").expect_err("no inode is free");
    let reply = upload(&mut client, "STOR file", b"new file");
    match reply.code {
        226 => assert_eq!(read(&root, "file"), b"new file"),
        450..560 => assert_eq!(read(&root, "file"), b"old"),
        _ => panic!("{}", reply.text()),
    }
    expect_no_leftovers(&root);
    client.expect_in_step();
    server.finish();
}

/// The flags that keep some room free, or files small: errors of our own, with the same rule.
#[test]
fn limits_leave_the_old_file() {
    for (flag, code) in [
        (["--max-upload-size", "300K"], 552),
        (["--free-space-min", "1M"], 452),
    ] {
        let (server, root) = start("size=2m", &flag);
        let (old, new) = (noise(100_000), other_noise(1_200_000));
        let mut client = server.client();
        client.store("STOR file", &old);
        for name in ["file", "new"] {
            let reply = upload(&mut client, &format!("STOR {name}"), &new);
            assert_eq!(reply.code, code, "{}", reply.text());
        }
        expect_bytes(&read(&root, "file"), &old, flag[0]);
        assert!(!root.join("new").exists());
        expect_no_leftovers(&root);
        let mut client = server.client();
        expect_no_resume(&mut client, 50_000, "file");
        let appended = upload(&mut client, "APPE other", &new);
        assert_eq!(appended.code, code, "{}", appended.text());
        client.store("STOR file", "small");
        client.command("REST 5", 350);
        client.store("STOR file", " again");
        assert_eq!(read(&root, "file"), b"small again");
        server.finish();
    }
}

/// A single file that is mounted, as containers have it, from a disk that is full before the
/// share's.
#[test]
fn a_full_disk_below_a_mounted_file_leaves_the_old_file() {
    let setup = Setup::new();
    let root = setup.root();
    let small = setup.directory().join("small");
    fs::create_dir(&small).expect("a directory");
    fs::write(root.join("file"), "covered").expect("a file");
    let script = "mount -t tmpfs -o size=1m tmpfs \"$0\" && touch \"$0/file\" \
                  && mount --bind \"$0/file\" \"$1/file\"";
    let server = setup.mounting(script, &[&small, &root]).program();
    let seen = &server.seen(&root);
    let (old, new) = (noise(400_000), other_noise(2_000_000));
    let mut client = server.client();
    client.store("STOR file", &old);
    let reply = upload(&mut client, "STOR file", &new);
    assert_eq!(reply.code, 452, "{}", reply.text());
    expect_bytes(&read(seen, "file"), &old, "the old file");
    expect_no_leftovers(seen);
    expect_no_resume(&mut client, 100_000, "file");
    client.store("STOR file", &new[..500_000]);
    expect_bytes(&read(seen, "file"), &new[..500_000], "the new file");
    server.finish();
}

/// Systems limit how large a file may become (`ulimit -f`), and send a signal with the error.
#[test]
fn the_systems_limit_of_a_file_ends_an_upload_and_nothing_else() {
    let limit = ["prlimit", "--fsize=100000"];
    let server = Setup::new()
        .wrapped(|serve| process::prefixed(&limit, &serve))
        .program();
    server.write("file", "old");
    let mut client = server.client();
    for name in ["file", "new"] {
        let reply = upload(&mut client, &format!("STOR {name}"), &noise(300_000));
        assert!([452, 552].contains(&reply.code), "{}", reply.text());
        client.expect_in_step();
    }
    assert_eq!(server.read("file"), b"old");
    assert!(!server.path("new").exists());
    expect_no_leftovers(&server.root());
    server.finish();
}

/// The server, and the directory as it sees it, on a file system with these options.
fn start(options: &str, flags: &[&str]) -> (TestServer<Program>, PathBuf) {
    let script = format!("mount -t tmpfs -o {options} tmpfs \"$0\"");
    let setup = Setup::new().flags(flags);
    let root = setup.root();
    let server = setup.mounting(&script, &[&root]).program();
    let seen = server.seen(&root);
    (server, seen)
}

fn read(root: &Path, name: &str) -> Vec<u8> {
    fs::read(root.join(name)).expect(name)
}

const OLD_BYTES: usize = 3 << 19;
/// On an empty disk they would have room.
const TOO_MANY_BYTES: usize = 1_800 << 10;
