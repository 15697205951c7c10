//! Files that the user may not read: who may not, and the command that changes it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use rustix::process::Signal;

use super::{Accounts, search};
use crate::support::certificates::Certificate;
use crate::support::client_program::path;
use crate::support::server::Setup;

/// The key is root's alone: the start, a reload and a renewal name the cure, and the cure works.
#[test]
fn a_key_that_cannot_be_read_again_stays_in_force() {
    let accounts = Accounts::new();
    let setup = Setup::new();
    let certificate = Certificate::new(setup.directory(), &[]);
    search(setup.directory());
    let server = accounts.serve(setup.flags(&certificate.flags()));
    let key = Path::new(&certificate.key);
    let cure = format!("chgrp ftpd {0} && chmod g+r {0}", certificate.key);
    let log = server.log_with(&cure);
    assert!(log.contains(" WARN  --run-as ftpd may not read "), "{log}");
    server.signal(Signal::HUP);
    let refusal = "not reloading, the old settings stay: --keyfile ";
    let log = server.log_with(refusal);
    let line = log
        .lines()
        .find(|line| line.contains(refusal))
        .expect("a line");
    assert_eq!(line.matches(&cure).count(), 1, "{line}");
    let reason = "the server runs as ftpd, and the file has the owner root, ";
    assert!(line.contains(reason), "{line}");
    make_readable(key);
    server.signal(Signal::HUP);
    server.log_with("reloaded the settings");
    server.finish();
}

/// The same without a signal.
#[test]
fn long_a_renewed_key_that_cannot_be_read_leaves_the_old_one_in_force() {
    let accounts = Accounts::new();
    let setup = Setup::new();
    let certificate = Certificate::new(setup.directory(), &[]);
    search(setup.directory());
    let server = accounts.serve(setup.flags(&certificate.flags()));
    let key = Path::new(&certificate.key);
    let cure = format!("chgrp ftpd {0} && chmod g+r {0}", certificate.key);
    server.log_with(&cure);
    let renewed = Certificate::new(server.directory(), &["renewed.example"]);
    assert_eq!(renewed.key, certificate.key);
    let refusal = "the old certificate stays in force: --keyfile ";
    let log = server.log_with(refusal);
    let line = log
        .lines()
        .find(|line| line.contains(refusal))
        .expect("a line");
    assert!(line.contains(&cure), "{line}");
    make_readable(key);
    server.log_with("took the changed files");
    server.finish();
}

/// What the log says is to be done.
fn make_readable(key: &Path) {
    chown(key, None, Some(4712)).expect("another group");
    fs::set_permissions(key, Permissions::from_mode(0o640)).expect("a mode");
}

/// The log says who may not read what, and the command that it names helps.
#[test]
fn a_users_file_that_cannot_be_read_has_a_command() {
    let accounts = Accounts::new();
    let setup = Setup::new();
    let above = setup.directory().join("above");
    let file = above.join("users");
    let mode = |path: &Path, mode: u32| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
    };
    fs::create_dir(&above).expect("a directory");
    fs::write(&file, format!("bob:*:{}:read\n", path(&setup.root()))).expect("a file");
    mode(&above, 0o755);
    mode(&file, 0o644);
    search(setup.directory());
    let server = accounts.serve(setup.flags(&["--users", path(&file)]));
    mode(&above, 0o700);
    mode(&file, 0o600);
    server.signal(Signal::HUP);
    let denied = |what: &str, path: &str, mode: u32, letter: char| {
        format!(
            "cannot be read: permission denied: the server runs as ftpd, and {what} has the owner \
             root, the group root and the mode {mode}; chgrp ftpd {path} && chmod g+{letter} {path}\n"
        )
    };
    let shown = format!("the directory {}", path(&above));
    server.log_with(&denied(&shown, path(&above), 700, 'x'));
    chown(&above, None, Some(4712)).expect("another group");
    mode(&above, 0o710);
    server.signal(Signal::HUP);
    server.log_with(&denied("the file", path(&file), 600, 'r'));
    chown(&file, None, Some(4712)).expect("another group");
    mode(&file, 0o640);
    server.signal(Signal::HUP);
    server.log_with("reloaded the settings");
    server.finish();
}
