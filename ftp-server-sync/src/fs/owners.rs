//! Names of users and groups.
//!
//! Each is looked up once in a listing: for every look-up the system may read a whole file.

use std::collections::HashMap;

use nix::unistd::{Gid, Group, Uid, User};

use crate::sandbox::log_replaced;

/// The names that have been looked up.
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
    cache: &mut HashMap<u32, Option<Vec<u8>>>,
    number: u32,
    look_up: impl FnOnce() -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    if cache.len() >= CACHED_MAX && !cache.contains_key(&number) {
        return None;
    }
    let look_up = || {
        look_up().or_else(|| {
            log_replaced();
            None
        })
    };
    cache.entry(number).or_insert_with(look_up).clone()
}

/// Names that are looked up for one listing; further users and groups stay numbers.
const CACHED_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_looked_up_once_up_to_a_limit() {
        let mut cache = HashMap::new();
        for number in 0..u32::try_from(CACHED_MAX).unwrap() {
            let name = number.to_string().into_bytes();
            assert_eq!(
                cached(&mut cache, number, || Some(name.clone())),
                Some(name)
            );
        }
        let never = || unreachable!("it must not be looked up");
        assert_eq!(cached(&mut cache, 7, never), Some(b"7".to_vec()));
        assert_eq!(cached(&mut cache, u32::MAX, never), None);
    }

    #[test]
    fn unknown_numbers_have_no_name() {
        let mut owners = Owners::default();
        assert_eq!(owners.user(0), Some(b"root".to_vec()));
        assert_eq!(owners.group(0), Some(b"root".to_vec()));
        assert_eq!(owners.user(3_999_999_999), None);
        assert_eq!(owners.group(3_999_999_999), None);
    }
}
