//! From root to another user, for good (`--run-as`).
//!
//! User, groups, capabilities and the ban on new ones are each thread's own. New threads inherit
//! them, so this comes before the first one. No capability is kept, not even the one to open ports
//! below 1024: listeners stay open, and a reload that needs a new one says what to do.

use std::fs;
use std::io;

use nix::errno::Errno;
use nix::unistd::{
    Gid, Uid, getgroups, getresgid, getresuid, setgroups, setresgid, setresuid, setuid,
};
use rustix::io::Errno as SystemError;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, no_new_privs, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs,
};

use crate::logging::system_text::SystemText;
use crate::settings::RunAs;

/// Makes this process that user's, without any right of root and without a way back.
///
/// # Errors
///
/// If a right could not be given up. The process must not go on then: it may have lost others.
pub(crate) fn give_up(run_as: &RunAs) -> io::Result<()> {
    let refuse = |problem: String| {
        let text = format!("--run-as {}: {problem}", run_as.text);
        io::Error::other(text)
    };
    // Without /proc, the caller's order of calls has to do.
    if fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() > 1) {
        let problem = "other threads run already, and would keep the rights of root";
        return Err(refuse(problem.to_owned()));
    }
    drop_rights(run_as).map_err(&refuse)?;
    match remaining_right(run_as) {
        None => Ok(()),
        Some(right) => Err(refuse(format!(
            "the system has not taken {right} from the server; leave --run-as out, and start the \
             server as that user"
        ))),
    }
}

/// The error is a text.
fn drop_rights(run_as: &RunAs) -> Result<(), String> {
    let (user, group) = (Uid::from_raw(run_as.user), Gid::from_raw(run_as.group));
    let groups: Vec<Gid> = run_as.groups.iter().copied().map(Gid::from_raw).collect();
    let cannot = |what: &str, error: &str| format!("cannot {what}: {error}");
    let failed =
        |what: &str, error: SystemError| cannot(what, &SystemText(&error.into()).to_string());
    set_no_new_privs(true).map_err(|error| failed("refuse new rights", error))?;
    clear_bounding_set().map_err(|error| failed("bound rights", error))?;
    // Before Linux 4.3 there is none.
    match clear_ambient_capability_set() {
        Err(error) if error != SystemError::INVAL => {
            return Err(failed("clear rights", error));
        }
        _ => {}
    }
    // The groups first: afterwards there is no right to change them.
    let change = |result: nix::Result<()>| {
        result.map_err(|errno| {
            let remedy = match errno {
                Errno::EPERM => {
                    "; give the server the capabilities SETUID and SETGID, or start it as that \
                     user without --run-as"
                }
                Errno::EINVAL => "; the user namespace of this container has no such user or group",
                _ => "",
            };
            cannot("become this user", &format!("{}{remedy}", errno.desc()))
        })
    };
    change(setgroups(&groups))?;
    change(setresgid(group, group, group))?;
    change(setresuid(user, user, user))?;
    // Usually there is none left, unless the process was started with other "securebits".
    set_capabilities(None, NO_CAPABILITIES).map_err(|error| failed("drop rights", error))
}

/// No program that this process might start can have a capability.
fn clear_bounding_set() -> Result<(), SystemError> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match capability_is_in_bounding_set(capability) {
            Ok(true) => {}
            Ok(false) => continue,
            // The kernel does not know it, nor any after it.
            Err(SystemError::INVAL) => break,
            Err(error) => return Err(error),
        }
        match remove_capability_from_bounding_set(capability) {
            // A container may have root without the capability SETPCAP. The ban on new rights
            // suffices then.
            Ok(()) | Err(SystemError::PERM) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A right that this process should not have and has.
fn remaining_right(run_as: &RunAs) -> Option<&'static str> {
    let (user, group) = (Uid::from_raw(run_as.user), Gid::from_raw(run_as.group));
    let is_user = getresuid().is_ok_and(|ids| [ids.real, ids.effective, ids.saved] == [user; 3]);
    let is_group = getresgid().is_ok_and(|ids| [ids.real, ids.effective, ids.saved] == [group; 3]);
    let sorted = |mut groups: Vec<u32>| {
        groups.sort_unstable();
        groups.dedup();
        groups
    };
    let has_groups = getgroups().is_ok_and(|groups| {
        let groups = groups.into_iter().map(Gid::as_raw);
        sorted(groups.collect()) == sorted(run_as.groups.clone())
    });
    let rights = [
        (!is_user, "the user"),
        (!is_group, "the group"),
        (!has_groups, "the groups"),
        (capabilities(None) != Ok(NO_CAPABILITIES), "capabilities"),
        (no_new_privs() != Ok(true), "the right to gain others"),
        (setuid(Uid::from_raw(0)).is_ok(), "the way back to root"),
    ];
    rights
        .into_iter()
        .find_map(|(remains, right)| remains.then_some(right))
}

const NO_CAPABILITIES: CapabilitySets = CapabilitySets {
    effective: CapabilitySet::empty(),
    permitted: CapabilitySet::empty(),
    inheritable: CapabilitySet::empty(),
};
