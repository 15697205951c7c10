//! Rights where a path leads. The core has checked the path as the client wrote it; a symbolic
//! link, a mount, or a file system that ignores case may lead from there to a directory with other
//! rights.
//!
//! Directories with rights of their own are known by device and inode. From where a path leads, the
//! way up to the root shows which of them contain it.

use std::os::fd::OwnedFd;

use ftp_proto::{FileRequest, FtpPath, Refusal, Right, Rights, UploadStart};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};

use super::resolve::Resolved;
use super::root::{Root, identity};

/// The directories with rights of their own, as they are on the disk now.
#[derive(Clone, Debug)]
pub(super) struct RealRights {
    /// Of the whole tree.
    usual: Rights,
    directories: Vec<RealDirectory>,
    /// Those that do not exist: the device and inode of the directory that would contain it, and
    /// the name.
    missing: Vec<((u64, u64), Vec<u8>, Rights)>,
}

#[derive(Clone, Debug)]
struct RealDirectory {
    identity: (u64, u64),
    rights: Rights,
    path: FtpPath,
}

/// Whether a symbolic link at the end of a path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastLink {
    Followed,
    Kept,
}

impl Root {
    /// Whether the login's rights depend on where a path leads.
    pub(super) fn has_real_rights(&self) -> bool {
        self.rules.account.is_some()
    }

    /// `None`: the login has the same rights everywhere.
    pub(super) fn real_rights(&self) -> Option<RealRights> {
        let account = self.rules.account.as_ref()?;
        let mut real = RealRights {
            usual: account.rights(),
            directories: Vec::new(),
            missing: Vec::new(),
        };
        for (path, rights) in account.directories() {
            if let Ok((_, stat)) = self.directory_handle(path) {
                real.directories.push(RealDirectory {
                    identity: identity(&stat),
                    rights: *rights,
                    path: path.clone(),
                });
            } else if let Ok((_, stat)) = self.directory_handle(&path.parent()) {
                let place = (identity(&stat), path.name().to_vec(), *rights);
                real.missing.push(place);
            }
        }
        Some(real)
    }

    /// Whether the login has the rights that a request needs, wherever its paths lead.
    ///
    /// # Errors
    ///
    /// [`Refusal::LoginDenied`].
    pub(super) fn check_real_rights(&self, request: &FileRequest) -> Result<(), Refusal> {
        use LastLink::{Followed, Kept};
        let Some(real) = self.real_rights() else {
            return Ok(());
        };
        let (path, last, right) = match request {
            FileRequest::ChangeDirectory(path) => (path, Followed, Right::ChangeDirectory),
            FileRequest::MakeDirectory { path, .. } => (path, Kept, Right::MakeDirectory),
            FileRequest::RemoveDirectory(path) | FileRequest::DeleteFile(path) => {
                (path, Kept, Right::Delete)
            }
            FileRequest::RenameFrom(path) => return real.check_movable(self, path),
            FileRequest::Rename { from, to, replace } => {
                real.check_movable(self, from)?;
                let mut needed = Rights::NONE.with(Right::Rename);
                if *replace
                    && self
                        .directory
                        .symlink_metadata(super::root::relative(to))
                        .is_ok()
                {
                    needed = needed.with(Right::Overwrite);
                }
                return real.check(self, to, Kept, needed);
            }
            FileRequest::Size { path, .. } | FileRequest::ModifiedTime(path) => {
                (path, Followed, Right::List)
            }
            FileRequest::ChangeMode { path, .. } => (path, Followed, Right::ChangeMode),
            FileRequest::SetModified { path, .. } => (path, Followed, Right::ChangeTime),
            FileRequest::Hash(request) => (&request.path, Followed, Right::Read),
            FileRequest::Space(path) => (path, Followed, Right::Store),
            // What a listing shows is looked at entry by entry.
            FileRequest::Facts(_) | FileRequest::Status(_) | FileRequest::Quota => return Ok(()),
        };
        real.check(self, path, last, Rights::NONE.with(right))
    }

    /// Whether the login may read the file that a path leads to.
    ///
    /// # Errors
    ///
    /// [`Refusal::LoginDenied`].
    pub(super) fn check_readable(&self, path: &FtpPath) -> Result<(), Refusal> {
        self.check_target(path, Right::Read)
    }

    /// Whether the login may know the facts of what a path leads to.
    ///
    /// # Errors
    ///
    /// [`Refusal::LoginDenied`].
    pub(super) fn check_listed(&self, path: &FtpPath) -> Result<(), Refusal> {
        self.check_target(path, Right::List)
    }

    fn check_target(&self, path: &FtpPath, right: Right) -> Result<(), Refusal> {
        let Some(real) = self.real_rights() else {
            return Ok(());
        };
        let needed = Rights::NONE.with(right);
        real.check(self, path, LastLink::Followed, needed)
    }

    /// Whether the login may store a file where a path leads.
    ///
    /// # Errors
    ///
    /// [`Refusal::LoginDenied`].
    pub(super) fn check_storable(
        &self,
        found: &Resolved,
        start: UploadStart,
    ) -> Result<(), Refusal> {
        let Some(real) = self.real_rights() else {
            return Ok(());
        };
        let stores = Rights::NONE.with(Right::Store);
        let needed = match start {
            UploadStart::Create | UploadStart::Unique => stores,
            UploadStart::Replace | UploadStart::At { replace: true, .. }
                if found.stat.is_some() =>
            {
                stores.with(Right::Overwrite)
            }
            UploadStart::Replace | UploadStart::At { replace: true, .. } => stores,
            UploadStart::At { replace: false, .. } => stores.with(Right::Append),
            UploadStart::End => Rights::NONE.with(Right::Append),
        };
        allow(real.of_resolved(self, found), needed)
    }
}

impl RealRights {
    /// The rights for a directory that is open, and for what it contains.
    pub(super) fn of_directory(&self, root: &Root, handle: OwnedFd) -> Rights {
        let climbed = climb(root, handle, |directory| {
            let own = self
                .directories
                .iter()
                .filter(|own| own.identity == directory);
            own.map(|own| own.rights).reduce(Rights::and)
        });
        // A directory that is moved out of the tree meanwhile.
        climbed.map_or(Rights::NONE, |found| found.unwrap_or(self.usual))
    }

    /// The rights for an entry of a directory that has these rights itself.
    pub(super) fn of_entry(
        &self,
        of_directory: Rights,
        directory: (u64, u64),
        name: &[u8],
        stat: Option<&Stat>,
    ) -> Rights {
        let directories = self.directories.iter();
        let own = stat.and_then(|stat| {
            let own = directories.filter(|own| own.identity == identity(stat));
            own.map(|own| own.rights).reduce(Rights::and)
        });
        let missing = self.missing.iter();
        let missing = missing
            .filter(|(place, own, _)| *place == directory && own == name)
            .map(|(_, _, rights)| *rights)
            .reduce(Rights::and);
        own.or(missing).unwrap_or(of_directory)
    }

    /// The rights for what a path leads to, its last link followed.
    pub(super) fn of_target(&self, root: &Root, path: &FtpPath) -> Option<Rights> {
        if let Ok(handle) = root.handle(path)
            && let Ok(stat) = rustix::fs::fstat(&handle)
            && is_directory(&stat)
        {
            return Some(self.of_directory(root, handle));
        }
        let found = root.resolve(path).ok()?;
        Some(self.of_resolved(root, &found))
    }

    fn of_resolved(&self, root: &Root, found: &Resolved) -> Rights {
        let Ok(stat) = rustix::fs::fstat(&found.directory) else {
            return Rights::NONE;
        };
        let Ok(handle) = found.directory.try_clone() else {
            return Rights::NONE;
        };
        let rights = self.of_directory(root, handle.into_std_file().into());
        self.of_entry(rights, identity(&stat), &found.name, found.stat.as_ref())
    }

    /// The rights for what has a name, which may be a symbolic link.
    pub(super) fn of_name(&self, root: &Root, path: &FtpPath) -> Option<Rights> {
        let (directory, of_directory) = root.directory_handle(&path.parent()).ok()?;
        let name = if path.is_root() { b"." } else { path.name() };
        let stat = rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW).ok();
        let place = self.of_directory(root, directory);
        let rights = self.of_entry(place, identity(&of_directory), name, stat.as_ref());
        let identity = stat.as_ref().map(identity);
        let has_own = self
            .directories
            .iter()
            .any(|own| Some(own.identity) == identity);
        // A directory with rights of its own stays in one where nothing may be moved.
        let moves =
            |rights: Rights| rights.contains(Right::Delete) && rights.contains(Right::Rename);
        Some(if has_own && !moves(place) {
            rights.without(Right::Delete).without(Right::Rename)
        } else {
            rights
        })
    }

    /// What does not exist is refused for that reason, by what comes after this.
    fn check(
        &self,
        root: &Root,
        path: &FtpPath,
        last: LastLink,
        needed: Rights,
    ) -> Result<(), Refusal> {
        let found = match last {
            LastLink::Followed => self.of_target(root, path),
            LastLink::Kept => self.of_name(root, path),
        };
        found.map_or(Ok(()), |rights| allow(rights, needed))
    }

    /// Whether this may be renamed: a directory takes everything along that is below it.
    fn check_movable(&self, root: &Root, path: &FtpPath) -> Result<(), Refusal> {
        let needed = Rights::NONE.with(Right::Rename);
        self.check(root, path, LastLink::Kept, needed)?;
        let stat = root.directory.symlink_metadata(super::root::relative(path));
        let Ok(moved) = stat.map(|metadata| {
            use cap_std::fs::MetadataExt;
            (metadata.dev(), metadata.ino())
        }) else {
            return Ok(());
        };
        for own in &self.directories {
            let Ok((handle, _)) = root.directory_handle(&own.path) else {
                continue;
            };
            let is_moved = climb(root, handle, |directory| (directory == moved).then_some(()));
            if matches!(is_moved, Some(Some(()))) {
                allow(own.rights, needed)?;
            }
        }
        Ok(())
    }
}

/// What the fact `perm` shows for a link that is shown as what it leads to: the link itself is
/// removed and renamed. Removing what is in a directory needs the right there too.
pub(super) fn of_link(place: Rights, target: Rights) -> Rights {
    let deletes = place.contains(Right::Delete) && target.contains(Right::Delete);
    let both = target.without(Right::Delete).without(Right::Rename);
    let own = [
        (Right::Delete, deletes),
        (Right::Rename, place.contains(Right::Rename)),
    ];
    let own = own.into_iter().filter(|(_, has)| *has);
    own.fold(both, |rights, (right, _)| rights.with(right))
}

fn allow(rights: Rights, needed: Rights) -> Result<(), Refusal> {
    if rights.and(needed) == needed {
        Ok(())
    } else {
        Err(Refusal::LoginDenied)
    }
}

/// Looks at a directory and at all that contain it, up to the root, until `find` finds something.
/// `None`: the way up does not end at the root.
fn climb<T>(
    root: &Root,
    mut handle: OwnedFd,
    find: impl Fn((u64, u64)) -> Option<T>,
) -> Option<Option<T>> {
    let named = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    for _ in 0..LEVELS_MAX {
        let stat = rustix::fs::fstat(&handle).ok()?;
        if let Some(found) = find(identity(&stat)) {
            return Some(Some(found));
        }
        if root.is_root(&stat) {
            return Some(None);
        }
        handle = rustix::fs::openat(&handle, "..", named, Mode::empty()).ok()?;
    }
    None
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// More levels than a path of the core has.
const LEVELS_MAX: usize = 256;
