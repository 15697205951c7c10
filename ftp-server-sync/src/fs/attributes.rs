//! Permission bits and times: SITE CHMOD, SITE UMASK, MFMT.
//!
//! Only regular files and directories are changed, and setuid, setgid and sticky are never given.

use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;

use cap_std::fs::{MetadataExt as _, OpenOptions, Permissions};
use ftp_proto::{FtpPath, Refusal};
use rustix::fs::{AtFlags, FileType, Timespec, Timestamps, UTIME_OMIT};

use super::root::{Root, changeable, refusal, relative};

impl Root {
    /// Gives a file these permission bits and no others; a directory keeps its setgid and sticky, as with the
    /// program `chmod`.
    pub(super) fn change_mode(&self, path: &FtpPath, mode: u32) -> Result<(), Refusal> {
        let name = relative(changeable(path)?);
        let metadata = self.root.metadata(name).map_err(|error| refusal(&error))?;
        let kept = match (metadata.is_dir(), metadata.is_file()) {
            (true, _) => metadata.mode() & DIRECTORY_BITS,
            (_, true) => 0,
            _ => return Err(Refusal::IsADirectory),
        };
        let permissions = std::fs::Permissions::from_mode(mode & 0o777 | kept);
        // Should the name stand for something else by now, that is beneath the root as well.
        self.root
            .set_permissions(name, Permissions::from_std(permissions))
            .map_err(|error| refusal(&error))
    }

    /// Sets the time of modification, and leaves the one of access.
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
            // What it leads to must be opened, lest it leads outside.
            FileType::Symlink => {
                let (file, _) = self.open_plain(path, OpenOptions::new().read(true))?;
                rustix::fs::futimens(&file, &times).map_err(failed)
            }
            _ => Err(Refusal::IsADirectory),
        }
    }

    /// Makes a directory; with `umask`, whatever the system's own.
    pub(super) fn make_directory(&self, path: &FtpPath, umask: Option<u32>) -> Result<(), Refusal> {
        let name = relative(changeable(path)?);
        self.root
            .create_dir(name)
            .map_err(|error| refusal(&error))?;
        match umask {
            Some(umask) => self.change_mode(path, 0o777 & !umask),
            None => Ok(()),
        }
    }
}

/// Gives a file that was just made the bits that a client's umask leaves.
pub(super) fn apply_umask(file: &File, umask: Option<u32>) -> io::Result<()> {
    match umask {
        Some(umask) => file.set_permissions(std::fs::Permissions::from_mode(0o666 & !umask)),
        None => Ok(()),
    }
}

/// The umask of this process, which the system applies to everything that it makes.
pub(crate) fn own_umask() -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(value.trim(), 8).ok()
}

/// Setgid and sticky: what they mean for a directory is the operator's choice.
const DIRECTORY_BITS: u32 = 0o3000;
