//! `--sandbox`: the files that the process keeps the right to open, by the kernel's Landlock.
//!
//! It holds for the thread that enters it and for all that this one starts later, so the process
//! enters it before it has a second thread. Nothing undoes it.
//!
//! Rules are for directories, and hold for everything below them, what is mounted there later
//! included. A rule for a file, or for the shared directory itself, ends with it: one that is
//! renamed to its name, or mounted over it, is another one. So each rule is for the directory that
//! contains what is needed, unless that is too wide.

#[cfg(feature = "sandbox")]
mod kernel;
#[cfg(not(feature = "sandbox"))]
#[path = "sandbox/disabled.rs"]
mod kernel;
mod rules;
mod system_files;
mod wide;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::{Mutex, OnceLock};

use log::warn;

use crate::locks::lock;
#[cfg(test)]
pub(crate) use rules::SandboxRule;
pub(crate) use rules::{AllowedAccess, NeededPath, SandboxRules};
pub(crate) use wide::WidePlaces;

/// The sandbox that the process is in.
#[derive(Debug)]
pub(crate) struct Sandbox {
    pub(crate) rules: SandboxRules,
    /// What the kernel is too old to refuse.
    pub(crate) gaps: Vec<&'static str>,
    /// Files of `/proc` that rules are for. While they are open, the kernel finds the same ones
    /// there; otherwise it may forget them and make others.
    _held: Vec<File>,
}

/// Restricts this thread, and all that it starts, to these paths and to what names, the resolver
/// and the time zone need. Returns what the kernel is too old to refuse.
fn restrict(rules: &SandboxRules) -> io::Result<Vec<&'static str>> {
    let system = system_files::rules();
    let all = rules.rules.iter().chain(&system);
    kernel::restrict(all, &rules.sockets).map_err(io::Error::other)
}

/// Restricts the process, which must not have a second thread yet.
///
/// # Errors
///
/// That the kernel cannot do it, with what would help.
pub(crate) fn enter(rules: SandboxRules) -> io::Result<()> {
    let held = system_files::held();
    let gaps = restrict(&rules)?;
    let sandbox = Sandbox {
        rules,
        gaps,
        _held: held,
    };
    let is_first = IN_FORCE.set(sandbox).is_ok();
    if is_first {
        Ok(())
    } else {
        Err(io::Error::other("the process is in a sandbox already"))
    }
}

/// The sandbox that this process is in.
pub(crate) fn in_force() -> Option<&'static Sandbox> {
    IN_FORCE.get()
}

/// What the kernel is too old to refuse.
///
/// # Errors
///
/// That the kernel cannot do it at all, with what would help.
pub(crate) fn gaps() -> Result<Vec<&'static str>, String> {
    kernel::gaps()
}

/// Whether the sandbox may be the reason of an error.
pub(crate) fn may_cause(error: &io::Error) -> bool {
    in_force().is_some() && error.kind() == ErrorKind::PermissionDenied
}

/// Logs a warning, once for each, about files with names that were replaced since the start: their
/// rule does not hold for what has taken their place. To be called when a name was not found.
pub(crate) fn log_replaced() {
    if in_force().is_none() {
        return;
    }
    for file in system_files::replaced() {
        if lock(&LOGGED).insert(file) {
            warn!(
                "{file} is new or was replaced, and --sandbox keeps the server from it: names are \
                 missing until the server is restarted"
            );
        }
    }
}

/// What to do about an error that the sandbox may cause.
pub(crate) const REMEDY: &str =
    "if it is new or was replaced, --sandbox keeps the server from it: restart the server";

/// The replaced files that are in the log.
static LOGGED: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());

static IN_FORCE: OnceLock<Sandbox> = OnceLock::new();

#[cfg(all(test, feature = "sandbox"))]
mod tests;
