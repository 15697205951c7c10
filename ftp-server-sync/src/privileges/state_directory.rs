//! The state directory, for the user that the server becomes.

use std::fs::DirBuilder;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, FileType, Gid, Mode, OFlags, Uid, fchown, fstat, openat};

use crate::logging::system_text::SystemText;
use crate::settings::{RunAs, is_status_socket};

/// Gives the state directory, and the files in it that the server has made, to the user that the
/// server becomes, who reads them then, or makes them. Creates a directory that is missing.
///
/// Nothing in a directory of that user is opened here: root would be led to other files.
///
/// Only what looks as if the server had made it changes its owner: a directory of root that is
/// closed to all others, with nothing but these files in it. So no one else can exchange anything
/// meanwhile, and a directory with other content, such as `/etc`, stays as it is. Symbolic links
/// are not followed.
///
/// # Errors
///
/// The system's error, with the path.
pub(crate) fn hand_over(directory: &Path, own: &[PathBuf], run_as: &RunAs) -> io::Result<()> {
    let failed = |error: io::Error| {
        let user = &run_as.text;
        let text = format!(
            "cannot give {} to {user}: {}",
            directory.display(),
            SystemText(&error)
        );
        io::Error::new(error.kind(), text)
    };
    let mut builder = DirBuilder::new();
    let created = builder.recursive(true).mode(0o700).create(directory);
    created.map_err(failed)?;
    let Some(opened) = open_own(directory, own).map_err(failed)? else {
        return Ok(());
    };
    let change = || -> io::Result<()> {
        for file in opened {
            let (user, group) = (Uid::from_raw(run_as.user), Gid::from_raw(run_as.group));
            fchown(file, Some(user), Some(group))?;
        }
        Ok(())
    };
    change().map_err(failed)
}

/// The files in this directory and then the directory itself, if all of them are root's alone;
/// `None` otherwise.
fn open_own(directory: &Path, own: &[PathBuf]) -> io::Result<Option<Vec<OwnedFd>>> {
    let Ok(opened) = openat(CWD, directory, FLAGS | OFlags::DIRECTORY, Mode::empty()) else {
        return Ok(None);
    };
    let stat = fstat(&opened)?;
    if stat.st_uid != 0 || stat.st_mode & OTHERS != 0 {
        return Ok(None);
    }
    let mut files = Vec::new();
    for entry in Dir::read_from(&opened)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        // A socket is made anew at each start.
        if name == b"." || name == b".." || is_status_socket(name) {
            continue;
        }
        let is_name = |path: &PathBuf| {
            path.file_name()
                .is_some_and(|own| own.as_encoded_bytes() == name)
        };
        if !own.iter().any(is_name) {
            return Ok(None);
        }
        let Ok(file) = openat(opened.as_fd(), entry.file_name(), FLAGS, Mode::empty()) else {
            return Ok(None);
        };
        let stat = fstat(&file)?;
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if !is_file || stat.st_uid != 0 || stat.st_nlink != 1 {
            return Ok(None);
        }
        files.push(file);
    }
    files.push(opened);
    Ok(Some(files))
}

/// A name that leads elsewhere, or to a pipe, is not opened.
const FLAGS: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// The permission bits of the group and of all others.
const OTHERS: u32 = 0o077;

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    /// A state directory, and which names in it are to be opened.
    struct Scene(tempfile::TempDir);

    impl Scene {
        fn new() -> Self {
            let scene = Self(tempfile::tempdir().unwrap());
            fs::create_dir(scene.directory()).unwrap();
            scene.set_mode(0o700);
            for file in scene.own() {
                fs::write(file, "text").unwrap();
            }
            scene
        }

        fn directory(&self) -> PathBuf {
            self.0.path().join("state")
        }

        fn own(&self) -> [PathBuf; 2] {
            ["certificate.pem", "certificate.crt"].map(|name| self.directory().join(name))
        }

        fn set_mode(&self, mode: u32) {
            fs::set_permissions(self.directory(), Permissions::from_mode(mode)).unwrap();
        }

        /// How many things would be given to the user.
        fn count(&self, directory: &Path) -> usize {
            let opened = open_own(directory, &self.own()).unwrap();
            opened.map_or(0, |opened| opened.len())
        }
    }

    /// The tests run as root, as the server does that gives something away.
    #[test]
    fn only_what_the_server_has_made_is_given_away() {
        let scene = Scene::new();
        let directory = scene.directory();
        let root = fs::metadata(&directory).unwrap().uid();
        assert_eq!(root, 0, "run the tests as root");
        assert_eq!(scene.count(&directory), 3);

        scene.set_mode(0o750);
        assert_eq!(scene.count(&directory), 0, "open to a group");
        scene.set_mode(0o700);
        let link = scene.0.path().join("link");
        symlink(&directory, &link).unwrap();
        assert_eq!(scene.count(&link), 0, "a symbolic link");
        assert_eq!(scene.count(&scene.0.path().join("none")), 0);

        fs::write(directory.join("other"), "text").unwrap();
        assert_eq!(scene.count(&directory), 0, "another file");
        fs::remove_file(directory.join("other")).unwrap();
        assert_eq!(scene.count(&directory), 3);

        let public = &scene.own()[1];
        let outside = scene.0.path().join("outside");
        fs::hard_link(public, &outside).unwrap();
        assert_eq!(scene.count(&directory), 0, "a file with a second name");
        fs::remove_file(public).unwrap();
        symlink(&outside, public).unwrap();
        assert_eq!(scene.count(&directory), 0, "a link in the place of a file");
        fs::remove_file(public).unwrap();
        assert_eq!(scene.count(&directory), 2, "a file is missing");
        std::os::unix::fs::chown(&scene.own()[0], Some(1234), None).unwrap();
        assert_eq!(scene.count(&directory), 0, "another user's file");
    }
}
