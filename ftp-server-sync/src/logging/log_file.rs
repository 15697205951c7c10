//! A file that lines are appended to while other programs rotate it.
//!
//! It is opened for appending only: when another program has truncated it (`copytruncate` of
//! logrotate), the next line is its first.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Gid, Mode, OFlags, Uid, fchown, openat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::link_walk::walk;

/// The file with its name, which may be another's by now.
#[derive(Debug)]
pub(super) struct LogFile {
    pub(super) path: PathBuf,
    pub(super) file: File,
}

/// User and group, by number.
pub(crate) type Owner = (u32, u32);

impl LogFile {
    /// Opens the file. One that does not exist is made, for this owner if there is one, so that the
    /// server can open it again when it has become that user.
    ///
    /// # Errors
    ///
    /// What the system says, or that it is no file.
    pub(super) fn open(path: &Path, owner: Option<Owner>) -> io::Result<Self> {
        let file = if geteuid().is_root() {
            open_as_root(path, owner)?
        } else {
            open_in(CWD, path.as_os_str(), OFlags::empty(), owner)?
        };
        let kind = file.metadata()?.file_type();
        if !kind.is_file() && !kind.is_char_device() {
            return Err(no_file());
        }
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Opens what has this name now, unless it is this file.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open): then this file stays open.
    pub(super) fn reopen(&mut self, path: &Path) -> io::Result<()> {
        if !self.has_name(path) {
            *self = Self::open(path, None)?;
        }
        path.clone_into(&mut self.path);
        Ok(())
    }

    fn has_name(&self, path: &Path) -> bool {
        let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let named = std::fs::metadata(path).map(identity);
        let own = self.file.metadata().map(identity);
        matches!((named, own), (Ok(named), Ok(own)) if named == own)
    }
}

/// Another user may own the directory: what that user has put there is no way to a file of root.
fn open_as_root(path: &Path, owner: Option<Owner>) -> io::Result<File> {
    let place = walk(path, Uid::ROOT)?;
    if place.is_open_file {
        return open_in(place.directory, &place.name, OFlags::empty(), owner);
    }
    let file = open_in(place.directory, &place.name, OFlags::NOFOLLOW, owner)?;
    let metadata = file.metadata()?;
    if !place.owner.is_root() && metadata.uid() == 0 && metadata.nlink() > 1 {
        let text = "it is a file of root with several names, in a directory of another user";
        return Err(io::Error::new(ErrorKind::InvalidInput, text));
    }
    Ok(file)
}

fn open_in(
    directory: impl AsFd,
    name: &OsStr,
    more: OFlags,
    owner: Option<Owner>,
) -> io::Result<File> {
    let open = |flags| openat(&directory, name, FLAGS | more | flags, MODE).map(File::from);
    let file = match open(OFlags::empty()) {
        Err(Errno::NOENT) => match open(OFlags::CREATE | OFlags::EXCL) {
            // Another program was faster.
            Err(Errno::EXIST) => open(OFlags::empty()),
            made => made.inspect(|file| {
                if let Some((user, group)) = owner {
                    // Otherwise it cannot be opened again, which the log says then.
                    let _ = fchown(file, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)));
                }
            }),
        },
        opened => opened,
    };
    file.map_err(|error| match error {
        // A pipe that no one reads.
        Errno::NXIO => no_file(),
        error => error.into(),
    })
}

fn no_file() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "it is not a file")
}

/// A pipe without a reader would hold the open.
const FLAGS: OFlags = OFlags::WRONLY
    .union(OFlags::APPEND)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOCTTY)
    .union(OFlags::NONBLOCK);

/// Names of users and addresses of clients are not for everyone.
const MODE: Mode = Mode::from_raw_mode(0o640);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

    use super::*;

    #[test]
    fn lines_follow_the_name() {
        let directory = tempfile::tempdir().unwrap();
        let (path, old) = (directory.path().join("log"), directory.path().join("log.1"));
        let mut log = LogFile::open(&path, None).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o137, 0, "{mode:o}");
        log.file.write_all(b"one\n").unwrap();
        // The same file.
        log.reopen(&path).unwrap();
        fs::rename(&path, &old).unwrap();
        log.file.write_all(b"two\n").unwrap();
        log.reopen(&path).unwrap();
        log.file.write_all(b"three\n").unwrap();
        assert_eq!(fs::read(&old).unwrap(), b"one\ntwo\n");
        assert_eq!(fs::read(&path).unwrap(), b"three\n");
        // Truncated, as by copytruncate.
        fs::write(&path, "").unwrap();
        log.file.write_all(b"four\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"four\n");
        // Out of reach: the old one stays.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        log.reopen(&path).unwrap_err();
        log.file.write_all(b"five\n").unwrap();
    }

    #[test]
    fn only_files_are_opened() {
        let directory = tempfile::tempdir().unwrap();
        LogFile::open(directory.path(), None).unwrap_err();
        let pipe = directory.path().join("pipe");
        rustix::fs::mkfifoat(CWD, &pipe, Mode::RWXU).unwrap();
        assert_eq!(
            LogFile::open(&pipe, None).unwrap_err().to_string(),
            "it is not a file"
        );
        LogFile::open(&directory.path().join("none/log"), None).unwrap_err();
        LogFile::open(Path::new("/dev/null"), None).unwrap();
    }

    /// The user that the server becomes owns the directory of its logs.
    #[test]
    fn root_appends_to_no_file_that_another_user_has_chosen() {
        if !geteuid().is_root() {
            // Another user has no rights that could be misused: links lead anywhere.
            let directory = tempfile::tempdir().unwrap();
            symlink("real", directory.path().join("log")).unwrap();
            fs::write(directory.path().join("real"), "").unwrap();
            LogFile::open(&directory.path().join("log"), None).unwrap();
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let of_root = directory.path().join("of-root");
        fs::write(&of_root, "").unwrap();
        let place = directory.path().join("logs");
        fs::create_dir(&place).unwrap();
        let log = place.join("log");
        let refused = |text: &str| {
            let error = LogFile::open(&log, Some((1, 1))).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        };
        // A link of root is root's will.
        symlink(&of_root, &log).unwrap();
        LogFile::open(&log, None).unwrap();
        chown(&place, Some(1), Some(1)).unwrap();
        lchown(&log, Some(1), Some(1)).unwrap();
        refused("log is a symbolic link of the user 1, which root does not follow");
        fs::remove_file(&log).unwrap();
        fs::hard_link(&of_root, &log).unwrap();
        refused("a file of root with several names");
        fs::remove_file(&log).unwrap();
        LogFile::open(&log, Some((1, 1))).unwrap();
        assert_eq!(fs::metadata(&log).unwrap().uid(), 1);
    }
}
