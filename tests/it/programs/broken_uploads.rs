//! Uploads of real clients that are killed, and what the same clients make of them later: by REST
//! as lftp and FileZilla do it, by APPE as curl does it, and by mirrors.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};

use super::dialogue::Dialogue;
use super::{HALF, LOOPBACK, SIZE, assert_same_trees, assert_sample, plant, write_sample};
use crate::support::client_program::{SECONDS_MAX, curl, path};
use crate::support::data::reset;
use crate::support::file_contents::noise;
use crate::support::process;
use crate::support::server::{PASSWORD, Program, Setup, TestServer, USER};
use crate::support::wait::wait_until;

/// Each client in turn is killed in the middle of an upload, and called again.
#[test]
fn killed_clients_go_on_with_what_they_have_sent() {
    for client in CLIENTS {
        for exists in [true, false] {
            let server = start("keep");
            write_sample(&server.work("sample"));
            if exists {
                fs::write(server.path("sample"), noise(SIZE / 5)).expect("an old file");
            }
            kill_in_the_middle(&server, client);
            let kept = fs::read(server.path("sample")).expect("the piece");
            assert!(
                noise(SIZE).starts_with(&kept),
                "{} bytes of another file",
                kept.len()
            );
            assert!(
                kept.len() > HALF && kept.len() < SIZE,
                "{} bytes",
                kept.len()
            );
            client.resume(&server).expect_success();
            assert_sample(&server.path("sample"));
            assert_eq!(names(&server), ["sample"]);
            let dialogue = Dialogue::finish(server);
            match client {
                Uploader::Curl => dialogue.assert_used(&["APPE"]),
                Uploader::Lftp => dialogue.assert_sent(&format!("REST {}", kept.len())),
            };
        }
    }
}

/// With `discard` the old file is still there. A client that goes on behind its end would join two
/// files: it is refused, or begins again.
#[test]
fn an_automatic_resume_never_joins_two_files() {
    for client in CLIENTS {
        let server = start("discard");
        write_sample(&server.work("sample"));
        let old = noise(SIZE / 5);
        fs::write(server.path("sample"), &old).expect("an old file");
        kill_in_the_middle(&server, client);
        assert!(fs::read(server.path("sample")).expect("a file") == old);
        let finished = client.resume(&server);
        let found = fs::read(server.path("sample")).expect("a file");
        let is_whole = found == old || found == noise(SIZE);
        assert!(
            is_whole,
            "{} bytes of two files:\n{}",
            found.len(),
            finished.text()
        );
        client.start_whole(&server).expect_success();
        assert_sample(&server.path("sample"));
        assert_eq!(names(&server), ["sample"]);
        server.finish();
    }
}

/// SIZE, or MLSD, and then REST and STOR, or APPE: the commands of FileZilla after an upload that
/// broke, in sessions of their own.
#[test]
fn filezillas_ways_to_go_on() {
    let whole = noise(SIZE);
    for way in ["REST", "APPE"] {
        let server = start("keep");
        fs::write(server.path("sample"), noise(SIZE - 1)).expect("an old file");
        let mut client = server.client();
        let mut data = client.data();
        client.command("STOR sample", 150);
        std::io::Write::write_all(&mut data, &whole[..HALF]).expect("sending data");
        wait_until("all bytes have come", || {
            let text = client.command("STAT", 211).text();
            text.contains(&format!("{HALF} bytes so far"))
        });
        reset(client.stream);
        drop(data);
        wait_until("the piece is there", || {
            fs::read(server.path("sample")).is_ok_and(|found| found.len() == HALF)
        });
        let mut client = server.client();
        client.command("CWD /", 250);
        client.command("PWD", 257);
        let facts = String::from_utf8(client.fetch_passive("MLSD")).expect("text");
        assert!(facts.contains(&format!("size={HALF};")), "{facts}");
        client.command("SIZE sample", 213);
        client.command("MDTM sample", 213);
        if way == "REST" {
            client.command(format!("REST {HALF}"), 350);
            client.store("STOR sample", &whole[HALF..]);
        } else {
            client.store("APPE sample", &whole[HALF..]);
        }
        assert_sample(&server.path("sample"));
        server.finish();
    }
}

/// A mirror neither fetches nor removes what a server needs for itself, and mends what was broken.
#[test]
fn mirrors_mend_what_was_broken() {
    for mode in ["keep", "discard"] {
        let server = start(mode);
        plant(&server.work("tree"));
        lftp(&server, "mirror -R tree up").expect_success();
        // One upload breaks, another one is still moving, and a server was killed long ago.
        fs::write(server.path(DEAD), "dead").expect("a file");
        let (mut broken, mut moving) = (server.client(), server.client());
        let mut data = moving.data();
        moving.command("STOR up/moving", 150);
        std::io::Write::write_all(&mut data, b"moving").expect("sending data");
        let mut lost = broken.data();
        broken.command("STOR up/one/large", 150);
        std::io::Write::write_all(&mut lost, b"broken").expect("sending data");
        wait_until("the bytes have come", || {
            broken
                .command("STAT", 211)
                .text()
                .contains(" 6 bytes so far")
        });
        reset(lost);
        broken.expect(426);

        lftp(&server, "mirror -R tree up").expect_success();
        lftp(&server, "mirror up down").expect_success();
        assert_same_trees(&server.work("tree"), &server.work("down"));
        // This one would remove what it does not know, on either side.
        lftp(
            &server,
            "mirror -R --delete tree up\nmirror --delete up down",
        )
        .expect_success();
        assert_same_trees(&server.work("tree"), &server.work("down"));
        drop(data);
        moving.expect(226);
        assert_eq!(server.read("up/moving"), b"moving");
        // It was removed by no client; for the server it came too late.
        for name in ["up/moving", DEAD] {
            fs::remove_file(server.path(name)).expect(name);
        }
        assert_same_trees(&server.work("tree"), &server.path("up"));
        server.finish();
    }
}

/// What a killed server may leave.
const DEAD: &str = "up/.ftp-upload.1-1.part";

#[derive(Clone, Copy, Debug)]
enum Uploader {
    Curl,
    Lftp,
}

const CLIENTS: [Uploader; 2] = [Uploader::Curl, Uploader::Lftp];

impl Uploader {
    /// It sends the sample slowly enough to be killed: one second is for less than its half.
    fn start_slowly(self, server: &TestServer<Program>) -> Child {
        match self {
            Self::Curl => {
                let mut command = curl_to(server, &["--limit-rate", "1M"]);
                process::start(&mut command)
            }
            Self::Lftp => {
                let script = "set net:limit-rate 0:1000000\nput sample -o sample";
                process::start(&mut lftp_command(server, script))
            }
        }
    }

    fn resume(self, server: &TestServer<Program>) -> process::Finished {
        match self {
            Self::Curl => process::run(&mut curl_to(server, &["-C", "-"]), SECONDS_MAX),
            Self::Lftp => lftp(server, "put -c sample -o sample"),
        }
    }

    fn start_whole(self, server: &TestServer<Program>) -> process::Finished {
        match self {
            Self::Curl => process::run(&mut curl_to(server, &[]), SECONDS_MAX),
            Self::Lftp => lftp(server, "put sample -o sample"),
        }
    }
}

/// Waits until the upload has come to its middle, kills the client, and waits until the server has
/// seen that.
#[track_caller]
fn kill_in_the_middle(server: &TestServer<Program>, client: Uploader) {
    let mut child = client.start_slowly(server);
    process::drain(child.stdout.take().expect("stdout is piped"));
    process::drain(child.stderr.take().expect("stderr is piped"));
    let half = u64::try_from(HALF).expect("a size");
    let has_arrived = |entry: fs::DirEntry| {
        let metadata = entry.metadata();
        metadata.is_ok_and(|metadata| metadata.len() > half)
    };
    wait_until("half of it has come", || {
        let entries = fs::read_dir(server.root()).expect("the root");
        entries.flatten().any(has_arrived)
    });
    child.kill().expect("a client that still sends");
    child.wait().expect("its end");
    server.log_with("STOR /sample ended after ");
    wait_until("the temporary file is gone", || {
        names(server).iter().all(|name| name == "sample")
    });
}

/// What is in the directory.
fn names(server: &TestServer<Program>) -> Vec<String> {
    let entries = fs::read_dir(server.root()).expect("the root");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

fn start(mode: &str) -> TestServer<Program> {
    let flags = ["--debug", "--broken-uploads", mode];
    Setup::new().host(LOOPBACK).flags(&flags).program()
}

/// curl that sends the sample.
fn curl_to(server: &TestServer<Program>, flags: &[&str]) -> Command {
    let mut command = curl();
    command.args(["--user", &format!("{USER}:{PASSWORD}")]);
    command.args(flags);
    command.args(["-T", path(&server.work("sample")), &server.url("/sample")]);
    command
}

fn lftp(server: &TestServer<Program>, script: &str) -> process::Finished {
    process::run(&mut lftp_command(server, script), SECONDS_MAX)
}

/// lftp that ends with the first command that fails, and does not try again by itself.
fn lftp_command(server: &TestServer<Program>, script: &str) -> Command {
    let file = server.work("script");
    let text = format!(
        "set cmd:fail-exit true\n\
         set net:max-retries 1\n\
         set net:timeout 10\n\
         set ftp:ssl-allow false\n\
         open -u {USER},{PASSWORD} ftp://{}\n\
         {script}\n",
        server.address
    );
    fs::write(&file, text).expect("the script");
    let mut command = server.client_program("lftp");
    command.args(["--norc", "-f", path(Path::new(&file))]);
    command
}
