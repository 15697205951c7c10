//! Hooks: the operator's programs that run when clients have done something. When they run, and
//! what they are given.

mod limits;
mod place;
mod sandbox;

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::Signal;

use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::server::{TestServer, USER};
use crate::support::wait::wait_until;

use place::{NAME, Place, assert_no_others, children, command, given};

#[test]
fn each_event_has_its_variables() {
    let place = Place::new();
    let (upload, event) = (place.recorder("upload"), place.recorder("event"));
    let server = TestServer::program(&["--on-upload", &upload, "--on-event", &event]);
    let mut client = server.client();
    client.store(command("STOR", NAME), "text");
    assert_eq!(client.fetch(command("RETR", NAME)), b"text");
    client.command("MKD d", 257);
    client.command(command("RNFR", NAME), 350);
    client.command(command("RNTO", b"d/new name"), 250);
    client.command("DELE d/new name", 250);
    client.command("RMD d", 250);
    client.command("DELE d/none", 550);
    client.command("QUIT", 221);
    let root = server.root();
    let check = |name: &str, event: &str, expected: &[&str]| {
        let mut expected: Vec<String> = expected
            .iter()
            .map(|text| text.replace("ROOT", path(&root)))
            .collect();
        expected.push("FTP_CLIENT_ADDRESS=127.0.0.1".to_owned());
        expected.push(format!("FTP_EVENT={event}"));
        expected.push("FTP_SESSION=1".to_owned());
        expected.push(format!("FTP_USER={USER}"));
        expected.sort();
        let run = place.run(name, event);
        assert_eq!(given(&run), expected, "{event}");
        run
    };
    check("event", "login", &[]);
    let escaped = NAME.escape_ascii();
    let names = [
        format!("FTP_PATH=/{escaped}"),
        format!("FTP_FILE=ROOT/{escaped}"),
    ];
    let transferred = ["FTP_BYTES=4", "FTP_RESULT=complete", &names[0], &names[1]];
    for (name, event) in [
        ("upload", "upload"),
        ("event", "upload"),
        ("event", "download"),
    ] {
        let run = check(name, event, &transferred);
        let seconds = String::from_utf8(run["FTP_SECONDS"].clone()).expect("UTF-8");
        assert!(seconds.parse::<f64>().is_ok(), "{seconds}");
    }
    check("event", "mkdir", &["FTP_PATH=/d", "FTP_FILE=ROOT/d"]);
    let old = names
        .each_ref()
        .map(|name| name.replace("FTP_", "FTP_OLD_"));
    let new = ["FTP_PATH=/d/new name", "FTP_FILE=ROOT/d/new name"];
    check("event", "rename", &[&old[0], &old[1], new[0], new[1]]);
    check("event", "delete", &new);
    check("event", "rmdir", &["FTP_PATH=/d", "FTP_FILE=ROOT/d"]);
    let reply = "FTP_REPLY=550 No such file or directory.";
    check("event", "refused", &["FTP_COMMAND=DELE /d/none", reply]);
    let run = check("event", "logout", &[]);
    assert!(run.contains_key("FTP_SECONDS"), "{run:?}");
    assert_no_others(&run);
    assert_eq!(place.runs("upload", "download").len(), 0);
    wait_until("no process is left", || children(&server).is_empty());
    let log = server.finish();
    assert!(!log.contains(" WARN  hook "), "{log}");
}

/// A part of an upload has its event, and one that left nothing has it for `--on-event` only.
#[test]
fn broken_transfers_are_no_complete_ones() {
    for (kept, result) in [("keep", "incomplete"), ("discard", "failed")] {
        let place = Place::new();
        let (upload, event) = (place.recorder("upload"), place.recorder("event"));
        let flags = [
            "--on-upload",
            &upload,
            "--on-event",
            &event,
            "--broken-uploads",
            kept,
        ];
        let server = TestServer::program(&flags);
        server.write("big", vec![0; 64 << 20]);
        let mut client = server.client();
        let mut data = client.data();
        client.command("STOR new", 150);
        data.write_all(b"some").expect("bytes");
        // The server has them once it reports them.
        wait_until("the bytes are there", || {
            let text = client.command("STAT", 211).text();
            text.contains(" 4 bytes")
        });
        client.send("ABOR");
        client.expect_all(&[426, 226]);
        let run = place.run("event", "upload");
        assert_eq!(run["FTP_RESULT"], result.as_bytes());
        assert_eq!(run["FTP_BYTES"], b"4");
        let download = client.data();
        client.command("RETR big", 150);
        client.send("ABOR");
        client.expect_all(&[426, 226]);
        drop(download);
        assert_eq!(place.run("event", "download")["FTP_RESULT"], b"incomplete");
        match kept {
            "keep" => assert_eq!(place.run("upload", "upload")["FTP_RESULT"], b"incomplete"),
            _ => assert!(place.runs("upload", "upload").is_empty()),
        }
        server.finish();
    }
}

/// Neither a wrong password nor a refused command of a stranger starts a process.
#[test]
fn strangers_start_nothing() {
    let place = Place::new();
    let event = place.recorder("event");
    let server = TestServer::program(&["--on-event", &event, "--login-delay", "0"]);
    let mut stranger = Client::greeted(server.address);
    stranger.command("RETR x", 530);
    stranger.command(format!("USER {USER}"), 331);
    stranger.command("PASS wrong", 530);
    stranger.command("QUIT", 221);
    server.client().command("QUIT", 221);
    place.run("event", "logout");
    server.finish();
    for event in ["refused", "upload"] {
        assert!(place.runs("event", event).is_empty(), "{event}");
    }
    place.run("event", "login");
}

/// A login that is replaced by another one has a logout too, and so has one whose client is gone.
#[test]
fn each_login_has_its_logout() {
    let place = Place::new();
    let event = place.recorder("event");
    let server = TestServer::program(&["--on-event", &event]);
    let mut client = server.client();
    client.command("REIN", 220);
    client.log_in();
    drop(client);
    wait_until("two logouts", || place.runs("event", "logout").len() == 2);
    let _open = server.client();
    wait_until("three logins", || place.runs("event", "login").len() == 3);
    server.finish();
    assert_eq!(place.runs("event", "logout").len(), 3);
}

#[test]
fn a_reload_takes_other_hooks() {
    let place = Place::new();
    let (first, second) = (place.recorder("first"), place.recorder("second"));
    let file = place.path("conf");
    let write = |text: &str| fs::write(&file, text).expect("a file");
    write("");
    let server = TestServer::program(&["--config", path(&file)]);
    let mut client = server.client();
    let mut reload = |text: &str, expected: &str, count: usize| {
        write(text);
        server.signal(Signal::HUP);
        wait_until("the reload", || {
            server.log().matches(expected).count() == count
        });
        client.store("STOR new", "text");
    };
    let reloaded = "reloaded the settings";
    reload(&format!("on-upload {first}\n"), reloaded, 1);
    place.run("first", "upload");
    reload(&format!("on-upload {second}\ndebug\n"), reloaded, 2);
    place.run("second", "upload");
    let refused = "--on-upload /nowhere: no such file or directory";
    reload("on-upload /nowhere\n", refused, 1);
    wait_until("the old one", || place.runs("second", "upload").len() == 2);
    assert_eq!(place.runs("first", "upload").len(), 1);
    server.finish();
}

/// The examples of the documentation, as they are printed.
#[test]
fn the_printed_examples_work() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ftp-server-sync/docs/hooks.md");
    let page = fs::read_to_string(page).expect("the page");
    let scripts: Vec<&str> = page
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next())
        .filter(|block| block.starts_with("#!/bin/sh\n"))
        .collect();
    let place = Place::new();
    let here = |name: &str| path(&place.path(name)).to_owned();
    let install = |script: &str, name: &str| {
        let script = script
            .replace("/var/log/ftp-uploads", &here("uploads"))
            .replace("/srv/photos", &here("photos"));
        fs::write(place.path(name), script).expect("a script");
        fs::set_permissions(place.path(name), Permissions::from_mode(0o755)).expect("a mode");
        here(name)
    };
    let [list, photos] = scripts[..] else {
        panic!("{scripts:?}")
    };
    let (list, photos) = (install(list, "list"), install(photos, "photos.sh"));
    let server = TestServer::program(&["--on-event", &list, "--on-upload", &photos]);
    let mut client = server.client();
    client.store("STOR notes.txt", "text");
    client.store("STOR a $(b)'.jpg", "photo");
    let moved = place.path(&format!("photos/{USER}/a $(b)'.jpg"));
    wait_until("the photo is moved", || moved.exists());
    server.log_with("of #1: moved /a $(b)'.jpg");
    assert_eq!(fs::read(moved).expect("the photo"), b"photo");
    assert_eq!(server.read("notes.txt"), b"text");
    let line = format!("{USER} 5 /a $(b)'.jpg\n");
    wait_until("the list", || {
        let list = fs::read_to_string(place.path("uploads")).unwrap_or_default();
        list.contains(&line) && list.contains("4 /notes.txt\n")
    });
    server.finish();
}
