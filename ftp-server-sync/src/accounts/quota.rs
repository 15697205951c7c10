//! How much a user may have stored.

/// The limits of a user's quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// The size of all files together, in bytes; `None`: no limit.
    pub bytes_max: Option<u64>,
    /// The number of files and directories; `None`: no limit.
    pub files_max: Option<u64>,
}

impl Quota {
    /// Whether there is any limit.
    pub fn is_limited(&self) -> bool {
        self.bytes_max.is_some() || self.files_max.is_some()
    }
}
