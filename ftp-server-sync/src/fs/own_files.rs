//! The server's own files: certificate, key, passwords and configuration. No client lists, reads or
//! writes them, wherever the shared directory is: they are known by device and inode, so that a
//! hard link or a bind mount does not lead to them either.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

use crate::locks::lock;

/// Device and inode.
type Identity = (u64, u64);

/// The files, by their paths, and what they are known by.
#[derive(Debug, Default)]
pub(crate) struct OwnFiles {
    paths: Vec<PathBuf>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// When the paths were looked at; `None`: never.
    at: Option<Instant>,
    /// Of each path that exists: of itself and, if it is a symbolic link, of its target.
    files: Vec<Vec<OwnFile>>,
    /// The directories that contain the files.
    containers: BTreeSet<Identity>,
}

/// One file. While the handle exists, no other file can get its inode, even after its removal.
#[derive(Debug)]
struct OwnFile {
    identity: Identity,
    _handle: File,
}

impl OwnFiles {
    pub(crate) fn new(paths: Vec<PathBuf>) -> Self {
        let files = paths.iter().map(|_| Vec::new()).collect();
        let known = Known {
            files,
            ..Known::default()
        };
        Self {
            paths,
            known: known.into(),
        }
    }

    /// The same files, of which nothing is known.
    pub(super) fn apart(&self) -> Self {
        Self::new(self.paths.clone())
    }

    /// Whether both are about the same files.
    pub(super) fn are_those_of(&self, other: &Self) -> bool {
        self.paths == other.paths
    }

    /// Looks at the files now: they stay known if they are out of reach later.
    pub(super) fn remember(&self) {
        lock(&self.known).update(&self.paths);
    }

    /// Whether there are none, so that no file needs to be compared.
    pub(super) fn are_none(&self) -> bool {
        self.paths.is_empty()
    }

    pub(super) fn contain(&self, file: Identity) -> bool {
        self.with_known(|known| known.files.iter().flatten().any(|own| own.identity == file))
    }

    /// Their inodes: a directory's names have no device. What has another one is none of them.
    pub(super) fn inodes(&self) -> Vec<u64> {
        let inodes = |known: &Known| {
            let files = known.files.iter().flatten();
            files.map(|own| own.identity.1).collect()
        };
        self.with_known(inodes)
    }

    /// Whether the server would find its own file under this name in this directory.
    pub(super) fn have_path(&self, directory: Identity, name: &[u8]) -> bool {
        let mut paths = self.paths.iter();
        paths.any(|path| {
            let is_name = path.file_name().is_some_and(|own| own.as_bytes() == name);
            let parent = path.parent().filter(|_| is_name);
            let parent = parent.and_then(|parent| fs::metadata(parent).ok());
            parent.is_some_and(|parent| identity(&parent) == directory)
        })
    }

    /// Whether one of them is in this directory, or below it: with another name of the directory,
    /// the server would find another file, or none.
    pub(super) fn are_below(&self, directory: Identity) -> bool {
        self.with_known(|known| known.containers.contains(&directory))
    }

    /// The paths that lead into this directory, for the operator.
    pub(crate) fn inside(&self, directory: &Path) -> Vec<PathBuf> {
        let Ok(shared) = fs::metadata(directory) else {
            return Vec::new();
        };
        let is_inside = |path: &&PathBuf| containers(path).contains(&identity(&shared));
        let existing = self.paths.iter().filter(|path| path.exists());
        existing.filter(is_inside).cloned().collect()
    }

    fn with_known<T: Default>(&self, find: impl Fn(&Known) -> T) -> T {
        if self.are_none() {
            return T::default();
        }
        let mut known = lock(&self.known);
        if known.at.is_none_or(|at| at.elapsed() >= LOOK_AGAIN) {
            known.update(&self.paths);
        }
        find(&known)
    }
}

impl Known {
    /// A renewed certificate is another file with the same path. One that is gone stays known: a
    /// client may not put another file in its place.
    fn update(&mut self, paths: &[PathBuf]) {
        self.at = Some(Instant::now());
        for (path, known) in paths.iter().zip(&mut self.files) {
            let found = [OFlags::NOFOLLOW, OFlags::empty()].map(|flags| OwnFile::open(path, flags));
            let found: Vec<OwnFile> = found.into_iter().flatten().collect();
            if !found.is_empty() {
                *known = found;
            }
            self.containers.extend(containers(path));
        }
    }
}

impl OwnFile {
    /// A handle that names the file, and does not open it.
    fn open(path: &Path, flags: OFlags) -> io::Result<Self> {
        let flags = flags | OFlags::PATH | OFlags::CLOEXEC;
        let handle = File::from(rustix::fs::open(path, flags, Mode::empty())?);
        Ok(Self {
            identity: identity(&handle.metadata()?),
            _handle: handle,
        })
    }
}

/// The directories that contain a path: those that it names, and those on the disk.
fn containers(path: &Path) -> Vec<Identity> {
    let real = path.canonicalize();
    let paths = [Some(path), real.as_deref().ok()];
    let directories = paths
        .into_iter()
        .flatten()
        .flat_map(|path| path.ancestors().skip(1));
    let found = directories.filter_map(|directory| fs::metadata(directory).ok());
    found.map(|metadata| identity(&metadata)).collect()
}

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// How long the files are taken for the same ones.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn of(path: &Path) -> Identity {
        identity(&fs::symlink_metadata(path).unwrap())
    }

    #[test]
    fn files_are_known_by_inode_and_stay_known() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir_all(path("share/etc")).unwrap();
        fs::write(path("share/etc/key"), "1").unwrap();
        fs::write(path("other"), "2").unwrap();
        fs::hard_link(path("share/etc/key"), path("again")).unwrap();
        symlink("share/etc/key", path("link")).unwrap();
        let own = OwnFiles::new(vec![path("link"), path("missing")]);
        for name in ["link", "share/etc/key", "again"] {
            assert!(own.contain(of(&path(name))), "{name}");
            assert!(own.inodes().contains(&of(&path(name)).1), "{name}");
        }
        assert!(!own.contain(of(&path("other"))));
        for name in ["share/etc", "share", ""] {
            assert!(own.are_below(of(&path(name))), "{name}");
        }
        assert!(!own.are_below(of(&path("other"))));
        assert_eq!(own.inside(&path("share")), [path("link")]);
        assert_eq!(own.inside(&path("share/etc")), [path("link")]);
        assert_eq!(own.inside(directory.path()), [path("link")]);
        fs::create_dir(path("elsewhere")).unwrap();
        assert_eq!(own.inside(&path("elsewhere")), [] as [PathBuf; 0]);

        // Replaced, then gone.
        let old = of(&path("again"));
        fs::write(path("new"), "3").unwrap();
        fs::rename(path("new"), path("share/etc/key")).unwrap();
        let new = of(&path("share/etc/key"));
        lock(&own.known).at = None;
        assert!(own.contain(new) && !own.contain(old));
        fs::rename(path("share/etc/key"), path("moved")).unwrap();
        fs::remove_file(path("link")).unwrap();
        lock(&own.known).at = None;
        assert!(own.contain(new));
    }

    #[test]
    fn another_file_never_has_the_inode_of_one_that_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "1").unwrap();
        let own = OwnFiles::new(vec![path.clone()]);
        assert!(own.contain(of(&path)));
        fs::remove_file(path).unwrap();
        for number in 0..100 {
            let other = directory.path().join(number.to_string());
            fs::write(&other, "2").unwrap();
            assert!(!own.contain(of(&other)), "{number}");
        }
    }

    #[test]
    fn without_files_nothing_is_looked_at() {
        let own = OwnFiles::new(Vec::new());
        assert!(!own.contain((0, 0)) && !own.inodes().contains(&0) && !own.are_below((0, 0)));
        assert!(lock(&own.known).at.is_none());
    }
}
