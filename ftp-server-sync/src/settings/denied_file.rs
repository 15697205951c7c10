//! Why this process may not read a file that a flag names, and which command changes that.

use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ftp_proto::text::printable_word;
use nix::unistd::{Uid, User};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::process::{getegid, geteuid, getgroups};

use super::run_as::name_of_group;

/// Who this process is for the system.
struct Process {
    user: u32,
    group: u32,
    other_groups: Vec<u32>,
}

/// What lacks a permission.
struct Denied<'a> {
    /// "the file", or "the directory" with its path.
    what: String,
    path: &'a Path,
    /// As `chmod` writes it.
    permission: char,
    owner: u32,
    group: u32,
    mode: u32,
}

/// `None`: the owner and the mode of the file, and of the directories above it, are not the reason.
pub(super) fn explain(file: &Path) -> Option<String> {
    let process = Process {
        user: geteuid().as_raw(),
        group: getegid().as_raw(),
        other_groups: getgroups()
            .unwrap_or_default()
            .into_iter()
            .map(|group| group.as_raw())
            .collect(),
    };
    let file = followed(file);
    if let Ok(metadata) = fs::metadata(&file) {
        return accessat(CWD, &file, Access::READ_OK, AtFlags::EACCESS)
            .is_err()
            .then(|| Denied::new("the file".to_owned(), &file, 'r', &metadata).text(&process));
    }
    let mut above = file.ancestors().skip(1);
    let (directory, metadata) = above.find_map(|directory| {
        let is_current = directory.as_os_str().is_empty();
        let directory = if is_current {
            Path::new(".")
        } else {
            directory
        };
        Some((directory, fs::metadata(directory).ok()?))
    })?;
    let is_denied = accessat(CWD, directory, Access::EXEC_OK, AtFlags::EACCESS).is_err();
    let what = format!(
        "the directory {}",
        printable_word(directory.as_os_str().as_bytes())
    );
    is_denied.then(|| Denied::new(what, directory, 'x', &metadata).text(&process))
}

/// A link, which another user may have made, is not what the commands are to name.
fn followed(file: &Path) -> PathBuf {
    let is_link = fs::symlink_metadata(file).is_ok_and(|metadata| metadata.is_symlink());
    let target = is_link.then(|| file.canonicalize().ok()).flatten();
    target.unwrap_or(file.to_owned())
}

impl<'a> Denied<'a> {
    fn new(what: String, path: &'a Path, permission: char, metadata: &Metadata) -> Self {
        Self {
            what,
            path,
            permission,
            owner: metadata.uid(),
            group: metadata.gid(),
            mode: metadata.mode() & 0o7777,
        }
    }

    /// Who asks, what it has, and the command.
    fn text(&self, process: &Process) -> String {
        let (owner, group) = (name_of_user(self.owner), name_of_group(self.group));
        let user = name_of_user(process.user);
        let (what, mode) = (&self.what, self.mode);
        let command = self.command(process);
        format!(
            "the server runs as {user}, and {what} has the owner {owner}, the group {group} and \
             the mode {mode:03o}; {command}"
        )
    }

    fn command(&self, process: &Process) -> String {
        let (path, permission) = (
            printable_word(self.path.as_os_str().as_bytes()),
            self.permission,
        );
        if self.owner == process.user {
            format!("chmod u+{permission} {path}")
        } else if process.group == self.group || process.other_groups.contains(&self.group) {
            format!("chmod g+{permission} {path}")
        } else {
            let group = name_of_group(process.group);
            format!("chgrp {group} {path} && chmod g+{permission} {path}")
        }
    }
}

fn name_of_user(number: u32) -> String {
    let found = User::from_uid(Uid::from_raw(number)).ok().flatten();
    found.map_or_else(|| number.to_string(), |user| user.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers without names.
    const SERVER: Process = Process {
        user: 987_001,
        group: 987_002,
        other_groups: Vec::new(),
    };

    #[track_caller]
    fn check(process: &Process, owner: u32, group: u32, expected: &str) {
        let denied = Denied {
            what: "the file".to_owned(),
            path: Path::new("/etc/a b"),
            permission: 'r',
            owner,
            group,
            mode: 0o600,
        };
        assert_eq!(denied.text(process), expected);
    }

    #[test]
    fn the_command_depends_on_what_the_server_has() {
        let start = "the server runs as 987001, and the file has the owner";
        check(
            &SERVER,
            987_009,
            987_008,
            &format!(
                "{start} 987009, the group 987008 and the mode 600; chgrp 987002 \"/etc/a b\" && chmod \
                 g+r \"/etc/a b\""
            ),
        );
        check(
            &SERVER,
            987_001,
            987_008,
            &format!("{start} 987001, the group 987008 and the mode 600; chmod u+r \"/etc/a b\""),
        );
        let by_group =
            format!("{start} 987009, the group 987002 and the mode 600; chmod g+r \"/etc/a b\"");
        check(&SERVER, 987_009, 987_002, &by_group);
        let process = Process {
            group: 987_003,
            other_groups: vec![987_002],
            ..SERVER
        };
        check(&process, 987_009, 987_002, &by_group);
    }

    #[test]
    fn what_may_be_read_is_not_explained() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        assert_eq!(explain(&file), None);
        fs::write(&file, "").unwrap();
        assert_eq!(explain(&file), None);
    }

    /// The user who made the link does not decide which file the operator changes.
    #[test]
    fn commands_name_what_a_link_leads_to() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().canonicalize().unwrap();
        let (file, link) = (directory.join("file"), directory.join("link"));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(followed(&link), link);
        fs::write(&file, "").unwrap();
        assert_eq!(followed(&link), file);
        assert_eq!(followed(&file), file);
    }
}
