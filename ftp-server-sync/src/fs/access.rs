//! What this thread may do with a directory that is open.

use std::os::fd::AsFd;

use rustix::fs::{Access, AtFlags, Mode, OFlags, accessat, openat};
use rustix::io::{Errno, Result};

/// Whether the thread has these rights to the directory.
///
/// Kernels before Linux 5.8 answer only for the real user. Where that is another one than the
/// effective one, only the right to look up names is known; if another is missing, the call that
/// needs it fails.
///
/// # Errors
///
/// The system's.
pub(super) fn check_access(directory: impl AsFd, rights: Access) -> Result<()> {
    match accessat(&directory, ".", rights, AtFlags::EACCESS) {
        Err(Errno::NOSYS) => search(directory),
        known => known,
    }
}

/// The name leads into the directory, which takes the right to look it up.
fn search(directory: impl AsFd) -> Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(directory, ".", flags, Mode::empty()).map(drop)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::thread;

    use super::*;
    use crate::privileges::become_user;

    #[test]
    fn a_user_may_search_what_the_permission_bits_say() {
        let directory = tempfile::tempdir().unwrap();
        if !rustix::process::geteuid().is_root() {
            return;
        }
        for (mode, expected) in [
            (0o755, Ok(())),
            (0o711, Ok(())),
            (0o766, Err(Errno::ACCESS)),
        ] {
            fs::set_permissions(directory.path(), Permissions::from_mode(mode)).unwrap();
            let opened = File::open(directory.path()).unwrap();
            let of_user = thread::spawn(move || {
                become_user(54_321, 54_321, &[54_321]).unwrap();
                [check_access(&opened, Access::EXEC_OK), search(&opened)]
            });
            assert_eq!(of_user.join().unwrap(), [expected; 2], "{mode:o}");
        }
    }
}
