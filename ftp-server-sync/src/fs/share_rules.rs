//! The operator's rules for the shared directory: which names no client sees, what uploads may do,
//! and where a login has other rights than elsewhere.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ftp_proto::listing::Pattern;
use ftp_proto::{Account, FtpPath};

use super::own_files::OwnFiles;
use super::temporary_name::is_temporary;
use super::upload_rules::UploadRules;
use crate::accounts::quota::Quota;
use crate::locks::lock;

/// What is not served although it is in the shared directory, and the rules for uploads.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShareRules {
    /// Names that do not exist for clients, wherever they are.
    hidden: Vec<Pattern>,
    /// The server's own files do not exist for clients either.
    pub(super) own_files: Arc<OwnFiles>,
    pub(super) uploads: UploadRules,
    /// The permission bits that new files and directories do not get, where the client sets none;
    /// `None`: those of the process.
    pub(super) umask: Option<u32>,
    /// The login, if directories have rights of their own. Otherwise the core's check is enough.
    pub(super) account: Option<Arc<Account>>,
    /// How much the share may have in it.
    pub(super) quota: Arc<QuotaInForce>,
}

/// A quota that may change while uploads run.
#[derive(Debug, Default)]
pub(crate) struct QuotaInForce(Mutex<Quota>);

impl QuotaInForce {
    pub(super) fn get(&self) -> Quota {
        *lock(&self.0)
    }

    pub(crate) fn set(&self, quota: Quota) {
        *lock(&self.0) = quota;
    }
}

impl ShareRules {
    /// `hidden`: a name that one of them matches does not exist for clients. `own_files`: the
    /// server's own, by absolute path.
    pub(crate) fn new(hidden: Vec<Pattern>, own_files: Vec<PathBuf>) -> Self {
        Self {
            hidden,
            own_files: OwnFiles::new(own_files).into(),
            uploads: UploadRules::default(),
            umask: None,
            account: None,
            quota: Arc::default(),
        }
    }

    /// The same for one login: names of `hidden` do not exist either, uploads have these rules, and
    /// the rights of this account hold wherever a path leads.
    #[must_use]
    pub(crate) fn for_login(
        &self,
        hidden: &[Pattern],
        uploads: UploadRules,
        account: &Account,
    ) -> Self {
        let has_directories = !account.directories().is_empty();
        Self {
            hidden: [&self.hidden, hidden].concat(),
            own_files: self.own_files.clone(),
            uploads,
            umask: self.umask,
            account: has_directories.then(|| Arc::new(account.clone())),
            quota: Arc::default(),
        }
    }

    /// The same for a thread that is about to lose rights, and may then find fewer of the server's
    /// own files: what it finds is not for others. Those that are there now stay known.
    #[must_use]
    pub(crate) fn with_own_files_apart(&self) -> Self {
        let own_files = self.own_files.apart();
        own_files.remember();
        Self {
            own_files: own_files.into(),
            ..self.clone()
        }
    }

    /// The same, with what these rules know of the server's own files.
    #[must_use]
    pub(crate) fn with_own_files_of(&self, other: &Self) -> Self {
        let own_files = if self.own_files.are_those_of(&other.own_files) {
            other.own_files.clone()
        } else {
            self.own_files.apart().into()
        };
        Self {
            own_files,
            ..self.clone()
        }
    }

    /// The same with a umask instead of that of the process.
    #[must_use]
    pub(crate) fn with_umask(self, umask: Option<u32>) -> Self {
        Self { umask, ..self }
    }

    /// The same with this quota.
    #[must_use]
    pub(crate) fn with_quota(self, quota: Arc<QuotaInForce>) -> Self {
        Self { quota, ..self }
    }

    /// The rules for uploads.
    pub(crate) fn uploads(&self) -> UploadRules {
        self.uploads
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
