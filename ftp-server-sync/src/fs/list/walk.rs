//! The way through directories: one, all within it, or those that a path with wildcards leads through.
//!
//! One directory is open at a time, opened anew beneath the shared directory and compared with the one that was
//! seen: no symbolic link is followed on the way, so that there are no circles.

use std::io;
use std::os::fd::OwnedFd;

use ftp_proto::FtpPath;
use ftp_proto::listing::{Entry, ListFlags, Pattern};
use log::{debug, warn};
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

use super::names::{Names, Next, SORTED_ENTRIES_MAX, Wanted};
use crate::fs::entry::entry_of;
use crate::fs::owners::Owners;
use crate::fs::root::Root;

/// A walk that goes on step by step.
#[derive(Debug)]
pub(super) struct Walk {
    plan: Plan,
    owners: Owners,
    current: Option<Current>,
    /// The current directory has just been entered, and that is to be told.
    heading_due: bool,
    /// Directories still to come, the next one last.
    ahead: Vec<Visit>,
}

/// Which directories it goes through.
#[derive(Debug)]
pub(super) enum Route {
    /// The one in which it begins.
    One,
    /// Those within it as well, however deep.
    All,
    /// One level for each pattern; the last one's matches are the entries.
    Matching(Vec<Pattern>),
}

#[derive(Debug)]
struct Current {
    visit: Visit,
    /// It is the shared directory itself.
    is_root: bool,
    names: Names,
    /// Directories in this one that are to be visited after it.
    within: Vec<Visit>,
}

#[derive(Debug)]
struct Visit {
    path: FtpPath,
    /// How many directories below the base.
    level: usize,
    /// Device and inode, as they were when its entry was looked at.
    identity: Option<(u64, u64)>,
}

/// What came of a step.
#[derive(Debug)]
pub(super) enum Step {
    /// A directory begins, called so below the base. Only on the way through all of them.
    Directory(Vec<u8>),
    Found(Found),
    /// Nothing yet.
    Pending,
    End,
}

#[derive(Debug)]
pub(super) struct Found {
    /// Below the base.
    pub(super) name: Vec<u8>,
    /// Where details are wanted; called by the same name, or under a heading by its own.
    pub(super) entry: Option<Entry>,
}

/// Where a walk begins, and how it goes on.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) storage: Root,
    pub(super) base: FtpPath,
    pub(super) route: Route,
    pub(super) flags: ListFlags,
    /// Whether more than names is wanted.
    pub(super) details: bool,
    /// The session's number, for the log.
    pub(super) number: u64,
}

impl Walk {
    /// Begins in the directory that `handle` names: the plan's base.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub(super) fn begin(plan: Plan, handle: OwnedFd) -> io::Result<Self> {
        let first = Visit {
            path: plan.base.clone(),
            level: 0,
            identity: None,
        };
        let mut walk = Self {
            plan,
            owners: Owners::default(),
            current: None,
            heading_due: false,
            ahead: Vec::new(),
        };
        walk.enter(first, handle)?;
        Ok(walk)
    }

    /// Goes on for a bounded time.
    ///
    /// # Errors
    ///
    /// When a directory cannot be read on, or too many are still to come. What cannot be looked at, or has
    /// vanished meanwhile, is passed over.
    pub(super) fn step(&mut self) -> io::Result<Step> {
        let Some(current) = &mut self.current else {
            return self.go_on();
        };
        if self.heading_due {
            self.heading_due = false;
            return Ok(Step::Directory(self.plan.below(&current.visit.path, b"")));
        }
        match current.names.next()? {
            Next::Name(name) => self.look_at(&name),
            Next::Pending => Ok(Step::Pending),
            Next::Unsorted => {
                warn!(
                    "#{} {} has more than {SORTED_ENTRIES_MAX} entries: they are listed unsorted",
                    self.plan.number, current.visit.path
                );
                Ok(Step::Pending)
            }
            Next::End => {
                self.ahead.extend(current.within.drain(..).rev());
                self.current = None;
                Ok(Step::Pending)
            }
        }
    }

    /// To the next directory.
    fn go_on(&mut self) -> io::Result<Step> {
        let Some(visit) = self.ahead.pop() else {
            return Ok(Step::End);
        };
        match self.plan.storage.directory_handle(&visit.path) {
            Ok(handle) if visit.is_still(&handle)? => {
                if let Err(error) = self.enter(visit, handle) {
                    debug!("#{} cannot list a directory: {error}", self.plan.number);
                }
            }
            Ok(_) => debug!("#{} {} has changed", self.plan.number, visit.path),
            Err(refusal) => debug!(
                "#{} cannot list {}: {refusal}",
                self.plan.number, visit.path
            ),
        }
        Ok(Step::Pending)
    }

    fn enter(&mut self, visit: Visit, handle: OwnedFd) -> io::Result<()> {
        let flags = self.plan.flags;
        let names = match &self.plan.route {
            Route::Matching(patterns) => match patterns[visit.level].literal() {
                Some(name) => Names::one(handle, name.to_vec()),
                None => {
                    let wanted = Wanted::Matching(patterns[visit.level].clone());
                    Names::read(handle, wanted, flags)?
                }
            },
            _ => Names::read(handle, Wanted::All { dots: flags.all }, flags)?,
        };
        self.heading_due = matches!(self.plan.route, Route::All);
        let is_root = names
            .stat(b".")
            .is_ok_and(|stat| self.plan.storage.is_root(&stat));
        self.current = Some(Current {
            visit,
            is_root,
            names,
            within: Vec::new(),
        });
        Ok(())
    }

    /// An entry of the current directory: to be told of, to be gone into, or both.
    fn look_at(&mut self, name: &[u8]) -> io::Result<Step> {
        let Some(current) = &mut self.current else {
            return Ok(Step::Pending);
        };
        let (shown, goes_within) = self.plan.route.treats(name, current.visit.level);
        let below = self.plan.below(&current.visit.path, name);
        if !self.plan.details && !goes_within && !current.names.is_guessed() {
            return Ok(Step::Found(Found {
                name: below,
                entry: None,
            }));
        }
        let stat = match current.stat(name) {
            Ok(stat) => stat,
            Err(error) => {
                // It has vanished, or is a mount point that is gone: the others are still there.
                debug!("#{} cannot list an entry: {error}", self.plan.number);
                return Ok(Step::Pending);
            }
        };
        if goes_within && FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            if self.ahead.len() + current.within.len() >= AHEAD_MAX {
                warn!(
                    "#{} more than {AHEAD_MAX} directories at once below {}: the listing ends",
                    self.plan.number, self.plan.base
                );
                return Err(Errno::NOMEM.into());
            }
            current.visit_later(name, &stat);
        }
        if !shown {
            return Ok(Step::Pending);
        }
        let entry = self.plan.details.then(|| {
            let mut entry = entry_of(current.names.handle(), name, &stat, &mut self.owners);
            // Under a heading names stand alone.
            if !matches!(self.plan.route, Route::All) {
                entry.name.clone_from(&below);
            }
            entry
        });
        Ok(Step::Found(Found { name: below, entry }))
    }
}

impl Route {
    /// Whether an entry at this level is told of, and whether it is gone into if it is a directory.
    fn treats(&self, name: &[u8], level: usize) -> (bool, bool) {
        match self {
            Self::One => (true, false),
            Self::All => (true, !matches!(name, b"." | b"..")),
            Self::Matching(patterns) => {
                let is_last = level + 1 == patterns.len();
                (is_last, !is_last)
            }
        }
    }
}

impl Current {
    fn stat(&self, name: &[u8]) -> io::Result<Stat> {
        match name {
            // What lies above the shared directory is nobody's business.
            b".." if self.is_root => self.names.stat(b"."),
            name => self.names.stat(name),
        }
    }

    /// Unless it lies too deep, or has a name that no client could send.
    fn visit_later(&mut self, name: &[u8], stat: &Stat) {
        if let Some(path) = self.visit.path.child(name) {
            self.within.push(Visit {
                path,
                level: self.visit.level + 1,
                identity: Some(identity(stat)),
            });
        }
    }
}

impl Plan {
    /// A name in a directory, or without one the directory itself, as seen from the base.
    fn below(&self, directory: &FtpPath, name: &[u8]) -> Vec<u8> {
        let base = match self.base.is_root() {
            true => 0,
            false => self.base.as_bytes().len(),
        };
        let within = directory.as_bytes().get(base + 1..).unwrap_or_default();
        match (within, name) {
            (within, b"") => within.to_vec(),
            (b"", name) => name.to_vec(),
            (within, name) => [within, b"/", name].concat(),
        }
    }
}

impl Visit {
    /// Whether an open directory is the one that was seen, and not a link put in its place.
    fn is_still(&self, handle: &OwnedFd) -> io::Result<bool> {
        let now = rustix::fs::fstat(handle)?;
        Ok(self.identity.is_none_or(|seen| seen == identity(&now)))
    }
}

#[allow(
    clippy::unnecessary_cast,
    reason = "the fields have other types on 32-bit machines"
)]
fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

/// Directories that are known and still to come. Memory is bounded, and a listing that leaves some out
/// would be taken for a whole one.
const AHEAD_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// Walks below `top`; `meddle` is called when the entry `a` has been seen, and not gone into yet.
    fn found_despite(meddle: impl Fn(&std::path::Path)) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for name in ["top/a/inner", "secret/inner"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        let storage = Root::open(root).unwrap();
        let base = FtpPath::root().child(b"top").unwrap();
        let handle = storage.directory_handle(&base).unwrap();
        let plan = Plan {
            storage,
            base,
            route: Route::All,
            flags: ListFlags::default(),
            details: false,
            number: 1,
        };
        let mut walk = Walk::begin(plan, handle).unwrap();
        let mut found = Vec::new();
        loop {
            match walk.step().unwrap() {
                Step::Found(entry) => {
                    if entry.name == b"a" {
                        meddle(root);
                    }
                    found.push(String::from_utf8(entry.name).unwrap());
                }
                Step::Directory(_) | Step::Pending => {}
                Step::End => return found,
            }
        }
    }

    #[test]
    fn directories_are_those_that_were_seen() {
        assert_eq!(found_despite(|_| {}), ["a", "a/inner"]);
        let by_a_link = found_despite(|root| {
            fs::rename(root.join("top/a"), root.join("away")).unwrap();
            symlink("../secret", root.join("top/a")).unwrap();
        });
        assert_eq!(by_a_link, ["a"]);
        let by_another = found_despite(|root| {
            fs::rename(root.join("top/a"), root.join("away")).unwrap();
            fs::rename(root.join("secret"), root.join("top/a")).unwrap();
        });
        assert_eq!(by_another, ["a"]);
        let by_nothing = found_despite(|root| fs::remove_dir_all(root.join("top/a")).unwrap());
        assert_eq!(by_nothing, ["a"]);
    }
}
