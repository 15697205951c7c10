//! Programs that tests have the server run, and what they leave.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;

use crate::support::client_program::path;
use crate::support::server::{Program, TestServer};
use crate::support::wait::wait_until;

/// A directory for programs and for what they write, outside of the share and of what a sandbox
/// leaves.
pub(super) struct Place(TempDir);

pub(super) type Variables = BTreeMap<String, Vec<u8>>;

impl Place {
    pub(super) fn new() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        // Other users may run the programs.
        let mode = Permissions::from_mode(0o755);
        fs::set_permissions(directory.path(), mode).expect("a mode");
        Self(directory)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A script. It finds this directory in `$place`.
    pub(super) fn script(&self, name: &str, body: &str) -> String {
        let file = self.path(name);
        let place = path(self.0.path());
        fs::write(&file, format!("#!/bin/sh\nplace='{place}'\n{body}\n")).expect("a script");
        fs::set_permissions(&file, Permissions::from_mode(0o755)).expect("a mode");
        path(&file).to_owned()
    }

    /// A script that stores the variables of each run.
    pub(super) fn recorder(&self, name: &str) -> String {
        let directory = self.path(&format!("{name}.runs"));
        fs::create_dir(&directory).expect("a directory");
        let runs = format!("\"$place/{name}.runs\"");
        self.script(
            name,
            &format!("env -0 > {runs}/.part.$$; mv {runs}/.part.$$ {runs}/$$"),
        )
    }

    /// What the recorder has stored of this event.
    pub(super) fn runs(&self, name: &str, event: &str) -> Vec<Variables> {
        let directory = fs::read_dir(self.path(&format!("{name}.runs"))).expect("a directory");
        let files = directory.map(|entry| entry.expect("an entry").path());
        let is_whole = |file: &PathBuf| !path(file).contains("/.part.");
        let runs = files
            .filter(is_whole)
            .map(|file| variables(&fs::read(file).expect("a run")));
        runs.filter(|run| run["FTP_EVENT"] == event.as_bytes())
            .collect()
    }

    /// The only run for this event.
    #[track_caller]
    pub(super) fn run(&self, name: &str, event: &str) -> Variables {
        wait_until(event, || !self.runs(name, event).is_empty());
        let mut runs = self.runs(name, event);
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs.remove(0)
    }

    pub(super) fn number(&self, name: &str) -> Pid {
        let text = fs::read_to_string(self.path(name)).expect("a number");
        let number = text.trim().parse().expect("a number");
        Pid::from_raw(number).expect("a process")
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }
}

/// What `env -0` prints.
fn variables(text: &[u8]) -> Variables {
    let items = text
        .split(|&byte| byte == 0)
        .filter(|item| !item.is_empty());
    let split = |item: &[u8]| {
        let end = item.iter().position(|&byte| byte == b'=').expect("a name");
        let name = String::from_utf8(item[..end].to_vec()).expect("UTF-8");
        (name, item[end + 1..].to_vec())
    };
    items.map(split).collect()
}

/// Those that a server gives, but for numbers that differ from run to run.
pub(super) fn given(run: &Variables) -> Vec<String> {
    let names = run.iter().filter(|(name, _)| name.starts_with("FTP_"));
    let fixed = names.filter(|(name, _)| !matches!(name.as_str(), "FTP_SECONDS"));
    let shown = fixed.map(|(name, value)| format!("{name}={}", value.escape_ascii()));
    shown.collect()
}

/// Nothing else of the server's environment is there; a shell adds some of its own.
#[track_caller]
pub(super) fn assert_no_others(run: &Variables) {
    let may = [
        "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "PWD", "OLDPWD", "SHLVL", "_",
    ];
    let mut names = run.keys();
    let other = names.find(|name| !name.starts_with("FTP_") && !may.contains(&name.as_str()));
    assert_eq!(other, None, "{run:?}");
    assert!(!run.contains_key("FTP_PASSWORD"), "{run:?}");
}

/// A process that has ended, or has not been waited for.
pub(super) fn is_gone(process: Pid) -> bool {
    let status = format!("/proc/{}/status", process.as_raw_pid());
    let is_zombie = || {
        let status = fs::read_to_string(&status).unwrap_or_default();
        status.contains("State:\tZ") || status.is_empty()
    };
    test_kill_process(process).is_err() || is_zombie()
}

/// The processes that the server has started.
pub(super) fn children(server: &TestServer<Program>) -> Vec<String> {
    let parent = format!("PPid:\t{}\n", server.id());
    let processes = fs::read_dir("/proc").expect("processes").flatten();
    let statuses =
        processes.filter_map(|entry| fs::read_to_string(entry.path().join("status")).ok());
    statuses.filter(|status| status.contains(&parent)).collect()
}

pub(super) const NAME: &[u8] = b"a b'\"$(touch pwned);`x`&|*\\\xff\xc3\xa4-";

pub(super) fn command(verb: &str, name: &[u8]) -> Vec<u8> {
    // FF is doubled, as Telnet requires.
    let name = name
        .iter()
        .flat_map(|&byte| vec![byte; 1 + usize::from(byte == 0xff)]);
    [verb.as_bytes(), b" "]
        .concat()
        .into_iter()
        .chain(name)
        .collect()
}
