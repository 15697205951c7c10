//! The users file is read again, with a look at the directories of its users. This may wait for
//! their disks.

use std::path::Path;

use super::findings::evidence;
use super::sandbox::check_change;
use crate::logging::system_text::SystemText;
use crate::nat::diagnose::diagnose;
use crate::nat::finding::Finding;
use crate::privileges::check_start;
use crate::session::Current;
use crate::settings::load_users::load_users;

/// The users file as it was read, with the directories of its users.
pub(super) struct FreshUsers {
    /// What is in force with these users.
    pub(super) new: Current,
    /// What was not wrong before.
    pub(super) found: Vec<Finding>,
}

/// Reads the users file, and looks at the directories of its users: `visit` is called for each
/// first.
pub(super) fn read_users(current: &Current, visit: impl Fn(&Path)) -> Result<FreshUsers, String> {
    let new = load(current, visit)?;
    let known = diagnose(&current.settings, &evidence(current));
    let mut found = diagnose(&new.settings, &evidence(&new));
    found.retain(|finding| !known.contains(finding));
    Ok(FreshUsers { new, found })
}

/// What is in force with the users file as it is now.
fn load(current: &Current, visit: impl Fn(&Path)) -> Result<Current, String> {
    let Some(file) = &current.settings.users_file else {
        return Ok(current.clone());
    };
    let users = load_users(file, current.settings.users.clone());
    let users = users.map_err(|problem| {
        if problem.contains(&*file.to_string_lossy()) {
            problem
        } else {
            format!("--users {}: {problem}", file.display())
        }
    })?;
    users.directories().for_each(visit);
    let new = current.with_users(users);
    // As at the start: root must not share the root directory.
    if new.settings.run_as.is_none() {
        check_start(&new.settings).map_err(|error| SystemText(&error).to_string())?;
    }
    let suits = check_change(&current.settings, &new.settings);
    suits.map_err(|error| SystemText(&error).to_string())?;
    if let Some((kind, problem)) = new.settings.replaceable_hook() {
        return Err(format!("the program of {} {problem}", kind.flag()));
    }
    Ok(new)
}
