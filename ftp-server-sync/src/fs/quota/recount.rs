//! `--recount`: counts the homes of users with quotas, and stores the counts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ftp_proto::text::printable_word;

use super::counting::{Counted, count};
use super::stored::{CountFile, StoredCounts};
use super::usage::Amount;
use crate::accounts::quota::Quota;
use crate::fs::share::{SessionShare, Share};
use crate::fs::share_rules::ShareRules;
use crate::net::order;
use crate::settings::Settings;
use crate::settings::file::reason;

/// What was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecountReport {
    /// A table with a line for each user with a quota.
    pub table: String,
    /// Homes that could not be counted, and why nothing was stored.
    pub problems: Vec<String>,
}

/// Counts the homes of all users with quotas, and stores the counts for the next start, unless a
/// server runs, which has counts of its own.
pub fn recount(settings: &Settings) -> RecountReport {
    let mut problems = Vec::new();
    // Before the homes are read: no server starts meanwhile with what was stored before.
    let opened = CountFile::open(&settings.state_directory);
    let mut counts = BTreeMap::new();
    let mut rows = vec![["user", "home", "bytes", "files", "quota"].map(str::to_owned)];
    for user in settings.users.of_file() {
        let quota = user.options.quota;
        if !quota.is_limited() {
            continue;
        }
        let shown = printable_word(user.home.as_os_str().as_bytes());
        let known = counts.get(&user.home).copied();
        let counted = match known.map_or_else(|| count_home(&user.home), Ok) {
            Ok(counted) => counted,
            Err(error) => {
                problems.push(format!("cannot count {shown}: {}", reason(&error)));
                continue;
            }
        };
        if counted.unread > 0 && known.is_none() {
            let unread = counted.unread;
            problems.push(format!("{unread} directories in {shown} could not be read"));
        }
        let Amount { bytes, files } = counted.amount;
        rows.push([
            printable_word(user.name.as_bytes()).to_string(),
            shown.to_string(),
            bytes.to_string(),
            files.to_string(),
            quota_text(quota),
        ]);
        counts.insert(user.home.clone(), counted);
    }
    if let Err(problem) = store(opened, settings, counts) {
        problems.push(problem);
    }
    let table = table(&rows);
    RecountReport { table, problems }
}

fn count_home(home: &Path) -> io::Result<Counted> {
    // For the error.
    std::fs::read_dir(home)?;
    let share = Share::open_later(home, Arc::new(ShareRules::default()));
    let Ok(root) = SessionShare::new(share).root() else {
        return Err(io::Error::other("nothing is mounted there"));
    };
    count(&*root.directory, &AtomicBool::new(false))
}

fn store(
    opened: io::Result<CountFile>,
    settings: &Settings,
    counts: BTreeMap<std::path::PathBuf, Counted>,
) -> Result<(), String> {
    let directory = settings.state_directory.display();
    let counts = counts.into_iter();
    let stored = StoredCounts {
        counts: order::map_of(counts.map(|(home, found)| (home, found.amount))),
        is_complete: true,
    };
    match opened.and_then(|file| file.write(&stored)) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(format!(
            "not stored in {directory}: a server runs, which has its own counts; SIGHUP makes it \
             count again"
        )),
        Err(error) => Err(format!(
            "cannot store the counts in {directory}: {}; set the environment variable \
             STATE_DIRECTORY as for the server",
            reason(&error)
        )),
    }
}

fn quota_text(quota: Quota) -> String {
    let bytes = quota.bytes_max.map(|max| format!("{max} bytes"));
    let files = quota.files_max.map(|max| format!("{max} files"));
    let parts: Vec<_> = bytes.into_iter().chain(files).collect();
    parts.join(", ")
}

/// The rows with columns of the same width; numbers are aligned at their ends.
fn table(rows: &[[String; 5]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..5).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for [user, home, bytes, files, quota] in rows {
        let _ = writeln!(
            text,
            "{user:0$}  {home:1$}  {bytes:>2$}  {files:>3$}  {quota}",
            widths[0], widths[1], widths[2], widths[3]
        );
    }
    text
}
