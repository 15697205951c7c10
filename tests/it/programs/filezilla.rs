//! FileZilla: whole files, files to be continued, and odd names.

use std::fs;

use super::dialogue::{Dialogue, Mode};
use super::tls::STRICT;
use super::{HALF, LOOPBACK, assert_sample, start, start_secure, write_part, write_sample};
use crate::support::certificates::Certificate;
use crate::support::client_program::NAMES;
use crate::support::file_contents::{assert_same_files, noise};
use crate::support::filezilla::{Queue, filezilla};
use crate::support::server::{Program, TestServer};

#[test]
fn long_filezilla_passive() {
    check(start(LOOPBACK), "default", None).assert_mode(Mode::Pasv);
}

#[test]
fn long_filezilla_active() {
    check(start(LOOPBACK), "active", None).assert_mode(Mode::Port);
}

#[test]
fn long_filezilla_on_ipv6() {
    check(start("::1"), "default", None).assert_mode(Mode::Epsv);
}

/// All its data connections resume: the server would refuse them otherwise.
#[test]
fn long_filezilla_over_tls() {
    for (mode, expected) in [("default", Mode::Pasv), ("active", Mode::Port)] {
        let secure = start_secure(&STRICT);
        let dialogue = check(secure.server, mode, Some(&secure.certificate));
        dialogue
            .assert_mode(expected)
            .assert_used(&["AUTH", "PROT"]);
    }
}

/// Whole files, files to be continued, and odd names, each in both directions.
fn check(server: TestServer<Program>, mode: &str, certificate: Option<&Certificate>) -> Dialogue {
    write_sample(&server.work("sample"));
    write_sample(&server.path("other"));
    write_sample(&server.path("get"));
    write_part(&server.work("get"));
    write_sample(&server.work("put"));
    write_part(&server.path("put"));
    let mut queue = Queue::default();
    queue.add(
        "up",
        &server.work(""),
        "sample",
        "/new 目录/deeper",
        "sample",
    );
    queue.add("down", &server.work("back"), "copy", "/", "other");
    queue.add("down", &server.work(""), "get", "/", "get");
    queue.add("up", &server.work(""), "put", "/", "put");
    fs::create_dir(server.path("theirs")).expect("a directory");
    for (number, name) in NAMES.iter().enumerate() {
        fs::write(server.work(name), noise(1000 + number)).expect("a file with an odd name");
        fs::write(server.path("theirs").join(name), noise(2000 + number)).expect("a file");
        queue.add("up", &server.work(""), name, "/ours", name);
        queue.add("down", &server.work("back"), name, "/theirs", name);
    }
    queue.write(&server, server.address, mode, certificate);
    let log = queue.transfer(&server, filezilla(&server));

    for sample in [
        server.path("new 目录/deeper/sample"),
        server.work("back/copy"),
        server.work("get"),
        server.path("put"),
    ] {
        assert!(sample.exists(), "{} is missing:\n{log}", sample.display());
        assert_sample(&sample);
    }
    for name in NAMES {
        assert_same_files(&server.work(name), &server.path("ours").join(name));
        assert_same_files(
            &server.path("theirs").join(name),
            &server.work("back").join(name),
        );
    }
    let dialogue = Dialogue::finish(server);
    let rest = format!("REST {HALF}");
    let resumed = dialogue.commands().filter(|line| *line == rest);
    assert_eq!(
        resumed.count(),
        2,
        "a download and an upload that went on:\n{log}"
    );
    dialogue.assert_used(&["MLSD", "MKD"]);
    // It looks for directories before it makes them.
    dialogue.assert_smooth_but(&["550"]);
    dialogue
}
