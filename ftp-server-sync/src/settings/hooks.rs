//! The operator's programs that run when clients have done something.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// The hooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookSettings {
    /// Runs after each upload that has left a file; an absolute path.
    pub on_upload: Option<PathBuf>,
    /// Runs after each event; an absolute path.
    pub on_event: Option<PathBuf>,
    /// How long one run may take.
    pub time_limit: Duration,
}

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HookKind {
    Upload,
    Event,
}

impl HookSettings {
    pub(crate) fn program(&self, kind: HookKind) -> Option<&Path> {
        match kind {
            HookKind::Upload => self.on_upload.as_deref(),
            HookKind::Event => self.on_event.as_deref(),
        }
    }

    /// Each hook that there is, with its program.
    pub(crate) fn programs(&self) -> impl Iterator<Item = (HookKind, &Path)> {
        HookKind::ALL
            .into_iter()
            .filter_map(|kind| Some((kind, self.program(kind)?)))
    }
}

impl HookKind {
    /// The flag that names its program.
    pub(crate) fn flag(self) -> &'static str {
        match self {
            Self::Upload => "--on-upload",
            Self::Event => "--on-event",
        }
    }

    pub(crate) const ALL: [Self; 2] = [Self::Upload, Self::Event];
}
