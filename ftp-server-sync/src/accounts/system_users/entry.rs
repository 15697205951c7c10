//! A user in the system's database (passwd(5)), wherever that is.

use std::ffi::CString;
use std::path::{Component, PathBuf};

use ftp_proto::text::printable_word;
use nix::unistd::{Gid, User, getgrouplist};

use super::files::SystemFiles;
use super::group::SystemGroup;
use super::shadow;
use super::unfit::Unfit;
use super::user::SystemUser;
use crate::accounts::password_hash::PasswordHash;

/// What the database says.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct PasswdEntry {
    pub(super) name: String,
    /// A hash, or a mark that it is elsewhere.
    pub(super) hash: Vec<u8>,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// All of them, `gid` too.
    pub(super) groups: Vec<u32>,
    pub(super) home: PathBuf,
    /// Empty: /bin/sh.
    pub(super) shell: PathBuf,
}

impl PasswdEntry {
    /// Asks the system for the user with exactly this name.
    pub(super) fn find(name: &[u8]) -> Result<Option<Self>, Unfit> {
        let Ok(name) = str::from_utf8(name) else {
            return Ok(None);
        };
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains('\0') {
            return Ok(None);
        }
        let unreadable = |what: &str, errno: nix::Error| {
            let reason = errno.desc();
            Unfit::Unreadable(format!("the system cannot look up {what}: {reason}"))
        };
        let found = User::from_name(name).map_err(|errno| unreadable("the user", errno))?;
        // Some databases take names in other case for the same.
        let Some(user) = found.filter(|user| user.name == name) else {
            return Ok(None);
        };
        let c_name = CString::new(name).map_err(|_| Unfit::Unknown)?;
        let groups = getgrouplist(&c_name, user.gid);
        let groups = groups.map_err(|errno| unreadable("the groups of the user", errno))?;
        Ok(Some(Self {
            name: user.name,
            hash: user.passwd.into_bytes(),
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            groups: groups.into_iter().map(Gid::as_raw).collect(),
            home: user.dir,
            shell: user.shell,
        }))
    }

    /// The hash of the user's password.
    pub(super) fn hash(&self, shadow: &[u8]) -> Result<PasswordHash, Unfit> {
        let hash = if self.is_shadowed() {
            let line = shadow::find(shadow, self.name.as_bytes());
            line.ok_or(Unfit::NoShadow)?.hash
        } else {
            &self.hash
        };
        match hash {
            [] => Err(Unfit::NoPassword),
            b"!" | b"!!" | b"*" => Err(Unfit::NeverSet),
            [b'!' | b'*', ..] => Err(Unfit::Locked),
            hash => {
                let hash = String::from_utf8_lossy(hash);
                PasswordHash::parse(&hash).map_err(Unfit::Hash)
            }
        }
    }

    /// The user, if all but the password lets this one in.
    pub(super) fn check(
        &self,
        group: Option<&SystemGroup>,
        files: &SystemFiles,
    ) -> Result<SystemUser, Unfit> {
        // The largest number stands for "leave it as it is": the thread would stay root's.
        let is_number = |number: &u32| *number < u32::MAX;
        let has_numbers = [self.uid, self.gid]
            .iter()
            .chain(&self.groups)
            .all(is_number);
        if self.uid < files.uid_min()? || self.uid == OVERFLOW || !has_numbers {
            return Err(Unfit::NoPerson);
        }
        if let Some(group) = group
            && self.gid != group.number
            && !self.groups.contains(&group.number)
        {
            return Err(Unfit::NotInGroup(group.text.clone()));
        }
        let shell = match self.shell.to_str() {
            Some("") => "/bin/sh",
            Some(shell) => shell,
            None => "(not text)",
        };
        if !files.has_shell(shell)? {
            return Err(Unfit::Shell(printable_word(shell.as_bytes())));
        }
        if files.denies(&self.name)? {
            return Err(Unfit::Denied);
        }
        let is_up = |part: Component<'_>| part == Component::ParentDir;
        // The root directory has /proc and /dev, which say more than a user should learn.
        let is_root = self.home.parent().is_none();
        if !self.home.is_absolute() || is_root || self.home.components().any(is_up) {
            return Err(Unfit::NoHome);
        }
        Ok(SystemUser {
            name: self.name.clone(),
            uid: self.uid,
            gid: self.gid,
            groups: self.all_groups(),
            home: self.home.clone(),
        })
    }

    /// The groups, each once, sorted.
    pub(super) fn all_groups(&self) -> Vec<u32> {
        let mut groups = self.groups.clone();
        groups.push(self.gid);
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// Whether account and password count on this day.
    pub(super) fn check_age(&self, shadow: &[u8], today: i64) -> Result<(), Unfit> {
        match shadow::find(shadow, self.name.as_bytes()) {
            Some(line) => line.check(today),
            // An old system without such a file.
            None if !self.is_shadowed() => Ok(()),
            None => Err(Unfit::NoShadow),
        }
    }

    fn is_shadowed(&self) -> bool {
        self.hash == b"x"
    }
}

/// The number that stands for users without one.
const OVERFLOW: u32 = 65534;

/// As in a users file.
const NAME_BYTES_MAX: usize = 128;
