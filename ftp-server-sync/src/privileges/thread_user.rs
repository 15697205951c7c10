//! From root to a user of the system, for one thread and for good (`--system-users`).
//!
//! The effective user and group change, and with them those that the kernel compares with those of
//! files; the groups; and the capabilities. Files of /proc/sys ask for the effective user alone, so
//! that those for files would not be enough. The real and the saved user stay root's: otherwise
//! processes of the user could send signals to this thread, and so end the server. They give the
//! thread no right.
//!
//! A thread that is started by this one has the same rights. So it must start none, and it serves
//! no other login.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Mutex;

use nix::unistd::{Gid, Uid, getgroups, getresgid, getresuid, setfsgid, setfsuid};
use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Gid as GroupNumber, Uid as UserNumber, dumpable_behavior,
    set_dumpable_behavior,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, no_new_privs,
    set_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use crate::locks::lock;
use crate::logging::system_text::SystemText;

/// Gives this thread the rights of a user, and no others but that to use ports below 1024.
/// `groups`: all of them, sorted.
///
/// # Errors
///
/// What the system has not done. The thread must not go on then: it may have lost other rights.
pub(crate) fn become_user(user: u32, group: u32, groups: &[u32]) -> Result<(), String> {
    if user == 0 || user == u32::MAX || group == u32::MAX || groups.contains(&u32::MAX) {
        return Err("a number that no user has".to_owned());
    }
    CHANGED.set(true);
    // What follows about the memory is of all threads.
    let _one_at_a_time = lock(&CHANGING);
    let failed = |what: &str, error: Errno| {
        let reason = io::Error::from(error);
        format!("cannot {what}: {}", SystemText(&reason))
    };
    let held = capabilities(None).map_err(|error| failed("read the capabilities", error))?;
    let kept = held.permitted.intersection(CapabilitySet::NET_BIND_SERVICE);
    let kept = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    // The groups first: afterwards there is no right to change them.
    let numbers: Vec<GroupNumber> = groups.iter().copied().map(GroupNumber::from_raw).collect();
    set_thread_groups(&numbers).map_err(|error| failed("set the groups", error))?;
    // Those for files follow.
    set_thread_res_gid(
        None::<GroupNumber>,
        GroupNumber::from_raw(group),
        None::<GroupNumber>,
    )
    .map_err(|error| failed("set the group", error))?;
    set_thread_res_uid(
        None::<UserNumber>,
        UserNumber::from_raw(user),
        None::<UserNumber>,
    )
    .map_err(|error| failed("set the user", error))?;
    set_no_new_privs(true).map_err(|error| failed("refuse new rights", error))?;
    // Before Linux 4.3 there is none.
    match clear_ambient_capability_set() {
        Err(error) if error != Errno::INVAL => return Err(failed("clear rights", error)),
        _ => {}
    }
    set_capabilities(None, kept).map_err(|error| failed("drop capabilities", error))?;
    // With fs.suid_dumpable=1, the files of this process in /proc would be the new user's, and
    // with them the memory of all threads.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| failed("hide the memory", error))?;
    match remaining_right(user, group, groups, kept) {
        None => Ok(()),
        Some(right) => Err(format!("the system has not changed {right} of the thread")),
    }
}

/// Whether this thread has the rights of a user, or has tried to get them.
pub(crate) fn has_become_user() -> bool {
    CHANGED.get()
}

/// A right that this thread should not have and has.
fn remaining_right(
    user: u32,
    group: u32,
    groups: &[u32],
    kept: CapabilitySets,
) -> Option<&'static str> {
    let has_groups = getgroups().is_ok_and(|found| {
        let found = found.into_iter().map(Gid::as_raw);
        sorted(found.collect()) == sorted(groups.to_vec())
    });
    let is_user = getresuid().is_ok_and(|ids| ids.effective.as_raw() == user);
    let is_group = getresgid().is_ok_and(|ids| ids.effective.as_raw() == group);
    let rights = [
        (!is_user, "the effective user"),
        (!is_group, "the effective group"),
        // A number that is not valid changes nothing, and the answer is the one in force.
        (setfsuid(NO_USER).as_raw() != user, "the user for files"),
        (setfsgid(NO_GROUP).as_raw() != group, "the group for files"),
        (!has_groups, "the groups"),
        (capabilities(None) != Ok(kept), "the capabilities"),
        (no_new_privs() != Ok(true), "the right to gain others"),
        (!status_shows(user, group, groups), "the user in /proc"),
        (
            dumpable_behavior() != Ok(DumpableBehavior::NotDumpable),
            "the right to the memory",
        ),
    ];
    let mut rights = rights.into_iter();
    rights.find_map(|(remains, right)| remains.then_some(right))
}

/// Whether the kernel's description of this thread says the same, where there is one.
fn status_shows(user: u32, group: u32, groups: &[u32]) -> bool {
    let Ok(file) = File::open("/proc/thread-self/status") else {
        return true;
    };
    let mut text = String::new();
    if file
        .take(STATUS_BYTES_MAX)
        .read_to_string(&mut text)
        .is_err()
    {
        return false;
    }
    describes(&text, user, group, groups)
}

/// In these lines are the real, the effective and the saved number, and the one for files.
fn describes(text: &str, user: u32, group: u32, groups: &[u32]) -> bool {
    let numbers = |name: &str| -> Option<Vec<u32>> {
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix(name))?;
        let words = line.split_ascii_whitespace();
        words.map(|word| word.parse().ok()).collect()
    };
    let is_in_force = |name: &str, number: u32| {
        let found = numbers(name);
        found.is_some_and(
            |found| matches!(found[..], [_, one, _, other] if [one, other] == [number; 2]),
        )
    };
    is_in_force("Uid:", user)
        && is_in_force("Gid:", group)
        && numbers("Groups:").map(sorted) == Some(sorted(groups.to_vec()))
}

fn sorted(mut groups: Vec<u32>) -> Vec<u32> {
    groups.sort_unstable();
    groups.dedup();
    groups
}

thread_local! {
    static CHANGED: Cell<bool> = const { Cell::new(false) };
}

/// Each change of the user makes the kernel forget that the memory is hidden.
static CHANGING: Mutex<()> = Mutex::new(());

const NO_USER: Uid = Uid::from_raw(u32::MAX);
const NO_GROUP: Gid = Gid::from_raw(u32::MAX);

/// A user may be in 65536 groups.
const STATUS_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::{fs, thread};

    const USER: u32 = 54_321;
    const GROUPS: [u32; 2] = [54_321, 54_322];

    #[test]
    fn the_kernel_description_is_compared() {
        let text = "Name:\tx\nUid:\t0\t7\t0\t7\nGid:\t0\t8\t0\t8\nGroups:\t9 8 \nNgid:\t1\n";
        assert!(describes(text, 7, 8, &[8, 9]));
        for (user, group, groups) in [
            (0, 8, &[8, 9][..]),
            (7, 0, &[8, 9]),
            (7, 8, &[8]),
            (7, 8, &[8, 9, 10]),
            (7, 8, &[]),
        ] {
            assert!(
                !describes(text, user, group, groups),
                "{user} {group} {groups:?}"
            );
        }
        for ids in ["0\t0\t0\t7", "0\t7\t0\t0", "7\t7\t7", "0\t7\t0\tx"] {
            let text = format!("Uid:\t{ids}\nGid:\t0\t8\t0\t8\nGroups:\t\n");
            assert!(!describes(&text, 7, 8, &[]), "{ids}");
        }
        assert!(!describes("", 7, 8, &[]));
        assert!(!describes(
            "Uid:\tx\nGid:\t0\t0\t0\t8\nGroups:\n",
            7,
            8,
            &[]
        ));
    }

    #[test]
    fn root_and_no_number_are_refused() {
        for (user, group) in [(0, 1), (u32::MAX, 1), (1, u32::MAX)] {
            assert!(become_user(user, group, &[]).is_err(), "{user} {group}");
        }
        assert!(become_user(1, 1, &[u32::MAX]).is_err());
        assert!(!has_become_user());
    }

    /// Only root can do it; other users get an error.
    #[test]
    fn one_thread_has_the_rights_of_a_user() {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("secret"), "text").unwrap();
        fs::set_permissions(path("secret"), fs::Permissions::from_mode(0o600)).unwrap();
        let (secret, own) = (path("secret"), path("own"));
        let result = thread::spawn(move || {
            let result = become_user(USER, GROUPS[0], &GROUPS);
            assert!(has_become_user());
            result.map(|()| {
                let denied = fs::read(&secret).unwrap_err();
                assert_eq!(denied.kind(), io::ErrorKind::PermissionDenied);
                fs::write(&own, "").unwrap();
                assert!(fs::set_permissions(&secret, fs::Permissions::from_mode(0o777)).is_err());
                // They ask for the effective user.
                let setting = File::options()
                    .write(true)
                    .open("/proc/sys/kernel/core_pattern");
                assert!(setting.is_err());
                assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
                assert_eq!(fs::metadata("/proc/thread-self/mem").unwrap().uid(), 0);
            })
        });
        let result = result.join().unwrap();
        assert!(!has_become_user());
        if rustix::process::geteuid().is_root() {
            result.unwrap();
            let metadata = fs::metadata(path("own")).unwrap();
            assert_eq!((metadata.uid(), metadata.gid()), (USER, GROUPS[0]));
            // Other threads are as they were.
            fs::read(path("secret")).unwrap();
        } else {
            result.unwrap_err();
        }
    }
}
