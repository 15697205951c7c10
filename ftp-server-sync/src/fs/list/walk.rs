//! The walk through directories: one, all below it, or those that match a path with wildcards.
//!
//! One directory is open at a time. Each is opened anew beneath the shared directory and compared with the one
//! that its entry showed: the walk follows no symbolic link, so it cannot run in circles.

use std::io;
use std::os::fd::OwnedFd;

use ftp_proto::FtpPath;
use ftp_proto::listing::{Entry, ListFlags, Pattern};
use log::{debug, warn};
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

use super::names::{NameFilter, Names, NextName, SORTED_ENTRIES_MAX};
use crate::fs::entry::entry_of;
use crate::fs::owners::Owners;
use crate::fs::root::Root;

/// A walk in bounded steps.
#[derive(Debug)]
pub(super) struct Walk {
    plan: WalkPlan,
    owners: Owners,
    current: Option<OpenDirectory>,
    /// The current directory was just entered, and its heading is the next step.
    heading_due: bool,
    /// Directories to enter, the next one last.
    pending: Vec<PendingDirectory>,
}

/// Where a walk begins, and what it looks for.
#[derive(Debug)]
pub(super) struct WalkPlan {
    pub(super) root: Root,
    pub(super) base: FtpPath,
    pub(super) scope: Scope,
    pub(super) flags: ListFlags,
    /// Whether entries are needed, and not only names.
    pub(super) details: bool,
    /// The session's number, for the log.
    pub(super) number: u64,
}

/// Which directories a walk enters.
#[derive(Debug)]
pub(super) enum Scope {
    /// The one in which it begins.
    OneDirectory,
    /// That one and all below it.
    Recursive,
    /// One level for each pattern; the matches of the last pattern are the entries.
    Matching(Vec<Pattern>),
}

/// The outcome of a step.
#[derive(Debug)]
pub(super) enum WalkStep {
    /// A directory begins, with its path from the base. Only in a recursive walk.
    Directory(Vec<u8>),
    Found(FoundEntry),
    /// Nothing was found yet.
    Pending,
    End,
}

#[derive(Debug)]
pub(super) struct FoundEntry {
    /// The path from the base.
    pub(super) name: Vec<u8>,
    /// Present if the plan asks for details. Its name is the path from the base, or below a heading the
    /// name alone.
    pub(super) entry: Option<Entry>,
}

#[derive(Debug)]
struct OpenDirectory {
    path: FtpPath,
    level: usize,
    /// It is the shared directory itself.
    is_root: bool,
    names: Names,
    /// Directories in this one, to be entered after it.
    subdirectories: Vec<PendingDirectory>,
}

#[derive(Debug)]
struct PendingDirectory {
    path: FtpPath,
    /// How many directories below the base.
    level: usize,
    /// Device and inode, from its entry.
    identity: Option<(u64, u64)>,
}

impl Walk {
    /// Begins in the directory that `handle` names: the plan's base.
    ///
    /// # Errors
    ///
    /// The system's error if it cannot be read.
    pub(super) fn begin(plan: WalkPlan, handle: OwnedFd) -> io::Result<Self> {
        let base = PendingDirectory {
            path: plan.base.clone(),
            level: 0,
            identity: None,
        };
        let mut walk = Self {
            plan,
            owners: Owners::default(),
            current: None,
            heading_due: false,
            pending: Vec::new(),
        };
        walk.enter(base, handle)?;
        Ok(walk)
    }

    /// Walks on for a bounded time.
    ///
    /// # Errors
    ///
    /// The system's error if a directory cannot be read to its end, or one for too many pending directories.
    /// An entry without attributes, such as one that was removed meanwhile, is left out.
    pub(super) fn step(&mut self) -> io::Result<WalkStep> {
        let Some(current) = &mut self.current else {
            return self.enter_next();
        };
        if self.heading_due {
            self.heading_due = false;
            let name = self.plan.path_from_base(&current.path, b"");
            return Ok(WalkStep::Directory(name));
        }
        match current.names.next()? {
            NextName::Name(name) => self.visit(&name),
            NextName::Pending => Ok(WalkStep::Pending),
            NextName::Unsorted => {
                warn!(
                    "#{} {} has more than {SORTED_ENTRIES_MAX} entries: they are listed unsorted",
                    self.plan.number, current.path
                );
                Ok(WalkStep::Pending)
            }
            NextName::End => {
                self.pending.extend(current.subdirectories.drain(..).rev());
                self.current = None;
                Ok(WalkStep::Pending)
            }
        }
    }

    /// Enters the next directory.
    fn enter_next(&mut self) -> io::Result<WalkStep> {
        let Some(directory) = self.pending.pop() else {
            return Ok(WalkStep::End);
        };
        let (number, path) = (self.plan.number, directory.path.clone());
        match self.plan.root.directory_handle(&path) {
            Ok(handle) if directory.is_still(&handle)? => {
                if let Err(error) = self.enter(directory, handle) {
                    debug!("#{number} cannot list {path}: {error}");
                }
            }
            Ok(_) => debug!("#{number} cannot list {path}: it was replaced by another directory"),
            Err(refusal) => debug!("#{number} cannot list {path}: {refusal}"),
        }
        Ok(WalkStep::Pending)
    }

    fn enter(&mut self, directory: PendingDirectory, handle: OwnedFd) -> io::Result<()> {
        let PendingDirectory { path, level, .. } = directory;
        let flags = self.plan.flags;
        let names = match &self.plan.scope {
            Scope::Matching(patterns) => match patterns[level].literal() {
                Some(name) => Names::one(handle, name.to_vec()),
                None => {
                    let filter = NameFilter::Matching(patterns[level].clone());
                    Names::read(handle, filter, flags)?
                }
            },
            _ => Names::read(handle, NameFilter::All { dots: flags.all }, flags)?,
        };
        self.heading_due = matches!(self.plan.scope, Scope::Recursive);
        let is_root = names
            .stat(b".")
            .is_ok_and(|stat| self.plan.root.is_root(&stat));
        self.current = Some(OpenDirectory {
            path,
            level,
            is_root,
            names,
            subdirectories: Vec::new(),
        });
        Ok(())
    }

    /// Looks at a name of the current directory: it may be listed, entered later, or both.
    fn visit(&mut self, name: &[u8]) -> io::Result<WalkStep> {
        let Some(current) = &mut self.current else {
            return Ok(WalkStep::Pending);
        };
        let number = self.plan.number;
        let (is_listed, is_entered) = self.plan.scope.treatment(name, current.level);
        let path = self.plan.path_from_base(&current.path, name);
        if !self.plan.details && !is_entered && !current.names.may_be_missing() {
            return Ok(WalkStep::Found(FoundEntry {
                name: path,
                entry: None,
            }));
        }
        let stat = match current.stat(name) {
            Ok(stat) => stat,
            Err(error) => {
                // It was removed meanwhile, or is a mount point whose file system fails: list the others.
                debug!(
                    "#{number} cannot list an entry of {}: {error}",
                    current.path
                );
                return Ok(WalkStep::Pending);
            }
        };
        if is_entered && FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            if self.pending.len() + current.subdirectories.len() >= PENDING_MAX {
                warn!(
                    "#{number} {} has more than {PENDING_MAX} directories to list at once: the listing \
                     ends",
                    self.plan.base
                );
                return Err(Errno::NOMEM.into());
            }
            current.enter_later(name, &stat);
        }
        if !is_listed {
            return Ok(WalkStep::Pending);
        }
        let entry = self.plan.details.then(|| {
            let mut entry = entry_of(current.names.handle(), name, &stat, &mut self.owners);
            // Below a heading names stand alone.
            if !matches!(self.plan.scope, Scope::Recursive) {
                entry.name.clone_from(&path);
            }
            entry
        });
        Ok(WalkStep::Found(FoundEntry { name: path, entry }))
    }
}

impl Scope {
    /// Whether a name at this level is listed, and whether it is entered if it is a directory.
    fn treatment(&self, name: &[u8], level: usize) -> (bool, bool) {
        match self {
            Self::OneDirectory => (true, false),
            Self::Recursive => (true, !matches!(name, b"." | b"..")),
            Self::Matching(patterns) => {
                let is_last = level + 1 == patterns.len();
                (is_last, !is_last)
            }
        }
    }
}

impl OpenDirectory {
    fn stat(&self, name: &[u8]) -> io::Result<Stat> {
        match name {
            // No client sees what is above the shared directory.
            b".." if self.is_root => self.names.stat(b"."),
            name => self.names.stat(name),
        }
    }

    /// Remembers a subdirectory, unless it is too deep or has a name that no client can send.
    fn enter_later(&mut self, name: &[u8], stat: &Stat) {
        if let Some(path) = self.path.child(name) {
            self.subdirectories.push(PendingDirectory {
                path,
                level: self.level + 1,
                identity: Some(identity(stat)),
            });
        }
    }
}

impl WalkPlan {
    /// The path from the base to a name in a directory, or to the directory itself if the name is empty.
    fn path_from_base(&self, directory: &FtpPath, name: &[u8]) -> Vec<u8> {
        let base_length = match self.base.is_root() {
            true => 0,
            false => self.base.as_bytes().len(),
        };
        let directory = directory
            .as_bytes()
            .get(base_length + 1..)
            .unwrap_or_default();
        match (directory, name) {
            (directory, b"") => directory.to_vec(),
            (b"", name) => name.to_vec(),
            (directory, name) => [directory, b"/", name].concat(),
        }
    }
}

impl PendingDirectory {
    /// Whether an open directory is the one that the entry showed, and not one put in its place.
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

/// How many directories may wait to be entered: memory is bounded. Beyond that the listing fails, since a
/// listing that left some out would look complete.
const PENDING_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// Walks below `top`; `change` is called when the entry `a` has been listed and is not entered yet.
    fn found_with(change: impl Fn(&std::path::Path)) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for name in ["top/a/inner", "secret/inner"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        let shared = Root::open(root).unwrap();
        let base = FtpPath::root().child(b"top").unwrap();
        let handle = shared.directory_handle(&base).unwrap();
        let plan = WalkPlan {
            root: shared,
            base,
            scope: Scope::Recursive,
            flags: ListFlags::default(),
            details: false,
            number: 1,
        };
        let mut walk = Walk::begin(plan, handle).unwrap();
        let mut found = Vec::new();
        loop {
            match walk.step().unwrap() {
                WalkStep::Found(entry) => {
                    if entry.name == b"a" {
                        change(root);
                    }
                    found.push(String::from_utf8(entry.name).unwrap());
                }
                WalkStep::Directory(_) | WalkStep::Pending => {}
                WalkStep::End => return found,
            }
        }
    }

    #[test]
    fn a_replaced_directory_is_not_entered() {
        assert_eq!(found_with(|_| {}), ["a", "a/inner"]);
        let after_a_link = found_with(|root| {
            fs::rename(root.join("top/a"), root.join("away")).unwrap();
            symlink("../secret", root.join("top/a")).unwrap();
        });
        assert_eq!(after_a_link, ["a"]);
        let after_another = found_with(|root| {
            fs::rename(root.join("top/a"), root.join("away")).unwrap();
            fs::rename(root.join("secret"), root.join("top/a")).unwrap();
        });
        assert_eq!(after_another, ["a"]);
        let after_removal = found_with(|root| fs::remove_dir_all(root.join("top/a")).unwrap());
        assert_eq!(after_removal, ["a"]);
    }
}
