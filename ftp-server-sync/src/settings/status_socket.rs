//! Where the socket is at which the server says what it is doing.

use std::path::{Path, PathBuf};

/// The place of the status socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusSocketPlace {
    /// There is none.
    Off,
    /// This file, by its absolute path.
    File(PathBuf),
    /// A file in this directory, whose name has the control port. If it cannot be made, that is no
    /// fault.
    Directory(PathBuf),
}

impl StatusSocketPlace {
    /// The file of a server with this control port.
    pub fn file(&self, control_port: u16) -> Option<PathBuf> {
        match self {
            Self::Off => None,
            Self::File(path) => Some(path.clone()),
            Self::Directory(directory) => {
                Some(directory.join(format!("{PREFIX}{control_port}{SUFFIX}")))
            }
        }
    }

    /// The directory that the file is made in.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match self {
            Self::Off => None,
            Self::File(path) => path.parent(),
            Self::Directory(directory) => Some(directory),
        }
    }
}

/// Whether a file with this name in a state directory is the status socket of some server.
pub(crate) fn is_status_socket(name: &[u8]) -> bool {
    let port = name.strip_prefix(PREFIX.as_bytes());
    let port = port.and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
    port.is_some_and(|port| !port.is_empty() && port.iter().all(u8::is_ascii_digit))
}

const PREFIX: &str = "status-";
const SUFFIX: &str = ".socket";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_has_the_port() {
        let place = StatusSocketPlace::Directory("/run/ftp".into());
        let file = place.file(2121).unwrap();
        assert_eq!(file, Path::new("/run/ftp/status-2121.socket"));
        let name = file.file_name().unwrap();
        assert!(is_status_socket(name.as_encoded_bytes()));
        for other in ["status-.socket", "status-2121", "status-x.socket", "quota"] {
            assert!(!is_status_socket(other.as_bytes()), "{other}");
        }
        assert_eq!(StatusSocketPlace::Off.file(2121), None);
        let given = StatusSocketPlace::File("/run/a".into());
        assert_eq!(given.file(2121).as_deref(), Some(Path::new("/run/a")));
        assert_eq!(given.directory(), Some(Path::new("/run")));
    }
}
