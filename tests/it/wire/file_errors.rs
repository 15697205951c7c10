//! What the system refuses: files that may not be opened, and a full disk.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use crate::support::file_contents::noise;
use crate::support::process;
use crate::support::server::Setup;

/// Root may open everything, so the server runs without root's privileges here.
#[test]
fn files_without_permission_are_refused() {
    let setup = Setup::new();
    let root = setup.root();
    let path = |name: &str| root.join(name);
    for closed in ["closed", "listed"] {
        fs::create_dir(path(closed)).expect("a directory");
        fs::write(path(closed).join("file"), "text").expect("a file");
    }
    fs::write(path("file"), "text").expect("a file");
    fs::write(path("fixed"), "text").expect("a file");
    let set = |name: &str, mode| {
        fs::set_permissions(path(name), Permissions::from_mode(mode)).expect("its mode");
    };
    for (name, mode) in [
        ("closed", 0),
        ("listed", 0o400),
        ("file", 0),
        ("fixed", 0o400),
    ] {
        set(name, mode);
    }
    let without_rights = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
    let setup = setup.wrapped(|serve| process::prefixed(&without_rights, &serve));
    let server = setup.program();

    let mut client = server.client();
    client.extended_passive();
    for (line, code) in [
        ("APPE fixed", 550),
        ("CWD closed", 550),
        ("CWD listed", 550),
        ("DELE closed/file", 550),
        ("LIST closed", 550),
        ("MKD closed/new", 550),
        ("MLSD closed", 550),
        ("RETR closed/file", 550),
        ("RETR file", 550),
        ("RNFR closed/file", 550),
        ("SIZE closed/file", 550),
        ("STOR closed/new", 553),
        ("STOR file", 553),
        ("STOR fixed", 553),
    ] {
        client.command(line, code);
    }
    assert_eq!(client.fetch("RETR fixed"), b"text");
    let text = client.fetch("LIST").escape_ascii().to_string();
    assert_eq!(text.matches("\\r\\n").count(), 4, "{text}");
    for name in ["closed", "listed", "file"] {
        set(name, 0o700);
    }
    server.finish();
}

/// In a mount namespace of its own, on a file system of 256 KiB.
#[test]
fn a_full_disk_is_452() {
    let script = "mount -t tmpfs -o size=256k tmpfs \"$0\"";
    let setup = Setup::new();
    let root = setup.root();
    let server = setup.mounting(script, &[&root]).program();
    let mut client = server.client();
    client.store("STOR small", noise(1000));
    for (kind, transfer) in [
        ("TYPE I", "STOR large"),
        ("TYPE I", "APPE small"),
        ("TYPE A", "STOR text"),
        ("TYPE I", "STOU"),
    ] {
        client.command(kind, 200);
        let mut data = client.data();
        client.command(transfer, 150);
        // The server reads and discards the rest: after a reset most clients could not read the
        // reply.
        let sent = data.write_all(&noise(8 << 20));
        sent.expect("no reset");
        drop(data);
        let reply = client.reply();
        assert_eq!(reply.code, 452, "{transfer}: {}", reply.text());
        client.expect_in_step();
        client.command("TYPE I", 200);
        assert!(client.fetch("RETR small").starts_with(&noise(1000)));
        for name in client.fetch("NLST").split(|&byte| byte == b'\n') {
            let name = name.trim_ascii_end();
            if !name.is_empty() && name != b"small" {
                client.command([b"DELE ", name].concat(), 250);
            }
        }
        // The disk may be full of it, with no space for a second one.
        client.command("DELE small", 250);
        client.store("STOR small", noise(1000));
    }
    let log = server.finish();
    assert_eq!(log.matches(" failed after ").count(), 4, "{log}");
    assert!(!log.contains("refused: 452"), "logged twice:\n{log}");
}
