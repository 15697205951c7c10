//! The counts of homes in a file of the state directory, `quota`: one line for each home.
//!
//! While a server uses the file, its first line says so: after a crash, the counts do not hold, and
//! the homes are counted anew. The state directory is locked meanwhile, so that two servers, or a
//! server and `--recount`, do not replace each other's counts.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FlockOperation, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::usage::Amount;
use crate::net::order;
use crate::settings::{QUOTA_FILE, QUOTA_FILE_NEW};

/// The counts of homes, by their paths.
pub(crate) type Counts = BTreeMap<PathBuf, Amount>;

/// The file, locked.
#[derive(Debug)]
pub(crate) struct CountFile {
    directory: File,
}

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoredCounts {
    pub(crate) counts: Counts,
    /// No server has changed anything since they were written.
    pub(crate) is_complete: bool,
}

impl CountFile {
    /// Opens the state directory, which is created if it is missing, and locks it.
    ///
    /// # Errors
    ///
    /// The system's; [`io::ErrorKind::WouldBlock`] if another server, or `--recount`, has the lock.
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(directory)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(CWD, directory, flags, Mode::empty())?;
        let locked = rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive);
        // Not every file system has locks.
        if locked == Err(Errno::WOULDBLOCK) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Self {
            directory: directory.into(),
        })
    }

    /// What the file says. One that is missing or damaged has no counts.
    pub(crate) fn read(&self) -> StoredCounts {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.directory, QUOTA_FILE, flags, Mode::empty());
        let Ok(opened) = opened else {
            return StoredCounts::default();
        };
        let mut text = Vec::new();
        let read = File::from(opened)
            .take(FILE_BYTES_MAX)
            .read_to_end(&mut text);
        read.ok().and_then(|_| parse(&text)).unwrap_or_default()
    }

    /// Replaces the file in one step.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(crate) fn write(&self, stored: &StoredCounts) -> io::Result<()> {
        let new = QUOTA_FILE_NEW;
        // One that a crash has left.
        let _ = rustix::fs::unlinkat(&self.directory, new, AtFlags::empty());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o600);
        let mut file = File::from(rustix::fs::openat(&self.directory, new, flags, mode)?);
        file.write_all(print(stored).as_bytes())?;
        self.give_to_owner(&file)?;
        file.sync_all()?;
        rustix::fs::renameat(&self.directory, new, &self.directory, QUOTA_FILE)?;
        Ok(rustix::fs::fsync(self.directory.as_fd())?)
    }

    /// Root's `--recount` writes what a server with `--run-as` has to read.
    fn give_to_owner(&self, file: &File) -> io::Result<()> {
        let (own, wanted) = (
            rustix::fs::fstat(file)?,
            rustix::fs::fstat(&self.directory)?,
        );
        if own.st_uid != wanted.st_uid {
            let (user, group) = (Uid::from_raw(wanted.st_uid), Gid::from_raw(wanted.st_gid));
            rustix::fs::fchown(file, Some(user), Some(group))?;
        }
        Ok(())
    }
}

/// `None`: not such a file.
fn parse(text: &[u8]) -> Option<StoredCounts> {
    let text = str::from_utf8(text).ok()?;
    let mut lines = text.lines();
    let is_complete = match lines.next()? {
        COMPLETE => true,
        IN_USE => false,
        _ => return None,
    };
    let counts = lines.map(parse_line).collect::<Option<Vec<_>>>()?;
    text.ends_with('\n').then_some(StoredCounts {
        counts: order::map_of(counts),
        is_complete,
    })
}

fn parse_line(line: &str) -> Option<(PathBuf, Amount)> {
    let mut words = line.splitn(3, ' ');
    let mut number = || {
        words
            .next()?
            .parse()
            .ok()
            .filter(|&number: &i64| number >= 0)
    };
    let amount = Amount {
        bytes: number()?,
        files: number()?,
    };
    let mut path = Vec::new();
    let mut rest = words.next()?.bytes();
    while let Some(byte) = rest.next() {
        path.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            _ => byte,
        });
    }
    Some((PathBuf::from(OsStr::from_bytes(&path)), amount))
}

fn print(stored: &StoredCounts) -> String {
    let state = if stored.is_complete { COMPLETE } else { IN_USE };
    let mut text = format!("{state}\n");
    for (path, amount) in &stored.counts {
        let Amount { bytes, files } = amount;
        text += &format!("{} {} ", bytes.max(&0), files.max(&0));
        for &byte in path.as_os_str().as_bytes() {
            match byte {
                b'%' | ..=b' ' | 0x7f.. => {
                    let _ = write!(text, "%{byte:02x}");
                }
                _ => text.push(char::from(byte)),
            }
        }
        text.push('\n');
    }
    text
}

const COMPLETE: &str = "quota 1 complete: bytes, files, home";
const IN_USE: &str = "quota 1 in use: bytes, files, home";

/// Enough for as many homes as a users file has lines.
const FILE_BYTES_MAX: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> StoredCounts {
        let amount = |bytes, files| Amount { bytes, files };
        let odd = OsStr::from_bytes(b"/srv/a b%\n\xff/\xc3\xa4");
        StoredCounts {
            counts: [
                (PathBuf::from("/srv/anna"), amount(1 << 40, 7)),
                (PathBuf::from(odd), amount(0, 0)),
            ]
            .into(),
            is_complete: true,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("deep/state");
        let file = CountFile::open(&state).unwrap();
        assert_eq!(file.read(), StoredCounts::default());
        let mut stored = counts();
        file.write(&stored).unwrap();
        assert_eq!(file.read(), stored);
        stored.is_complete = false;
        std::fs::write(state.join(QUOTA_FILE_NEW), "left").unwrap();
        file.write(&stored).unwrap();
        assert_eq!(file.read(), stored);
        assert_eq!(std::fs::read_dir(&state).unwrap().count(), 1);

        let second = CountFile::open(&state).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
        drop(file);
        CountFile::open(&state).unwrap();
    }

    #[test]
    fn a_damaged_file_has_no_counts() {
        let good = print(&counts());
        assert_eq!(parse(good.as_bytes()), Some(counts()));
        for end in 0..good.len() {
            let cut = parse(&good.as_bytes()[..end]);
            let lines = good[..end].matches('\n').count();
            assert_eq!(cut.is_some(), good[..end].ends_with('\n') && lines > 0);
        }
        for line in ["", "1 2", "-1 2 /a", "1 x /a", "1 2 /a%4", "1 2 /a%zz"] {
            assert_eq!(parse(format!("{COMPLETE}\n{line}\n").as_bytes()), None);
        }
    }
}
