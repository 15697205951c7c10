//! Directories with symbolic links, as programs see them that copy whole trees.
//!
//! MLSD shows what a link leads to, so that who asks with MLSD copies what RETR sends, and enters
//! linked directories. LIST shows the links themselves. rclone has a file of its own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::dialogue::Dialogue;
use super::lftp::lftp;
use super::libraries::{clients, installed};
use super::{LOOPBACK, assert_same_trees, assert_sample, plant, start, write_part, write_sample};
use crate::support::client_program::{SECONDS_MAX, path, script, sorted_lines};
use crate::support::process::{self, Finished};
use crate::support::server::{PASSWORD, Program, TestServer, USER};

/// With MLSD it copies what links lead to, and links that lead nowhere as links. A second mirror
/// transfers nothing.
#[test]
fn lftp_enters_linked_directories() {
    let server = start(LOOPBACK);
    plant_linked(&server.root());
    plant_linked(&server.work(""));
    plant_unusable(&server.root());
    lftp(&server, "", "mirror tree down\nmirror --delete tree down\n").expect_success();
    for (name, target) in UNUSABLE {
        // As a link too it can be used by no one, unless the client has such a file.
        let place = server.work("down").join(name);
        assert_eq!(
            fs::read_link(&place).expect(name).to_str(),
            Some(target),
            "{name}"
        );
        fs::remove_file(place).expect(name);
    }
    assert_same_trees(&server.work("tree"), &server.work("down"));
    assert!(!server.work("down/far").is_symlink(), "a directory");

    lftp(&server, "", "mirror -R -L tree up\nmirror -R -L tree up\n").expect_success();
    assert_same_trees(&server.work("tree"), &server.path("up"));
    let dialogue = Dialogue::finish(server);
    assert_transferred_once(&dialogue, "RETR");
    assert_transferred_once(&dialogue, "STOR");
    dialogue.assert_smooth_but(&["550 File exists"]);
}

/// With LIST it makes the same links on its side, and follows none.
#[test]
fn lftp_without_mlsd_copies_links() {
    let server = start(LOOPBACK);
    plant_linked(&server.root());
    plant_unusable(&server.root());
    lftp(&server, "set ftp:use-mlsd false", "mirror tree down\n").expect_success();
    for (name, target) in [&LINKS[..], &UNUSABLE].concat() {
        let found = fs::read_link(server.work("down").join(name)).expect(name);
        assert_eq!(found.to_str(), Some(target), "{name}");
    }
    let dialogue = Dialogue::finish(server);
    assert_transferred_once(&dialogue, "RETR");
    dialogue.assert_unused(&["MLSD"]);
}

/// It has LIST only: it fetches linked files, and does not enter linked directories. A file that it
/// has is not fetched again.
#[test]
fn wget_mirrors_linked_files() {
    let server = start(LOOPBACK);
    plant_linked(&server.root());
    plant_unusable(&server.root());
    // wget takes a percent sign in such a name for an escape.
    let odd = "percent %41 #hash &and;semicolon.txt";
    for directory in ["tree", "tree/one/two 二"] {
        fs::remove_file(server.path(directory).join(odd)).expect(odd);
    }
    let url = server.url("/tree/");
    let (user, password) = (format!("--user={USER}"), format!("--password={PASSWORD}"));
    let wget = |flags: &[&str]| {
        let common = ["--no-config", "--no-proxy", "-nv", "-t", "2", "-T", "20"];
        let own = [&user, &password, "-m", "-nH", url.as_str()];
        let finished = server.run_client("wget", &[&common[..], flags, &own].concat());
        finished.expect_success()
    };
    for _ in 0..2 {
        wget(&[]);
    }
    assert_sample(&server.work("tree/linked file"));
    for directory in ["linked", "far", "one/circle"] {
        let place = server.work("tree").join(directory);
        assert!(!place.exists(), "{directory}");
    }
    wget(&["-P", "links", "--retr-symlinks=no"]);
    for (name, target) in [&LINKS[..], &UNUSABLE].concat() {
        let found = fs::read_link(server.work("links/tree").join(name)).expect(name);
        assert_eq!(found.to_str(), Some(target), "{name}");
    }
    let dialogue = Dialogue::finish(server);
    let fetched = dialogue.transfers("RETR");
    let count = |name: &str| fetched.iter().filter(|path| path.ends_with(name)).count();
    // LIST shows the size of the link, not that of the file, so that wget fetches it each time.
    assert_eq!((count("/large"), count("/linked file")), (2, 2));
    dialogue.assert_smooth_but(&["550 No such file", "550 Not a regular", "550 Permission"]);
}

/// It enters linked directories in both directions, and leaves out links that lead nowhere. An
/// upload and a download that end with their connection go on in another one.
#[test]
fn basic_ftp_with_links_and_broken_transfers() {
    for host in ["127.0.0.1", "::1"] {
        let server = start(host);
        let module = installed("node/node_modules/basic-ftp");
        let script = script("basic_ftp_links.mjs");
        write_sample(&server.work("sample"));
        write_sample(&server.path("sample"));
        write_part(&server.work("part"));
        let finished = check_library(&server, "node", &[path(&script), path(&module)]);
        let expected = ["dangling nothing", "outside ../../outside", "self ."];
        assert_eq!(sorted_lines(&finished), expected, "{}", finished.text());
        assert_sample(&server.path("broken"));
        assert_sample(&server.work("part"));
        let dialogue = Dialogue::finish(server);
        dialogue.assert_used(&["APPE", "MLSD"]);
        dialogue.assert_smooth_but(&["550"]);
    }
}

#[test]
fn aioftp_with_links() {
    let server = start(LOOPBACK);
    installed("python/aioftp");
    let finished = check_library(&server, "python3", &[path(&script("aioftp_links.py"))]);
    let expected = [
        "dangling OS.unix=slink:nothing",
        "outside OS.unix=slink:../../outside",
        "self OS.unix=slink:.",
    ];
    assert_eq!(sorted_lines(&finished), expected, "{}", finished.text());
    Dialogue::finish(server).assert_smooth_but(&["550"]);
}

/// Has a library's script fetch the tree, and send one; compares both with what they were.
fn check_library(server: &TestServer<Program>, program: &str, arguments: &[&str]) -> Finished {
    plant_linked(&server.root());
    plant_linked(&server.work(""));
    plant_unusable(&server.root());
    fs::rename(server.work("tree"), server.work("local")).expect("a rename");
    let mut command = server.client_program(program);
    command
        .env("PYTHONPATH", clients().join("python"))
        .args(arguments)
        .args([&server.host(), &server.port(), USER, PASSWORD]);
    let finished = process::run(&mut command, SECONDS_MAX).expect_success();
    assert_same_trees(&server.work("local"), &server.work("down"));
    assert_same_trees(&server.work("local"), &server.path("up"));
    finished
}

/// Two directories: `tree`, with links in it, and another one to which one of them leads.
pub(super) fn plant_linked(top: &Path) {
    plant(&top.join("tree"));
    fs::create_dir(top.join("elsewhere")).expect("a directory");
    fs::write(top.join("elsewhere/file"), "elsewhere").expect("a file");
    for (name, target) in LINKS {
        symlink(target, top.join("tree").join(name)).expect(name);
    }
}

/// Links in `tree` that cannot be followed.
pub(super) fn plant_unusable(top: &Path) {
    fs::create_dir(top.join("../outside")).expect("a directory");
    fs::write(top.join("../outside/secret"), "secret").expect("a file");
    for (name, target) in UNUSABLE {
        symlink(target, top.join("tree").join(name)).expect(name);
    }
}

/// The files of the tree were transferred, and none of them twice.
#[track_caller]
fn assert_transferred_once(dialogue: &Dialogue, verb: &str) {
    let mut paths = dialogue.transfers(verb);
    let count = paths.len();
    paths.sort_unstable();
    paths.dedup();
    assert!(count > 20 && paths.len() == count, "{}", dialogue.log());
}

pub(super) const LINKS: [(&str, &str); 5] = [
    ("linked file", "one/large"),
    ("linked", "one/two 二"),
    ("one/linked twice", "../linked"),
    ("one/above", "../empty directory"),
    ("far", "../elsewhere"),
];

/// What leads nowhere, out of the share, or to a directory that holds the link.
pub(super) const UNUSABLE: [(&str, &str); 4] = [
    ("dangling", "nothing"),
    ("outside", "../../outside"),
    ("self", "."),
    ("one/circle", ".."),
];
