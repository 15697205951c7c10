//! What a session stores is its user's, also for a moment and also where it breaks off.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{ALICE, BOB, MEDIA, Scene, owner, tree};
use crate::support::data::reset;
use crate::support::wait::wait_until;

#[test]
fn what_a_user_stores_is_the_users() {
    let scene = Scene::new(&["-w"]);
    for (name, id) in [("alice", ALICE), ("bob", BOB)] {
        let home = scene.place.home(name);
        let mut client = scene.client(name);
        client.store("STOR stored", "text");
        client.store("STOR stored", "replaced");
        client.store("APPE appended", "text");
        client.store(format!("APPE of-{name}"), "text");
        client.command("REST 2", 350);
        client.store("STOR stored", "resumed");
        client.store("STOU unique", "text");
        client.store("STOU unique", "text");
        client.command("MKD directory", 257);
        client.store("STOR directory/stored", "text");
        client.command("RNFR stored", 350);
        client.command("RNTO directory/renamed", 250);
        client.command("SITE CHMOD 750 directory", 200);
        client.command("MFMT 20260101000000 directory/stored", 213);
        assert_eq!(
            fs::read(home.join("directory/renamed")).expect("it"),
            b"reresumed"
        );
        assert_eq!(tree(&home).len(), 7, "{:?}", tree(&home));
        expect_owner(&home, (id, id));
    }
    scene.finish();
}

/// Its temporary name is in the user's home too.
#[test]
fn an_upload_that_runs_is_the_users() {
    let scene = Scene::new(&["-w"]);
    let home = scene.place.home("alice");
    let mut client = scene.client("alice");
    let mut data = client.data();
    client.command("STOR new", 150);
    data.write_all(b"text").expect("sending data");
    wait_until("a file with the text", || {
        tree(&home)
            .iter()
            .any(|file| fs::read(file).is_ok_and(|content| content == b"text"))
    });
    expect_owner(&home, (ALICE, ALICE));
    drop(data);
    client.expect(226);
    expect_owner(&home, (ALICE, ALICE));
    assert_eq!(tree(&home).len(), 2);
    scene.finish();
}

#[test]
fn a_part_of_an_upload_is_the_users() {
    for (flags, left) in [
        (&["-w"][..], 2),
        (&["-w", "--broken-uploads", "discard"], 1),
    ] {
        let scene = Scene::new(flags);
        let home = scene.place.home("alice");
        let mut client = scene.client("alice");
        let mut data = client.data();
        client.command("STOR part", 150);
        data.write_all(b"text").expect("sending data");
        wait_until("the text", || {
            tree(&home)
                .iter()
                .any(|file| fs::read(file).is_ok_and(|content| content == b"text"))
        });
        reset(data);
        let reply = client.reply();
        assert!(reply.code >= 400, "{}", reply.text());
        expect_owner(&home, (ALICE, ALICE));
        assert_eq!(tree(&home).len(), left, "{:?}", tree(&home));
        client.expect_in_step();

        // The client is gone as a whole.
        let mut data = client.data();
        client.command("STOR other", 150);
        data.write_all(b"more").expect("sending data");
        reset(data);
        reset(client.stream);
        let server = scene.server.id();
        wait_until("the end of the session", || {
            !super::threads::has_thread_of(server, ALICE)
        });
        expect_owner(&home, (ALICE, ALICE));
        assert!(!home.join("other").exists() || left == 2);
        scene.finish();
    }
}

/// A setgid directory gives its group.
#[test]
fn a_setgid_directory_gives_its_group() {
    let scene = Scene::new(&["-w"]);
    scene
        .place
        .make_directory("homes/alice/media", 0, MEDIA, 0o2770);
    let mut client = scene.client("alice");
    client.command("CWD media", 250);
    client.store("STOR stored", "text");
    client.store("STOR stored", "replaced");
    client.store("APPE appended", "text");
    client.store("STOU unique", "text");
    client.command("MKD directory", 257);
    client.store("STOR directory/stored", "text");
    let media = scene.place.home("alice").join("media");
    assert_eq!(tree(&media).len(), 5, "{:?}", tree(&media));
    expect_owner(&media, (ALICE, MEDIA));
    let mode = fs::metadata(media.join("directory")).expect("it").mode();
    assert_eq!(mode & 0o2000, 0o2000, "{mode:o}");
    scene.finish();
}

#[track_caller]
fn expect_owner(directory: &Path, expected: (u32, u32)) {
    for path in tree(directory) {
        assert_eq!(owner(&path), expected, "{}", path.display());
    }
}
