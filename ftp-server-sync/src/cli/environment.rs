//! The environment: the password, and where state is stored.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The variables that matter, as they were at start.
#[derive(Clone)]
pub(super) struct Environment {
    /// The password if no flag gives one.
    pub(super) password: Option<OsString>,
    pub(super) state_directory: PathBuf,
}

impl Environment {
    pub(super) fn read(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        Self {
            password: variable(PASSWORD),
            state_directory: state_directory(variable),
        }
    }
}

/// Where the server stores what it makes: as systemd says, or by the XDG base directories.
fn state_directory(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let absolute = |path: &OsStr| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let directory = |name| absolute(&variable(name)?);
    let own = |parent: PathBuf| parent.join("ftp-server-sync");
    // systemd may name several, with colons between them.
    let systemd = variable("STATE_DIRECTORY").unwrap_or_default();
    let first = systemd.as_bytes().split(|&byte| byte == b':').next();
    absolute(OsStr::from_bytes(first.unwrap_or_default()))
        .or_else(|| directory("XDG_STATE_HOME").map(own))
        .or_else(|| Some(own(directory("HOME")?.join(".local/state"))))
        .unwrap_or_else(|| own(Path::new("/var/lib").to_owned()))
}

pub(super) const PASSWORD: &str = "FTP_PASSWORD";

#[cfg(test)]
mod tests;
