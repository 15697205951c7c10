//! What is wrong with the users of the file: homes that cannot be used, options that cannot be
//! kept.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ftp_proto::text::{printable, printable_word};
use ftp_proto::{FtpPath, Right, Rights};

use super::finding::{Finding, Severity};
use crate::accounts::stored_password::StoredPassword;
use crate::accounts::users_file::{FileUser, UserMount, UserPassword};
use crate::fs::homes::{home_problem, mount_problem};
use crate::fs::mounts::real_path;
use crate::logging::clock::unix_seconds;
use crate::settings::Settings;

/// Looks at the home of each user. Those of many users are not all looked at.
pub(crate) fn user_findings(settings: &Settings) -> Vec<Finding> {
    let users = settings.users.of_file();
    let left_out = users.len().saturating_sub(USERS_MAX);
    let mut findings = Vec::new();
    for user in users.take(USERS_MAX) {
        findings.extend(of_user(settings, user));
    }
    if left_out > 0 {
        findings.push(Finding::note(format!(
            "--users: the homes of {left_out} more users have not been looked at"
        )));
    }
    findings
}

/// What to say if no login can succeed. `system_can_log_in`: a user of the system can.
pub(crate) fn no_login(settings: &Settings, system_can_log_in: bool) -> Option<Finding> {
    let users = &settings.users;
    let now = unix_seconds();
    let has_login = system_can_log_in
        || users.user().is_some()
        || users.anonymous().is_some()
        || users.of_file().any(|user| user.is_valid_at(now));
    (!has_login).then(|| {
        let reason = match (&settings.users_file, users.system()) {
            (Some(_), None) => "all users of --users are locked or have expired",
            (None, _) => "no user in /etc/passwd may (--system-users)",
            (Some(_), Some(_)) => {
                "all users of --users are locked or have expired, and no user in /etc/passwd may \
                 (--system-users)"
            }
        };
        Finding::failure(format!("no user can log in: {reason}"))
    })
}

fn of_user(settings: &Settings, user: &FileUser) -> Vec<Finding> {
    let name = printable_word(user.name.as_bytes());
    let changes = |right| {
        user.all_rights()
            .any(|rights: Rights| rights.contains(right))
    };
    let mut findings = Vec::new();
    let mut add = |severity, text: String| {
        findings.push(Finding::new(severity, format!("--users: {name}: {text}")));
    };
    if let Some(problem) = home_problem(
        &user.home,
        stores(user, &FtpPath::root()),
        settings.create_homes,
    ) {
        add(Severity::Failure, problem);
    }
    for (severity, problem) in mount_problems(user) {
        add(severity, problem);
    }
    for doubt in &user.doubts {
        add(Severity::Risk, doubt.clone());
    }
    for (severity, problem) in missing_directories(user) {
        add(severity, problem);
    }
    if user.options.tls_required && settings.tls.is_none() {
        let problem = "cannot log in: the option tls needs TLS, which the server does not offer; add \
                       --tls, or leave the option out";
        add(Severity::Failure, problem.to_owned());
    }
    if user.password == UserPassword::Any {
        let harms = changes(Right::Delete) || changes(Right::Overwrite) || changes(Right::Rename);
        if harms {
            let problem = "may change and delete files, without a password: everyone who can reach \
                           the port can do that; give it the rights read, upload or dropbox";
            add(Severity::Risk, problem.to_owned());
        }
    } else if let UserPassword::Stored(StoredPassword::Hash(hash)) = &user.password
        && let Some(weakness) = hash.weakness()
    {
        add(Severity::Risk, weakness.to_string());
    } else if user.password == UserPassword::Locked {
        add(
            Severity::Note,
            "cannot log in: the password is locked".to_owned(),
        );
    }
    let has_expired = user
        .options
        .expires
        .is_some_and(|end| unix_seconds() >= end);
    if has_expired {
        let problem = "cannot log in: the account has expired (option expires)";
        add(Severity::Note, problem.to_owned());
    }
    findings
}

fn mount_problems(user: &FileUser) -> Vec<(Severity, String)> {
    let found = user.options.mounts.iter().filter_map(|mount| {
        let seen = printable(mount.seen.as_bytes());
        if let Some(problem) = mount_problem(&mount.directory, stores(user, &mount.seen)) {
            return Some((Severity::Failure, format!("mount={seen}: {problem}")));
        }
        let above = shared_above(user, mount)?;
        let directory = printable_word(mount.directory.as_os_str().as_bytes());
        let text = format!(
            "mount={seen}: the directory {directory} is also seen in {above}, with the rights of there"
        );
        Some((Severity::Note, text))
    });
    found.collect()
}

/// Directories that have rights of their own, and are not there. A mistyped path is a risk where
/// rights should be taken away.
fn missing_directories(user: &FileUser) -> Vec<(Severity, String)> {
    let directories = user.options.directories.iter();
    let found = directories.filter_map(|(path, rights)| {
        // The directories above a mount are shown without being there.
        let mut mounts = user.options.mounts.iter();
        if mounts.any(|mount| mount.seen.is_within(path)) {
            return None;
        }
        let (share, directory) = place(user, path)?;
        let problem = match std::fs::metadata(&directory) {
            Ok(metadata) if metadata.is_dir() => return None,
            Ok(_) => "is not a directory",
            Err(error) if error.kind() == ErrorKind::NotFound => "does not exist",
            Err(error) if error.kind() == ErrorKind::NotADirectory => "does not exist",
            Err(_) => return None,
        };
        // One that is missing has a line of its own.
        if !share.is_dir() {
            return None;
        }
        let above = user.account().rights_at(&path.parent());
        let severity = if above.and(*rights) == above {
            Severity::Note
        } else {
            Severity::Risk
        };
        let path = printable(path.as_bytes());
        let directory = printable_word(directory.as_os_str().as_bytes());
        let text = format!(
            "dir={path}: {directory} {problem}: these rights hold for nothing until then; create \
             the directory, or correct the path: give the path as the client sees it"
        );
        Some((severity, text))
    });
    found.collect()
}

/// The home or mount that a path of the user's tree is in, and where the path is on this machine.
fn place<'a>(user: &'a FileUser, path: &FtpPath) -> Option<(&'a Path, PathBuf)> {
    let mounts = user.options.mounts.iter();
    let around = mounts.filter(|mount| path.is_within(&mount.seen));
    let nearest = around.max_by_key(|mount| mount.seen.as_bytes().len());
    let (seen, share) = match nearest {
        Some(mount) => (mount.seen.as_bytes(), &*mount.directory),
        None => (&b""[..], &*user.home),
    };
    let inner = path.as_bytes().strip_prefix(seen)?;
    let inner = inner.strip_prefix(b"/").unwrap_or(inner);
    Some((share, share.join(OsStr::from_bytes(inner))))
}

fn stores(user: &FileUser, seen: &FtpPath) -> bool {
    let mut rights = user.rights_in(seen).into_iter();
    rights.any(|rights| rights.contains(Right::Store) || rights.contains(Right::MakeDirectory))
}

/// Where else the user sees the directory of a mount: the path of a share that contains it.
fn shared_above(user: &FileUser, mount: &UserMount) -> Option<String> {
    let real = real_path(&mount.directory);
    let contains = |path: &Path| real.starts_with(real_path(path));
    let mut others = user.options.mounts.iter();
    let other = others.find(|other| other.seen != mount.seen && contains(&other.directory));
    match other {
        Some(other) => Some(printable(other.seen.as_bytes()).to_string()),
        None => contains(&user.home).then(|| "the home".to_owned()),
    }
}

/// A start must not look at thousands of directories, perhaps over a network.
const USERS_MAX: usize = 200;
