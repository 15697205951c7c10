//! What the server may do with the rights that it has now.

use std::fs::metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ftp_proto::text::printable_word;
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;
use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, capabilities};

use crate::settings::Settings;

/// What the operator should know about the rights of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProcessRights {
    /// It has all rights.
    pub(crate) is_root: bool,
    /// Root runs the check; another user may start the server.
    pub(crate) root_checks: bool,
    /// Its own files that it has read at the start and may not read again.
    pub(crate) unreadable: Vec<PathBuf>,
    /// It may not follow the path of the shared directory.
    pub(crate) share_is_hidden: bool,
}

impl ProcessRights {
    /// Looks at the process and at the files that the settings name.
    pub(crate) fn read(settings: &Settings) -> Self {
        let mut unreadable = settings.files_to_read_again();
        unreadable.retain(|file| is_denied(file, Access::READ_OK));
        Self {
            is_root: geteuid().is_root(),
            root_checks: false,
            unreadable,
            share_is_hidden: settings.users.use_directory()
                && is_denied(&settings.directory, Access::EXISTS),
        }
    }
}

/// Whether a server may start with these settings and the rights that the process has.
///
/// # Errors
///
/// Why not, and what to do.
pub(crate) fn check_start(settings: &Settings) -> io::Result<()> {
    if settings.users.system().is_some() {
        check_system_users()?;
    }
    match (&settings.run_as, geteuid().is_root()) {
        (Some(run_as), false) => Err(io::Error::other(format!(
            "--run-as {}: only root can become another user; start the server as root, or leave \
             --run-as out",
            run_as.text
        ))),
        (None, true) => match root_directory(settings) {
            Some(shared) => Err(io::Error::other(format!(
                "{shared}: this is the root directory, and the server runs as root: clients would \
                 get every file of this machine; share a directory in it, or add --run-as USER"
            ))),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Whether the process may read the passwords of the system, and become its users.
fn check_system_users() -> io::Result<()> {
    let needed = CapabilitySet::SETUID | CapabilitySet::SETGID;
    let has_needed = || capabilities(None).is_ok_and(|held| held.effective.contains(needed));
    let problem = if !geteuid().is_root() {
        "only root can check the passwords of the system and become its users; start the server as \
         root, or leave --system-users out"
    } else if !has_needed() {
        "root lacks the capabilities SETUID and SETGID here, and cannot become another user; give \
         them to the server, or leave --system-users out"
    } else {
        return Ok(());
    };
    Err(io::Error::other(format!("--system-users: {problem}")))
}

/// What shares the root directory, if anything does.
fn root_directory(settings: &Settings) -> Option<String> {
    let directory = &settings.directory;
    if settings.users.use_directory() && is_root_directory(directory) {
        return Some(format!("--directory {}", directory.display()));
    }
    let mut users = settings.users.of_file();
    users.find_map(|user| {
        let directory = user
            .real_directories()
            .find(|path| is_root_directory(path))?;
        let name = printable_word(user.name.as_bytes());
        let is_home = directory == user.home;
        let what = if is_home { "home" } else { "mount" };
        Some(format!(
            "--users: {name}: the {what} {}",
            directory.display()
        ))
    })
}

/// Whether the path leads to `/`, by whatever name or mount.
fn is_root_directory(directory: &Path) -> bool {
    let identity = |path: &Path| {
        let found = metadata(path).ok()?;
        Some((found.dev(), found.ino()))
    };
    identity(directory).is_some_and(|found| Some(found) == identity(Path::new("/")))
}

/// Only the answer that a right is missing counts: files may also be gone.
fn is_denied(path: &Path, access: Access) -> bool {
    accessat(CWD, path, access, AtFlags::EACCESS) == Err(Errno::ACCESS)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_root_directory_has_many_names() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        symlink("/", &link).unwrap();
        for path in ["/", "//", "/.", "/..", "/etc/..", "/proc/self/root"] {
            assert!(is_root_directory(Path::new(path)), "{path}");
        }
        assert!(is_root_directory(&link));
        for path in ["/etc", "/proc", "/no/such/directory"] {
            assert!(!is_root_directory(Path::new(path)), "{path}");
        }
        assert!(!is_root_directory(directory.path()));
    }
}
