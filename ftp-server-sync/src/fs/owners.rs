//! Names of users and groups.
//!
//! Each is looked up once for a listing, as the system's directory may be a file that is read anew each time.

use std::collections::HashMap;

use nix::unistd::{Gid, Group, Uid, User};

/// What has been looked up.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    users: HashMap<u32, Option<Vec<u8>>>,
    groups: HashMap<u32, Option<Vec<u8>>>,
}

impl Owners {
    pub(crate) fn user(&mut self, number: u32) -> Option<Vec<u8>> {
        cached(&mut self.users, number, || {
            let user = User::from_uid(Uid::from_raw(number)).ok()??;
            Some(user.name.into_bytes())
        })
    }

    pub(crate) fn group(&mut self, number: u32) -> Option<Vec<u8>> {
        cached(&mut self.groups, number, || {
            let group = Group::from_gid(Gid::from_raw(number)).ok()??;
            Some(group.name.into_bytes())
        })
    }
}

fn cached(
    known: &mut HashMap<u32, Option<Vec<u8>>>,
    number: u32,
    look_up: impl FnOnce() -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    if known.len() >= KNOWN_MAX && !known.contains_key(&number) {
        return None;
    }
    known.entry(number).or_insert_with(look_up).clone()
}

/// Of one listing; further ones stay numbers.
const KNOWN_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_looked_up_once_and_not_too_many() {
        let mut known = HashMap::new();
        for number in 0..u32::try_from(KNOWN_MAX).unwrap() {
            let name = number.to_string().into_bytes();
            assert_eq!(
                cached(&mut known, number, || Some(name.clone())),
                Some(name)
            );
        }
        let never = || unreachable!("it should not be looked up");
        assert_eq!(cached(&mut known, 7, never), Some(b"7".to_vec()));
        assert_eq!(cached(&mut known, u32::MAX, never), None);
    }

    #[test]
    fn the_system_knows_root_and_not_everybody() {
        let mut owners = Owners::default();
        assert_eq!(owners.user(0), Some(b"root".to_vec()));
        assert_eq!(owners.group(0), Some(b"root".to_vec()));
        assert_eq!(owners.user(3_999_999_999), None);
        assert_eq!(owners.group(3_999_999_999), None);
    }
}
