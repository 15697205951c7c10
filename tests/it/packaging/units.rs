//! The units of systemd: it accepts them, what the documentation quotes of them is true, and the
//! server works with the system calls that they allow.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::file;
use crate::support::process::{self, Finished};
use crate::support::server;

const SERVICE: &str = "systemd/ftp-server-sync.service";
const SOCKET: &str = "systemd/ftp-server-sync.socket";

#[test]
fn systemd_accepts_the_units() {
    let finished = verify(|unit| unit).expect_success();
    let is_silent = finished.stdout.is_empty() && finished.stderr.is_empty();
    assert!(is_silent, "{}", finished.text());
}

/// A setting that systemd does not know is found.
#[test]
fn a_misspelt_setting_would_be_found() {
    let finished = verify(|unit| unit.replace("PrivateTmp=", "PrivateTemp="));
    let text = finished.text();
    assert!(
        text.contains("Unknown key") && text.contains("PrivateTemp"),
        "{text}"
    );
}

/// The documentation says how much the service is exposed in the eyes of systemd. Its versions
/// differ a little.
#[test]
fn the_exposure_is_the_documented_one() {
    let page = read("../docs/operations.md");
    let (_, quoted) = page.split_once("exposure level of ").expect("the number");
    let quoted = quoted.split([' ', ',', '\n']).next().expect("a number");
    let quoted: f64 = quoted.parse().expect("a number");
    let mut command = Command::new("systemd-analyze");
    command.args(["security", "--offline=true", "--no-pager"]);
    command.arg(file(SERVICE));
    let finished = process::run(&mut command, 30).expect_success();
    let text = finished.text();
    let (_, level) = text
        .split_once("ftp-server-sync.service: ")
        .expect("a level");
    let level = level.split_whitespace().next().expect("a number");
    let level: f64 = level.parse().expect("a number");
    assert!(
        (quoted - level).abs() < 0.35,
        "{quoted} is documented: {text}"
    );
}

/// `system_call_filter` runs the server with the calls that the documentation lists; the unit
/// allows these.
#[test]
fn the_needed_system_calls_are_allowed() {
    let page = read("../docs/operations.md");
    let listed = page
        .lines()
        .filter_map(|line| line.strip_prefix("SystemCallFilter="));
    let listed: BTreeSet<&str> = listed.flat_map(str::split_whitespace).collect();
    assert!(listed.len() > 80, "{listed:?}");
    let unit = read(SERVICE);
    let mut allowed = BTreeSet::new();
    for line in unit.lines() {
        let Some(sets) = line.strip_prefix("SystemCallFilter=") else {
            continue;
        };
        let denied = sets.starts_with('~');
        for call in sets
            .trim_start_matches('~')
            .split_whitespace()
            .flat_map(calls)
        {
            if denied {
                allowed.remove(&call);
            } else {
                allowed.insert(call);
            }
        }
    }
    let missing: Vec<&&str> = listed
        .iter()
        .filter(|call| !allowed.contains(**call))
        .collect();
    assert_eq!(missing, [&""; 0]);
    for call in ["setuid", "mount", "ptrace", "reboot"] {
        assert!(!allowed.contains(call), "{call}");
    }
}

/// One name for the user, one port, the same directories, in all files.
#[test]
fn the_files_fit_together() {
    let service = read(SERVICE);
    assert!(service.contains("\nUser=ftp-server\n"));
    assert!(read("systemd/sysusers.conf").starts_with("u ftp-server "));
    for line in read("systemd/tmpfiles.conf").lines() {
        let is_ours = line.ends_with(" ftp-server ftp-server -");
        assert!(line.starts_with('#') || is_ours, "{line}");
    }
    let logrotate = read("logrotate");
    assert!(logrotate.contains("su ftp-server ftp-server\n"));
    let shown = format!("```text\n{logrotate}```\n");
    assert!(
        read("../docs/operations.md").contains(&shown),
        "docs/operations.md shows another packaging/logrotate"
    );
    for script in ["debian/postinst", "debian/postrm"] {
        assert!(read(script).contains("/srv/ftp"), "{script}");
    }
    assert!(service.contains("\nReadWritePaths=-/srv/ftp\n"));
    let configuration = read("ftp-server-sync.conf");
    assert!(configuration.contains("\ndirectory /srv/ftp\n"));
    // The socket has the port that the server has without it.
    assert!(configuration.contains("\n#port 2121\n"));
    assert!(read(SOCKET).contains("\nListenStream=2121\n"));
    // A grace that is longer than systemd waits would end transfers.
    assert!(configuration.contains("\n#shutdown-grace 10\n"));
    assert!(service.contains("\nTimeoutStopSec=30\n"));
}

/// The system calls of a set of systemd such as `@system-service`; any other word is a call.
fn calls(word: &str) -> Vec<String> {
    if !word.starts_with('@') {
        return vec![word.to_owned()];
    }
    let mut command = Command::new("systemd-analyze");
    command.args(["syscall-filter", "--no-pager", word]);
    let finished = process::run(&mut command, 30).expect_success();
    let text = String::from_utf8(finished.stdout).expect("text");
    let lines = text.lines().skip(1).map(str::trim);
    let words = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    words.flat_map(calls).collect()
}

/// What systemd says about the units, changed by `edit`, with the program of this tree.
fn verify(edit: impl Fn(String) -> String) -> Finished {
    let directory = tempfile::tempdir().expect("a directory");
    let program = server::command(&[""; 0]).get_program().to_owned();
    let program = program.to_str().expect("UTF-8").to_owned();
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no", "--no-pager"]);
    for name in [SERVICE, SOCKET] {
        let unit = read(name).replace(
            "ExecStart=ftp-server-sync ",
            &format!("ExecStart={program} "),
        );
        let place = directory
            .path()
            .join(Path::new(name).file_name().expect("a name"));
        fs::write(&place, edit(unit)).expect("a unit");
        command.arg(place);
    }
    process::run(&mut command, 30)
}

fn read(name: &str) -> String {
    fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}
