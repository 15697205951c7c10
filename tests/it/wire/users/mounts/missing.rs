//! Mounts that are missing, come back or change, and what programs and `--check` make of them.

use std::fs;

use super::{code, facts, names_in, scene};
use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::process;
use crate::support::server::{self, Program, Setup, TestServer};
use crate::support::wait::wait_until;
use crate::wire::users::{Scene, is_done, log_in, write_users};

/// A mount that is gone is shown and refused: a program that mirrors the tree must not delete its
/// copies. It comes back by itself.
#[test]
fn a_missing_mount_harms_nothing_else() {
    let scene = Scene::with_tree(
        &[],
        &["anna:HASH:HOMES/home:all:mount=/disk,HOMES/disk;mount=/disk/in,HOMES/in"],
        &["home/file", "home/disk/hidden", "in/file"],
    );
    let mut client = scene.client("anna");
    assert_eq!(names_in(&mut client, "/"), "disk file");
    let listed = facts(&mut client, "/");
    let (_, disk) = listed
        .iter()
        .find(|(name, _)| name == "disk")
        .expect("the mount");
    assert!(
        disk.contains("type=dir") && disk.contains("perm=;"),
        "{disk}"
    );
    for line in [
        "CWD /disk",
        "SIZE /disk/file",
        "MKD /disk/new",
        "STAT /disk",
        "RNFR /disk/x",
    ] {
        client.send(line);
        let reply = client.reply();
        assert!([450, 550].contains(&reply.code), "{line}: {}", reply.text());
        assert!(
            reply.text().contains("not available"),
            "{line}: {}",
            reply.text()
        );
    }
    client.extended_passive();
    assert!(code(&mut client, "LIST /disk") >= 450);
    assert_eq!(code(&mut client, "RMD /disk"), 550);
    assert_eq!(names_in(&mut client, "/disk/in"), "file");
    assert!(is_done(&mut client, "STOR /new") && is_done(&mut client, "STOR /disk/in/new"));
    scene.make(&["disk/file"]);
    assert_eq!(names_in(&mut client, "/disk"), "file in");
    assert!(is_done(&mut client, "STOR /disk/new"));
    fs::rename(scene.homes.join("disk"), scene.homes.join("away")).expect("renaming");
    assert_eq!(code(&mut client, "SIZE /disk/file"), 550);
    assert_eq!(code(&mut client, "SIZE /file"), 213);
}

/// The log has one line when it is gone, and one when it is back.
#[test]
fn a_missing_mount_is_logged_once() {
    let setup = Setup::from_flags_alone();
    let homes = setup.directory().join("homes");
    let file = setup.directory().join("users");
    for name in ["home", "disk"] {
        fs::create_dir_all(homes.join(name)).expect("a directory");
    }
    write_users(
        &file,
        &homes,
        &["anna:HASH:HOMES/home:all:mount=/disk,HOMES/disk"],
    );
    let flags = ["-i", "127.0.0.1", "-p", "0", "--users"];
    let setup = setup.flags(&flags).flags(&[&file]);
    let server: TestServer<Program> = setup.program();
    let mut client = Client::greeted(server.address);
    assert_eq!(log_in(&mut client, "anna").code, 230);
    client.command("CWD /disk", 250);
    let (disk, away) = (homes.join("disk"), homes.join("away"));
    fs::rename(&disk, &away).expect("renaming");
    for _ in 0..3 {
        client.command("CWD /disk", 550);
    }
    // What the log says: the mount keeps no session from anything else, and no login out.
    let mut other = Client::greeted(server.address);
    assert_eq!(log_in(&mut other, "anna").code, 230);
    for client in [&mut client, &mut other] {
        client.command("CWD /", 250);
        assert_eq!(names_in(client, "/"), "disk");
    }
    fs::rename(&away, &disk).expect("renaming");
    client.command("CWD /disk", 250);
    let log = server.finish();
    let count = |text: &str| log.matches(text).count();
    assert_eq!(count("disk is not available: "), 1, "{log}");
    let effect = "no such file or directory: each operation in it is refused, and each login whose root \
                  directory it is, until the path names a directory again";
    assert_eq!(count(effect), 1, "{log}");
    assert_eq!(count("disk is available"), 1, "{log}");
}

/// Changed rights hold from the next command; other directories end the session.
#[test]
fn changes_of_mounts() {
    let scene = Scene::with_tree(
        &[],
        &["anna:HASH:HOMES/home:all:mount=/m,HOMES/m,read"],
        &["home/", "m/file", "n/file"],
    );
    let mut client = scene.client("anna");
    assert!(!is_done(&mut client, "STOR /m/new"));
    scene.rewrite(&["anna:HASH:HOMES/home:all:mount=/m,HOMES/m,all"]);
    scene.server.reload();
    wait_until("new rights", || is_done(&mut client, "STOR /m/new"));
    scene.rewrite(&["anna:HASH:HOMES/home:all:mount=/m,HOMES/n,all"]);
    scene.server.reload();
    client.expect(421);
    assert_eq!(names_in(&mut scene.client("anna"), "/m"), "file");
}

/// `--check` names each mount and what is wrong with it.
#[test]
fn the_check_looks_at_mounts() {
    let directory = tempfile::tempdir().expect("a directory");
    let homes = directory.path().join("homes");
    let file = directory.path().join("users");
    for name in ["home/inner", "free"] {
        fs::create_dir_all(homes.join(name)).expect("a directory");
    }
    fs::write(homes.join("file"), "").expect("a file");
    let check = |options: &str| {
        let line = format!("anna:HASH:HOMES/home:read:{options}");
        write_users(&file, &homes, &[&line]);
        let flags = [
            "--check",
            "-i",
            "127.0.0.1",
            "-p",
            "0",
            "--users",
            path(&file),
        ];
        let output = process::run(&mut server::command(&flags), 20);
        let text = output.text();
        let words: Vec<&str> = text.split_whitespace().collect();
        (output.succeeded(), words.join(" "))
    };
    let free = format!("/free is {}/free: write", homes.display());
    for (options, succeeds, expected) in [
        ("mount=/free,HOMES/free,write", true, &*free),
        ("mount=/x,HOMES/missing", false, "mount=/x: the directory"),
        ("mount=/x,HOMES/file", false, "is not a directory"),
        (
            "mount=/x,HOMES/home/inner",
            true,
            "is also seen in the home, with the rights of there",
        ),
        (
            "mount=/free,HOMES/free;mount=/free/er,HOMES/free",
            true,
            "is also seen in /free, with",
        ),
    ] {
        let (succeeded, words) = check(options);
        assert_eq!(succeeded, succeeds, "{options}: {words}");
        assert!(words.contains(expected), "{options}: {words}");
    }
}

/// lftp copies a tree with mounts, and deletes no copies of one that is gone.
#[test]
fn lftp_mirrors_a_tree_with_mounts() {
    let scene = scene();
    let copy = scene.server.work("copy");
    let mirror = || {
        let (host, port) = (scene.server.host(), scene.server.port());
        let script = format!(
            "set cmd:fail-exit true; set net:max-retries 1; set net:timeout 10; \
             set ftp:ssl-allow false; open -u anna,secret -p {port} {host}; \
             mirror --delete --exclude closed / {}",
            path(&copy)
        );
        scene.server.run_client("lftp", &["--norc", "-c", &script])
    };
    mirror().expect_success();
    for name in [
        "file",
        "music/album/song",
        "work/inner/file",
        "deep/er/x/file",
    ] {
        assert!(copy.join(name).is_file(), "{name}");
    }
    assert!(!copy.join("work/hidden").exists());
    let (music, away) = (scene.homes.join("music"), scene.homes.join("away"));
    fs::rename(&music, &away).expect("renaming");
    mirror().expect_failure();
    assert!(copy.join("music/album/song").is_file());
    fs::rename(&away, &music).expect("renaming");
    mirror().expect_success();
}
