//! Two servers with one directory that each has mounted for itself, as two machines have: by FUSE
//! file systems that pass all calls on (bindfs, sshfs), and by `rclone mount`. What
//! `docs/several-instances.md` says of them is what these tests find.
//!
//! A mount exists only in the mount namespace of its own program, which the server enters: it is
//! gone with these two processes.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{begin, expect_bytes, expect_no_leftovers, leftovers, other_noise, upload};
use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::data::{connect, read_all};
use crate::support::file_contents::noise;
use crate::support::process;
use crate::support::server::{self, Program, Setup, TestServer, USER};
use crate::support::wait::{pass_time, wait_until};

/// What one stores is there for the other at once, and no reader gets a mix of two files.
#[test]
fn long_mounts_that_pass_calls_on_show_whole_files_at_once() {
    for kind in [&BINDFS, &SSHFS] {
        let boxes = Boxes::new(kind);
        check_replaced(&boxes);
        check_continued(&boxes);
        boxes.finish();
    }
}

#[track_caller]
fn check_replaced(boxes: &Boxes) {
    let [mut a, mut b] = boxes.clients();
    let (old, new) = (noise(32 << 20), other_noise(40 << 20));
    a.store("STOR file", &old);
    b.command("SIZE file", 213);
    let mut data = connect(b.extended_passive());
    b.command("RETR file", 150);
    a.store("STOR file", &new);
    expect_bytes(&read_all(&mut data), &old, "what was read meanwhile");
    b.expect(226);
    expect_bytes(&b.fetch("RETR file"), &new, "the new file");
    check_sizes(&mut a, &mut b);
}

/// The system remembers for a second what it has asked: a file that was replaced meanwhile is sent
/// with its own size.
#[track_caller]
fn check_sizes(a: &mut Client, b: &mut Client) {
    let bytes = noise(4000);
    for length in [1000, 4000, 100, 3000, 2000] {
        b.send("SIZE file");
        b.reply();
        a.store("STOR file", &bytes[..length]);
        expect_bytes(&b.fetch("RETR file"), &bytes[..length], "of another size");
    }
}

#[track_caller]
fn check_continued(boxes: &Boxes) {
    let [mut a, mut b] = boxes.clients();
    let bytes = noise(32 << 20);
    a.store("STOR file", &bytes);
    a.store("APPE file", "end");
    b.command(format!("REST {}", bytes.len() + 3), 350);
    b.store("STOR file", ", and more");
    let whole = [&bytes[..], b"end, and more"].concat();
    expect_bytes(&boxes.read("file"), &whole, "what was appended");
    a.command("RNFR file", 350);
    a.command("RNTO other", 250);
    assert_eq!(b.fetch("NLST"), b"other\r\n");
    let mut data = connect(b.extended_passive());
    b.command("RETR other", 150);
    a.command("DELE other", 250);
    expect_bytes(&read_all(&mut data), &whole, "what was removed meanwhile");
    b.expect(226);
}

/// No lock of one machine is seen by the other: what is an upload there is no leftover here.
#[test]
fn long_an_upload_of_another_machine_goes_on() {
    for kind in [&BINDFS, &SSHFS, &RCLONE_OFF] {
        let boxes = Boxes::new(kind);
        let [mut a, mut b] = boxes.clients();
        let bytes = noise(3 << 20);
        let data = begin(&mut a, "STOR file", &bytes);
        let names = leftovers(&boxes.back());
        // In many containers, each server has the same number.
        let process = format!(".{}-", boxes.servers[0].id());
        assert!(
            names.len() == 1 && !names[0].contains(&process),
            "{names:?}"
        );
        b.store("STOR another", "text");
        drop(data);
        a.expect(226);
        expect_bytes(&boxes.read("file"), &bytes, kind.program);
        expect_no_leftovers(&boxes.back());
        // Two at one name: the one that ends last has it.
        let data = begin(&mut a, "STOR file", b"of a");
        b.store("STOR file", "of b");
        drop(data);
        a.expect(226);
        assert_eq!(boxes.read("file"), b"of a");
        boxes.finish();
    }
}

/// What nothing has been written to for an hour is left by a crash.
#[test]
fn long_an_old_leftover_is_removed() {
    let boxes = Boxes::new(&BINDFS);
    for (name, age) in [(".ftp-upload.1-1.part", 50), (".ftp-upload.1-2.part", 70)] {
        let file = fs::File::create(boxes.back().join(name)).expect("a file");
        let modified = SystemTime::now() - Duration::from_secs(age * 60);
        file.set_modified(modified).expect("a time");
    }
    boxes.servers[1].client().store("STOR file", "text");
    assert_eq!(leftovers(&boxes.back()), [".ftp-upload.1-1.part"]);
    boxes.finish();
}

/// A full disk behind the mount.
#[test]
fn long_bindfs_reports_a_full_disk() {
    let boxes = Boxes::new(&Kind {
        before: "mount -t tmpfs -o size=4m none \"$0\"",
        ..BINDFS
    });
    let mut client = boxes.servers[0].client();
    client.store("STOR file", "old");
    for name in ["file", "new"] {
        let reply = upload(&mut client, &format!("STOR {name}"), &noise(8 << 20));
        assert_eq!(reply.code, 452, "{}", reply.text());
    }
    assert_eq!(client.fetch("RETR file"), b"old");
    assert_eq!(client.fetch("NLST"), b"file\r\n");
    boxes.finish();
}

/// Without a cache of its own, rclone has stored a file when the reply comes, and cannot change
/// one.
#[test]
fn long_rclone_without_a_cache_stores_before_the_reply() {
    let boxes = Boxes::new(&RCLONE_OFF);
    let [mut a, mut b] = boxes.clients();
    let (old, new) = (noise(3 << 20), other_noise(2 << 20));
    for bytes in [&old, &new] {
        a.store("STOR file", bytes);
        expect_bytes(&boxes.read("file"), bytes, "STOR");
        expect_bytes(&a.fetch("RETR file"), bytes, "RETR");
    }
    assert_eq!(b.fetch("NLST"), b"file\r\n");
    expect_bytes(&b.fetch("RETR file"), &new, "on the other machine");
    check_sizes(&mut a, &mut b);
    a.store("STOR file", &new);
    let reply = upload(&mut a, "APPE file", b"more");
    assert_eq!(reply.code, 451, "{}", reply.text());
    a.command("REST 3", 350);
    let reply = upload(&mut a, "STOR file", b"more");
    assert_eq!(reply.code, 451, "{}", reply.text());
    expect_bytes(&boxes.read("file"), &new, "after both");
    a.command("RNFR file", 350);
    a.command("RNTO other", 250);
    a.command("MFMT 20200102030405 other", 213);
    let text = a.command("MDTM other", 213).text();
    assert_eq!(text, "213 20200102030405");
    boxes.finish();
}

/// With a cache, files can be continued, also on the other machine after a while.
#[test]
fn long_rclone_with_a_cache_continues_files() {
    let boxes = Boxes::new(&RCLONE_WRITES);
    let [mut a, mut b] = boxes.clients();
    a.store("STOR file", "old");
    a.store("STOR file", "the beginning");
    a.store("APPE file", ", the middle");
    let is_stored = |text: &[u8]| fs::read(boxes.back().join("file")).is_ok_and(|now| now == text);
    wait_until("rclone has stored it", || {
        is_stored(b"the beginning, the middle")
    });
    wait_until("the other sees it", || {
        b.send("SIZE file");
        b.reply().text() == "213 25"
    });
    b.command("REST 25", 350);
    b.store("STOR file", ", the end");
    let whole = b"the beginning, the middle, the end";
    wait_until("rclone has stored it", || is_stored(whole));
    assert_eq!(b.fetch("RETR file"), whole);
    boxes.finish();
}

/// The program behind a mount is killed: the client learns that it is the server's fault, and the
/// operator what to do.
#[test]
fn long_a_mount_without_its_program_is_named() {
    let mut boxes = Boxes::new(&BINDFS);
    let [mut a, _] = boxes.clients();
    let mut reader = boxes.servers[0].client();
    let bytes = noise(64 << 20);
    a.store("STOR file", &bytes);
    let mut sent = connect(reader.extended_passive());
    reader.command("RETR file", 150);
    sent.read_exact(&mut [0]).expect("the first byte");
    let data = begin(&mut a, "STOR new", b"half");
    boxes.mounts[0].end();
    drop(data);
    a.expect(451);
    assert!(read_all(&mut sent).len() < bytes.len());
    reader.expect(451);
    let server = &boxes.servers[0];
    wait_until("the share is not available", || {
        a.send("SIZE file");
        a.reply().text() == "550 The shared directory is not available."
    });
    server.log_with("transport endpoint is not connected: each operation in it is refused");
    server.log_with(REMEDY);
    // What is started now says the same.
    let share = server.root();
    let other = server::command(&["-i", "127.0.0.1", "-p", "0", "-d", path(&share)]);
    let id = server.id().to_string();
    let words = ["nsenter", "--mount", "--target", &id];
    let refused = process::run(&mut process::prefixed(&words, &other), 20);
    refused.expect_refusal(REMEDY);
    // That remedy cures it.
    server.in_its_mounts("umount --lazy \"$0\"", &[path(&share)]);
    let back = boxes.back();
    let (program, arguments) = BINDFS.command(&back, &share);
    let mut again = Command::new("nsenter");
    again.args(words[1..].iter()).arg(program).args(arguments);
    boxes.mounts[0] = Mount::start(&mut again, &share);
    expect_bytes(&a.fetch("RETR file"), &bytes, "after the remedy");
    let log = boxes.finish();
    assert!(log.contains("RETR /file failed after"), "{log}");
    assert!(!log.contains("data connection lost"), "{log}");
}

/// The program behind a mount does not answer: who does not need its files does not wait.
#[test]
fn long_a_silent_mount_stops_its_own_sessions_only() {
    let boxes = Boxes::new(&BINDFS);
    let [mut a, mut b] = boxes.clients();
    let mut other = boxes.servers[0].client();
    a.store("STOR file", "text");
    let stopped = Stopped::new(&boxes.mounts[0]);
    pass_time(
        Duration::from_millis(1500),
        "the system knows nothing of the file any more",
    );
    a.send("SIZE file");
    other.command("NOOP", 200);
    let mut stranger = Client::greeted(boxes.servers[0].address);
    stranger.command(format!("USER {USER}"), 331);
    stranger.command("PASS wrong", 530);
    b.command("SIZE file", 213);
    a.expect_silence(Duration::from_millis(100));
    drop(stopped);
    a.expect(213);
    boxes.finish();
}

/// How a directory is mounted.
struct Kind {
    program: &'static str,
    flags: &'static [&'static str],
    /// A script that mounts something at the directory itself.
    before: &'static str,
}

/// The servers, which are dropped before their mounts, and those before the directory.
struct Boxes {
    servers: [TestServer<Program>; 2],
    mounts: [Mount; 2],
    directory: TempDir,
}

/// The program that serves a mount.
struct Mount(Child);

/// It does not answer. It goes on after a failure too: the end of its server waits for it.
struct Stopped<'a>(&'a Mount);

impl Kind {
    fn command(&self, back: &Path, point: &Path) -> (&str, Vec<String>) {
        let mut arguments: Vec<String> = self.flags.iter().map(|&flag| flag.to_owned()).collect();
        let from = match self.program {
            "sshfs" => format!("without-a-host:{}", path(back)),
            _ => path(back).to_owned(),
        };
        arguments.extend([from, path(point).to_owned()]);
        if self.program == "sshfs" {
            let script = point.with_file_name("sftp-server.sh");
            fs::write(&script, format!("exec {SFTP_SERVER}\n")).expect("a script");
            arguments.extend(["-o".to_owned(), format!("ssh_command=sh {}", path(&script))]);
        }
        if self.program == "rclone" {
            for (flag, name) in [("--cache-dir", "cache"), ("--log-file", "rclone.log")] {
                let place = point.with_file_name(name);
                arguments.extend([flag.to_owned(), path(&place).to_owned()]);
            }
        }
        (self.program, arguments)
    }
}

impl Boxes {
    fn new(kind: &Kind) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let started = [(); 2].map(|()| {
            let setup = Setup::new();
            let point = setup.root();
            let (program, arguments) = kind.command(directory.path(), &point);
            let mut command = Command::new(program);
            command.args(arguments);
            let mut command = process::mounting(kind.before, &[directory.path()], &command);
            let mount = Mount::start(&mut command, &point);
            let id = mount.0.id().to_string();
            let words = ["nsenter", "--mount", "--target", &id];
            let server = setup.wrapped(|serve| process::prefixed(&words, &serve));
            (server.program(), mount)
        });
        let [(a, mount_a), (b, mount_b)] = started;
        Self {
            servers: [a, b],
            mounts: [mount_a, mount_b],
            directory,
        }
    }

    /// The directory that both have mounted.
    fn back(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.back().join(name)).expect("a file")
    }

    fn clients(&self) -> [Client; 2] {
        self.servers.each_ref().map(TestServer::client)
    }

    /// Ends the servers. Returns the log of the first one.
    fn finish(self) -> String {
        let [log, _] = self.servers.map(TestServer::finish);
        log
    }
}

impl<'a> Stopped<'a> {
    fn new(mount: &'a Mount) -> Self {
        mount.signal(Signal::STOP);
        Self(mount)
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.signal(Signal::CONT);
    }
}

impl Mount {
    fn start(command: &mut Command, point: &Path) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command
            .spawn()
            .expect("the program of a mount (unshare: util-linux)");
        let mut mount = Self(child);
        let mounts = format!("/proc/{}/mountinfo", mount.0.id());
        let is_there = format!(" {} ", path(point));
        wait_until("the file system is mounted", || {
            let ended = mount.0.try_wait().expect("the program of a mount");
            let missing =
                "it has ended (Debian packages: bindfs, sshfs, openssh-sftp-server, rclone, fuse3)";
            assert!(ended.is_none(), "{command:?}: {missing}: {ended:?}");
            fs::read_to_string(&mounts).is_ok_and(|text| text.contains(&is_there))
        });
        mount
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("a signal");
    }

    fn end(&mut self) {
        // After an end of its own, both do nothing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.end();
    }
}

const BINDFS: Kind = Kind {
    program: "bindfs",
    flags: &["-f"],
    before: "true",
};

/// Without a network: it speaks with a server of its own.
const SSHFS: Kind = Kind {
    program: "sshfs",
    flags: &["-f", "-o", "dir_cache=no", "-o", "attr_timeout=0"],
    before: "true",
};

const SFTP_SERVER: &str = "/usr/lib/openssh/sftp-server";

/// The flags that `docs/several-instances.md` recommends.
const RCLONE_OFF: Kind = Kind {
    program: "rclone",
    flags: &[
        "mount",
        "--config=",
        "--dir-cache-time=0s",
        "--attr-timeout=0s",
        "--vfs-cache-mode=off",
    ],
    before: "true",
};

const RCLONE_WRITES: Kind = Kind {
    program: "rclone",
    flags: &[
        "mount",
        "--config=",
        "--dir-cache-time=0s",
        "--attr-timeout=0s",
        "--vfs-cache-mode=writes",
        "--vfs-write-back=0s",
    ],
    before: "true",
};

const REMEDY: &str = "the program that serves this mount (FUSE) has ended: unmount it by `umount \
                      --lazy`, and mount it again";
