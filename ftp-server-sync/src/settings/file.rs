//! Small files that flags name: read as a whole, or refused with a remedy.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::denied_file;
use crate::logging::system_text::SystemText;
use crate::sandbox;

/// Reads a regular file. `wanted` says in an error what to give instead. Other kinds of files are
/// refused: a pipe could block, and is empty when it is read again.
pub(crate) fn load(file: &Path, bytes_max: u64, wanted: &str) -> Result<Vec<u8>, String> {
    let describe = |error: io::Error| unreadable(file, &error, wanted);
    let metadata = fs::metadata(file).map_err(describe)?;
    if metadata.is_dir() {
        return Err("a directory; give a file in it".to_owned());
    }
    if !metadata.is_file() {
        return Err("not a regular file; give one that can be read again".to_owned());
    }
    let mut bytes = Vec::new();
    let mut opened = File::open(file).map_err(describe)?.take(bytes_max + 1);
    opened.read_to_end(&mut bytes).map_err(describe)?;
    if bytes.len() as u64 > bytes_max {
        Err(format!("longer than {bytes_max} bytes; give {wanted}"))
    } else {
        Ok(bytes)
    }
}

/// That a file cannot be read, why, and what to do: the command that permits it, or what to give
/// instead.
pub(crate) fn unreadable(file: &Path, error: &io::Error, wanted: &str) -> String {
    let reason = reason(error);
    let is_denied = error.kind() == ErrorKind::PermissionDenied;
    match is_denied.then(|| denied_file::explain(file)).flatten() {
        Some(explanation) => format!("cannot be read: {reason}: {explanation}"),
        None => format!("cannot be read: {reason}; give {wanted}"),
    }
}

/// The system's text for the error, without its number and in lower case. With a remedy if the
/// sandbox may be the cause.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = system_text(error);
    if sandbox::may_cause(error) {
        format!("{text} ({})", sandbox::REMEDY)
    } else {
        text
    }
}

fn system_text(error: &io::Error) -> String {
    let text = SystemText(error).to_string();
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}
