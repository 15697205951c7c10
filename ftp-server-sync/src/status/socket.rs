//! The status socket as a file: only its owner and root can connect to it.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{
    AtFlags, CWD, FileType, FlockOperation, Gid, Mode, OFlags, Uid, chownat, fchmod, flock, fstat,
    openat,
};
use rustix::process::geteuid;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::logging::system_text::SystemText;

/// A socket that listens, and its file.
#[derive(Debug)]
pub(crate) struct StatusSocket {
    pub(super) listener: UnixListener,
    pub(super) file: SocketFile,
}

/// The file of a socket, which is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode: another file may have taken the name.
    identity: (u64, u64),
}

impl StatusSocket {
    /// Listens at this path. A file that a server has left behind there is replaced.
    ///
    /// # Errors
    ///
    /// Why it cannot, and what would help; also if another server listens there.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        check_directory(path)?;
        let _lock = directory(path).and_then(lock_directory);
        let bound = match listen(path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                check_unused(path)?;
                fs::remove_file(path).map_err(|error| with_text(&error, "cannot remove it"))?;
                listen(path)
            }
            other => other,
        };
        let listener = bound.map_err(|error| match error.kind() {
            ErrorKind::InvalidInput => {
                io::Error::new(error.kind(), "the path is too long, or no path")
            }
            _ => error,
        })?;
        let found = fs::symlink_metadata(path)?;
        let file = SocketFile {
            path: path.to_owned(),
            identity: (found.dev(), found.ino()),
        };
        if found.mode() & OTHERS != 0 {
            return Err(io::Error::other(
                "this system lets others connect to it, whatever its mode is to be",
            ));
        }
        Ok(Self {
            listener: UnixListener::from(OwnedFd::from(listener)),
            file,
        })
    }

    /// Gives the file to a user, who can connect then.
    ///
    /// # Errors
    ///
    /// The system's error, or that it is another file by now.
    pub(crate) fn give_to(&self, user: u32, group: u32) -> io::Result<()> {
        let SocketFile { path, identity } = &self.file;
        // Not by its name: what has that name may be replaced between two calls.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(CWD, path, flags, Mode::empty())?;
        let stat = fstat(&file)?;
        let is_socket = FileType::from_raw_mode(stat.st_mode) == FileType::Socket;
        if !is_socket || (stat.st_dev, stat.st_ino) != *identity {
            return Err(io::Error::other("it was replaced"));
        }
        let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
        let flags = AtFlags::EMPTY_PATH;
        Ok(chownat(&file, "", Some(user), Some(group), flags)?)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path);
        let is_own = found.is_ok_and(|found| (found.dev(), found.ino()) == self.identity);
        if is_own {
            // Without the right to remove it, the next start replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether root can make a socket in the directory of this path without being led elsewhere by a
/// user: no one else may change a directory or a link on the way, or make a file there.
pub(crate) fn is_directory_of_root(path: &Path) -> bool {
    is_way_of_root(path) && !is_shared(path)
}

/// Root replaces and removes the file of a socket, which is a look and then a removal: no one else
/// may put another file there in between. Another user can remove only what is that user's own.
fn check_directory(path: &Path) -> io::Result<()> {
    // Otherwise the system says what is wrong with it.
    let is_directory = directory(path).is_some_and(Path::is_dir);
    if !is_directory || !geteuid().is_root() || is_way_of_root(path) {
        return Ok(());
    }
    Err(io::Error::other(
        "another user can change its directory, or one above it, and root removes no file there",
    ))
}

/// Whether others may make files in the directory of this path, but not change those of others, as
/// in `/tmp`.
fn is_shared(path: &Path) -> bool {
    let found = directory(path).map(fs::metadata);
    found.is_none_or(|found| found.is_ok_and(|found| found.mode() & WRITABLE_BY_OTHERS != 0))
}

/// Whether no one but root may change a directory or a link on the way, or a file of root's at its
/// end.
fn is_way_of_root(path: &Path) -> bool {
    let Some(given) = directory(path).and_then(|directory| std::path::absolute(directory).ok())
    else {
        return false;
    };
    let Ok(real) = fs::canonicalize(&given) else {
        return false;
    };
    let is_of_root = |place: &Path| {
        fs::symlink_metadata(place).is_ok_and(|found| {
            let is_closed = found.mode() & WRITABLE_BY_OTHERS == 0 || found.mode() & STICKY != 0;
            found.uid() == 0 && (found.is_symlink() || found.is_dir() && is_closed)
        })
    };
    given.ancestors().chain(real.ancestors()).all(is_of_root)
}

/// A socket that only its owner can connect to from the moment on that it exists.
fn listen(path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    // Linux gives the file the mode of the socket.
    fchmod(socket.as_fd(), Mode::RUSR | Mode::WUSR)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(BACKLOG).inspect_err(|_| {
        let _ = fs::remove_file(path);
    })?;
    Ok(socket)
}

/// Whether the file at this path is a socket at which no program listens.
fn check_unused(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    if !found.file_type().is_socket() {
        return Err(io::Error::other("another file is there: remove it"));
    }
    // Its owner may replace it before it is removed.
    if geteuid().is_root() && found.uid() != 0 && is_shared(path) {
        return Err(io::Error::other(
            "a socket of another user is there: remove it",
        ));
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(error),
        // One whose queue is full is in use too.
        _ => Err(io::Error::new(
            ErrorKind::AddrInUse,
            "another server uses it",
        )),
    }
}

/// The directory of a path.
fn directory(path: &Path) -> Option<&Path> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    })
}

/// Two servers that start at the same time must not both find an unused socket, and remove that of
/// the other. Where the file system has no locks, or a program keeps this one, that risk is small.
fn lock_directory(directory: &Path) -> Option<File> {
    let file = File::open(directory).ok()?;
    for _ in 0..LOCK_TRIES {
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            break;
        }
        thread::sleep(LOCK_PAUSE);
    }
    Some(file)
}

fn with_text(error: &io::Error, text: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{text}: {}", SystemText(error)))
}

/// Connections that wait until the thread accepts them.
const BACKLOG: i32 = 16;

/// Others hold the lock for some system calls.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(2);

/// The permission bits of the group and of all others.
const OTHERS: u32 = 0o077;
const WRITABLE_BY_OTHERS: u32 = 0o022;
const STICKY: u32 = 0o1000;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn only_the_owner_can_connect_and_the_file_goes_with_the_socket() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let socket = StatusSocket::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        UnixStream::connect(&path).unwrap();
        socket.give_to(1234, 1235).unwrap();
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.uid(), found.gid()), (1234, 1235));
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_in_use_is_not_taken_and_one_left_behind_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let first = StatusSocket::bind(&path).unwrap();
        let error = StatusSocket::bind(&path).unwrap_err();
        assert_eq!(error.to_string(), "another server uses it");
        UnixStream::connect(&path).unwrap();
        let StatusSocket { listener, file } = first;
        std::mem::forget(file);
        drop(listener);
        assert!(path.exists());
        let second = StatusSocket::bind(&path).unwrap();
        UnixStream::connect(&path).unwrap();
        drop(second);
    }

    #[test]
    fn no_other_file_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        fs::write(&path, "text").unwrap();
        let error = StatusSocket::bind(&path).unwrap_err();
        assert_eq!(error.to_string(), "another file is there: remove it");
        let link = directory.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(StatusSocket::bind(&link).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"text");
        fs::remove_file(&path).unwrap();
        // Nor one that has taken the socket's name.
        let socket = StatusSocket::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "text").unwrap();
        assert!(socket.give_to(0, 0).is_err());
        drop(socket);
        assert_eq!(fs::read(&path).unwrap(), b"text");
    }

    #[test]
    fn a_path_that_is_too_long_is_an_error() {
        let path = PathBuf::from(format!("/tmp/{}", "x".repeat(200)));
        let error = StatusSocket::bind(&path).unwrap_err();
        assert_eq!(error.to_string(), "the path is too long, or no path");
    }

    #[test]
    fn whose_directory_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        assert!(is_directory_of_root(&path), "run the tests as root");
        let set_mode = |mode| {
            let mode = fs::Permissions::from_mode(mode);
            fs::set_permissions(directory.path(), mode).unwrap();
        };
        set_mode(0o770);
        assert!(!is_directory_of_root(&path));
        assert!(!is_way_of_root(&path));
        set_mode(0o1777);
        assert!(!is_directory_of_root(&path));
        assert!(is_way_of_root(&path));
        set_mode(0o700);
        // Its owner may put another directory in the place of one in it, or lead elsewhere.
        let inner = directory.path().join("inner");
        fs::create_dir(&inner).unwrap();
        assert!(is_directory_of_root(&inner.join("socket")));
        let other = tempfile::tempdir().unwrap();
        let link = other.path().join("link");
        symlink(&inner, &link).unwrap();
        assert!(is_directory_of_root(&link.join("socket")));
        std::os::unix::fs::chown(directory.path(), Some(1234), None).unwrap();
        for directory in [directory.path(), &inner, &link] {
            let path = directory.join("socket");
            assert!(!is_directory_of_root(&path), "{}", path.display());
            assert!(!is_way_of_root(&path), "{}", path.display());
        }
    }

    /// It could be replaced by another file before root removes it.
    #[test]
    fn root_removes_nothing_that_another_user_can_replace() {
        assert!(geteuid().is_root(), "run the tests as root");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let set_mode = |mode| {
            let mode = fs::Permissions::from_mode(mode);
            fs::set_permissions(directory.path(), mode).unwrap();
        };
        let refused = |text: &str| {
            let error = StatusSocket::bind(&path).unwrap_err().to_string();
            assert!(error.starts_with(text), "{error}");
            assert!(path.exists());
        };
        let owner = |user| std::os::unix::fs::chown(&path, Some(user), None).unwrap();
        // Left behind: no one listens.
        drop(UnixListener::bind(&path).unwrap());
        for mode in [0o777, 0o770, 0o720] {
            set_mode(mode);
            refused("another user can change its directory");
        }
        set_mode(0o1777);
        owner(1234);
        refused("a socket of another user is there");
        owner(0);
        drop(StatusSocket::bind(&path).unwrap());
        assert!(!path.exists());
        // No one else can make a file there.
        set_mode(0o755);
        drop(UnixListener::bind(&path).unwrap());
        owner(1234);
        drop(StatusSocket::bind(&path).unwrap());
        drop(UnixListener::bind(&path).unwrap());
        std::os::unix::fs::chown(directory.path(), Some(1234), None).unwrap();
        refused("another user can change its directory");
    }
}
