//! The rules for uploads, as the share carries them.

pub(crate) use crate::settings::{BrokenUploads, UploadRules};
