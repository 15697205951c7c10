//! Which names of the shared directory no client sees.

use std::path::PathBuf;

use ftp_proto::FtpPath;
use ftp_proto::listing::Pattern;

use super::own_files::OwnFiles;

/// What is not served although it is in the shared directory.
#[derive(Debug, Default)]
pub(crate) struct ShareRules {
    /// Names that do not exist for clients, wherever they are.
    hidden: Vec<Pattern>,
    /// The server's own files do not exist for clients either.
    pub(super) own_files: OwnFiles,
}

impl ShareRules {
    /// `hidden`: a name that one of them matches does not exist for clients. `own_files`: the
    /// server's own, by absolute path.
    pub(crate) fn new(hidden: Vec<Pattern>, own_files: Vec<PathBuf>) -> Self {
        Self {
            hidden,
            own_files: OwnFiles::new(own_files),
        }
    }

    /// Whether no name is hidden.
    pub(super) fn hide_nothing(&self) -> bool {
        self.hidden.is_empty()
    }

    pub(super) fn hides(&self, name: &[u8]) -> bool {
        self.hidden.iter().any(|pattern| pattern.matches(name))
    }

    pub(super) fn hides_path(&self, path: &FtpPath) -> bool {
        let mut names = path.as_bytes().split(|&byte| byte == b'/');
        !self.hide_nothing() && names.any(|name| self.hides(name))
    }
}
