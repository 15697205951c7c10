//! rclone: copies, syncs and checks of whole trees, in both directions.
//!
//! It asks with MLSD, compares sizes and times, and sets times by MFMT. What a server's listing
//! lacks, a sync removes on the other side: a listing is complete, or no listing.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::dialogue::{Dialogue, Mode};
use super::linked_trees::{LINKS, UNUSABLE, plant_linked, plant_unusable};
use super::tls::{STRICT, implicit_url};
use super::{LOOPBACK, SIZE, assert_same_trees, plant, start, start_secure, tree};
use crate::support::client_program::{SECONDS_MAX, path, sorted_lines};
use crate::support::file_contents::noise;
use crate::support::process::{self, Finished};
use crate::support::server::{PASSWORD, Program, SecureServer, Setup, TestServer, USER};

#[test]
fn long_rclone_copies_trees_both_ways() {
    check_copies("127.0.0.1", &[]).assert_mode(Mode::Epsv);
    check_copies("::1", &[]).assert_mode(Mode::Epsv);
    check_copies("127.0.0.1", &["--ftp-disable-epsv"]).assert_mode(Mode::Pasv);
}

/// All names, empty files and empty directories, what links lead to, and the times of files.
fn check_copies(host: &str, flags: &[&str]) -> Dialogue {
    let server = start(host);
    plant_linked(&server.root());
    for (number, name) in ["empty", "one/large", "with space.txt"].iter().enumerate() {
        let seconds = 1_600_000_000 + u64::try_from(number).expect("a small number");
        server.set_modified(&format!("tree/{name}"), seconds);
    }
    let rclone = |arguments: &[&str]| rclone(&server, &[arguments, flags].concat());
    let whole = "--create-empty-src-dirs";
    rclone(&["copy", whole, "share:tree", "down"]).expect_success();
    assert_same_trees(&server.path("tree"), &server.work("down"));
    rclone(&["copy", whole, "down", "share:up/目录"]).expect_success();
    assert_same_trees(&server.path("tree"), &server.path("up/目录"));
    for name in tree(&server.path("tree")).keys() {
        let expected = time(&server.path("tree").join(name));
        for copy in [server.work("down"), server.path("up/目录")] {
            let place = copy.join(name);
            assert!(
                place.is_dir() || time(&place) == expected,
                "{}: {:?} instead of {expected:?}",
                place.display(),
                time(&place)
            );
        }
    }
    for pair in [["share:tree", "down"], ["down", "share:up/目录"]] {
        rclone(&[&["check", "--download"], &pair[..]].concat()).expect_success();
    }
    // A check that finds nothing because it does not look would be clean too.
    fs::write(server.path("up/目录/empty"), "!").expect("a file");
    fs::write(server.path("up/目录/one/large"), vec![0; SIZE]).expect("a file");
    let finished = rclone(&["check", "--download", "down", "share:up/目录"]).expect_failure();
    assert!(finished.text().contains(": 2 differences found"));

    let dialogue = Dialogue::finish(server);
    dialogue.assert_used(&["MLSD", "MFMT"]);
    // It looks for directories before it makes them.
    dialogue.assert_smooth_but(&["550 No such file", "550 File exists"]);
    dialogue
}

/// Its connections share one cache of TLS sessions, in which each finds the tickets of the others.
/// With one control connection each data connection resumes the right session.
#[test]
fn long_rclone_over_tls() {
    let (parallel, single) = (["--transfers", "8"], ["--ftp-concurrency", "1"]);
    for (flags, option) in [(&[][..], parallel), (&STRICT, single)] {
        for implicit in [false, true] {
            let mut flags = flags.to_vec();
            if implicit {
                flags.extend(["--tls-implicit", "0"]);
            }
            check_tls(start_secure(&flags), &option, implicit);
        }
    }
}

fn check_tls(secure: SecureServer<Program>, option: &[&str], implicit: bool) {
    let server = &secure.server;
    plant(&server.path("tree"));
    let mut port = server.port();
    if implicit {
        let url = implicit_url(&secure);
        let (_, end) = url.rsplit_once(':').expect("a port");
        port = end.trim_end_matches("/sample").to_owned();
    }
    for (from, to) in [("share:tree", "down"), ("down", "share:up")] {
        let copy = ["copy", "--create-empty-src-dirs", from, to];
        let mut command = command(server, &[&copy, option].concat());
        let name = if implicit { "TLS" } else { "EXPLICIT_TLS" };
        command.env(format!("RCLONE_CONFIG_SHARE_{name}"), "true");
        command.env("RCLONE_CONFIG_SHARE_PORT", &port);
        command.env("SSL_CERT_FILE", &secure.certificate.chain);
        process::run(&mut command, SECONDS_MAX).expect_success();
    }
    assert_same_trees(&server.path("tree"), &server.work("down"));
    assert_same_trees(&server.path("tree"), &server.path("up"));
    let dialogue = Dialogue::finish(secure.server);
    dialogue.assert_mode(Mode::Epsv).assert_used(&["PROT"]);
    dialogue.assert_smooth_but(&["550 No such file", "550 File exists"]);
}

/// A sync transfers what has changed and nothing else, and removes what is gone.
#[test]
fn long_rclone_syncs_what_has_changed() {
    let server = start(LOOPBACK);
    plant(&server.work("tree"));
    let sync = |from: &str, to: &str| {
        for _ in 0..2 {
            rclone(&server, &["sync", "--create-empty-src-dirs", from, to]).expect_success();
        }
        rclone(&server, &["check", from, to]).expect_success();
    };
    sync("tree", "share:up");
    sync("share:up", "down");
    change(&server.work("tree"), "new 1", "empty directory");
    sync("tree", "share:up");
    assert_same_trees(&server.work("tree"), &server.path("up"));
    change(&server.path("up"), "new 2", "one/two 二");
    sync("share:up", "down");
    assert_same_trees(&server.path("up"), &server.work("down"));

    let dialogue = Dialogue::finish(server);
    for (verb, new) in [("STOR", "new 1"), ("RETR", "new 2")] {
        let paths = dialogue.transfers(verb);
        for (name, count) in [
            ("one/large", 2),
            (new, 1),
            ("-la", 1),
            ("one/two 二/-la", 1),
        ] {
            let path = format!("/up/{name}");
            let found = paths.iter().filter(|found| **found == path).count();
            assert_eq!(found, count, "{verb} {path}:\n{}", dialogue.log());
        }
    }
    dialogue.assert_sent("DELE up/empty");
    dialogue.assert_sent("RMD up/empty directory");
    // Its transfers make the same directory at the same time.
    dialogue.assert_smooth_but(&["550 No such file", "550 File exists"]);
}

/// Another content of the same size, a new file, one file less, a directory less.
fn change(top: &Path, new: &str, removed: &str) {
    let mut bytes = fs::read(top.join("one/large")).expect("a file");
    bytes.iter_mut().for_each(|byte| *byte ^= 0x55);
    fs::write(top.join("one/large"), bytes).expect("a file");
    let later = time(&top.join("one/large")) + Duration::from_secs(100);
    let file = fs::File::options().write(true).open(top.join("one/large"));
    file.and_then(|file| file.set_modified(later))
        .expect("its time");
    fs::write(top.join(new), new).expect("a file");
    let _ = fs::remove_file(top.join("empty"));
    fs::remove_dir_all(top.join(removed)).expect(removed);
}

/// To rclone a link that cannot be followed is a file that cannot be read: it says so, copies all
/// else, comes to an end, and removes nothing on its side.
#[test]
fn long_rclone_names_links_that_lead_nowhere() {
    let server = start(LOOPBACK);
    plant_linked(&server.root());
    plant_unusable(&server.root());
    let listed = rclone(&server, &["lsf", "-R", "share:tree"]).expect_success();
    let listed = sorted_lines(&listed);
    for (name, _) in UNUSABLE {
        assert!(listed.iter().any(|line| line == name), "{name}: {listed:?}");
    }
    for directory in ["linked/", "far/", "one/linked twice/"] {
        let found = listed.iter().any(|line| line == directory);
        assert!(found, "{directory}: {listed:?}");
    }
    fs::create_dir(server.work("down")).expect("a directory");
    fs::write(server.work("down/own"), "own").expect("a file");
    let sync = ["sync", "--create-empty-src-dirs", "share:tree", "down"];
    let text = rclone(&server, &sync).expect_failure().text();
    for (name, _) in UNUSABLE {
        assert!(text.contains(&format!("{name}: Failed to copy")), "{text}");
        fs::remove_file(server.path("tree").join(name)).expect(name);
    }
    assert_eq!(fs::read(server.work("down/own")).expect("a file"), b"own");
    rclone(&server, &sync).expect_success();
    assert_same_trees(&server.path("tree"), &server.work("down"));
    Dialogue::finish(server).assert_smooth_but(&["550"]);
}

/// To remove a directory it removes first what is in it, also of a linked one, as the docs warn.
#[test]
fn long_rclone_removes_through_links() {
    let server = start(LOOPBACK);
    plant_linked(&server.root());
    rclone(&server, &["purge", "share:tree/far"]).expect_success();
    assert!(!server.path("tree/far").is_symlink(), "the link is gone");
    assert!(server.path("elsewhere").is_dir(), "not its target");
    assert!(!server.path("elsewhere/file").exists(), "but what is in it");
    for (name, _) in LINKS.iter().filter(|(name, _)| *name != "far") {
        assert!(server.path("tree").join(name).exists(), "{name}");
    }
    server.finish();
}

/// What the server cannot list is no empty directory.
#[test]
fn long_rclone_keeps_what_cannot_be_listed() {
    let setup = Setup::new().flags(&["--debug"]);
    let without_rights = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
    let server = setup
        .wrapped(|serve| process::prefixed(&without_rights, &serve))
        .program();
    plant(&server.path("tree"));
    let sync = |from: &str| rclone(&server, &["sync", from, "down"]);
    sync("share:tree").expect_success();
    let before = tree(&server.work("down"));
    for directory in ["tree", "tree/one"] {
        let mode = server.mode(directory);
        server.set_mode(directory, 0);
        sync("share:tree").expect_failure();
        server.set_mode(directory, mode);
        assert!(tree(&server.work("down")) == before, "{directory}");
    }
    fs::rename(server.path("tree"), server.path("moved")).expect("a rename");
    sync("share:tree").expect_failure();
    assert!(tree(&server.work("down")) == before, "a missing directory");
    sync("share:moved").expect_success();
    let dialogue = Dialogue::finish(server);
    dialogue.assert_smooth_but(&["550 Permission denied.", "550 No such file"]);
}

/// Nor is a share that is gone, whether rclone asks for its root or for a directory in it.
#[test]
fn long_rclone_keeps_what_a_missing_share_held() {
    let server = start(LOOPBACK);
    plant(&server.path("tree"));
    let sync = |from: &str| rclone(&server, &["sync", from, "down"]);
    let (root, away) = (server.root(), server.directory().join("away"));
    for from in ["share:", "share:tree"] {
        sync(from).expect_success();
        let before = tree(&server.work("down"));
        fs::rename(&root, &away).expect("a rename");
        sync(from).expect_failure();
        assert!(tree(&server.work("down")) == before, "{from}");
        fs::rename(&away, &root).expect("a rename");
        sync(from).expect_success();
    }
    server.finish();
}

/// A listing that ends in its middle has sent some names; its reply says that it is not complete.
#[test]
fn long_rclone_keeps_what_was_not_listed_to_the_end() {
    const FILES: usize = 4000;
    let setup = Setup::new().flags(&["--debug"]);
    let many = setup.root().join("many");
    fs::create_dir(&many).expect("a directory");
    for number in 0..FILES {
        fs::write(many.join(format!("{number:0>60}")), "!").expect("a file");
    }
    let copy = setup.directory().join("work/down");
    let copied = ["cp", "-a", path(&many), path(&copy)];
    process::run(Command::new(copied[0]).args(&copied[1..]), SECONDS_MAX).expect_success();
    // The first reads of this directory succeed. With -D the server is our child.
    let strace = [
        "strace",
        "-D",
        "-f",
        "-q",
        "-e",
        "trace=getdents64",
        "-o",
        "/dev/null",
    ];
    let fault = [
        "-P",
        path(&many),
        "-e",
        "inject=getdents64:error=EIO:when=9+",
    ];
    let words = [&strace[..], &fault].concat();
    let server = setup
        .wrapped(|serve| process::prefixed(&words, &serve))
        .program();
    let text = rclone(&server, &["sync", "share:many", "down"]).expect_failure();
    assert!(text.text().contains("451 "), "{}", text.text());
    assert_eq!(tree(&copy).len(), FILES);
    let log = server.finish();
    let failed = log.lines().find(|line| line.contains("MLSD /many failed"));
    let failed = failed.unwrap_or_else(|| panic!("no failure in:\n{log}"));
    assert!(
        !failed.contains(" after 0 bytes"),
        "not in its middle: {failed}"
    );
}

/// Streams of unknown length, moves over a file, times, and the removal of trees.
#[test]
fn long_rclone_changes_files() {
    let server = start(LOOPBACK);
    plant(&server.path("tree"));
    server.write("old", "the old one");
    let rclone = |arguments: &[&str]| rclone(&server, arguments).expect_success();
    let mut command = command(&server, &["rcat", "share:made/new"]);
    process::run_typing(&mut command, "typed", SECONDS_MAX).expect_success();
    assert_eq!(server.read("made/new"), b"typed");
    rclone(&["moveto", "share:made/new", "share:old"]);
    assert_eq!(server.read("old"), b"typed");
    rclone(&["touch", "-t", "2020-01-02T03:04:05", "share:old"]);
    assert_eq!(server.modified("old"), 1_577_934_245);
    let part = rclone(&["cat", "--offset", "1", "--count", "3", "share:old"]);
    assert_eq!(part.stdout, b"ype");
    rclone(&["move", "share:tree/one", "share:moved"]);
    assert_eq!(server.read("moved/large"), noise(SIZE));
    rclone(&["purge", "share:tree"]);
    assert!(!server.path("tree").exists(), "purged");
    let dialogue = Dialogue::finish(server);
    dialogue.assert_used(&["RNFR", "RNTO", "MFMT", "REST", "DELE", "RMD"]);
    dialogue.assert_smooth_but(&["550"]);
}

/// Runs rclone, to which the server is `share:`; no second attempt hides an error of the first.
fn rclone(server: &TestServer<Program>, arguments: &[&str]) -> Finished {
    process::run(&mut command(server, arguments), SECONDS_MAX)
}

fn command(server: &TestServer<Program>, arguments: &[&str]) -> Command {
    // It reads passwords only in a form of its own.
    let obscured = server.run_client("rclone", &["--config", "", "obscure", PASSWORD]);
    let obscured = String::from_utf8(obscured.expect_success().stdout).expect("text");
    let host = match server.address.ip() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let mut command = server.client_program("rclone");
    for (name, value) in [
        ("TYPE", "ftp"),
        ("HOST", &host),
        ("PORT", &server.port()),
        ("USER", USER),
        ("PASS", obscured.trim()),
    ] {
        command.env(format!("RCLONE_CONFIG_SHARE_{name}"), value);
    }
    command.args(["--config", "", "--retries", "1", "--timeout", "20s"]);
    command.args(arguments);
    command
}

/// When a file was modified, in the seconds that FTP knows.
fn time(place: &Path) -> SystemTime {
    let seconds = fs::metadata(place).expect("a file").mtime();
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).expect("after 1970"))
}
