//! Files from one server to another, without passing through the client (FXP), where both permit it.

use std::fs;
use std::path::PathBuf;

use super::home::{OUTSIDE, ROUTED};
use super::matrix::scenario;
use super::site::{SIZE, Site};
use crate::clients::SECONDS_MAX;
use crate::support::file_contents::{assert_same_files, noise};
use crate::support::process::{self, Finished};

#[test]
fn between_two_servers() {
    scenario("fxp::between_two_servers", || {
        let permit = ["--permit-foreign-addresses"];
        let (site, other) = two_servers(&permit);
        let home = &site.root();
        // lftp sends PASV to the source, or to the target, as told; so both servers play both parts.
        for (name, passive_source) in [("one.bin", true), ("two.bin", false)] {
            let set = format!("set ftp:fxp-passive-source {passive_source}; ");
            fs::write(home.join(name), noise(SIZE)).expect("a file to send");
            copy(&site, &set, OUTSIDE, ELSEWHERE, name).expect_success();
            assert_same_files(&home.join(name), &other.join(name));
            let back = format!("back-{name}");
            fs::write(other.join(&back), noise(SIZE)).expect("a file to send");
            copy(&site, &set, ELSEWHERE, OUTSIDE, &back).expect_success();
            assert_same_files(&other.join(&back), &home.join(&back));
        }
        // The bytes went from server to server: one connected to the other.
        let log = site.server.log_with("STOR /back-two.bin: ");
        assert_eq!(log.matches("STOR /").count(), 2, "{log}");
        assert_eq!(log.matches("RETR /").count(), 2, "{log}");
        site.finish();
        "4 of 4 files"
    });
}

/// The command that would make a server connect to a third party is refused.
#[test]
fn is_refused_by_default() {
    let (site, other) = two_servers(&[]);
    fs::write(site.root().join("one.bin"), noise(SIZE)).expect("a file to send");
    let story = copy(&site, "", OUTSIDE, ELSEWHERE, "one.bin");
    let text = story.expect_failure().text();
    assert!(text.contains("<--- 501 "), "another failure:\n{text}");
    let copied = fs::read(other.join("one.bin")).unwrap_or_default();
    assert!(copied.is_empty(), "{} bytes", copied.len());
    site.finish();
}

/// The usual server, and one elsewhere with a public address.
fn two_servers(flags: &[&str]) -> (Site, PathBuf) {
    let mut site = Site::new(&[&ROUTED[..], flags].concat());
    let elsewhere = ["-r", "60000-60009"];
    let other = site.serve_on("isp", &[&elsewhere[..], flags].concat());
    (site, other)
}

fn copy(site: &Site, set: &str, from: &str, to: &str, name: &str) -> Finished {
    let (from, to) = (site.lftp_url(from), site.lftp_url(to));
    let only_fxp = "set ftp:use-fxp true; set ftp:fxp-force true; set xfer:clobber true; ";
    let script = format!("{only_fxp}{set}get {from}/{name} -o {to}/{name}");
    process::run(&mut site.lftp_command("client", &script), SECONDS_MAX)
}

const ELSEWHERE: &str = "203.0.113.254:2121";
