//! The directory that is served, and where paths lead in it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use ftp_proto::{FtpPath, Refusal};

#[derive(Clone)]
pub(super) struct Root(PathBuf);

impl Root {
    /// `path`: without symbolic links.
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn is(&self, path: &Path) -> bool {
        path == self.0
    }

    /// Where a path leads. Links are followed here, not by the system: none may lead out of the
    /// root, so absolute ones lead nowhere. `follow`: also a link at the end. The end need not
    /// exist.
    pub(super) fn resolve(&self, path: &FtpPath, follow: bool) -> Result<PathBuf, Refusal> {
        self.walk(Path::new(OsStr::from_bytes(path.relative())), follow)
    }

    /// Where a symbolic link leads; `link` is a path of the system, below the root.
    pub(super) fn follow(&self, link: &Path) -> Result<PathBuf, Refusal> {
        let relative = link.strip_prefix(&self.0).map_err(|_| Refusal::Denied)?;
        self.walk(relative, true)
    }

    fn walk(&self, relative: &Path, follow: bool) -> Result<PathBuf, Refusal> {
        let mut found = self.0.clone();
        let mut pending: Vec<OsString> = Vec::new();
        let push = |pending: &mut Vec<OsString>, path: &Path| {
            let parts = path.components().rev();
            pending.extend(parts.map(|part| part.as_os_str().to_owned()));
        };
        push(&mut pending, relative);
        let mut links_left = LINKS_MAX;
        while let Some(name) = pending.pop() {
            if name == ".." {
                if self.is(&found) || !found.pop() {
                    return Err(Refusal::Denied);
                }
                continue;
            }
            found.push(name);
            if pending.is_empty() && !follow {
                break;
            }
            if let Ok(target) = fs::read_link(&found) {
                if target.components().next() == Some(Component::RootDir) || links_left == 0 {
                    return Err(Refusal::Denied);
                }
                links_left -= 1;
                found.pop();
                push(&mut pending, &target);
            }
        }
        Ok(found)
    }

    /// The path itself, and not the root: for what creates, renames and removes.
    pub(super) fn below(&self, path: &FtpPath) -> Result<PathBuf, Refusal> {
        if path.is_root() {
            return Err(Refusal::Denied);
        }
        self.resolve(path, false)
    }

    /// A regular file, behind symbolic links. Others are never opened: a pipe would block.
    pub(super) fn file(&self, path: &FtpPath) -> Result<(PathBuf, Metadata), Refusal> {
        let path = self.resolve(path, true)?;
        let metadata = fs::metadata(&path).map_err(|error| Refusal::from(&error))?;
        match metadata.file_type() {
            kind if kind.is_file() => Ok((path, metadata)),
            kind if kind.is_dir() => Err(Refusal::IsADirectory),
            _ => Err(Refusal::NotARegularFile),
        }
    }

    /// What SITE CHMOD and MFMT may change, behind symbolic links.
    pub(super) fn changeable(&self, path: &FtpPath) -> Result<(PathBuf, Metadata), Refusal> {
        let is_root = path.is_root();
        let path = self.resolve(path, true)?;
        let metadata = fs::metadata(&path).map_err(|error| Refusal::from(&error))?;
        match metadata.is_file() || metadata.is_dir() {
            _ if is_root => Err(Refusal::Denied),
            true => Ok((path, metadata)),
            false => Err(Refusal::NotARegularFile),
        }
    }
}

/// As many as Linux follows in one path.
const LINKS_MAX: usize = 40;
