//! The directories of users: one share for each, however many users have it, as their home or in
//! it.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ftp_proto::text::printable_word;
use rustix::fs::{Access, AtFlags, CWD};

use super::mounts::UnmountedShare;
use super::share::Share;
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

/// What is wrong with a home, and what to do. `stores`: its user may store files. `is_created`: a
/// missing one is made at the first login.
pub(crate) fn home_problem(home: &Path, stores: bool, is_created: bool) -> Option<String> {
    match std::fs::metadata(home) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_created => None,
        _ => directory_problem("home", home, stores, "create it, or give --create-home"),
    }
}

/// The same for a directory of elsewhere in a user's tree. It may come later, such as a disk that
/// is not mounted yet.
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
}
