//! What this server has had forwarded, in a file: a start after a crash removes what it does not
//! want any more, such as the control port of a server that lets anonymous in now.
//!
//! The file is written before a router is asked, so that no crash leaves a port that is not in it.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use log::warn;

use crate::net::order;
use crate::settings::MappingProtocol;
use crate::settings::file::{load, reason};

/// One port that a router may forward to this machine, or let in over IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MadeMapping {
    pub(super) protocol: MappingProtocol,
    pub(super) router: IpAddr,
    /// The number of the interface with a link-local address of the router, else 0.
    pub(super) scope: u32,
    pub(super) own: IpAddr,
    pub(super) inner: u16,
    pub(super) outer: u16,
}

/// The file, and what it contains by now.
#[derive(Debug)]
pub(super) struct RecordFile {
    /// `None`: it is another server's, and is left as it is.
    file: Option<PathBuf>,
    written: Vec<MadeMapping>,
    /// The number of the lock's file beside it; `None`: it is not known.
    inode: Option<u64>,
    /// The log has said that it cannot be written.
    has_failed: bool,
}

impl RecordFile {
    /// With what an earlier run of the server has left. `inode`: that of the lock's file beside it.
    /// The record in a copy of the directory is another server's.
    pub(super) fn read(file: PathBuf, inode: Option<u64>) -> Self {
        let written = read(&file, inode);
        Self {
            file: Some(file),
            written,
            inode,
            has_failed: false,
        }
    }

    /// Another server that runs has it.
    pub(super) fn of_another_server() -> Self {
        Self {
            file: None,
            written: Vec::new(),
            inode: None,
            has_failed: false,
        }
    }

    /// What it contains.
    pub(super) fn written(&self) -> &[MadeMapping] {
        &self.written
    }

    /// Writes these and no others, if that is a change.
    pub(super) fn update(&mut self, made: impl Iterator<Item = MadeMapping>) {
        let mut made: Vec<MadeMapping> = made.collect();
        order::sort(&mut made);
        made.dedup();
        if let Some(file) = &self.file
            && made != self.written
        {
            match write(file, self.inode, &made) {
                Ok(()) => self.written = made,
                // The next change, or the next round, tries it again.
                Err(error) if !std::mem::replace(&mut self.has_failed, true) => warn!(
                    "{file} cannot be written: {reason}; after a crash, ports that the router forwards \
                     may stay open until their lease is over; give a directory that can be written with \
                     the variable STATE_DIRECTORY",
                    file = file.display(),
                    reason = reason(&error)
                ),
                Err(_) => {}
            }
        }
    }
}

/// Reads the file. What is missing or damaged counts as none.
fn read(file: &Path, inode: Option<u64>) -> Vec<MadeMapping> {
    let bytes = load(file, BYTES_MAX, "the file that the server made").unwrap_or_default();
    let text = String::from_utf8(bytes).unwrap_or_default();
    let first = text.lines().next().and_then(|line| line.strip_prefix(LOCK));
    let recorded: Option<u64> = first.and_then(|number| number.parse().ok());
    let is_copy = matches!((recorded, inode), (Some(recorded), Some(inode)) if recorded != inode);
    if is_copy {
        return Vec::new();
    }
    text.lines().filter_map(parse).collect()
}

/// Writes the file; without mappings, it is removed.
fn write(file: &Path, inode: Option<u64>, made: &[MadeMapping]) -> io::Result<()> {
    let mut text = String::new();
    if let Some(inode) = inode {
        // Text takes all of it.
        let _ = writeln!(text, "{LOCK}{inode}");
    }
    for mapping in made {
        let MadeMapping {
            protocol,
            router,
            scope,
            own,
            inner,
            outer,
        } = mapping;
        // Text takes all of it.
        let _ = writeln!(text, "{protocol} {router} {scope} {own} {inner} {outer}");
    }
    if !made.is_empty() {
        return store(file, text.as_bytes());
    }
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn parse(line: &str) -> Option<MadeMapping> {
    let words: Vec<&str> = line.split(' ').collect();
    let [protocol, router, scope, own, inner, outer] = words[..] else {
        return None;
    };
    let mut protocols = MappingProtocol::ALL.into_iter();
    Some(MadeMapping {
        protocol: protocols.find(|known| known.to_string() == protocol)?,
        router: router.parse().ok()?,
        scope: scope.parse().ok()?,
        own: own.parse().ok()?,
        inner: inner.parse().ok()?,
        outer: outer.parse().ok()?,
    })
}

/// Writes a file of the state directory, whole or not at all.
pub(super) fn store(file: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(directory) = file.parent() {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(directory)?;
    }
    let new = file.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let mut opened = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    opened.write_all(bytes)?;
    fs::rename(new, file)
}

/// The first line, before the number of the lock's file.
const LOCK: &str = "lock ";
/// For all ports that there are.
const BYTES_MAX: u64 = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(inner: u16) -> MadeMapping {
        MadeMapping {
            protocol: MappingProtocol::Pcp,
            router: [192, 168, 77, 1].into(),
            scope: 0,
            own: [192, 168, 77, 2].into(),
            inner,
            outer: inner,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("state/port-mappings");
        let one = MadeMapping {
            protocol: MappingProtocol::NatPmp,
            outer: 21,
            ..mapping(2121)
        };
        let other = MadeMapping {
            protocol: MappingProtocol::Upnp,
            router: "fe80::1".parse().unwrap(),
            scope: 7,
            own: "2001:db8::2".parse().unwrap(),
            ..one
        };
        let made = [one, other];
        assert_eq!(read(&file, None), []);
        write(&file, None, &made).unwrap();
        assert_eq!(read(&file, None), made);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("garbage\n{text}PCP x 0 y 1 2\nPCP\n")).unwrap();
        assert_eq!(read(&file, None), made);
        write(&file, None, &[]).unwrap();
        assert!(!file.exists());
    }

    #[test]
    fn the_file_is_written_when_something_changes() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("port-mappings");
        let (one, other) = (mapping(60_000), mapping(60_001));
        let mut record = RecordFile::read(file.clone(), None);
        record.update([other, one, other].into_iter());
        assert_eq!(read(&file, None), [one, other]);
        fs::remove_file(&file).unwrap();
        record.update([one, other].into_iter());
        assert!(!file.exists());
        record.update([one].into_iter());
        assert_eq!(RecordFile::read(file, None).written(), [one]);
    }

    /// The server of the other directory has made those.
    #[test]
    fn a_copied_record_is_ignored() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("port-mappings");
        let made = mapping(2121);
        write(&file, Some(7), &[made]).unwrap();
        assert_eq!(read(&file, Some(7)), [made]);
        assert_eq!(read(&file, Some(8)), []);
        assert_eq!(read(&file, None), [made]);
        // Of a version before.
        write(&file, None, &[made]).unwrap();
        assert_eq!(read(&file, Some(8)), [made]);
    }

    /// A disk that was full has room again.
    #[test]
    fn what_could_not_be_written_is_written_again() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        fs::write(&state, "").unwrap();
        let file = state.join("port-mappings");
        let made = mapping(2121);
        let mut record = RecordFile::read(file.clone(), None);
        record.update([made].into_iter());
        fs::remove_file(&state).unwrap();
        record.update([made].into_iter());
        assert_eq!(read(&file, None), [made]);
    }
}
