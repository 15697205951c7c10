//! Where a path leads when its last name is one of a symbolic link.

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::fs::Dir;
use ftp_proto::{FtpPath, Refusal};
use rustix::fs::{AtFlags, FileType, Stat};
use rustix::io::Errno;

use super::root::{Root, refusal, relative};

/// A name in a directory. The name is none of a symbolic link, or was none a moment ago.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) directory: Arc<Dir>,
    pub(super) name: Vec<u8>,
    /// The attributes of what has the name; `None` if that is free.
    pub(super) stat: Option<Stat>,
    /// Whether the path leads through a symbolic link at its end.
    pub(super) is_linked: bool,
}

impl Root {
    /// Follows the symbolic links at the end of a path. A link that leads nowhere leads to a file
    /// to be created.
    ///
    /// # Errors
    ///
    /// The file system's refusal; [`Refusal::Denied`] for a link out of the shared directory.
    pub(super) fn resolve(&self, path: &FtpPath) -> Result<Resolved, Refusal> {
        let parent = path.parent();
        let mut directory = if parent.is_root() {
            self.directory.clone()
        } else {
            self.open_directory(&parent)?.into()
        };
        let mut text = PathBuf::from(relative(&parent));
        let mut name = path.name().to_vec();
        for links in 0..LINKS_MAX {
            let stat = stat(&directory, OsStr::from_bytes(&name));
            let stat = stat.map_err(|errno| refusal(&errno.into()))?;
            if !stat.is_some_and(|stat| is_link(&stat)) {
                return Ok(Resolved {
                    directory,
                    name,
                    stat,
                    is_linked: links > 0,
                });
            }
            (text, name) = follow(&text, &directory, &name)?;
            // The kernel walks the whole way anew: `..` in a link counts from where the link is on
            // the disk.
            let opened = self.directory.open_dir(&text);
            directory = opened.map_err(|error| refusal(&error))?.into();
        }
        Err(Refusal::Denied)
    }
}

/// The attributes of what has the name itself; `None` if that is free.
pub(super) fn stat(directory: impl AsFd, name: &OsStr) -> Result<Option<Stat>, Errno> {
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn is_link(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
}

/// The directory, relative to the root, and the name that the link leads to which has this name in
/// `directory`, at `text`.
fn follow(text: &Path, directory: &Dir, name: &[u8]) -> Result<(PathBuf, Vec<u8>), Refusal> {
    let link = rustix::fs::readlinkat(directory, OsStr::from_bytes(name), Vec::new());
    let link = link.map_err(|errno| refusal(&errno.into()))?.into_bytes();
    if link.starts_with(b"/") {
        return Err(Refusal::Denied);
    }
    // Such a path names a directory, and `Path` does not say so.
    if link.ends_with(b"/") || link.ends_with(b"/.") {
        return Err(Refusal::IsADirectory);
    }
    let link = Path::new(OsStr::from_bytes(&link));
    let name = link.file_name().ok_or(Refusal::IsADirectory)?;
    let parent = text.join(link.parent().unwrap_or(Path::new("")));
    let name = name.as_bytes().to_vec();
    Ok(if parent.as_os_str().is_empty() {
        (PathBuf::from("."), name)
    } else {
        (parent, name)
    })
}

/// As many as the kernel follows.
const LINKS_MAX: usize = 40;
