//! The rules of the sandbox, and what they follow from.

use std::path::{Path, PathBuf};

use super::wide::WidePlaces;

/// What is allowed below a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AllowedAccess {
    /// The names in directories.
    List,
    /// And the content of files.
    Read,
    /// And everything that changes files and directories.
    Change,
}

/// A path without symbolic links, and what is allowed there and below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SandboxRule {
    pub(crate) path: PathBuf,
    pub(crate) access: AllowedAccess,
}

/// Something that a flag names, and that has to be reachable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NeededPath {
    /// The flag, or another word for it.
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) access: AllowedAccess,
    /// The directory that contains it must be reachable too, so that it can be replaced.
    pub(crate) with_parent: bool,
}

/// What a process may open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SandboxRules {
    /// What the flags need.
    pub(crate) rules: Vec<SandboxRule>,
    /// What is reachable itself, but nothing that takes its place.
    pub(crate) irreplaceable: Vec<PathBuf>,
    /// The directories in which sockets may be made and removed.
    pub(crate) sockets: Vec<PathBuf>,
}

impl SandboxRules {
    /// The rules for what is needed and exists.
    pub(crate) fn new(needed: &[NeededPath], wide: &WidePlaces) -> Self {
        let mut rules = Self::default();
        for needed in needed {
            rules.add(needed, wide);
        }
        rules
    }

    fn add(&mut self, needed: &NeededPath, wide: &WidePlaces) {
        let Ok(real) = needed.path.canonicalize() else {
            return;
        };
        let allow = |path: &Path| SandboxRule {
            path: path.to_owned(),
            access: needed.access,
        };
        let parent = real.parent().filter(|parent| !wide.contain(parent, &real));
        match parent.filter(|_| needed.with_parent) {
            Some(parent) => self.push(allow(parent)),
            None => {
                self.push(allow(&real));
                if needed.with_parent && !self.irreplaceable.contains(&real) {
                    self.irreplaceable.push(real.clone());
                }
            }
        }
        if needed.with_parent
            && !real.is_dir()
            && let Some(Ok(directory)) = needed.path.parent().map(Path::canonicalize)
            && !wide.contain(&directory, &real)
        {
            // A file may take the place of the link that leads to this one.
            self.push(allow(&directory));
        }
    }

    /// Adds a rule unless it is there already.
    pub(super) fn push(&mut self, rule: SandboxRule) {
        if !self.allow(&rule.path, rule.access) {
            self.rules
                .retain(|old| !(old.path.starts_with(&rule.path) && old.access <= rule.access));
            self.rules.push(rule);
        }
    }

    /// Whether they allow this below a path without symbolic links.
    pub(super) fn allow(&self, path: &Path, access: AllowedAccess) -> bool {
        let mut rules = self.rules.iter();
        rules.any(|rule| path.starts_with(&rule.path) && rule.access >= access)
    }

    /// Whether what has this path may be changed.
    pub(crate) fn allow_change(&self, path: &Path) -> bool {
        let real = path.canonicalize();
        real.is_ok_and(|real| self.allow(&real, AllowedAccess::Change))
    }

    /// The first of what is needed and exists that these rules do not allow.
    pub(crate) fn first_refused<'a>(&self, needed: &'a [NeededPath]) -> Option<&'a NeededPath> {
        needed.iter().find(|needed| {
            let real = needed.path.canonicalize();
            real.is_ok_and(|real| !self.allow(&real, needed.access))
        })
    }
}
