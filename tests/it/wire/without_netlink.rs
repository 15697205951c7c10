//! A server that may open no netlink sockets, as in a systemd unit whose `RestrictAddressFamilies=`
//! has no AF_NETLINK: it serves, and says what to add.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use crate::support::client_program::path;
use crate::support::process;
use crate::support::server::{self, Setup};

#[test]
fn the_server_starts_and_names_the_cure() {
    let setup = Setup::new();
    let forbid = compile(setup.directory());
    let server = setup.wrapped(|serve| process::prefixed(&[path(&forbid)], &serve));
    let server = server.program();
    let mut client = server.client();
    client.fetch_passive("NLST");
    client.command("QUIT", 221);
    server.signal(Signal::HUP);
    server.log_with("reloaded the settings");
    let log = server.finish();
    // At the start and at the reload.
    assert_eq!(log.matches(CURE).count(), 2, "{log}");
    assert_eq!(log.matches("noticed at SIGHUP").count(), 2, "{log}");
}

#[test]
fn check_prints_the_same_without_netlink() {
    let setup = Setup::new();
    let forbid = compile(setup.directory());
    let directory = path(setup.directory());
    let check = server::command(&["--check", "-p", "0", "-d", directory]);
    let text = |finished: process::Finished| {
        assert_eq!(finished.stderr, b"", "{}", finished.text());
        String::from_utf8(finished.stdout).expect("UTF-8")
    };
    let with = text(process::run(&mut process::prefixed(&["env"], &check), 20));
    let without = text(process::run(
        &mut process::prefixed(&[path(&forbid)], &check),
        20,
    ));
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(&without).contains(CURE), "{without}");
    assert!(!words(&with).contains(CURE), "{with}");
    // What leads where, and each kind of client.
    let shown = |text: &str| {
        let end = text.find("\nFAILS").or(text.find("\nnote"));
        let shown = text.get(..end.unwrap_or(text.len())).expect("a part");
        shown.to_owned()
    };
    assert!(shown(&with).contains("  this machine "), "{with}");
    assert_eq!(shown(&without), shown(&with));
}

/// The program that starts another one without netlink.
fn compile(directory: &Path) -> PathBuf {
    let source = directory.join("forbid.c");
    fs::write(&source, include_str!("without_netlink/forbid.c")).expect("the source");
    let program = directory.join("forbid");
    let mut compile = Command::new("cc");
    compile.args(["-O1", "-o"]).args([&program, &source]);
    process::run(&mut compile, 20).expect_success();
    program
}

const CURE: &str = "add AF_NETLINK to RestrictAddressFamilies";
