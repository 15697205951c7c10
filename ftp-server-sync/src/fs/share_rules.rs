//! The operator's rules for the shared directory: which names no client sees, and what uploads may
//! do.

use std::path::PathBuf;

use ftp_proto::FtpPath;
use ftp_proto::listing::Pattern;

use super::own_files::OwnFiles;
use super::temporary_name::is_temporary;
use super::upload_rules::UploadRules;

/// What is not served although it is in the shared directory, and the rules for uploads.
#[derive(Debug, Default)]
pub(crate) struct ShareRules {
    /// Names that do not exist for clients, wherever they are.
    hidden: Vec<Pattern>,
    /// The server's own files do not exist for clients either.
    pub(super) own_files: OwnFiles,
    pub(super) uploads: UploadRules,
}

impl ShareRules {
    /// `hidden`: a name that one of them matches does not exist for clients. `own_files`: the
    /// server's own, by absolute path.
    pub(crate) fn new(hidden: Vec<Pattern>, own_files: Vec<PathBuf>) -> Self {
        Self {
            hidden,
            own_files: OwnFiles::new(own_files),
            uploads: UploadRules::default(),
        }
    }

    /// The same with these rules for uploads.
    #[must_use]
    pub(crate) fn with_uploads(self, uploads: UploadRules) -> Self {
        Self { uploads, ..self }
    }

    pub(super) fn hides_by_pattern(&self) -> bool {
        !self.hidden.is_empty()
    }

    pub(super) fn hides(&self, name: &[u8]) -> bool {
        is_temporary(name) || self.hidden.iter().any(|pattern| pattern.matches(name))
    }

    pub(super) fn hides_path(&self, path: &FtpPath) -> bool {
        let mut names = path.as_bytes().split(|&byte| byte == b'/');
        names.any(|name| self.hides(name))
    }
}
