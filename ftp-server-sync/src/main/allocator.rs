//! Memory that is released returns to the system: the program executes itself once more, with
//! settings for glibc about where it allocates what is large.
//!
//! Large blocks then have mappings of their own. By default glibc allocates them in its heaps after
//! the first one was released, and a heap returns nothing below its last block: after some sorted
//! listings at a time, tens of MiB stay. There is no safe call for these settings, only variables
//! that are read at start.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Executes the program again with the settings, unless that has been done. Returns if it cannot:
/// without them the server only takes more memory.
pub(crate) fn configure() {
    let is_glibc = cfg!(target_env = "gnu");
    if !is_glibc || env::var_os(MARK).is_some() {
        return;
    }
    let (Some(name), Ok(program)) = (env::args_os().next(), env::current_exe()) else {
        return;
    };
    // It may be run by a loader or an emulator, which needs other arguments.
    if file_name(&name) != program.file_name() {
        return;
    }
    let mut command = Command::new(program);
    command.arg0(name).args(env::args_os().skip(1));
    for (variable, value) in settings(|variable| env::var_os(variable)) {
        command.env(variable, value);
    }
    // It returns only if it fails.
    let _ = command.env(MARK, "1").exec();
}

fn file_name(path: &OsStr) -> Option<&OsStr> {
    Path::new(path).file_name()
}

/// The settings that the operator has not made.
fn settings(
    variable: impl Fn(&str) -> Option<OsString>,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    SETTINGS
        .into_iter()
        .filter(move |(name, _)| variable(name).is_none())
}

/// In glibc's words. A threshold that is set stays as it is; by default it grows to 32 MiB. With
/// two heaps for all threads, less is left over in each.
const SETTINGS: [(&str, &str); 3] = [
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
    ("MALLOC_TRIM_THRESHOLD_", "131072"),
    ("MALLOC_ARENA_MAX", "2"),
];

/// Says that it has been done. The settings do not: glibc removes them for a program with
/// capabilities of its own.
const MARK: &str = "FTP_SERVER_EXECUTED";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operators_settings_stay() {
        let names = |own: &str| {
            let own = own.to_owned();
            let found = settings(move |name| (name == own).then(OsString::new));
            found.map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(names("").len(), 3);
        let others = ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"];
        assert_eq!(names("MALLOC_ARENA_MAX"), others);
    }
}
