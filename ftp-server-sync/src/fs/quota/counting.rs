//! How much is stored in a directory: every name below it is read.
//!
//! Each regular file counts with its size, once for each of its names, and each name as a file,
//! also that of a directory or a link. Links are not followed; file systems that are mounted below
//! count. The temporaries of uploads do not.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use ftp_proto::limits::PATH_DEPTH_MAX;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::usage::Amount;
use crate::fs::temporary_name::is_temporary;

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) amount: Amount,
    /// Directories that could not be read, or are deeper than clients can go.
    pub(crate) unread: u64,
}

/// Counts what is below a directory. As many directories are open as the tree is deep. It is given
/// up when `stop` is set.
///
/// # Errors
///
/// The system's error of reading the directory itself; [`io::ErrorKind::Interrupted`].
pub(crate) fn count(directory: impl AsFd, stop: &AtomicBool) -> io::Result<Counted> {
    let mut counted = Counted::default();
    let mut open = vec![OpenDirectory::open(&directory, c".")?];
    while let Some(current) = open.last_mut() {
        if stop.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let below = match current.next() {
            None => {
                open.pop();
                continue;
            }
            Some(Err(_)) => {
                counted.unread += 1;
                open.pop();
                continue;
            }
            Some(Ok((name, stat))) => {
                counted.amount += amount_of(&stat);
                let is_directory = kind(&stat) == FileType::Directory;
                is_directory.then(|| OpenDirectory::open(&current.handle, &name))
            }
        };
        match below {
            None => {}
            Some(Ok(below)) if open.len() <= PATH_DEPTH_MAX => open.push(below),
            // Removed meanwhile.
            Some(Err(Errno::NOENT)) => {}
            Some(_) => counted.unread += 1,
        }
    }
    Ok(counted)
}

/// What one name counts.
pub(crate) fn amount_of(stat: &Stat) -> Amount {
    match kind(stat) {
        FileType::RegularFile => {
            Amount::FILE + Amount::bytes(u64::try_from(stat.st_size).unwrap_or(0))
        }
        _ => Amount::FILE,
    }
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// A directory whose names are being read.
struct OpenDirectory {
    handle: OwnedFd,
    names: Dir,
}

impl OpenDirectory {
    fn open(parent: impl AsFd, name: &CStr) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::openat(parent, name, flags, Mode::empty())?;
        let names = Dir::read_from(&handle)?;
        Ok(Self { handle, names })
    }

    /// The next name that counts, with its attributes.
    fn next(&mut self) -> Option<Result<(std::ffi::CString, Stat), Errno>> {
        loop {
            let entry = match self.names.next()? {
                Ok(entry) => entry,
                Err(errno) => return Some(Err(errno)),
            };
            let name = entry.file_name();
            let bytes = name.to_bytes();
            if bytes == b"." || bytes == b".." || is_temporary(bytes) {
                continue;
            }
            match rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => return Some(Ok((name.to_owned(), stat))),
                Err(Errno::NOENT) => {}
                Err(errno) => return Some(Err(errno)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn names_and_sizes_below_a_directory() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("large"), [0; 1000]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir_all(path("a/b/c")).unwrap();
        fs::write(path("a/one"), [0; 10]).unwrap();
        fs::write(path("a/b/c/two"), [0; 5]).unwrap();
        fs::write(path(".ftp-upload.1-1.part"), [0; 100]).unwrap();
        fs::hard_link(path("a/one"), path("again")).unwrap();
        symlink(outside.path(), path("link")).unwrap();
        symlink("nowhere", path("a/broken")).unwrap();
        let handle = fs::File::open(directory.path()).unwrap();
        let counted = count(&handle, &AtomicBool::new(false)).unwrap();
        let amount = Amount {
            bytes: 25,
            files: 8,
        };
        assert_eq!(counted, Counted { amount, unread: 0 });
        let stopped = count(&handle, &AtomicBool::new(true)).unwrap_err();
        assert_eq!(stopped.kind(), io::ErrorKind::Interrupted);
    }
}
