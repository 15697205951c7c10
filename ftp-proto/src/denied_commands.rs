//! The commands that a session does not offer although the core implements them.
//!
//! Nothing in this file knows the table of commands, which depends on the settings' limits.

use alloc::collections::BTreeSet;
use core::error::Error;
use core::fmt;

/// Commands that are answered with 502 in every state of a session, and that FEAT and HELP do not
/// list. Default: none.
///
/// ```
/// let mut config = ftp_proto::Config::default();
/// config.denied_commands.deny("EPSV")?;
/// assert!(config.denied_commands.denies("epsv"));
/// # Ok::<(), ftp_proto::DenyError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeniedCommands {
    names: BTreeSet<&'static str>,
}

/// Why a command cannot be denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DenyError {
    /// The core implements no command of this name.
    Unknown,
    /// No session works without it: USER, PASS, TYPE and QUIT.
    Needed,
    /// TLS needs it: AUTH, PBSZ and PROT. [`Config::tls`](crate::Config::tls) offers all of them or
    /// none.
    NeededForTls,
}

impl DeniedCommands {
    /// Whether the command of this name is denied, in upper or lower case.
    #[must_use]
    pub fn denies(&self, name: &str) -> bool {
        let mut names = self.names.iter();
        names.any(|denied| denied.eq_ignore_ascii_case(name))
    }

    /// The names of all denied commands, in upper case; sorted, without duplicates.
    #[must_use]
    pub fn names(&self) -> impl ExactSizeIterator<Item = &'static str> {
        self.names.iter().copied()
    }

    /// Whether no command is denied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Adds the names of a command, as they stand in the table.
    pub(crate) fn insert(&mut self, names: impl Iterator<Item = &'static str>) {
        self.names.extend(names);
    }

    /// Whether the command of this name in the table is denied.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.names.contains(name)
    }
}

impl fmt::Display for DenyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no such command is implemented",
            Self::Needed => "no session works without this command",
            Self::NeededForTls => "TLS needs this command",
        })
    }
}

impl Error for DenyError {}
