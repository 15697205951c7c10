//! The way to a file of root: through no symbolic link that another user can have made.
//!
//! A log often lies in a directory of the user that the server becomes, who has to rotate it. A
//! link that this user puts in its place must not make root append lines to a file of root.
//!
//! Nothing changes between a look at a link and its use: all that is found is held open.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use ftp_proto::text::printable_word;
use rustix::fs::{
    CWD, FileType, Mode, OFlags, PROC_SUPER_MAGIC, Uid, fstat, fstatfs, openat, readlinkat,
};
use rustix::io::Errno;

/// A directory and the name of a file in it. Whatever has this name now, no link is followed.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) directory: OwnedFd,
    pub(super) name: OsString,
    /// It is no name, but one of the process's own open files, as `/dev/stdout` leads to.
    pub(super) is_open_file: bool,
    /// The owner of the directory.
    pub(super) owner: Uid,
}

/// Follows the links of an absolute path, as far as this user has made them.
///
/// # Errors
///
/// What the system says, or that another user has made a link.
pub(super) fn walk(path: &Path, trusted: Uid) -> io::Result<Place> {
    let mut directory = root()?;
    let mut ahead = reversed(path);
    let mut links = 0;
    while let Some(name) = ahead.pop() {
        if name.as_bytes() == b"/" {
            directory = root()?;
            continue;
        }
        let is_last = ahead.is_empty();
        let place = |directory: OwnedFd, is_open_file| {
            Ok(Place {
                owner: owner(&directory)?,
                directory,
                name: name.clone(),
                is_open_file,
            })
        };
        let found = match openat(&directory, &name, LOOK, Mode::empty()) {
            Err(Errno::NOENT) if is_last => return place(directory, false),
            found => found?,
        };
        let stat = fstat(&found)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            if is_last {
                return place(directory, false);
            }
            directory = found;
            continue;
        }
        links += 1;
        if links > LINKS_MAX {
            return Err(Errno::LOOP.into());
        }
        if stat.st_uid != trusted.as_raw() {
            return Err(of_another(&name, stat.st_uid));
        }
        // Its text is not the way to it.
        if is_last && fstatfs(&directory)?.f_type == PROC_SUPER_MAGIC {
            return place(directory, true);
        }
        let target = readlinkat(&found, "", Vec::new())?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        ahead.extend(reversed(&target));
    }
    Err(ErrorKind::IsADirectory.into())
}

fn root() -> io::Result<OwnedFd> {
    Ok(openat(CWD, "/", LOOK, Mode::empty())?)
}

fn owner(directory: &OwnedFd) -> io::Result<Uid> {
    Ok(Uid::from_raw(fstat(directory)?.st_uid))
}

/// The names, the next one last.
fn reversed(path: &Path) -> Vec<OsString> {
    let names = path.components().rev();
    let names = names.filter(|name| *name != Component::CurDir);
    names.map(|name| name.as_os_str().to_owned()).collect()
}

fn of_another(name: &OsStr, owner: u32) -> io::Error {
    let name = printable_word(name.as_bytes());
    let text = format!("{name} is a symbolic link of the user {owner}, which root does not follow");
    io::Error::new(ErrorKind::InvalidInput, text)
}

const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// As of the kernel.
const LINKS_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use rustix::process::geteuid;

    use super::*;

    #[test]
    fn links_of_another_user_are_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        fs::create_dir(base.join("real")).unwrap();
        fs::write(base.join("real/file"), "").unwrap();
        symlink("real", base.join("directory")).unwrap();
        symlink("directory/file", base.join("file")).unwrap();
        symlink("nowhere", base.join("dangling")).unwrap();
        symlink("loop", base.join("loop")).unwrap();
        let (own, other) = (geteuid(), Uid::from_raw(geteuid().as_raw() + 1));

        for name in [
            "real/file",
            "directory/file",
            "file",
            "real/../file",
            "real/none",
        ] {
            let place = walk(&base.join(name), own).unwrap();
            assert_eq!((place.owner, place.is_open_file), (own, false), "{name}");
            let expected = if name == "real/none" { "none" } else { "file" };
            assert_eq!(place.name, expected, "{name}");
        }
        assert_eq!(walk(&base.join("dangling"), own).unwrap().name, "nowhere");
        for name in ["loop", "none/file", "real/file/file"] {
            walk(&base.join(name), own).unwrap_err();
        }
        for name in ["real/file", "real/none"] {
            walk(&base.join(name), other).unwrap();
        }
        for name in ["directory/file", "file", "dangling", "loop", "real/../file"] {
            let error = walk(&base.join(name), other).unwrap_err().to_string();
            assert!(
                error.contains(" is a symbolic link of the user "),
                "{error}"
            );
        }
    }

    #[test]
    fn an_open_file_has_no_other_way() {
        let open = fs::File::open("/dev/null").unwrap();
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&open);
        let path = format!("/proc/self/fd/{descriptor}");
        // The links of the kernel belong to root, and to the process itself.
        let place = walk(Path::new(&path), geteuid());
        assert_eq!(
            place.is_ok_and(|place| place.is_open_file),
            geteuid().is_root()
        );
    }
}
