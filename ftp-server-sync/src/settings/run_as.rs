//! The user that the server becomes after its start.

use std::ffi::CString;

use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

use ftp_proto::text::printable_word;

use crate::sandbox::log_replaced;

/// A user, and its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunAs {
    /// As it was written: `USER` or `USER:GROUP`, by name or number.
    pub text: String,
    /// The number of the user, never 0.
    pub user: u32,
    /// The number of the group, never 0.
    pub group: u32,
    /// Its name; where this machine has none for it, the number.
    pub group_name: String,
    /// The numbers of all groups: `group`, and those that the system lists for the user.
    pub groups: Vec<u32>,
}

impl RunAs {
    /// Looks up `USER` or `USER:GROUP`. A name that is a number counts as a name where there is
    /// one.
    ///
    /// # Errors
    ///
    /// What is wrong, and what to give instead.
    pub fn find(text: &str) -> Result<Self, String> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        if user.is_empty() || group.is_some_and(str::is_empty) {
            return Err("give USER or USER:GROUP, each by name or number".to_owned());
        }
        let (user, account) = find_user(user)?;
        if user == 0 {
            return Err("is root; give a user without its rights".to_owned());
        }
        let group = match (group, &account) {
            (Some(group), _) => find_group(group)?,
            (None, Some(account)) => account.gid.as_raw(),
            (None, None) => {
                return Err(
                    "this machine has no user of that number, so its group is not known; give \
                     USER:GROUP"
                        .to_owned(),
                );
            }
        };
        if group == 0 {
            return Err("its group is root's; give USER:GROUP, with another group".to_owned());
        }
        let groups = match account {
            Some(account) => groups_of(&account.name, group)?,
            None => vec![group],
        };
        Ok(Self {
            text: text.to_owned(),
            user,
            group,
            group_name: name_of_group(group),
            groups,
        })
    }
}

/// The number of a user, and what the system knows about it.
fn find_user(text: &str) -> Result<(u32, Option<User>), String> {
    if let Some(account) = known("user", User::from_name(text))? {
        return Ok((account.uid.as_raw(), Some(account)));
    }
    let number = number(text).ok_or_else(|| unknown("user", text))?;
    Ok((
        number,
        known("user", User::from_uid(Uid::from_raw(number)))?,
    ))
}

fn find_group(text: &str) -> Result<u32, String> {
    match known("group", Group::from_name(text))? {
        Some(group) => Ok(group.gid.as_raw()),
        None => number(text).ok_or_else(|| unknown("group", text)),
    }
}

/// Its name; where this machine has none for it, the number.
pub(super) fn name_of_group(number: u32) -> String {
    let found = Group::from_gid(Gid::from_raw(number)).ok().flatten();
    found.map_or_else(|| number.to_string(), |group| group.name)
}

fn groups_of(name: &str, group: u32) -> Result<Vec<u32>, String> {
    let name = CString::new(name).map_err(|error| error.to_string())?;
    let groups = getgrouplist(&name, Gid::from_raw(group));
    let groups = groups.map_err(|errno| not_found("groups of the user", errno))?;
    Ok(groups.into_iter().map(Gid::as_raw).collect())
}

/// What the system knows. Without `/etc/passwd` and `/etc/group`, as in a container that has only
/// the program, it knows no names: numbers still count.
fn known<T>(what: &str, found: Result<Option<T>, Errno>) -> Result<Option<T>, String> {
    match found {
        Err(Errno::ENOENT) => Ok(None),
        found => found.map_err(|errno| not_found(what, errno)),
    }
}

/// The largest number stands for "leave it as it is".
fn number(text: &str) -> Option<u32> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_decimal);
    number.filter(|&number| number < u32::MAX)
}

fn unknown(what: &str, text: &str) -> String {
    log_replaced();
    let text = printable_word(text.as_bytes());
    format!("this machine has no {what} {text}; give another name, or a number")
}

fn not_found(what: &str, errno: Errno) -> String {
    format!("the {what} cannot be looked up: {}", errno.desc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, user: u32, group: u32, groups: &[u32]) {
        let found = RunAs::find(text).unwrap();
        let expected = RunAs {
            text: text.to_owned(),
            user,
            group,
            group_name: group.to_string(),
            groups: groups.to_vec(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn users_and_groups_are_found_by_name_and_number() {
        // Numbers that no machine has.
        check(
            "3999999998:3999999999",
            3_999_999_998,
            3_999_999_999,
            &[3_999_999_999],
        );
        // A user of every Unix system, by name and by number.
        let daemon = User::from_name("daemon").unwrap().expect("the user daemon");
        let (user, group) = (daemon.uid.as_raw(), daemon.gid.as_raw());
        for name in ["daemon", &user.to_string()] {
            let found = RunAs::find(name).unwrap();
            assert_eq!((found.user, found.group), (user, group));
            assert!(found.groups.contains(&group), "{found:?}");
        }
        let found = RunAs::find("daemon:3999999999").unwrap();
        assert_eq!((found.user, found.group), (user, 3_999_999_999));
        assert!(found.groups.contains(&3_999_999_999), "{found:?}");
    }

    #[test]
    fn root_is_refused_by_name_and_number() {
        for text in ["0", "0:1", "root", "root:daemon", "00"] {
            let problem = RunAs::find(text).unwrap_err();
            assert_eq!(problem, "is root; give a user without its rights", "{text}");
        }
        let root = Group::from_gid(Gid::from_raw(0)).unwrap().unwrap().name;
        for group in ["0", &root] {
            let problem = RunAs::find(&format!("3999999998:{group}")).unwrap_err();
            let expected = "its group is root's; give USER:GROUP, with another group";
            assert_eq!(problem, expected, "{group}");
        }
    }

    #[test]
    fn a_machine_without_names_has_numbers() {
        assert_eq!(known::<u32>("user", Err(Errno::ENOENT)), Ok(None));
        let problem = "the user cannot be looked up: I/O error".to_owned();
        assert_eq!(known::<u32>("user", Err(Errno::EIO)), Err(problem));
    }

    #[test]
    fn numbers_have_bounds() {
        for text in [
            "4294967295:1",
            "1:4294967295",
            "-1:1",
            "+1:1",
            "1:99999999999",
        ] {
            let problem = RunAs::find(text).unwrap_err();
            assert!(
                problem.starts_with("this machine has no "),
                "{text}: {problem}"
            );
        }
    }
}
