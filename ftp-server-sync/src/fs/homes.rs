//! The directories of users: one share for each, however many users have it, as their home or in
//! it.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ftp_proto::text::printable_word;
use rustix::fs::{Access, AtFlags, CWD, Dir, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::mounts::UnmountedShare;
use super::share::Share;
use crate::logging::system_text::SystemText;
use crate::settings::file::reason;

/// Shares by their paths. Cloning shares what is known about the directories.
#[derive(Clone, Debug, Default)]
pub(crate) struct Homes(Arc<BTreeMap<PathBuf, Share>>);

impl Homes {
    /// The shares of these directories, with the rules of `share`. What is known about a directory
    /// that was among them before stays.
    #[must_use]
    pub(crate) fn updated<'a>(&self, paths: impl Iterator<Item = &'a Path>, share: &Share) -> Self {
        let mut homes = BTreeMap::new();
        for path in paths {
            let rules = share.rules();
            let known = self.0.get(path).or(homes.get(path));
            let known = known.or((share.path() == path).then_some(share));
            let home = match known {
                Some(known) => known.with_rules(rules.clone()),
                None => Share::open_later(path, rules.clone()),
            };
            homes.insert(path.to_owned(), home);
        }
        Self(homes.into())
    }

    /// The share of this home.
    pub(crate) fn find(&self, path: &Path) -> Option<&Share> {
        self.0.get(path)
    }
}

/// Makes a home that is missing. True: it was made.
///
/// The directory above it must exist, and nothing may be expected to be mounted there: the home
/// would be on another disk than the operator means.
///
/// # Errors
///
/// The system's.
pub(crate) fn create_home(home: &Path) -> io::Result<bool> {
    if home.exists() {
        return Ok(false);
    }
    let above = home.parent().unwrap_or(home);
    if UnmountedShare::find(above).is_some_and(|share| share.is_certain()) {
        let text = format!("nothing is mounted at {}", above.display());
        return Err(io::Error::other(text));
    }
    match DirBuilder::new().create(home) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// The same for a user of the system, whose home is that user's alone.
///
/// Only root may be able to change the directories above it: another user could lead this call to
/// a directory elsewhere.
///
/// # Errors
///
/// The system's, or that others may change a directory above.
pub(crate) fn create_home_of(home: &Path, user: u32, group: u32) -> io::Result<bool> {
    if home.exists() {
        return Ok(false);
    }
    let (Some(above), Some(name)) = (home.parent(), home.file_name()) else {
        return Err(io::Error::other("the home has no directory above it"));
    };
    if UnmountedShare::find(above).is_some_and(|share| share.is_certain()) {
        let text = format!("nothing is mounted at {}", above.display());
        return Err(io::Error::other(text));
    }
    check_of_root(above, LINKS_MAX)?;
    let above = above.canonicalize()?;
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let above = rustix::fs::openat(CWD, &above, flags, Mode::empty())?;
    match rustix::fs::mkdirat(&above, name, Mode::RWXU) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    let made = rustix::fs::openat(&above, name, flags, Mode::empty())?;
    check_new(&made)?;
    rustix::fs::fchmod(&made, Mode::RWXU)?;
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    rustix::fs::fchown(&made, Some(user), Some(group))?;
    Ok(true)
}

/// Refuses a directory that is not the one that was just made: its user would get another one.
fn check_new(directory: impl AsFd) -> io::Result<()> {
    let is_of_root = rustix::fs::fstat(&directory)?.st_uid == 0;
    let mut is_empty = true;
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        is_empty &= matches!(entry.file_name().to_bytes(), b"." | b"..");
    }
    if is_of_root && is_empty {
        return Ok(());
    }
    let text = "another directory has taken the place of the new home; create the home yourself";
    Err(io::Error::other(text))
}

/// Refuses a path that others than root could lead elsewhere, by a directory or by a link in it.
fn check_of_root(path: &Path, links_max: u32) -> io::Result<()> {
    for directory in path.ancestors() {
        if others_may_change(&std::fs::metadata(directory)?) {
            let text = format!(
                "not only root may change {}; create the home yourself, and give it to its user",
                directory.display()
            );
            return Err(io::Error::other(text));
        }
        if let Ok(target) = std::fs::read_link(directory) {
            let Some(links_max) = links_max.checked_sub(1) else {
                return Err(io::Error::other("too many links lead to the home"));
            };
            let parent = directory.parent().unwrap_or(directory);
            check_of_root(&parent.join(target), links_max)?;
        }
    }
    Ok(())
}

/// Whether others than root may rename what root has in this directory.
fn others_may_change(directory: &Metadata) -> bool {
    let mode = directory.mode();
    let is_sticky = mode & 0o1000 != 0;
    // Also root's group has members.
    directory.uid() != 0 || (mode & 0o022 != 0 && !is_sticky)
}

/// Links may lead to links.
const LINKS_MAX: u32 = 8;

/// What is wrong with a home, and what to do. `stores`: its user may store files. `is_created`: a
/// missing one is made at the first login.
pub(crate) fn home_problem(home: &Path, stores: bool, is_created: bool) -> Option<String> {
    match std::fs::metadata(home) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_created => {
            creation_problem(home)
        }
        _ => directory_problem("home", home, stores, "create it, or give --create-home"),
    }
}

/// Why the home cannot be made at the first login.
fn creation_problem(home: &Path) -> Option<String> {
    let above = home.parent()?;
    let problem = if !above.is_dir() {
        "does not exist, or is not a directory; create it"
    } else if rustix::fs::accessat(CWD, above, WRITABLE, AtFlags::EACCESS).is_err() {
        "cannot be written; give the server's user the right to write there, or create the home"
    } else {
        return None;
    };
    let home = printable_word(home.as_os_str().as_bytes());
    let above = printable_word(above.as_os_str().as_bytes());
    Some(format!(
        "the home {home} cannot be created (--create-home): the directory above it, {above}, \
         {problem}"
    ))
}

/// The log line about a home that could not be made, which the directory above it is the cause of.
pub(crate) fn creation_failure(home: &Path, error: &io::Error) -> String {
    let above = home.parent().unwrap_or(home);
    let [home, above] = [home, above].map(|path| printable_word(path.as_os_str().as_bytes()));
    format!(
        "cannot create the home {home} in the directory {above}: {}",
        SystemText(error)
    )
}

/// What it takes to make something in a directory.
const WRITABLE: Access = Access::WRITE_OK.union(Access::EXEC_OK);

/// The same as [`home_problem`] for a directory of elsewhere in a user's tree. It may come later,
/// such as a disk that is not mounted yet.
pub(crate) fn mount_problem(directory: &Path, stores: bool) -> Option<String> {
    if let Some(unmounted) = UnmountedShare::find(directory)
        && unmounted.is_certain()
    {
        let shown = printable_word(directory.as_os_str().as_bytes());
        let point = printable_word(unmounted.point.as_os_str().as_bytes());
        return Some(format!(
            "the directory {shown} cannot be used: nothing is mounted at {point}; mount it"
        ));
    }
    directory_problem("directory", directory, stores, "mount or create it")
}

fn directory_problem(what: &str, path: &Path, stores: bool, remedy: &str) -> Option<String> {
    let shown = printable_word(path.as_os_str().as_bytes());
    let metadata = match std::fs::metadata(path) {
        Err(error) => {
            let reason = reason(&error);
            return Some(format!(
                "the {what} {shown} cannot be used: {reason}; {remedy}"
            ));
        }
        Ok(metadata) => metadata,
    };
    if !metadata.is_dir() {
        return Some(format!(
            "the {what} {shown} is not a directory; give a directory"
        ));
    }
    let lacks = |access| rustix::fs::accessat(CWD, path, access, AtFlags::EACCESS).is_err();
    if lacks(Access::READ_OK | Access::EXEC_OK) {
        return Some(format!(
            "the {what} {shown} cannot be listed; give the server's user the right to read and \
             search it"
        ));
    }
    if stores && lacks(Access::WRITE_OK) {
        return Some(format!(
            "the {what} {shown} cannot be written; give the server's user that right, or the user of \
             this {what} the rights read"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::fs::share::SessionShare;
    use crate::fs::share_rules::ShareRules;

    #[test]
    fn a_home_has_one_share_which_may_come_later() {
        let directory = tempfile::tempdir().unwrap();
        let (here, later) = (
            directory.path().join("here"),
            directory.path().join("later"),
        );
        std::fs::create_dir(&here).unwrap();
        let share = Share::open(directory.path(), ShareRules::default()).unwrap();
        let paths = [&*here, &*later, &*here];
        let homes = Homes::default().updated(paths.into_iter(), &share);
        let mut session = SessionShare::new(homes.find(&later).unwrap().clone());
        assert!(session.root().is_err());
        assert!(homes.find(directory.path()).is_none());
        let again = homes.updated(paths.into_iter(), &share);
        assert!(create_home(&later).unwrap());
        assert!(!create_home(&later).unwrap());
        assert!(session.root().is_ok());
        assert!(
            SessionShare::new(again.find(&later).unwrap().clone())
                .root()
                .is_ok()
        );
        assert!(create_home(&later.join("a/b")).is_err());
    }

    /// Only root can give it away.
    #[test]
    fn a_home_of_a_user_is_that_users_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (home, user) = (directory.path().join("anna"), 54_321);
        let is_root = rustix::process::geteuid().is_root();
        let made = create_home_of(&home, user, 54_322);
        assert_eq!(made.is_ok_and(|made| made), is_root);
        if !is_root {
            return;
        }
        let metadata = std::fs::metadata(&home).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (user, 54_322));
        assert_eq!(metadata.mode() & 0o7777, 0o700);
        assert!(!create_home_of(&home, user, user).unwrap());
        // Its user could lead the call elsewhere.
        let error = create_home_of(&home.join("bob"), 1, 1).unwrap_err();
        assert!(error.to_string().contains("not only root"), "{error}");
        // So could a link of that user, also behind one of root's.
        let path = |name: &str| directory.path().join(name);
        std::fs::create_dir(path("target")).unwrap();
        std::os::unix::fs::symlink(path("target"), home.join("users")).unwrap();
        std::os::unix::fs::symlink("anna/users", path("roots")).unwrap();
        for above in ["anna/users", "roots"] {
            let error = create_home_of(&path(above).join("bob"), 1, 1).unwrap_err();
            assert!(error.to_string().contains("not only root"), "{error}");
        }
        // So could a member of root's group.
        let set_mode = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(path("target"), mode).unwrap();
        };
        set_mode(0o775);
        let error = create_home_of(&path("target/dora"), 1, 1).unwrap_err();
        assert!(error.to_string().contains("not only root"), "{error}");
        set_mode(0o755);
        std::os::unix::fs::symlink("target", path("other")).unwrap();
        assert!(create_home_of(&path("other/carol"), 1, 1).unwrap());
        std::os::unix::fs::symlink("/no/such", directory.path().join("link")).unwrap();
        assert!(!create_home_of(&directory.path().join("link"), 1, 1).unwrap());
        assert!(create_home_of(&directory.path().join("a/b"), 1, 1).is_err());
        // Another directory in its place is not given away.
        std::fs::create_dir(path("new")).unwrap();
        let check = |name: &str| check_new(std::fs::File::open(path(name)).unwrap());
        check("new").unwrap();
        for name in ["target", "anna"] {
            check(name).unwrap_err();
        }
    }

    #[test]
    fn what_is_wrong_with_a_home() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing");
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(home_problem(directory.path(), true, false), None);
        assert_eq!(home_problem(&missing, true, true), None);
        for (home, word) in [(&missing, "--create-home"), (&file, "not a directory")] {
            let problem = home_problem(home, true, false).unwrap();
            assert!(problem.contains(word), "{problem}");
        }
    }

    #[test]
    fn a_home_is_not_created_where_the_directory_above_it_is_missing() {
        let directory = tempfile::tempdir().unwrap();
        let above = directory.path().join("missing");
        let home = above.join("anna");
        let problem = home_problem(&home, true, true).unwrap();
        let part = format!(
            "the directory above it, {}, does not exist",
            above.display()
        );
        assert!(problem.contains(&part), "{problem}");
        let error = create_home(&home).unwrap_err();
        let line = creation_failure(&home, &error);
        let start = format!(
            "cannot create the home {} in the directory {}: ",
            home.display(),
            above.display()
        );
        assert!(line.starts_with(&start), "{line}");
    }
}
