//! Listings: opens directories beneath the root, reads names and looks at them, as a walk of the
//! core asks.
//!
//! Entries are read while the lines are sent: memory does not grow with their number.

mod directories;
mod limit;

use ftp_proto::Refusal;
use ftp_proto::listing::{EntryBatch, Walk, WalkAnswer, WalkNotice, WalkStep};

use super::tree::Tree;
use directories::Directories;
pub(crate) use limit::ListLimit;

/// The lines of LIST, NLST or MLSD, with their line ends.
#[derive(Debug)]
pub(crate) struct ListingLines {
    listing: Listing,
    /// Lines that were found before the transfer began.
    ahead: Vec<u8>,
    found_nothing: bool,
}

/// The entries of STAT with a path.
#[derive(Debug)]
pub(crate) struct StatusEntries(Listing);

/// A walk, and the directories that it has opened.
#[derive(Debug)]
struct Listing {
    walk: Walk,
    directories: Directories,
    notices: Vec<WalkNotice>,
}

/// The outcome of asking for a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextLine {
    /// Lines were appended.
    Line,
    /// No line yet: many names had to be looked at.
    Pending,
    End,
}

/// The outcome of a walk's bounded steps.
enum Advance {
    Lines,
    Entries(EntryBatch),
    Pending,
    End,
}

impl Tree {
    /// What is to be listed: a directory, a single file, or the matches of a path with wildcards.
    /// Nothing is opened before the first step.
    pub(crate) fn list(&self, walk: Walk) -> ListingLines {
        ListingLines {
            listing: Listing::new(self, walk),
            ahead: Vec::new(),
            found_nothing: false,
        }
    }

    /// The entries of STAT with a path, for [`Walk::of_status`].
    pub(crate) fn status(&self, walk: Walk) -> StatusEntries {
        StatusEntries(Listing::new(self, walk))
    }
}

impl ListingLines {
    /// Goes on to where the transfer can begin. False: not there yet.
    ///
    /// # Errors
    ///
    /// The file system's refusal, or that nothing matches. Where many names have to be looked at
    /// first, the latter shows only later, at the end of the lines.
    pub(crate) fn begin(&mut self, limit: &mut ListLimit) -> Result<bool, Refusal> {
        let Self { listing, ahead, .. } = self;
        while !listing.walk.has_begun() {
            listing.advance(ahead, limit)?;
            if limit.is_reached() {
                break;
            }
        }
        Ok(listing.walk.has_begun())
    }

    /// Appends the next line to `out`.
    ///
    /// # Errors
    ///
    /// The file system's refusal if a directory cannot be read to its end. An entry without
    /// attributes, such as one that was removed meanwhile, is left out.
    pub(crate) fn next_line(
        &mut self,
        out: &mut Vec<u8>,
        limit: &mut ListLimit,
    ) -> Result<NextLine, Refusal> {
        if !self.ahead.is_empty() {
            out.append(&mut self.ahead);
            return Ok(NextLine::Line);
        }
        let advance = self.listing.advance(out, limit);
        self.found_nothing |= matches!(advance, Err(Refusal::NoMatch));
        Ok(match advance? {
            Advance::Lines => NextLine::Line,
            Advance::Entries(_) | Advance::Pending => NextLine::Pending,
            Advance::End => NextLine::End,
        })
    }

    /// Whether it has failed because nothing matches.
    pub(crate) fn found_nothing(&self) -> bool {
        self.found_nothing
    }

    /// How many entries have been listed so far.
    pub(crate) fn entries(&self) -> u64 {
        self.listing.walk.entries_shown()
    }

    /// What was noticed since the last call, for the log.
    pub(crate) fn take_notices(&mut self) -> Vec<WalkNotice> {
        std::mem::take(&mut self.listing.notices)
    }
}

impl StatusEntries {
    /// The next entries; `None`: none yet, as many names had to be looked at.
    ///
    /// # Errors
    ///
    /// The file system's refusal.
    pub(crate) fn next_batch(
        &mut self,
        limit: &mut ListLimit,
    ) -> Result<Option<EntryBatch>, Refusal> {
        Ok(match self.0.advance(&mut Vec::new(), limit)? {
            Advance::Entries(batch) => Some(batch),
            Advance::Lines | Advance::Pending | Advance::End => None,
        })
    }

    /// What was noticed since the last call, for the log.
    pub(crate) fn take_notices(&mut self) -> Vec<WalkNotice> {
        std::mem::take(&mut self.0.notices)
    }
}

impl Listing {
    fn new(tree: &Tree, walk: Walk) -> Self {
        let rules = tree.rules().clone();
        Self {
            walk: walk.hiding(move |_, name| rules.hides(name)),
            directories: Directories::new(tree),
            notices: Vec::new(),
        }
    }

    /// Walks on, until the limit is reached at the latest.
    fn advance(&mut self, out: &mut Vec<u8>, limit: &mut ListLimit) -> Result<Advance, Refusal> {
        let mut has_looked = false;
        loop {
            let answer = match self.walk.step(out) {
                WalkStep::LookAt { path, details } => self.directories.look_at(path, details),
                WalkStep::Look {
                    directory,
                    name,
                    details,
                } => self.directories.look(directory, name, details),
                WalkStep::Open(request) => self.directories.open(request),
                WalkStep::Read(directory) => self.directories.read(directory),
                WalkStep::Close(directory) => {
                    self.directories.close(directory);
                    continue;
                }
                WalkStep::Notice(notice) => {
                    self.notices.push(notice);
                    continue;
                }
                WalkStep::Lines => {
                    // Names alone cost something too.
                    limit.count(usize::from(!has_looked));
                    return Ok(Advance::Lines);
                }
                WalkStep::Entries(batch) => return Ok(Advance::Entries(batch)),
                WalkStep::Pending => return Ok(Advance::Pending),
                WalkStep::End => return Ok(Advance::End),
                WalkStep::Failed(refusal) => return Err(refusal),
            };
            match &answer {
                WalkAnswer::Names { names, .. } => limit.count(names.len()),
                WalkAnswer::Entry(_) | WalkAnswer::Opened(_) | WalkAnswer::Refused(_) => {
                    limit.count(1);
                    has_looked = true;
                }
            }
            self.walk.answer(answer);
            if limit.is_reached() {
                return Ok(Advance::Pending);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::root::Root;
    use ftp_proto::FtpPath;
    use ftp_proto::listing::Selection;
    use ftp_proto::listing::{ListFlags, ListRequest};
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::time::Instant;

    /// What is listed recursively in `top`; `change` is called when `a` has been listed and is not
    /// entered yet.
    fn listed_with(change: impl Fn(&Path)) -> String {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for name in ["top/a/inner", "secret/inner"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        let mut selection = Selection::of_path(FtpPath::root().child(b"top").unwrap());
        selection.flags = ListFlags {
            recursive: true,
            ..ListFlags::default()
        };
        let shared = Tree::from(Root::open(root).unwrap());
        let account = ftp_proto::Account::new(ftp_proto::Rights::READ_ONLY);
        let request = ListRequest::new(selection, ftp_proto::ListStyle::Names, account.into());
        let walk = Walk::new(request, 0);
        let mut listing = shared.list(walk);
        let mut lines = Vec::new();
        loop {
            let before = lines.len();
            let mut limit = ListLimit::new(1, Instant::now());
            match listing.next_line(&mut lines, &mut limit).unwrap() {
                NextLine::End => return String::from_utf8(lines).unwrap(),
                NextLine::Line if &lines[before..] == b"a\r\n" => change(root),
                NextLine::Line | NextLine::Pending => {}
            }
        }
    }

    #[test]
    fn a_replaced_directory_is_not_entered() {
        assert_eq!(listed_with(|_| {}), "a\r\na/inner\r\n");
        let after_a_link = listed_with(|root| {
            fs::rename(root.join("top/a"), root.join("away")).unwrap();
            symlink("../secret", root.join("top/a")).unwrap();
        });
        assert_eq!(after_a_link, "a\r\n");
        let after_another = listed_with(|root| {
            fs::rename(root.join("top/a"), root.join("away")).unwrap();
            fs::rename(root.join("secret"), root.join("top/a")).unwrap();
        });
        assert_eq!(after_another, "a\r\n");
        let after_removal = listed_with(|root| fs::remove_dir_all(root.join("top/a")).unwrap());
        assert_eq!(after_removal, "a\r\n");
    }
}
