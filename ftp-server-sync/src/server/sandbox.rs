//! `--sandbox`: entered before the first thread, and a limit for every later change of the
//! settings.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use ftp_proto::text::printable_word;

use crate::logging::file_log::make_file;
use crate::sandbox::{AllowedAccess, NeededPath, enter, in_force};
use crate::settings::{Settings, StatusSocketPlace};

/// Takes the right from this process to open other files than those that a server with these
/// settings needs, and to execute programs, by the kernel's Landlock. Nothing gives it back.
///
/// It holds for this thread and those that it starts later: call it before there is another one.
///
/// # Errors
///
/// That this kernel cannot do it, and what would help. Then nothing is taken.
pub fn enter_sandbox(settings: &Settings) -> io::Result<()> {
    let self_signed = settings
        .tls
        .as_ref()
        .filter(|tls| tls.certificates.is_empty());
    if self_signed.is_some() || settings.port_mapping.uses_state() || settings.has_quotas() {
        create(&settings.state_directory);
    }
    if let StatusSocketPlace::Directory(directory) = &settings.status_socket {
        create(directory);
    }
    for (_, file) in settings.log_files() {
        // The same for a file. Who opens it reports the error.
        let _ = make_file(file, settings.log_file_owner());
    }
    enter(settings.sandbox_rules())
}

/// A rule is for a directory that exists. If it cannot be made, nothing can be stored there either,
/// and that error says what to do.
fn create(directory: &Path) {
    let _ = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory);
}

/// Refuses to serve in no sandbox where the settings ask for one.
pub(super) fn check_entered(settings: &Settings) -> io::Result<()> {
    if settings.sandbox && in_force().is_none() {
        Err(io::Error::other(
            "the process is not in its sandbox: call enter_sandbox first",
        ))
    } else {
        Ok(())
    }
}

/// Where log files have to be made that the old settings do not have. One that they have may be
/// missing: another program rotates it.
fn new_log_directories(old: &Settings, new: &Settings) -> Vec<NeededPath> {
    let had = |file: &Path| old.log_files().any(|(_, old)| old == file);
    let missing = new.log_files();
    let missing = missing.filter(|(_, file)| !had(file) && !file.exists());
    let directories = missing.filter_map(|(flag, file)| {
        Some(NeededPath {
            name: flag,
            path: file.parent()?.to_owned(),
            access: AllowedAccess::Change,
            with_parent: false,
        })
    });
    directories.collect()
}

/// Refuses new settings that the sandbox, which stays as it is, does not suit.
pub(super) fn check_change(old: &Settings, new: &Settings) -> io::Result<()> {
    if old.sandbox != new.sandbox {
        return Err(io::Error::other(
            "--sandbox cannot be switched on or off while the server runs; restart it",
        ));
    }
    let Some(sandbox) = in_force() else {
        return Ok(());
    };
    let needed = [new.sandbox_needs(), new_log_directories(old, new)].concat();
    let Some(refused) = sandbox.rules.first_refused(&needed) else {
        return Ok(());
    };
    let right = match refused.access {
        AllowedAccess::List | AllowedAccess::Read => "read",
        AllowedAccess::Change => "change",
    };
    Err(io::Error::other(format!(
        "{} {}: since the start, --sandbox keeps the server from the right to {right} it; restart \
         the server",
        refused.name,
        printable_word(refused.path.as_os_str().as_bytes())
    )))
}
