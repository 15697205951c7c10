//! Permission bits and times: SITE CHMOD, SITE UMASK, MFMT.
//!
//! Only regular files and directories are changed, and setuid, setgid and sticky bits are never
//! set.

use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;

use cap_std::fs::{MetadataExt as _, OpenOptions, Permissions};
use ftp_proto::{FtpPath, Refusal};
use rustix::fs::{AtFlags, FileType, Mode, Timespec, Timestamps, UTIME_OMIT};

use super::root::{Root, changeable, refusal, relative};

impl Root {
    /// Sets exactly these permission bits on a file. A directory keeps its setgid and sticky bits,
    /// as with the program `chmod`.
    pub(super) fn change_mode(&self, path: &FtpPath, mode: u32) -> Result<(), Refusal> {
        let name = relative(changeable(path)?);
        let metadata = self
            .directory
            .metadata(name)
            .map_err(|error| refusal(&error))?;
        let old_bits = match (metadata.is_dir(), metadata.is_file()) {
            (true, _) => metadata.mode() & DIRECTORY_BITS,
            (_, true) => 0,
            _ => return Err(Refusal::NotARegularFile),
        };
        let permissions = std::fs::Permissions::from_mode(mode & 0o777 | old_bits);
        // If the name leads to something else by now, that is beneath the root as well.
        self.directory
            .set_permissions(name, Permissions::from_std(permissions))
            .map_err(|error| refusal(&error))
    }

    /// Sets the time of modification, and leaves the time of access.
    pub(super) fn set_modified(&self, path: &FtpPath, modified: i64) -> Result<(), Refusal> {
        let times = Timestamps {
            last_access: Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_OMIT,
            },
            last_modification: Timespec {
                tv_sec: modified,
                tv_nsec: 0,
            },
        };
        let path = changeable(path)?;
        let parent = self.open_directory(&path.parent())?;
        let failed = |errno: rustix::io::Errno| refusal(&errno.into());
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        let stat = rustix::fs::statat(&parent, path.name(), nofollow).map_err(failed)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile | FileType::Directory => {
                rustix::fs::utimensat(&parent, path.name(), &times, nofollow).map_err(failed)
            }
            // The link's target must be opened beneath the root: the link may lead outside.
            FileType::Symlink => {
                let (file, _) = self.open_file(path, OpenOptions::new().read(true))?;
                rustix::fs::futimens(&file, &times).map_err(failed)
            }
            _ => Err(Refusal::NotARegularFile),
        }
    }
}

/// Sets the permission bits of a new file by the client's umask, if the client has set one.
pub(super) fn apply_umask(file: &File, umask: Option<u32>) -> io::Result<()> {
    match umask {
        Some(umask) => file.set_permissions(std::fs::Permissions::from_mode(0o666 & !umask)),
        None => Ok(()),
    }
}

/// The umask that `--umask` sets for this process.
#[derive(Debug, Default)]
pub(crate) struct ProcessUmask {
    /// What it was before.
    inherited: Option<u32>,
}

impl ProcessUmask {
    /// Sets it, or restores the one that the process began with.
    pub(crate) fn set(&mut self, umask: Option<u32>) {
        let Some(umask) = umask.or(self.inherited) else {
            return;
        };
        let before = rustix::process::umask(Mode::from_raw_mode(umask));
        self.inherited.get_or_insert(before.as_raw_mode());
    }
}

/// The umask of this process, which the system applies to every file that the process creates.
pub(crate) fn process_umask() -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(value.trim(), 8).ok()
}

/// Setgid and sticky: what they do on a directory is the operator's choice.
const DIRECTORY_BITS: u32 = 0o3000;
