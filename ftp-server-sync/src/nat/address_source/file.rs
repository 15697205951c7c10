//! Files that other programs write the public address into: a hook of a DHCP client, `ddclient`,
//! `cloud-init`.
//!
//! One address a line; `#` begins a comment. The first one of each family counts.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use ftp_proto::text::printable;

use super::answer::{Answer, LookupResult};
use crate::settings::file::load;
use crate::settings::watched_files::{FileStates, WatchedFiles};
use crate::settings::{AddressSource, Settings};

/// The files among the sources of the settings, and when to look at them next.
#[derive(Clone, Debug, Default)]
pub(crate) struct AddressFiles {
    /// Each is watched on its own: one that is being written delays no other.
    files: Vec<(AddressSource, WatchedFiles)>,
}

/// A file as it was seen.
#[derive(Debug)]
pub(crate) struct SeenAddresses {
    source: AddressSource,
    states: FileStates,
    /// What it contains, if it has changed.
    answer: Option<Result<Answer, String>>,
}

impl AddressFiles {
    /// Takes the files of new settings, and reads them.
    pub(crate) fn update_settings(
        &mut self,
        settings: &Settings,
        now: Instant,
    ) -> Vec<LookupResult> {
        self.files.clear();
        let mut results = Vec::new();
        for file in settings.address_files() {
            let source = AddressSource::File(file.clone());
            let watch = WatchedFiles::new(vec![file.clone()], now);
            self.files.push((source.clone(), watch));
            let answer = read(file);
            results.push(LookupResult { source, answer });
        }
        results
    }

    /// When to [`see`](Self::see) the next one; `None` without files.
    pub(crate) fn next_check(&self) -> Option<Instant> {
        let checks = self.files.iter();
        checks.filter_map(|(_, watch)| watch.next_check()).min()
    }

    /// Those that are to be seen now.
    pub(crate) fn due(&self, now: Instant) -> Self {
        let files = self.files.iter();
        let is_due = |watch: &WatchedFiles| watch.next_check().is_some_and(|at| at <= now);
        Self {
            files: files.filter(|(_, watch)| is_due(watch)).cloned().collect(),
        }
    }

    /// Reads the files that have changed. This may wait for their disks: `visit` is called for each
    /// file first.
    pub(crate) fn see(&self, visit: impl Fn(&Path)) -> Vec<SeenAddresses> {
        let files = self.files.iter();
        let seen = files.filter_map(|(source, watch)| {
            let AddressSource::File(file) = source else {
                return None;
            };
            let states = watch.states(&visit);
            Some(SeenAddresses {
                source: source.clone(),
                answer: watch.is_changed(&states).then(|| read(file)),
                states,
            })
        });
        seen.collect()
    }

    /// What the files contain that have changed, or why it cannot be used. A problem is there only
    /// after a while: another program may still be writing the file.
    pub(crate) fn take_seen(
        &mut self,
        seen: Vec<SeenAddresses>,
        now: Instant,
    ) -> Vec<LookupResult> {
        let mut results = Vec::new();
        for seen in seen {
            let mut files = self.files.iter_mut();
            let Some((source, watch)) = files.find(|(source, _)| *source == seen.source) else {
                continue;
            };
            let is_changed = watch.update(seen.states, now);
            let Some(answer) = seen.answer.filter(|_| is_changed) else {
                continue;
            };
            if answer.is_ok() {
                watch.accept();
            } else if !watch.reject(now) {
                continue;
            }
            let source = source.clone();
            results.push(LookupResult { source, answer });
        }
        results
    }
}

/// The addresses in a file.
///
/// # Errors
///
/// Why there are none, with a remedy.
pub(super) fn read(file: &Path) -> Result<Answer, String> {
    let bytes = load(file, FILE_BYTES_MAX, WANTED)?;
    let modified = fs::metadata(file).and_then(|metadata| metadata.modified());
    // A clock that was set back since then makes the file new.
    let age = |modified| {
        let age = SystemTime::now().duration_since(modified);
        age.unwrap_or(Duration::ZERO)
    };
    parse(&bytes).map(|answer| Answer {
        age: modified.ok().map(age),
        ..answer
    })
}

/// The addresses in the text of a file. Lines that are none are a problem, which the others
/// outweigh.
fn parse(bytes: &[u8]) -> Result<Answer, String> {
    // Editors of other systems begin a file with it.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut answer = Answer::default();
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let text = line.split(|&byte| byte == b'#').next().unwrap_or_default();
        let text = text.trim_ascii();
        if text.is_empty() {
            continue;
        }
        match std::str::from_utf8(text).ok().and_then(parse_address) {
            Some(address) => answer.addresses.push(address),
            None if answer.problem.is_none() => {
                let shown = printable(&text[..text.len().min(SHOWN_BYTES_MAX)]);
                let number = index + 1;
                answer.problem = Some(format!(
                    "line {number} is no IP address: \"{shown}\"; write one address a line, such \
                     as 203.0.113.1"
                ));
            }
            None => {}
        }
    }
    match &answer.problem {
        _ if !answer.addresses.is_empty() => Ok(answer),
        Some(problem) => Err(problem.clone()),
        None => Err(format!("it is empty; write {IN_IT}")),
    }
}

fn parse_address(text: &str) -> Option<IpAddr> {
    Some(text.parse::<IpAddr>().ok()?.to_canonical())
}

const WANTED: &str = "a file with the router's public IPv4 address";
const IN_IT: &str = "the router's public IPv4 address into it";

/// Room for comments.
const FILE_BYTES_MAX: u64 = 64 * 1024;
const SHOWN_BYTES_MAX: usize = 40;

#[cfg(test)]
mod tests;
