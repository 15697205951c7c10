//! Names of owners and groups, for listings that ask for them.
//!
//! The system's answer may take long, be it about a name that does not exist: each number is asked about once.

use std::collections::HashMap;

use nix::unistd::{Gid, Group, Uid, User};

/// The names that one listing has needed so far.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    users: HashMap<u32, Option<Vec<u8>>>,
    groups: HashMap<u32, Option<Vec<u8>>>,
}

impl Owners {
    pub(crate) fn user(&mut self, number: u32) -> Option<Vec<u8>> {
        let look_up = || {
            let user = User::from_uid(Uid::from_raw(number)).ok()??;
            Some(user.name.into_bytes())
        };
        self.users.entry(number).or_insert_with(look_up).clone()
    }

    pub(crate) fn group(&mut self, number: u32) -> Option<Vec<u8>> {
        let look_up = || {
            let group = Group::from_gid(Gid::from_raw(number)).ok()??;
            Some(group.name.into_bytes())
        };
        self.groups.entry(number).or_insert_with(look_up).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_and_unknown() {
        let mut owners = Owners::default();
        for _ in 0..2 {
            assert_eq!(owners.user(0).as_deref(), Some(&b"root"[..]));
            assert_eq!(owners.group(0).as_deref(), Some(&b"root"[..]));
            assert_eq!(owners.user(4_000_000_007), None);
            assert_eq!(owners.group(4_000_000_007), None);
        }
        assert_eq!((owners.users.len(), owners.groups.len()), (2, 2));
    }
}
