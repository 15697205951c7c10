//! How uploads are stored.

/// The operator's rules for uploads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct UploadRules {
    /// What a broken upload leaves.
    pub broken: BrokenUploads,
    /// File and directory are on the disk before the client is told that the upload is complete.
    pub sync: bool,
}

/// What is left of an upload whose connection was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum BrokenUploads {
    /// What was received takes the name, so that the client can go on.
    #[default]
    Keep,
    /// The file that had the name before stays, or none.
    Discard,
}
