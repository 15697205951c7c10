//! The users of the file that `--users` names.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use ftp_proto::text::printable_word;

use super::Users;
use super::file;
use crate::accounts::users_file;

/// Reads the file, for users beside those of flags, or instead of those of an earlier file.
///
/// # Errors
///
/// What is wrong, with the file and its lines: one line of text for each of them, after one about
/// all of them if there are several.
pub(crate) fn load_users(path: &Path, users: Users) -> Result<Users, String> {
    let text = file::load(path, FILE_BYTES_MAX, WANTED)?;
    let shown = printable_word(path.as_os_str().as_bytes());
    let parsed = users_file::parse(&text).map_err(|problems| {
        let lines = problems.iter();
        let lines: Vec<String> = lines.map(|problem| format!("{shown}:{problem}")).collect();
        match &lines[..] {
            [line] => line.clone(),
            lines => format!("{} lines are wrong\n{}", lines.len(), lines.join("\n")),
        }
    })?;
    if parsed.is_empty() {
        // It may be about to be written.
        return Err(format!("no line has a user; give {WANTED}"));
    }
    let with_file = users.with_file(parsed);
    with_file.map_err(|problem| format!("{shown}:{problem}"))
}

const WANTED: &str = "a file with one name:hash:home:rights per line";

/// Enough for tens of thousands of users.
const FILE_BYTES_MAX: u64 = 4 << 20;
