//! Files from one server to another, without passing through the client (FXP), where both permit
//! it.

use std::fs;
use std::path::PathBuf;

use super::home_network::{OUTSIDE, ROUTED};
use super::home_server::{HomeServer, SIZE};
use super::matrix::scenario;
use crate::support::client_program::SECONDS_MAX;
use crate::support::file_contents::{assert_same_files, noise};
use crate::support::process::{self, Finished};

#[test]
fn fxp_works_between_two_servers() {
    scenario("fxp::fxp_works_between_two_servers", || {
        let permit = ["--permit-foreign-addresses"];
        let (home, other) = two_servers(&permit);
        let root = home.root();
        // lftp sends PASV to the source or to the target, as it is set; so both servers take both
        // parts.
        for (name, passive_source) in [("one.bin", true), ("two.bin", false)] {
            let set = format!("set ftp:fxp-passive-source {passive_source}; ");
            fs::write(root.join(name), noise(SIZE)).expect("a file to send");
            copy(&home, &set, OUTSIDE, ELSEWHERE, name).expect_success();
            assert_same_files(&root.join(name), &other.join(name));
            let back = format!("back-{name}");
            fs::write(other.join(&back), noise(SIZE)).expect("a file to send");
            copy(&home, &set, ELSEWHERE, OUTSIDE, &back).expect_success();
            assert_same_files(&other.join(&back), &root.join(&back));
        }
        // The bytes went from server to server: one connected to the other.
        let log = home.server.log_with("STOR /back-two.bin: ");
        assert_eq!(log.matches("STOR /").count(), 2, "{log}");
        assert_eq!(log.matches("RETR /").count(), 2, "{log}");
        home.finish();
        "4 of 4 files"
    });
}

/// The command that would make a server connect to a third party is refused.
#[test]
fn fxp_is_refused_by_default() {
    let (home, other) = two_servers(&[]);
    fs::write(home.root().join("one.bin"), noise(SIZE)).expect("a file to send");
    let output = copy(&home, "", OUTSIDE, ELSEWHERE, "one.bin");
    let text = output.expect_failure().text();
    assert!(text.contains("<--- 501 "), "another failure:\n{text}");
    let copied = fs::read(other.join("one.bin")).unwrap_or_default();
    assert!(copied.is_empty(), "{} bytes", copied.len());
    home.finish();
}

/// The usual server, and one elsewhere with a public address.
fn two_servers(flags: &[&str]) -> (HomeServer, PathBuf) {
    let mut home = HomeServer::new(&[&ROUTED[..], flags].concat());
    let elsewhere = ["-r", "60000-60009"];
    let other = home.serve_on("isp", &[&elsewhere[..], flags].concat());
    (home, other)
}

fn copy(home: &HomeServer, set: &str, from: &str, to: &str, name: &str) -> Finished {
    let (from, to) = (home.lftp_url(from), home.lftp_url(to));
    let only_fxp = "set ftp:use-fxp true; set ftp:fxp-force true; set xfer:clobber true; ";
    let script = format!("{only_fxp}{set}get {from}/{name} -o {to}/{name}");
    process::run(&mut home.lftp_command("client", &script), SECONDS_MAX)
}

const ELSEWHERE: &str = "203.0.113.254:2121";
