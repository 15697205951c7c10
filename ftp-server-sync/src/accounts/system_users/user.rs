//! A user of the system, as a session needs to know it.

use std::path::PathBuf;

/// A user of the system who may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SystemUser {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// All of them, `gid` too.
    pub(crate) groups: Vec<u32>,
    pub(crate) home: PathBuf,
}
