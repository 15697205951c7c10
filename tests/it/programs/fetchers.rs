//! Programs that do one thing per call: ncftp's three, wget, busybox's two, aria2.

use std::fs;
use std::process::Command;

use super::dialogue::{Dialogue, Mode};
use super::{
    HALF, LOOPBACK, SIZE, assert_same_trees, assert_sample, plant, sorted_names, start, write_part,
    write_sample,
};
use crate::support::client_program::{NAMES, SECONDS_MAX, path, sorted_lines};
use crate::support::file_contents::{assert_same_files, noise};
use crate::support::process::{self, Finished};
use crate::support::server::{PASSWORD, Program, TestServer, USER};

#[test]
fn ncftp_passive() {
    check_ncftp("-F").assert_mode(Mode::Pasv);
}

#[test]
fn ncftp_active() {
    check_ncftp("-E").assert_mode(Mode::Port);
}

fn check_ncftp(mode: &str) -> Dialogue {
    let server = start(LOOPBACK);
    let login = ["-u", USER, "-p", PASSWORD, "-P", &server.port(), "-r", "1"];
    let run = |program: &str, arguments: &[&str]| {
        let arguments = [&login[..], &[mode], arguments].concat();
        server.run_client(program, &arguments).expect_success()
    };
    plant(&server.work("tree"));
    fs::create_dir(server.work("down")).expect("a directory");
    run("ncftpput", &["-R", &server.host(), "/", "tree"]);
    assert_same_trees(&server.work("tree"), &server.path("tree"));
    run("ncftpget", &["-R", "-T", &server.host(), "down", "/tree"]);
    assert_same_trees(&server.work("tree"), &server.work("down/tree"));

    write_sample(&server.path("sample"));
    write_part(&server.work("sample"));
    run("ncftpget", &["-z", &server.host(), ".", "/sample"]);
    assert_sample(&server.work("sample"));
    // `ncftpput -z` sends the whole file after its REST, to any server; -A is its way to go on.
    fs::write(server.work("appended"), &noise(SIZE)[HALF..]).expect("the rest");
    write_part(&server.path("appended"));
    run("ncftpput", &["-A", &server.host(), "/", "appended"]);
    assert_sample(&server.path("appended"));

    let names = run("ncftpls", &["-1", &server.url("/tree/one/two 二/")]);
    assert_eq!(sorted_lines(&names), sorted_names(), "{}", names.text());
    let long = run("ncftpls", &["-l", &server.url("/")]);
    let size = format!(" {SIZE} ");
    assert!(long.text().contains(&size), "{}", long.text());
    let dialogue = Dialogue::finish(server);
    dialogue.assert_sent(&format!("REST {HALF}"));
    dialogue.assert_used(&["APPE", "MDTM"]);
    // It asks for more than there is: to set dates with MDTM, and whether a directory is there.
    dialogue.assert_smooth_but(&["550"]);
    dialogue
}

#[test]
fn wget_fetches_whole_trees() {
    for (host, flags, mode) in [
        ("127.0.0.1", &[][..], Mode::Pasv),
        ("127.0.0.1", &["--no-passive-ftp"], Mode::Port),
        ("::1", &[], Mode::Epsv),
        ("::1", &["--no-passive-ftp"], Mode::Eprt),
    ] {
        let server = start(host);
        plant(&server.path("tree"));
        let url = server.url("/tree/");
        let arguments = [flags, &["-r", "-nH", &url]].concat();
        wget(&server, &arguments).expect_success();
        for directory in ["tree", "tree/one/two 二"] {
            // It takes a percent sign in a listed name for the beginning of an escape, but only for
            // its own file.
            let place = server.work(directory);
            let [theirs, ours] = ["percent A", "percent %41"]
                .map(|start| place.join(format!("{start} #hash &and;semicolon.txt")));
            fs::rename(theirs, ours).expect("wget's name for the file");
        }
        assert_same_trees(&server.path("tree"), &server.work("tree"));
        let dialogue = Dialogue::finish(server);
        dialogue.assert_mode(mode).assert_smooth_but(&[]);
    }
}

#[test]
fn wget_continues_downloads() {
    let server = start(LOOPBACK);
    write_sample(&server.path("sample"));
    write_part(&server.work("sample"));
    wget(&server, &["-c", &server.url("/sample")]).expect_success();
    assert_sample(&server.work("sample"));
    // A file that is there already, of the same size and date, is not fetched again.
    wget(&server, &["-N", &server.url("/sample")]).expect_success();
    wget(&server, &[&server.url("/missing")]).expect_failure();
    let dialogue = Dialogue::finish(server);
    dialogue.assert_sent(&format!("REST {HALF}"));
    dialogue.assert_smooth_but(&["550"]);
    let fetched = dialogue.commands().filter(|line| *line == "RETR sample");
    assert_eq!(fetched.count(), 1, "fetched once");
}

fn wget(server: &TestServer<Program>, arguments: &[&str]) -> Finished {
    let user = format!("--user={USER}");
    let password = format!("--password={PASSWORD}");
    let common = ["--no-config", "--no-proxy", "-nv", "-t", "2", "-T", "20"];
    let arguments = [&common[..], &[&user, &password], arguments].concat();
    server.run_client("wget", &arguments)
}

/// It has EPSV only, and no listings.
#[test]
fn busybox_gets_and_puts() {
    for host in ["127.0.0.1", "::1"] {
        let server = start(host);
        let run = |applet: &str, arguments: &[&str]| {
            let login = ["-u", USER, "-p", PASSWORD, "-P", &server.port()];
            let arguments = [&[applet], &login[..], arguments].concat();
            server.run_client("busybox", &arguments).expect_success()
        };
        let host = server.host();
        write_sample(&server.work("sample"));
        write_part(&server.work("part"));
        run("ftpput", &[&host, "sample", "sample"]);
        assert_sample(&server.path("sample"));
        run("ftpget", &[&host, "copy", "sample"]);
        assert_sample(&server.work("copy"));
        run("ftpget", &["-c", &host, "part", "sample"]);
        assert_sample(&server.work("part"));
        for (number, name) in NAMES.iter().enumerate() {
            fs::write(server.work("odd"), noise(number + 1)).expect("a file");
            run("ftpput", &["--", &host, name, "odd"]);
            assert_same_files(&server.work("odd"), &server.path(name));
            run("ftpget", &["--", &host, "back", name]);
            assert_same_files(&server.work("odd"), &server.work("back"));
        }
        let dialogue = Dialogue::finish(server);
        dialogue.assert_sent(&format!("REST {HALF}"));
        dialogue.assert_mode(Mode::Epsv).assert_smooth_but(&[]);
    }
}

#[test]
fn aria2_passive() {
    check_aria2("--ftp-pasv=true").assert_mode(Mode::Pasv);
}

#[test]
fn aria2_active() {
    check_aria2("--ftp-pasv=false").assert_mode(Mode::Port);
}

/// It downloads only: in four pieces at once, from where it stopped, and names of all kinds.
fn check_aria2(mode: &str) -> Dialogue {
    let server = start(LOOPBACK);
    write_sample(&server.path("sample"));
    write_part(&server.work("part"));
    let get = |flags: &[&str]| {
        let arguments = [flags, &[mode]].concat();
        process::run(aria2(&server).args(arguments), SECONDS_MAX).expect_success();
    };
    let sample = server.url("/sample");
    // Slowly: otherwise the first connection has all of it before the others are ready.
    let pieces = ["--split=4", "--max-connection-per-server=4", "-k1M"];
    get(&[
        &pieces[..],
        &["--max-overall-download-limit=4M", "--out=pieces", &sample],
    ]
    .concat());
    assert_sample(&server.work("pieces"));
    get(&["--continue=true", "--out=part", &sample]);
    assert_sample(&server.work("part"));
    let mut list = String::new();
    for name in NAMES {
        fs::write(server.path(name), name).expect("a file with an odd name");
        list += &format!("{}\n  out={name}\n", server.url(&format!("/{name}")));
    }
    fs::write(server.work("list"), list).expect("a list");
    get(&["--input-file=list", "--max-concurrent-downloads=10"]);
    for name in NAMES {
        assert_same_files(&server.path(name), &server.work(name));
    }
    let dialogue = Dialogue::finish(server);
    // It goes on from the last whole block of its own size.
    dialogue.assert_sent(&format!("REST {}", HALF / ARIA2_BLOCK * ARIA2_BLOCK));
    dialogue.assert_sent("REST 1048576").assert_smooth_but(&[]);
    dialogue
}

fn aria2(server: &TestServer<Program>) -> Command {
    let mut command = server.client_program("aria2c");
    command
        .args(["--no-conf", "--quiet", "--no-netrc", "--dir"])
        .arg(path(&server.work("")))
        // It waits for its own time-out where 150 and 226 reach it together, with any server.
        .args(["--timeout=2", "--max-tries=5", "--retry-wait=0"])
        .args([
            format!("--ftp-user={USER}"),
            format!("--ftp-passwd={PASSWORD}"),
        ]);
    command
}

const ARIA2_BLOCK: usize = 16 * 1024;
