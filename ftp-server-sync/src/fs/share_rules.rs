//! Which names of the shared directory no client sees.

use ftp_proto::FtpPath;
use ftp_proto::listing::Pattern;

/// What is not served although it is in the shared directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShareRules {
    /// Names that do not exist for clients, wherever they are.
    hidden: Vec<Pattern>,
}

impl ShareRules {
    /// `hidden`: a name that one of them matches does not exist for clients.
    pub(crate) fn new(hidden: Vec<Pattern>) -> Self {
        Self { hidden }
    }

    /// Whether there is nothing to hide.
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
