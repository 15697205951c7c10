//! The shared directory comes and goes while the server runs: it is removed, renamed, mounted over
//! or unmounted. It is never served as an empty one.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rustix::process::Signal;

use crate::support::client::{Client, sorted_names};
use crate::support::client_program::path;
use crate::support::data::{connect, read_all};
use crate::support::file_contents::noise;
use crate::support::process;
use crate::support::server::{self, PASSWORD, Program, Setup, TestServer, USER};

#[test]
fn a_share_that_is_gone_refuses_and_comes_back() {
    let setup = Setup::new();
    let (root, away) = (setup.root(), setup.directory().join("away"));
    let server = setup.program();
    fs::create_dir(server.path("d")).expect("a directory");
    let bytes = noise(20 << 20);
    server.write("file", &bytes);
    let mut client = server.client();
    client.command("CWD d", 250);
    let mut greeted = Client::greeted(server.address);

    let mut other = server.client();
    let mut data = connect(other.extended_passive());
    other.command("RETR file", 150);
    fs::rename(&root, &away).expect("a rename");
    expect_refusals(&mut client);
    expect_login(&mut greeted, 421);
    greeted.expect_closed();
    let mut wrong = Client::greeted(server.address);
    wrong.command(format!("USER {USER}"), 331);
    wrong.command("PASS wrong", 530);
    // What has begun goes on.
    assert!(read_all(&mut data) == bytes, "another file");
    other.expect(226);

    fs::rename(&away, &root).expect("a rename");
    assert_eq!(sorted_names(client.fetch("NLST /")), ["/d", "/file"]);
    assert_eq!(
        client.command("PWD", 257).text(),
        "257 \"/d\" is the current directory."
    );
    assert_eq!(client.fetch("NLST"), b"");
    server.client().expect_in_step();

    // The same name, and another directory: the last one that is removed has no files any more.
    fs::remove_dir_all(&root).expect("the share");
    expect_refusals(&mut client);
    fs::create_dir(&root).expect("a directory");
    server.write("new", "");
    assert_eq!(client.fetch("NLST /"), b"/new\r\n");
    client.extended_passive();
    client.command("NLST", 550);
    let log = server.finish();
    expect_lines(&log, "is not available: no such file or directory", 2);
    expect_lines(&log, "root is available", 2);
    expect_lines(
        &log,
        "login as tester refused: the shared directory is not available",
        1,
    );
}

/// The disk is mounted at the share itself, or around it, where the mount point has an empty
/// directory of the same name.
#[test]
fn a_disk_is_mounted_removed_and_replaced() {
    for (is_around, flags) in [(false, &[][..]), (true, &[]), (false, &["--sandbox"])] {
        let setup = Setup::new().flags(flags);
        let point = if is_around {
            setup.directory().to_owned()
        } else {
            setup.root()
        };
        let disk = Disk {
            point,
            share: setup.root(),
        };
        let server = in_mount_namespace(setup).program();
        let mut client = server.client();
        assert_eq!(client.fetch("NLST"), b"");
        disk.mount(&server, "first");
        assert_eq!(client.fetch("NLST"), b"first\r\n");
        client.command("MKD d", 257);
        client.command("CWD d", 250);

        disk.unmount(&server);
        expect_refusals(&mut client);
        let mut refused = Client::greeted(server.address);
        expect_login(&mut refused, 421);
        server.log_with("login as tester refused");
        // A reload because of something else, such as a new certificate, does not share the mount
        // point.
        server.signal(Signal::HUP);
        server.log_with("reloaded the settings");
        expect_refusals(&mut client);

        disk.mount(&server, "second");
        client.extended_passive();
        client.command("NLST", 550);
        assert_eq!(client.fetch("NLST /"), b"/second\r\n");
        assert_eq!(server.client().fetch("NLST"), b"second\r\n");
        // Another disk, without a look in between.
        disk.unmount(&server);
        disk.mount(&server, "third");
        assert_eq!(client.fetch("NLST /"), b"/third\r\n");
        let log = server.finish();
        let missing = format!(
            "is not available: nothing is mounted at {}",
            path(&disk.point)
        );
        expect_lines(&log, &missing, 1);
        expect_lines(&log, "root is available", 1);
        expect_lines(&log, "is another directory now, on another file system", 2);
        // The tests run as root.
        let log = log.replace(" WARN  the server runs as root", "");
        expect_lines(&log, " WARN ", 1);
    }
}

/// An upload to a disk that is detached, or that another one hides, is not confirmed: the client
/// might delete its own copy.
#[test]
fn an_upload_beside_the_share_is_not_confirmed() {
    for is_mounted_over in [false, true] {
        let setup = Setup::new();
        let disk = Disk {
            point: setup.root(),
            share: setup.root(),
        };
        let server = in_mount_namespace(setup).program();
        disk.mount(&server, "file");
        let mut client = server.client();
        let mut data = client.data();
        client.command("STOR new", 150);
        data.write_all(b"half").expect("room in the socket");
        if is_mounted_over {
            disk.mount(&server, "other");
        } else {
            disk.unmount(&server);
        }
        data.write_all(b" and half").expect("room in the socket");
        drop(data);
        client.expect(451);
        if is_mounted_over {
            client.store("STOR new", "whole");
            assert_eq!(client.fetch("RETR new"), b"whole");
        } else {
            expect_refusals(&mut client);
        }
        let log = server.finish();
        expect_lines(&log, "STOR /new failed after 13 bytes", 1);
    }
}

/// The same, where the path of the share names another directory of the same file system.
#[test]
fn an_upload_to_a_directory_that_was_the_share_is_not_confirmed() {
    let setup = Setup::new();
    let (root, before) = (setup.root(), setup.directory().join("before"));
    let server = setup.in_process();
    let mut client = server.client();
    let mut data = client.data();
    client.command("STOR new", 150);
    data.write_all(b"half").expect("room in the socket");
    fs::rename(&root, before).expect("the share has another name");
    fs::create_dir(&root).expect("another share");
    drop(data);
    client.expect(451);
    client.store("STOR new", "whole");
    assert_eq!(client.fetch("RETR new"), b"whole");
}

/// A disk that is in `/etc/fstab` and not mounted at start is not served as an empty directory.
#[test]
fn an_empty_mount_point_is_refused_until_it_is_mounted() {
    let setup = Setup::new();
    let disk = Disk {
        point: setup.root(),
        share: setup.root(),
    };
    let etc = setup.directory().join("etc");
    let script = "cp -a /etc \"$0\" && echo \"/dev/sdz1 $1 ext4 defaults 0 2\" >> \"$0/fstab\" \
                  && mount --bind \"$0\" /etc";
    let paths = [&*etc, &*disk.point];
    let check = server::command(&["--check", "-i", "127.0.0.1", "-d", path(&disk.share)]);
    let mut check = process::mounting(script, &paths, &check);
    let checked = process::run(&mut check, 20).expect_failure();
    let text = checked.text();
    assert!(text.contains("FAILS    nothing is mounted at"), "{text}");
    fs::remove_dir_all(&etc).expect("the copy");

    let server = setup.mounting(script, &paths).program();
    server.log_with("no client can log in until it is mounted");
    for _ in 0..2 {
        expect_login(&mut Client::greeted(server.address), 421);
    }
    disk.mount(&server, "file");
    assert_eq!(server.client().fetch("NLST"), b"file\r\n");
    disk.unmount(&server);
    expect_login(&mut Client::greeted(server.address), 421);
    let log = server.finish();
    expect_lines(&log, "root is available", 1);
    expect_lines(&log, "is not available: nothing is mounted at", 1);
}

/// The server has lost the right to follow the path, as after giving up the rights of root.
#[test]
fn a_directory_whose_path_cannot_be_followed_stays_shared() {
    let setup = Setup::new();
    fs::write(setup.root().join("file"), "text").expect("a file");
    let around = setup.directory().to_owned();
    let without_rights = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
    let server = setup
        .wrapped(|serve| process::prefixed(&without_rights, &serve))
        .program();
    let mut client = server.client();
    let mode = fs::metadata(&around).expect("a mode").permissions();
    let set_mode = |mode| fs::set_permissions(&around, mode).expect("a mode");
    set_mode(Permissions::from_mode(0o000));
    for client in [&mut client, &mut server.client()] {
        assert_eq!(client.fetch("NLST"), b"file\r\n");
        client.command("SIZE file", 213);
    }
    set_mode(mode);
    client.command("SIZE file", 213);
    let log = server.finish();
    expect_lines(&log, "the server may no longer follow the path", 1);
    expect_lines(&log, "the server may follow the path", 1);
    expect_lines(&log, "is not available", 0);
}

/// A file system in the mount namespace of a server.
struct Disk {
    point: PathBuf,
    share: PathBuf,
}

impl Disk {
    /// Mounts a new one with this file in the shared directory.
    fn mount(&self, server: &TestServer<Program>, file: &str) {
        let (point, share) = (path(&self.point), self.share.join(file));
        let directory = path(&self.share);
        let script = "mount -t tmpfs none \"$0\" && mkdir -p \"$1\" && echo text > \"$2\"";
        server.in_its_mounts(script, &[point, directory, path(&share)]);
    }

    /// The server has the directory open, so that the file system can only be detached.
    fn unmount(&self, server: &TestServer<Program>) {
        server.in_its_mounts("umount --lazy \"$0\"", &[path(&self.point)]);
    }
}

/// A rename to another file system would be a copy, and is none.
#[test]
fn a_rename_to_another_file_system_is_refused() {
    let setup = Setup::new();
    let disk = setup.root().join("disk");
    fs::create_dir(&disk).expect("a directory");
    fs::write(setup.root().join("file"), "text").expect("a file");
    let script = "mount -t tmpfs none \"$0\" && echo other > \"$0/other\"";
    let paths = [&*disk];
    let server = setup.mounting(script, &paths).program();
    let mut client = server.client();
    for to in ["disk/new", "disk/other"] {
        client.command("RNFR file", 350);
        let text = client.command(format!("RNTO {to}"), 553).text();
        assert!(text.contains("on another file system"), "{text}");
    }
    assert_eq!(server.read("file"), b"text");
}

/// Mounts are the server's own, and the test does not see them.
fn in_mount_namespace(setup: Setup<'_>) -> Setup<'_> {
    setup.wrapped(|serve| process::prefixed(&["unshare", "--mount"], &serve))
}

#[track_caller]
fn expect_refusals(client: &mut Client) {
    client.extended_passive();
    for (line, code) in [
        ("LIST", 550),
        ("NLST", 550),
        ("MLSD", 550),
        ("MLST", 550),
        ("STAT .", 550),
        ("LIST /", 550),
        ("CWD /", 550),
        ("CDUP", 550),
        ("SIZE file", 550),
        ("MDTM file", 550),
        ("RETR file", 550),
        ("STOR new", 553),
        ("STOU", 553),
        ("APPE new", 550),
        ("MKD new", 550),
        ("RMD d", 550),
        ("DELE file", 550),
        ("RNFR file", 550),
    ] {
        let reply = client.command(line, code);
        let expected = format!("{code} The shared directory is not available.");
        assert_eq!(reply.text(), expected, "{line}");
    }
    client.expect_in_step();
}

#[track_caller]
fn expect_login(client: &mut Client, code: u16) {
    client.command(format!("USER {USER}"), 331);
    client.command(format!("PASS {PASSWORD}"), code);
}

#[track_caller]
fn expect_lines(log: &str, text: &str, count: usize) {
    let found = log.lines().filter(|line| line.contains(text)).count();
    assert_eq!(found, count, "{text:?} in the log:\n{log}");
}
