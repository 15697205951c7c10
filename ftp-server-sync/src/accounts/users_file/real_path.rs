//! Paths of this machine in a users file.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::syntax::unescape;

/// Reads an absolute path. `example`: what to write where there is none.
///
/// # Errors
///
/// What is wrong, and what would be right.
pub(super) fn absolute_path(text: &[u8], example: &str) -> Result<PathBuf, String> {
    let path = unescape(text)?;
    let problem = match path.first() {
        None => return Err(format!("empty; give the directory {example}")),
        Some(b'~' | b'$') => "is not expanded here; give the whole path",
        Some(b'/') if path.contains(&0) => "a path has no NUL byte; leave it out",
        Some(b'/') if path.split(|&byte| byte == b'/').any(|name| name == b"..") => {
            "give a path without \"..\""
        }
        Some(b'/') => return Ok(PathBuf::from(OsStr::from_bytes(&path))),
        Some(_) => "not an absolute path; begin it with /",
    };
    Err(problem.to_owned())
}
