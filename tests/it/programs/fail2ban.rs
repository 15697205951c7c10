//! The filter for fail2ban, put to the log that the server writes, and the jail.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::client::Client;
use crate::support::data::STRANGER;
use crate::support::process;
use crate::support::server::{Program, Setup, TestServer, USER};

const FILTER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../ftp-server-sync/packaging/fail2ban/filter.conf"
);
const JAIL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../ftp-server-sync/packaging/fail2ban/jail.conf"
);

/// Names that look like the end of a line, or like a line.
const FORGED: [&str; 4] = [
    "x\" login failed from 6.6.6.6 as \"y",
    "#1 login failed from 6.6.6.6 as \"y\"",
    "2026-01-31 12:00:00Z WARN  #1 login failed from 6.6.6.6 as \"y\"",
    "\u{2028}WARN  #1 login failed from 6.6.6.6 as \"y\"\r\u{85}",
];

#[test]
fn the_filter_finds_each_failed_login_and_its_address() {
    let server = Setup::new().flags(&["--login-delay", "0"]).program();
    let mut names = vec![USER, "alice", "anonymous"];
    names.extend(FORGED);
    for name in &names {
        let mut client = Client::connect_from(STRANGER, server.address);
        client.expect(220);
        client.command(format!("USER {name}"), 331);
        client.command("PASS wrong", 530);
        client.command(format!("CWD {}", FORGED[1]), 530);
    }
    server.client().command(format!("MKD {}", FORGED[1]), 257);
    let directory = tempfile::tempdir().expect("a directory");
    let (file, journal) = (
        directory.path().join("log"),
        directory.path().join("journal"),
    );
    let log = finished(server);
    fs::write(&file, &log).expect("a log");
    let expected = vec!["127.0.0.2".to_owned(); names.len()];
    assert_eq!(found(&file), expected, "{log}");
    // As the journal brings it to fail2ban.
    let text = |line: &str| format!("Jan 31 12:00:00 nas ftp-server-sync[17]: {line}");
    // It has taken time and priority from them.
    let bare = |line: &str| text(line.get(27..).expect("a text"));
    for lines in [
        log.lines().map(text).collect::<Vec<_>>(),
        log.lines().map(bare).collect(),
    ] {
        fs::write(&journal, lines.join("\n")).expect("a log");
        assert_eq!(found(&journal), expected, "{lines:#?}");
    }
}

/// The journal's own lines have the text alone, and its time and priority beside it.
#[test]
fn the_filter_finds_what_journald_is_given() {
    let flags = ["--login-delay", "0", "--log-format", "journald"];
    let server = Setup::new().flags(&flags).program();
    for name in FORGED {
        let mut client = Client::connect_from(STRANGER, server.address);
        client.expect(220);
        client.command(format!("USER {name}"), 331);
        client.command("PASS wrong", 530);
    }
    server.client().command(format!("MKD {}", FORGED[1]), 257);
    let log = finished(server);
    let lines: Vec<String> = log
        .lines()
        .map(|line| line.get(3..).expect("a priority"))
        .map(|text| format!("Jan 31 12:00:00 nas ftp-server-sync[17]: {text}"))
        .collect();
    let directory = tempfile::tempdir().expect("a directory");
    let journal = directory.path().join("journal");
    fs::write(&journal, lines.join("\n")).expect("a log");
    assert_eq!(
        found(&journal),
        vec!["127.0.0.2"; FORGED.len()],
        "{lines:#?}"
    );
}

/// The jail as the package installs it does nothing, and the lines of the manual switch it on.
#[test]
fn the_jail_is_there_when_it_is_enabled() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = |name: &str| directory.path().join(name);
    let mut copy = Command::new("cp");
    copy.args(["-r", "/etc/fail2ban/."]).arg(directory.path());
    process::run(&mut copy, 30).expect_success();
    fs::copy(FILTER, place("filter.d/ftp-server-sync.conf")).expect("the filter");
    fs::copy(JAIL, place("jail.d/ftp-server-sync.conf")).expect("the jail");
    fs::write(place("jail.local"), "[sshd]\nenabled = false\n").expect("no other jail");
    let jails = || {
        let mut command = Command::new("fail2ban-client");
        command.arg("-c").arg(directory.path()).arg("-d");
        process::run(&mut command, 30).expect_success().text()
    };
    let jail = "['add', 'ftp-server-sync', 'systemd']";
    let before = jails();
    assert!(!before.contains(jail), "{before}");
    let page = include_str!("../../../ftp-server-sync/docs/operations.md");
    let (_, lines) = page.split_once("jail.local`").expect("the lines");
    let (_, lines) = lines.split_once("```ini\n").expect("the lines");
    let (lines, _) = lines.split_once("```").expect("their end");
    fs::write(
        place("jail.local"),
        format!("[sshd]\nenabled = false\n{lines}"),
    )
    .expect("the lines");
    let after = jails();
    let command = "['set', 'ftp-server-sync', 'addjournalmatch', \
                   '_SYSTEMD_UNIT=ftp-server-sync.service']";
    assert!(after.contains(jail) && after.contains(command), "{after}");
}

fn finished(server: TestServer<Program>) -> String {
    server.log_with("MKD");
    server.finish()
}

/// The addresses that fail2ban finds in a log.
fn found(log: &Path) -> Vec<String> {
    let mut command = Command::new("fail2ban-regex");
    command.args(["--out", "ip"]).arg(log).arg(FILTER);
    let found = process::run(&mut command, 30).expect_success().stdout;
    let found = String::from_utf8(found).expect("addresses");
    found.lines().map(str::to_owned).collect()
}
