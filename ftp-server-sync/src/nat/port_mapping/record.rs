//! What this server has had forwarded, in a file: a start after a crash removes what it does not
//! want any more, such as the control port of a server that lets anonymous in now.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use log::debug;

use crate::settings::MappingProtocol;
use crate::settings::file::load;

/// One port that a router may forward to this machine, or let in over IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MadeMapping {
    pub(super) protocol: MappingProtocol,
    pub(super) router: IpAddr,
    /// The number of the interface with a link-local address of the router, else 0.
    pub(super) scope: u32,
    pub(super) own: IpAddr,
    pub(super) inner: u16,
    pub(super) outer: u16,
}

/// Reads the file. What is missing or damaged counts as none.
pub(super) fn read(file: &Path) -> Vec<MadeMapping> {
    let bytes = load(file, BYTES_MAX, "the file that the server made").unwrap_or_default();
    let text = String::from_utf8(bytes).unwrap_or_default();
    text.lines().filter_map(parse).collect()
}

/// Writes the file; without mappings, it is removed.
pub(super) fn write(file: &Path, made: &[MadeMapping]) {
    let mut text = String::new();
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
    let done = if made.is_empty() {
        fs::remove_file(file)
    } else {
        store(file, text.as_bytes())
    };
    if let Err(error) = done {
        debug!("{}: {error}", file.display());
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

/// For all ports that there are.
const BYTES_MAX: u64 = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("state/port-mappings");
        let mapping = |protocol, router: &str, own: &str, scope| MadeMapping {
            protocol,
            router: router.parse().unwrap(),
            scope,
            own: own.parse().unwrap(),
            inner: 2121,
            outer: 21,
        };
        let made = [
            mapping(MappingProtocol::NatPmp, "192.168.77.1", "192.168.77.2", 0),
            mapping(MappingProtocol::Upnp, "fe80::1", "2001:db8::2", 7),
        ];
        assert_eq!(read(&file), []);
        write(&file, &made);
        assert_eq!(read(&file), made);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("garbage\n{text}PCP x 0 y 1 2\nPCP\n")).unwrap();
        assert_eq!(read(&file), made);
        write(&file, &[]);
        assert!(!file.exists());
    }
}
