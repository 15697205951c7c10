//! Digests with clients that send what a person types: curl and lftp.

use std::fs;
use std::process::Command;

use super::{LOOPBACK, SIZE, start};
use crate::support::client_program::{curl, path};
use crate::support::file_contents::noise;
use crate::support::process;
use crate::support::server::{PASSWORD, USER};

const NAME: &str = "my file.bin";

/// The digest of the sample, by a program of coreutils.
fn expected(program: &str, file: &str) -> String {
    let sum = process::run(Command::new(program).arg(file), 10).expect_success();
    let text = String::from_utf8(sum.stdout).expect("a digest in UTF-8");
    text.split_whitespace().next().expect("a digest").to_owned()
}

#[test]
fn curl_quotes_hash() {
    let server = start(LOOPBACK);
    fs::write(server.path(NAME), noise(SIZE)).expect("the sample");
    let mut command = curl();
    command.args(["--verbose", "--list-only", "--user"]);
    command.arg(format!("{USER}:{PASSWORD}"));
    for line in ["OPTS HASH MD5", "HASH my file.bin", "XSHA256 my file.bin"] {
        command.args(["-Q", line]);
    }
    command.arg(server.url("/"));
    let text = process::run(&mut command, 10).expect_success().text();
    let file = server.path(NAME);
    let (md5, sha256) = (
        expected("md5sum", path(&file)),
        expected("sha256sum", path(&file)),
    );
    let reply = format!("< 213 MD5 0-{} {md5} {NAME}", SIZE - 1);
    assert!(text.contains(&reply), "{reply}\n{text}");
    let reply = format!("< 250 {}", sha256.to_uppercase());
    assert!(text.contains(&reply), "{reply}\n{text}");
    server.finish();
}

#[test]
fn lftp_quotes_checksums() {
    let server = start(LOOPBACK);
    fs::write(server.path(NAME), noise(SIZE)).expect("the sample");
    let script = server.work("script");
    let text = format!(
        "set cmd:fail-exit true\n\
         set ftp:ssl-allow false\n\
         set net:max-retries 2\n\
         set net:timeout 10\n\
         open -u {USER},{PASSWORD} ftp://{}\n\
         quote HASH {NAME}\n\
         quote XSHA1 {NAME}\n",
        server.address
    );
    fs::write(&script, text).expect("the script");
    let finished = server.run_client("lftp", &["--norc", "-f", path(&script)]);
    let text = finished.expect_success().text();
    let file = server.path(NAME);
    let (sha1, sha256) = (
        expected("sha1sum", path(&file)),
        expected("sha256sum", path(&file)),
    );
    assert!(text.contains(&format!("{sha256} {NAME}")), "{text}");
    assert!(text.contains(&sha1.to_uppercase()), "{text}");
    server.finish();
}
