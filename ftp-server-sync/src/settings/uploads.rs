//! What the operator has decided about uploads.

/// The rules for uploads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UploadRules {
    /// What happens to an upload whose connection breaks.
    pub broken: BrokenUploads,
    /// Whether an upload is on the disk before it is confirmed.
    pub sync: bool,
    /// The size of the largest file that an upload may make, in bytes; `None`: no such limit.
    pub max_bytes: Option<u64>,
    /// How many bytes of the file system uploads must leave free; `None`: they may fill it.
    pub free_bytes_min: Option<u64>,
}

/// What happens to an upload whose connection breaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BrokenUploads {
    /// What has arrived takes the name, so that the client can go on with REST.
    #[default]
    Keep,
    /// It is removed, and an older file of that name stays.
    Discard,
}
