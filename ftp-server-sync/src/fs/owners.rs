//! Names of users and groups.
//!
//! Each is looked up once in a listing: for every look-up the system may read a whole file.

use std::collections::HashMap;
use std::sync::Arc;

use nix::unistd::{Gid, Group, Uid, User};

use crate::sandbox::log_replaced;

/// The names that have been looked up.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    users: Names,
    groups: Names,
}

#[derive(Debug, Default)]
struct Names {
    known: HashMap<u32, Option<Arc<[u8]>>>,
    /// The one that was asked for last: most entries of a directory have the same.
    last: Option<(u32, Option<Arc<[u8]>>)>,
}

impl Owners {
    pub(crate) fn user(&mut self, number: u32) -> Option<Arc<[u8]>> {
        self.users.find(number, || {
            let user = User::from_uid(Uid::from_raw(number)).ok()??;
            Some(user.name)
        })
    }

    pub(crate) fn group(&mut self, number: u32) -> Option<Arc<[u8]>> {
        self.groups.find(number, || {
            let group = Group::from_gid(Gid::from_raw(number)).ok()??;
            Some(group.name)
        })
    }
}

impl Names {
    fn find(&mut self, number: u32, look_up: impl FnOnce() -> Option<String>) -> Option<Arc<[u8]>> {
        if let Some((last, name)) = &self.last
            && *last == number
        {
            return name.clone();
        }
        let name = self.find_known(number, look_up);
        self.last = Some((number, name.clone()));
        name
    }

    fn find_known(
        &mut self,
        number: u32,
        look_up: impl FnOnce() -> Option<String>,
    ) -> Option<Arc<[u8]>> {
        if self.known.len() >= CACHED_MAX && !self.known.contains_key(&number) {
            return None;
        }
        let look_up = || match look_up() {
            Some(name) => Some(name.into_bytes().into()),
            None => {
                log_replaced();
                None
            }
        };
        self.known.entry(number).or_insert_with(look_up).clone()
    }
}

/// Names that are looked up for one listing; further users and groups stay numbers.
const CACHED_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_looked_up_once_up_to_a_limit() {
        let mut names = Names::default();
        for number in 0..u32::try_from(CACHED_MAX).unwrap() {
            let name = number.to_string();
            let found = names.find(number, || Some(name.clone()));
            assert_eq!(found.as_deref(), Some(name.as_bytes()));
        }
        let never = || unreachable!("it must not be looked up");
        for _ in 0..2 {
            assert_eq!(names.find(7, never).as_deref(), Some(&b"7"[..]));
        }
        for _ in 0..2 {
            assert_eq!(names.find(u32::MAX, never), None);
        }
    }

    #[test]
    fn unknown_numbers_have_no_name() {
        let mut owners = Owners::default();
        assert_eq!(owners.user(0).as_deref(), Some(&b"root"[..]));
        assert_eq!(owners.group(0).as_deref(), Some(&b"root"[..]));
        assert_eq!(owners.user(3_999_999_999), None);
        assert_eq!(owners.group(3_999_999_999), None);
    }
}
