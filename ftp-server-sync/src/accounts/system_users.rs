//! The system's users (`--system-users`): which of them may log in, by what the system says when
//! they do.

mod group;

use ftp_proto::Rights;

pub use group::SystemGroup;

/// Which of the system's users may log in, and what they may do as far as the file system lets
/// them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemUsers {
    /// Only the members of this group; `None`: every user who is fit.
    pub group: Option<SystemGroup>,
    /// What the server permits.
    pub rights: Rights,
}

impl SystemUsers {
    /// Users of this group, or all of them; with `write`, they may change files.
    pub fn new(group: Option<SystemGroup>, write: bool) -> Self {
        let rights = if write {
            Rights::READ_WRITE
        } else {
            Rights::READ_ONLY
        };
        Self { group, rights }
    }
}
