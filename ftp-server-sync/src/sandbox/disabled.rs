//! The program without the feature `sandbox`: the flag is refused before anything asks here.

use std::path::PathBuf;

use super::rules::SandboxRule;

pub(super) fn restrict<'a>(
    _rules: impl Iterator<Item = &'a SandboxRule>,
    _sockets: &[PathBuf],
) -> Result<Vec<&'static str>, String> {
    Err(MISSING.to_owned())
}

pub(super) fn gaps() -> Result<Vec<&'static str>, String> {
    Err(MISSING.to_owned())
}

const MISSING: &str = "this program was built without the feature \"sandbox\"";
