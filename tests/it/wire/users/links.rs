//! Symbolic links between parts of a home with different rights: a link lends no rights, whichever
//! part it is in.

use std::fs;
use std::os::unix::fs::symlink;

use super::{Scene, is_done, log_in, write_users};
use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::server::Setup;

fn scene() -> Scene {
    let scene = Scene::with_tree(
        &[],
        &["anna:HASH:HOMES/home:write:dir=/closed,none;dir=/read,read"],
        &[
            "home/closed/file",
            "home/closed/deep/file",
            "home/read/file",
            "home/read/deep/file",
            "home/free/file",
        ],
    );
    let home = scene.homes.join("home");
    for (target, name) in [
        ("closed", "to-closed"),
        ("closed/deep", "to-closed-deep"),
        ("closed/file", "to-closed-file"),
        ("closed/new", "to-closed-new"),
        ("read", "to-read"),
        ("read/deep/", "to-read-deep"),
        ("read/file", "to-read-file"),
        ("read/new", "to-read-new"),
        ("to-read-file", "to-link"),
        ("free", "to-free"),
        ("free/../closed/file", "to-closed-around"),
        ("../read/file", "free/to-read-file"),
    ] {
        symlink(target, home.join(name)).expect("a link");
    }
    scene
}

/// A file system that ignores case leads from each spelling to one directory. So does a directory
/// that is mounted at another name: neither is a link, and both are known by their inode.
#[test]
fn another_spelling_of_a_directory_lends_no_rights() {
    let setup = Setup::from_flags_alone();
    let (file, homes) = (
        setup.directory().join("users"),
        setup.directory().join("homes"),
    );
    let home = homes.join("home");
    for name in ["Closed/deep", "closed", "Free"] {
        fs::create_dir_all(home.join(name)).expect("a directory");
    }
    fs::write(home.join("Closed/file"), "text").expect("a file");
    let line = "anna:HASH:HOMES/home:all:dir=/Closed,none";
    write_users(&file, &homes, &[line]);
    let flags = ["-i", "127.0.0.1", "-p", "0", "--users", path(&file)];
    let script = "mount --bind \"$0/Closed\" \"$0/closed\"";
    let paths = [&*home];
    let server = setup.flags(&flags).mounting(script, &paths).program();
    let mut client = Client::greeted(server.address);
    assert_eq!(log_in(&mut client, "anna").code, 230);
    for directory in ["Closed", "closed"] {
        for line in [
            "CWD {}",
            "NLST {}",
            "RETR {}/file",
            "STOR {}/new",
            "DELE {}/file",
        ] {
            let line = line.replace("{}", directory);
            assert!(!is_done(&mut client, &line), "{line}");
        }
        let line = format!("MKD {directory}/deep/new");
        assert!(!is_done(&mut client, &line), "{line}");
    }
    assert!(is_done(&mut client, "STOR Free/new"));
    server.finish();
}

#[test]
fn a_link_lends_no_rights() {
    let scene = scene();
    let mut client = scene.client("anna");
    for (line, expected) in [
        ("CWD to-closed", false),
        ("NLST to-closed", false),
        ("MLSD to-closed-deep", false),
        ("RETR to-closed-file", false),
        ("RETR to-closed-around", false),
        ("RETR to-closed/file", false),
        ("RETR to-closed/deep/file", false),
        ("RETR to-closed-deep/file", false),
        ("SIZE to-closed-file", false),
        ("MDTM to-closed/file", false),
        ("MLST to-closed/file", false),
        ("STAT to-closed", false),
        ("HASH to-closed-file", false),
        ("STOR to-closed-file", false),
        ("STOR to-closed-new", false),
        ("STOR to-closed/new", false),
        ("STOU to-closed/new", false),
        ("APPE to-closed-file", false),
        ("MKD to-closed/new", false),
        ("DELE to-closed/file", false),
        ("RMD to-closed/deep", false),
        ("RNFR to-closed/file", false),
        ("RNFR free/file | RNTO to-closed/new", false),
        ("SITE CHMOD 600 to-closed-file", false),
        ("MFMT 20260101000000 to-closed-file", false),
        ("CWD to-read", true),
        ("CWD /", true),
        ("CWD to-read-deep", true),
        ("CWD /", true),
        ("NLST to-read", true),
        ("RETR to-read-file", true),
        ("RETR to-link", true),
        ("RETR to-read/deep/file", true),
        ("STOR to-read-file", false),
        ("STOR to-link", false),
        ("STOR to-read-new", false),
        ("STOR free/to-read-file", false),
        ("APPE to-read/file", false),
        ("DELE to-read/file", false),
        ("RNFR to-read/file", false),
        ("RNFR to-read/deep", false),
        ("MFMT 20260101000000 to-read-file", false),
        ("STOR to-free/new", true),
        ("RNFR to-free/new | RNTO to-free/newer", true),
        ("DELE to-free/newer", true),
        // The links themselves are in a directory that may be changed.
        ("RNFR to-closed-file | RNTO moved", true),
        ("RETR moved", false),
        ("DELE moved", true),
        ("RMD to-closed", true),
    ] {
        assert_eq!(is_done(&mut client, line), expected, "{line}");
    }
    for (name, content) in [
        ("closed/file", "home/closed/file"),
        ("read/file", "home/read/file"),
    ] {
        let found = fs::read_to_string(scene.homes.join("home").join(name));
        assert_eq!(found.expect(name), content);
    }
    for name in ["home/closed/new", "home/read/new"] {
        assert!(!scene.exists(name), "{name}");
    }
}

/// A listing shows a link into a closed part as a link, without the facts of its target; and what
/// it says about the others is true.
#[test]
fn listings_say_what_links_permit() {
    let scene = scene();
    let mut client = scene.client("anna");
    let listing = client.fetch("MLSD");
    let listing = String::from_utf8_lossy(&listing);
    let line = |name: &str| {
        let end = format!("; {name}");
        let found = listing.lines().find(|line| line.ends_with(&end));
        found.unwrap_or_else(|| panic!("{name} in {listing}"))
    };
    for (name, kind, perm) in [
        ("to-closed-file", "type=OS.unix=", "perm=df;"),
        ("to-closed", "type=OS.unix=", "perm=df;"),
        ("to-read-file", "type=file;", "perm=fr;"),
        ("to-read", "type=dir;", "perm=efl;"),
        ("to-free", "type=dir;", "perm=cdeflmp;"),
        ("closed", "type=dir;", "perm=;"),
    ] {
        let line = line(name);
        assert!(line.contains(kind) && line.contains(perm), "{line}");
    }
}

/// A directory with rights of its own cannot be moved through a link either, nor one that contains
/// it.
#[test]
fn borders_do_not_move_through_links() {
    let scene = Scene::with_tree(
        &[],
        &["anna:HASH:HOMES/home:write:dir=/a/b/closed,none"],
        &["home/a/b/closed/file", "home/a/c/file"],
    );
    symlink("a", scene.homes.join("home/link")).expect("a link");
    let mut client = scene.client("anna");
    for (line, expected) in [
        ("RNFR a/b", false),
        ("RNFR link/b", false),
        ("RNFR link/b/closed", false),
        ("RETR link/b/closed/file", false),
        ("RNFR link/c | RNTO link/d", true),
        ("MKD link/b/new", true),
    ] {
        assert_eq!(is_done(&mut client, line), expected, "{line}");
    }
}

/// A directory with rights of its own that is not there yet.
#[test]
fn a_missing_directory_cannot_be_made_through_a_link() {
    let scene = Scene::with_tree(
        &[],
        &["anna:HASH:HOMES/home:write:dir=/a/closed,none"],
        &["home/a/file", "home/x/file"],
    );
    symlink("a", scene.homes.join("home/link")).expect("a link");
    let mut client = scene.client("anna");
    for line in [
        "MKD a/closed",
        "MKD link/closed",
        "STOR link/closed",
        "RNFR x | RNTO link/closed",
    ] {
        assert!(!is_done(&mut client, line), "{line}");
    }
}
