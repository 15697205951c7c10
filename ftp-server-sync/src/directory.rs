//! A directory as lines of LIST, NLST or MLSD, in the directory's own order.
//!
//! Entries are read as lines are asked for: memory stays flat however many there are.

mod owners;

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use ftp_proto::ListStyle;
use ftp_proto::listing::{self, Entry, EntryKind};
use log::debug;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};

pub(crate) use owners::Owners;

/// Lines of a listing, with their endings.
#[derive(Debug)]
pub(crate) struct DirectoryLines {
    source: Source,
    style: ListStyle,
    now: i64,
    /// Where names of owners are to be told.
    owners: Option<Box<Owners>>,
}

#[derive(Debug)]
enum Source {
    Directory {
        handle: OwnedFd,
        entries: Dir,
        /// Which of the directory's own lines are still to come.
        own: &'static [&'static [u8]],
    },
    Single(Option<Entry>),
}

impl DirectoryLines {
    /// The entries of an open directory. `now` is in seconds since 1970. MLSD begins with the directory itself
    /// and, unless this is the root, the one above (RFC 3659, section 7.5.1).
    pub(crate) fn new(
        handle: OwnedFd,
        style: ListStyle,
        now: i64,
        is_root: bool,
    ) -> io::Result<Self> {
        // The handle only names the directory (O_PATH); reading it takes one more right.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let readable = rustix::fs::openat(&handle, ".", flags, Mode::empty())?;
        let entries = Dir::new(readable)?;
        let own: &[&[u8]] = match (&style, is_root) {
            (ListStyle::Facts { .. }, true) => &[b"."],
            (ListStyle::Facts { .. }, false) => &[b".", b".."],
            _ => &[],
        };
        let source = Source::Directory {
            handle,
            entries,
            own,
        };
        Ok(Self::from(source, style, now))
    }

    /// One entry alone, as LIST and NLST show a file.
    pub(crate) fn single(entry: Entry, style: ListStyle, now: i64) -> Self {
        // NLST gives a file's name back as the client wrote it, and that is the prefix.
        Self::from(Source::Single(Some(entry)), style, now)
    }

    /// Appends the next line to `out`; `false` at the end.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read on. An entry that cannot be looked at is passed over.
    pub(crate) fn next_line(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let (handle, entries, own) = match &mut self.source {
            Source::Single(entry) => {
                let Some(entry) = entry.take() else {
                    return Ok(false);
                };
                self.single_line(&entry, out);
                return Ok(true);
            }
            Source::Directory {
                handle,
                entries,
                own,
            } => (handle, entries, own),
        };
        while let Some((name, rest)) = own.split_first() {
            *own = rest;
            // Of the directory above nothing is read but what is known about it.
            if let Ok(stat) = rustix::fs::statat(&*handle, *name, AtFlags::SYMLINK_NOFOLLOW) {
                let mut entry = entry_of(&*handle, name, &stat);
                name_owners(&mut self.owners, &mut entry);
                entry_line(&self.style, self.now, &entry, out);
                return Ok(true);
            }
        }
        for found in entries {
            let found = found?;
            let name = found.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if let ListStyle::Names { prefix } = &self.style {
                let start = out.len();
                out.extend_from_slice(prefix);
                out.extend_from_slice(name.to_bytes());
                let line = out.split_off(start);
                listing::name_line(&line, out);
                return Ok(true);
            }
            match rustix::fs::statat(&*handle, name, AtFlags::SYMLINK_NOFOLLOW) {
                // It has vanished, or is a mount point that is gone: the others are still there.
                Err(errno) => debug!("cannot list an entry: {errno}"),
                Ok(stat) => {
                    let mut entry = entry_of(&*handle, name.to_bytes(), &stat);
                    name_owners(&mut self.owners, &mut entry);
                    entry_line(&self.style, self.now, &entry, out);
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn from(source: Source, style: ListStyle, now: i64) -> Self {
        let named = matches!(&style, ListStyle::Facts { facts, .. } if facts.wants_names());
        Self {
            source,
            style,
            now,
            owners: named.then(Box::default),
        }
    }

    fn single_line(&self, entry: &Entry, out: &mut Vec<u8>) {
        match &self.style {
            ListStyle::Names { prefix } => {
                listing::name_line(prefix.strip_suffix(b"/").unwrap_or(prefix), out);
            }
            style => entry_line(style, self.now, entry, out),
        }
    }
}

/// What is known about `name` in the directory `parent`.
#[allow(
    clippy::unnecessary_cast,
    reason = "the fields have other types on 32-bit machines"
)]
pub(crate) fn entry_of(parent: impl AsFd, name: &[u8], stat: &Stat) -> Entry {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Symlink,
        FileType::CharacterDevice => EntryKind::CharacterDevice,
        FileType::BlockDevice => EntryKind::BlockDevice,
        FileType::Fifo => EntryKind::Fifo,
        FileType::Socket => EntryKind::Socket,
        _ => EntryKind::File,
    };
    let link_target = match kind {
        EntryKind::Symlink => rustix::fs::readlinkat(parent, name, Vec::new())
            .ok()
            .map(|target| target.into_bytes()),
        _ => None,
    };
    Entry {
        name: name.to_vec(),
        kind,
        mode: stat.st_mode & 0o7777,
        links: stat.st_nlink as u64,
        uid: stat.st_uid,
        gid: stat.st_gid,
        owner: None,
        group: None,
        size: stat.st_size as u64,
        modified: stat.st_mtime as i64,
        device: stat.st_dev as u64,
        inode: stat.st_ino as u64,
        link_target,
    }
}

fn name_owners(owners: &mut Option<Box<Owners>>, entry: &mut Entry) {
    if let Some(owners) = owners {
        entry.owner = owners.user(entry.uid);
        entry.group = owners.group(entry.gid);
    }
}

fn entry_line(style: &ListStyle, now: i64, entry: &Entry, out: &mut Vec<u8>) {
    match style {
        ListStyle::Facts { facts, permissions } => {
            listing::facts_line(&entry.name, entry, *facts, *permissions, out);
        }
        ListStyle::Long | ListStyle::Names { .. } => listing::long_line(entry, now, out),
    }
}
