//! The system's users (`--system-users`): which of them may log in, by what the system says when
//! they do.
//!
//! For each name one password hash is compared, whether a user has the name and may log in or not.
//! Only names that have a hash on this machine are looked up: the look-up may take long, and a name
//! that a client has made up must not keep the thread, and with it the logins of others, waiting.

mod entry;
mod files;
mod group;
mod shadow;
mod unfit;
mod user;

use std::path::PathBuf;
use std::sync::LazyLock;

use ftp_proto::{Account, Rights};

use super::password_hash::PasswordHash;
use crate::net::order;
use entry::PasswdEntry;
use files::ShadowText;
pub(crate) use files::SystemFiles;
pub use group::SystemGroup;
pub(crate) use unfit::Unfit;
pub(crate) use user::SystemUser;

/// Which of the system's users may log in, and what they may do as far as the file system lets
/// them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemUsers {
    /// Only the members of this group; `None`: every user who is fit.
    pub group: Option<SystemGroup>,
    /// What the server permits.
    pub rights: Rights,
}

/// What decides about a login with one name.
#[derive(Debug)]
pub(crate) struct SystemCandidate {
    /// What the password is compared with. Only a match with the own one of a user counts.
    hash: Option<PasswordHash>,
    is_own_hash: bool,
    /// The user, or why the login is refused.
    pub(crate) user: Result<SystemUser, Unfit>,
}

impl SystemUsers {
    /// Users of this group, or all of them; with `write`, they may change files.
    pub fn new(group: Option<SystemGroup>, write: bool) -> Self {
        let rights = if write {
            Rights::READ_WRITE
        } else {
            Rights::READ_ONLY
        };
        Self { group, rights }
    }

    /// Whether this user is in the group.
    pub(crate) fn has(&self, user: &SystemUser) -> bool {
        let group = self.group.as_ref();
        group.is_none_or(|group| user.groups.contains(&group.number))
    }

    /// What the core needs to know about each of them: the session's thread has their rights from
    /// then on, and no others.
    pub(crate) fn account(&self) -> Account {
        Account::new(self.rights).with_no_other_login()
    }

    /// Looks up what decides about a login with this name, on this day since 1970. This may take
    /// long: the system may ask a network, too.
    pub(crate) fn find(&self, name: &[u8], files: &SystemFiles, today: i64) -> SystemCandidate {
        let shadow = files.shadow();
        let has_line = match &shadow {
            Ok(Some(text)) if shadow::find(text, name).is_some() => Ok(true),
            Ok(_) => files.has_hash_in_passwd(name),
            Err(problem) => Err(problem.clone()),
        };
        let entry = has_line.and_then(|has_line| {
            if has_line {
                look_up(name)
            } else {
                Err(Unfit::Unknown)
            }
        });
        self.decide(entry, files, &shadow, today)
    }

    /// The users of the system's file that could be persons, by name, with what decides about them.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub(crate) fn list(
        &self,
        files: &SystemFiles,
        today: i64,
    ) -> Result<Vec<(String, SystemCandidate)>, Unfit> {
        let mut names = files.names()?;
        order::sort(&mut names);
        names.dedup();
        let users = names.into_iter().map(|name| {
            let entry = look_up(name.as_bytes());
            let candidate = self.decide(entry, files, &files.shadow(), today);
            (name, candidate)
        });
        let is_person = |candidate: &SystemCandidate| {
            !matches!(candidate.user, Err(Unfit::NoPerson | Unfit::Unknown))
        };
        Ok(users
            .filter(|(_, candidate)| is_person(candidate))
            .collect())
    }

    /// The homes of those in the system's file who may log in, or may later.
    pub(crate) fn homes(&self, files: &SystemFiles) -> Vec<PathBuf> {
        let names = files.names().unwrap_or_default();
        let homes = names.iter().filter_map(|name| {
            let entry = PasswdEntry::find(name.as_bytes()).ok()??;
            let user = entry.check(self.group.as_ref(), files).ok()?;
            Some(user.home)
        });
        homes.collect()
    }

    fn decide(
        &self,
        entry: Result<PasswdEntry, Unfit>,
        files: &SystemFiles,
        shadow: &ShadowText,
        today: i64,
    ) -> SystemCandidate {
        let text = match shadow {
            Ok(Some(text)) => &text[..],
            _ => b"",
        };
        let own = entry.as_ref().ok().map(|entry| entry.hash(text));
        let (hash, problem) = match own {
            Some(Ok(hash)) => (Some(hash), None),
            Some(Err(problem)) => (None, Some(problem)),
            None => (None, None),
        };
        let is_own_hash = hash.is_some();
        let user = entry.and_then(|entry| {
            let user = entry.check(self.group.as_ref(), files)?;
            shadow.clone()?;
            match problem {
                Some(problem) => Err(problem),
                None => entry.check_age(text, today).map(|()| user),
            }
        });
        SystemCandidate {
            hash: hash.or_else(|| usual_hash(text)),
            is_own_hash,
            user,
        }
    }
}

impl SystemUser {
    /// Whether the system still has this user with the same numbers, groups and home, and lets the
    /// name use FTP. If it does not answer, nothing is known against that.
    pub(crate) fn is_still_there(&self) -> bool {
        let is_denied = || SystemFiles::default().denies(&self.name).unwrap_or(false);
        match PasswdEntry::find(self.name.as_bytes()) {
            Ok(Some(entry)) => self.check(&entry) && !is_denied(),
            Ok(None) => false,
            Err(_) => true,
        }
    }

    /// Whether the session's thread would get the same rights in the same home at a login now.
    fn check(&self, entry: &PasswdEntry) -> bool {
        let now = (entry.uid, entry.gid, entry.all_groups(), &entry.home);
        now == (self.uid, self.gid, self.groups.clone(), &self.home)
    }
}

/// Asks the system for the user with this name.
fn look_up(name: &[u8]) -> Result<PasswdEntry, Unfit> {
    PasswdEntry::find(name)?.ok_or(Unfit::Unknown)
}

impl SystemCandidate {
    /// Whether this is the password of the user, who may be unfit all the same. Takes as long as
    /// one hash, also for a name that no user has.
    pub(crate) fn matches(&self, password: &[u8]) -> bool {
        let hash = self.hash.as_ref();
        hash.is_some_and(|hash| hash.matches(password)) && self.is_own_hash
    }
}

/// What the passwords of those are compared with who have none: the costliest hash of another user,
/// as the new ones are, with that of root only if there is no other.
fn usual_hash(shadow: &[u8]) -> Option<PasswordHash> {
    let hashes = shadow::lines(shadow).filter_map(|line| {
        let hash = str::from_utf8(line.hash).ok()?;
        let hash = PasswordHash::parse(hash).ok()?;
        Some((line.name != b"root", hash))
    });
    let found = hashes.max_by_key(|(is_other, hash)| (*is_other, hash.work()));
    found.map_or_else(|| MADE_UP.clone(), |(_, hash)| Some(hash))
}

/// Of no password, with the numbers that are usual for new ones.
static MADE_UP: LazyLock<Option<PasswordHash>> = LazyLock::new(|| {
    let text = format!("$y$j9T${}${}", ".".repeat(22), ".".repeat(43));
    PasswordHash::parse(&text).ok()
});

#[cfg(test)]
mod tests;
