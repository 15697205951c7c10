//! HASH, RANG, XCRC and the others: the digests are those that other programs compute, and a client
//! can stop them.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::client::Client;
use crate::support::file_contents::noise;
use crate::support::server::{Program, TestServer};
use crate::support::wait::{pass_time, wait_until};

/// What a program of coreutils prints first.
fn sum(program: &str, file: &Path) -> String {
    let output = Command::new(program).arg(file).output().expect(program);
    assert!(output.status.success(), "{program}: {output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.split_whitespace().next().expect("a digest").to_owned()
}

/// The CRC of gzip's trailer, which other code than the server's computes.
fn crc32(file: &Path) -> String {
    let output = Command::new("gzip").arg("-c").arg(file).output();
    let bytes = output.expect("gzip").stdout;
    let trailer = &bytes[bytes.len() - 8..];
    let crc: [u8; 4] = trailer[..4].try_into().expect("four bytes");
    format!("{:08x}", u32::from_le_bytes(crc))
}

#[test]
fn the_digests_are_those_of_other_programs() {
    let server = TestServer::in_process(&[]);
    let mut client = server.client();
    for (name, content) in [
        ("empty", Vec::new()),
        ("text", b"one\r\ntwo\n".to_vec()),
        ("noise", noise(2_000_003)),
    ] {
        server.write(name, &content);
        let file = server.path(name);
        let last = content.len().saturating_sub(1);
        // Bytes as they are stored, whatever the type.
        for (representation, algorithm, command, expected) in [
            ("TYPE I", "SHA-256", "XSHA256", sum("sha256sum", &file)),
            ("TYPE A", "SHA-1", "XSHA1", sum("sha1sum", &file)),
            ("TYPE A", "SHA-1", "XSHA", sum("sha1sum", &file)),
            ("TYPE I", "MD5", "XMD5", sum("md5sum", &file)),
            ("TYPE I", "CRC32", "XCRC", crc32(&file)),
        ] {
            client.command(representation, 200);
            let selected = client.command(format!("OPTS HASH {algorithm}"), 200).text();
            assert_eq!(selected, format!("200 {algorithm}"));
            let reply = client.command(format!("HASH {name}"), 213).text();
            assert_eq!(reply, format!("213 {algorithm} 0-{last} {expected} {name}"));
            let reply = client.command(format!("{command} {name}"), 250).text();
            assert_eq!(reply, format!("250 {}", expected.to_uppercase()));
        }
    }
}

#[test]
fn ranges_are_those_bytes() {
    let server = TestServer::in_process(&[]);
    let mut client = server.client();
    let content = noise(1_000_000);
    server.write("my file.txt", &content);
    server.write("part", &content[1000..=700_000]);
    let expected = sum("sha256sum", &server.path("part"));
    client.command("RANG 1000 700000", 350);
    let reply = client.command("HASH my file.txt", 213).text();
    assert_eq!(
        reply,
        format!("213 SHA-256 1000-700000 {expected} my file.txt")
    );
    let expected = expected.to_uppercase();
    for line in [
        "XSHA256 my file.txt 1000 700001",
        "XSHA256 \"my file.txt\" 1000 700001",
        "XSHA256 /my file.txt 1000 700001",
    ] {
        assert_eq!(client.command(line, 250).text(), format!("250 {expected}"));
    }
    // A file that has the whole argument as its name comes first.
    server.write("my file.txt 1000 700001", "other");
    let reply = client
        .command("XSHA256 my file.txt 1000 700001", 250)
        .text();
    assert!(!reply.contains(&expected), "{reply}");

    for (line, code) in [
        ("XMD5 my file.txt 0 1000000", 250),
        ("XMD5 my file.txt 0 1000001", 554),
        ("XMD5 my file.txt 1000000", 250),
        ("XMD5 my file.txt 1000001", 554),
        ("XMD5 my file.txt 9 9", 554),
        ("XMD5 my file.txt 9 8", 554),
        ("XMD5 my file.txt x", 550),
        ("RANG 999999 999999", 350),
        ("HASH my file.txt", 213),
        ("RANG 999999 1000000", 350),
        ("HASH my file.txt", 554),
        ("HASH my file.txt", 213),
        ("RANG 2 1", 501),
        ("OPTS HASH SHA-3", 501),
    ] {
        client.command(line, code);
    }
}

#[test]
fn what_has_no_digest_is_refused() {
    let server = TestServer::in_process(&[]);
    let mut client = server.client();
    fs::create_dir(server.path("directory")).expect("a directory");
    let made = Command::new("mkfifo").arg(server.path("fifo")).status();
    assert!(made.expect("mkfifo").success());
    symlink("/etc/passwd", server.path("outside")).expect("a link");
    for (line, code) in [
        ("HASH missing", 550),
        ("HASH directory", 553),
        ("HASH fifo", 550),
        ("HASH outside", 550),
        ("HASH ../../etc/passwd", 550),
        ("XCRC missing 0 5", 550),
        ("XCRC directory", 550),
        ("XCRC outside", 550),
        ("HASH", 501),
        ("XCRC", 501),
    ] {
        client.command(line, code);
    }
}

/// A client stops the digest of a file that would take minutes.
#[test]
fn abor_stops_a_digest() {
    let server = TestServer::program(&[]);
    server.write_sparse("large", LARGE);
    server.write("small", "text");
    let mut client = server.client();
    for line in ["HASH large", "XMD5 large", "XCRC large 0 100000000000"] {
        client.send(line);
        let command = line.split(' ').next().expect("a command");
        let status = client.command("STAT", 211).texts().concat();
        assert!(
            status.contains(&format!("{command} in progress")),
            "{status}"
        );
        client.send_bytes("NOOP\r\nABOR\r\n");
        client.expect_all(&[426, 200, 226]);
        client.expect_in_step();
    }
    // As lftp and others send it.
    client.send("HASH large");
    client.send_urgent(b"\xff");
    client.send(b"\xf4\xff\xf2ABOR");
    client.expect_all(&[426, 226]);
    client.send_bytes("HASH large\r\nHASH small\r\nABOR\r\n");
    client.expect_all(&[426, 426, 226]);
    client.command("HASH small", 213);
    let log = server.log_with("SHA-256 of /small: 4 bytes");
    assert!(
        log.contains("SHA-256 of /large: the client aborted it"),
        "{log}"
    );
    assert!(
        log.contains("MD5 of /large: the client aborted it"),
        "{log}"
    );
}

/// The third one in the whole server is refused, until one of the others has ended: by ABOR, or
/// because its client is gone.
#[test]
fn two_digests_at_once() {
    let server = TestServer::program(&[]);
    server.write_sparse("large", LARGE);
    server.write("small", "text");
    let mut first = hashing(&server);
    let second = hashing(&server);
    let mut third = server.client();
    let refusal = third.command("HASH small", 450).text();
    assert!(refusal.contains("Too many digests"), "{refusal}");
    third.command("XMD5 small", 450);
    // Nothing else has to wait.
    assert_eq!(third.fetch("RETR small"), b"text");
    first.send("ABOR");
    first.expect_all(&[426, 226]);
    third.command("HASH small", 213);
    let again = hashing(&server);
    third.command("HASH small", 450);
    drop(second);
    let is_free = || {
        third.send("HASH small");
        third.reply().code == 213
    };
    wait_until("the digest of a client that is gone ends", is_free);
    drop(again);
}

/// A client whose digest is being computed.
fn hashing(server: &TestServer<Program>) -> Client {
    let mut client = server.client();
    client.send("HASH large");
    let status = client.command("STAT", 211).texts().concat();
    assert!(status.contains("HASH in progress"), "{status}");
    client
}

#[test]
fn a_file_that_changes_meanwhile_has_no_digest() {
    let server = TestServer::program(&[]);
    for content in [0, 1 << 20] {
        server.write_sparse("large", LARGE);
        let mut client = hashing(&server);
        // So that the end comes soon.
        let file = File::options().write(true).open(server.path("large"));
        let file = file.expect("the file");
        file.set_len(content).expect("its size");
        let refusal = client.expect(450).text();
        assert!(refusal.contains("changed"), "{refusal}");
        client.expect_in_step();
    }
}

/// The idle time does not end a session whose digest is being computed, and begins after it.
#[test]
fn a_digest_is_not_idle() {
    let server = TestServer::program(&["--timeout", "1"]);
    server.write_sparse("large", LARGE);
    let mut client = hashing(&server);
    pass_time(Duration::from_millis(1200), "the idle time would be over");
    client.send("ABOR");
    client.expect_all(&[426, 226]);
    let began = Instant::now();
    client.expect(421);
    assert!(began.elapsed() > Duration::from_millis(800));
}

#[test]
fn a_shutdown_waits_for_a_digest_like_for_a_transfer() {
    let server = TestServer::program(&[]);
    server.write_sparse("large", LARGE);
    let mut client = hashing(&server);
    server.signal(Signal::USR1);
    server.log_with("s: SHA-256 of /large");
    server.signal(Signal::TERM);
    server.log_with("shutting down: SIGTERM asks for it");
    let status = client.command("STAT", 211).texts().concat();
    assert!(status.contains("HASH in progress"), "{status}");
    server.signal(Signal::TERM);
    client.expect(421);
    client.expect_closed();
    assert_eq!(server.ended().0, Some(0));
}

/// Sparse: it needs no space, and takes minutes.
const LARGE: u64 = 1 << 40;
