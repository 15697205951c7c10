//! `--max-upload-size`, `--free-space-min` and `--umask`: what uploads may do.

use std::fs;
use std::io::Write;

use rustix::process::Signal;

use crate::support::client::Client;
use crate::support::file_contents::noise;
use crate::support::process;
use crate::support::server::{Setup, TestServer};
use crate::support::wait::wait_until;

const MAX: usize = 100 << 10;

/// Sends all of `bytes`: the server reads and discards what it does not store, as most clients
/// could not read its reply after a reset.
fn refused_while_writing(client: &mut Client, command: &str, bytes: &[u8], expected: &str) {
    let mut data = client.data();
    client.command(command, 150);
    data.write_all(bytes).expect("no reset");
    drop(data);
    let reply = client.reply().text();
    // What is left follows.
    assert!(reply.starts_with(expected), "{command}: {reply}");
    client.expect_in_step();
}

fn refused_at_once(client: &mut Client, command: &str, expected: &str) {
    client.extended_passive();
    client.send(command);
    assert_eq!(client.reply().text(), expected, "{command}");
}

#[test]
fn an_upload_makes_no_file_above_the_largest_size() {
    let server = TestServer::program(&["--max-upload-size", "100K"]);
    let mut client = server.client();
    client.command("TYPE I", 200);
    client.store("STOR whole", noise(MAX));
    assert_eq!(server.read("whole").len(), MAX);
    for command in ["STOR above", "STOU", "APPE new"] {
        let bytes = noise(MAX + 1);
        refused_while_writing(&mut client, command, &bytes, TOO_LARGE);
    }
    // Far more than the server writes at once.
    refused_while_writing(&mut client, "STOR far", &noise(8 << 20), TOO_LARGE);
    refused_while_writing(&mut client, "APPE whole", b"x", TOO_LARGE);
    assert_eq!(server.read("whole").len(), MAX);

    server.write("part", noise(MAX - 10));
    client.command(format!("REST {}", MAX - 10), 350);
    refused_while_writing(&mut client, "STOR part", &noise(11), TOO_LARGE);
    server.write("part", noise(MAX - 10));
    client.command(format!("REST {}", MAX - 10), 350);
    client.store("STOR part", noise(10));
    assert_eq!(server.read("part").len(), MAX);

    // What was there before may be larger.
    server.write("large", noise(MAX + 2));
    client.command(format!("REST {}", MAX + 1), 350);
    refused_at_once(&mut client, "STOR large", WOULD_BE_TOO_LARGE);
    refused_at_once(&mut client, "APPE large", WOULD_BE_TOO_LARGE);
    assert_eq!(server.read("large").len(), MAX + 2);
    assert_eq!(client.fetch("RETR large").len(), MAX + 2);
    client.store("STOR large", "small");
    assert_eq!(server.read("large"), b"small");

    // The bytes in the file count, not those on the wire.
    client.command("TYPE A", 200);
    client.store("STOR text", "\r\n".repeat(MAX));
    assert_eq!(server.read("text").len(), MAX);
    let longer = "\r\n".repeat(MAX + 1);
    refused_while_writing(&mut client, "STOR text", longer.as_bytes(), TOO_LARGE);
    let log = server.finish();
    let hint = "file too large (see --max-upload-size)";
    assert_eq!(log.matches(hint).count(), 7, "{log}");
    let hint = "larger than this server accepts. (see --max-upload-size)";
    assert_eq!(log.matches(hint).count(), 2, "{log}");
    assert!(
        log.contains("uploads: files have at most 102400 bytes"),
        "{log}"
    );
}

#[test]
fn an_upload_leaves_space_free() {
    // More than any disk has.
    let server = TestServer::program(&["--free-space-min", "1024T"]);
    server.write("old", "text");
    let mut client = server.client();
    for command in ["STOR new", "STOR old", "APPE old", "STOU"] {
        refused_at_once(&mut client, command, NO_SPACE);
    }
    assert_eq!(client.fetch("RETR old"), b"text");
    client.command("MKD directory", 257);
    assert_eq!(fs::read_dir(server.root()).expect("the share").count(), 2);
    let log = server.finish();
    let finding =
        "WARN  less than 1125899906842624 bytes are free on the disk of the shared directory";
    assert!(log.contains(finding), "{log}");
    let hint = "452 Too little space is free on the server. (see --free-space-min)";
    assert_eq!(log.matches(hint).count(), 4, "{log}");
}

#[test]
fn limits_apply_to_running_sessions_after_a_reload() {
    let setup = Setup::new();
    let file = setup.directory().join("ftp.conf");
    fs::write(&file, "max-upload-size 1K").expect("a configuration");
    let flag = file.to_str().expect("text").to_owned();
    let server = setup.flags(&["--config", &flag]).in_process();
    let mut client = server.client();
    refused_while_writing(&mut client, "STOR file", &noise(2000), TOO_LARGE);
    fs::write(&file, "max-upload-size 2K").expect("a configuration");
    server.reload();
    wait_until("the limit has changed", || {
        let mut data = client.data();
        client.command("STOR file", 150);
        data.write_all(&noise(2000)).expect("no reset");
        drop(data);
        client.reply().code == 226
    });
}

#[test]
fn the_umask_of_the_flag_is_that_of_new_files() {
    for (umask, file, directory) in [("027", 0o640, 0o750), ("000", 0o666, 0o777)] {
        let server = TestServer::program(&["--umask", umask]);
        server.write("old", "text");
        server.set_mode("old", 0o604);
        let mut client = server.client();
        let shown = client.command("SITE UMASK", 200).text();
        assert_eq!(shown, format!("200 The umask is {umask}."));
        client.command("MKD directory", 257);
        for command in ["STOR stored", "APPE appended", "STOU unique", "STOR old"] {
            client.store(command, "text");
        }
        for name in ["stored", "appended", "unique"] {
            assert_eq!(server.mode(name), file, "{name}");
        }
        assert_eq!(
            (server.mode("directory"), server.mode("old")),
            (directory, 0o604)
        );
        client.command("SITE UMASK 077", 200);
        client.store("STOR own", "text");
        assert_eq!(server.mode("own"), 0o600);
        server.client().store("STOR other", "text");
        assert_eq!(server.mode("other"), file);
        server.finish();
    }
}

/// At SIGHUP too, and without the flag it is what it was before.
#[test]
fn a_reload_changes_the_umask() {
    let setup = Setup::new();
    let file = setup.directory().join("ftp.conf");
    fs::write(&file, "umask 027").expect("a configuration");
    let flag = file.to_str().expect("text").to_owned();
    let with_umask = ["sh", "-c", "umask 026; exec \"$@\"", "sh"];
    let server = setup
        .flags(&["--config", &flag])
        .wrapped(|serve| process::prefixed(&with_umask, &serve))
        .program();
    let mut client = server.client();
    let mut is_shown = |umask| {
        let shown = client.command("SITE UMASK", 200).text();
        shown == format!("200 The umask is {umask}.")
    };
    assert!(is_shown("027"));
    for (line, umask) in [("umask 002", "002"), ("", "026")] {
        fs::write(&file, line).expect("a configuration");
        server.signal(Signal::HUP);
        wait_until("the umask has changed", || is_shown(umask));
    }
    client.store("STOR file", "text");
    assert_eq!(server.mode("file"), 0o640);
    server.finish();
}

const TOO_LARGE: &str = "552 The file is larger than this server accepts; transfer aborted.";
const WOULD_BE_TOO_LARGE: &str = "552 The file would be larger than this server accepts.";
const NO_SPACE: &str = "452 Too little space is free on the server.";
