//! The directories of a walk. One is open at a time: each is opened anew beneath its root, and the
//! core compares it with the one that its entry showed.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;

use ftp_proto::listing::{
    Details, DirectoryId, Entry, EntryKind, NameList, OpenRequest, OpenedDirectory, WalkAnswer,
};
use ftp_proto::{FtpPath, Refusal, Right, Rights};
use rustix::fs::{AtFlags, Mode, OFlags, RawDir};
use rustix::io::Errno;

use crate::fs::entry::fill_entry;
use crate::fs::links::{Containers, is_link};
use crate::fs::owners::Owners;
use crate::fs::real_rights::{RealRights, of_link};
use crate::fs::root::{Root, identity, refusal};
use crate::fs::tree::entries::bare_identity;
use crate::fs::tree::{Place, Tree};

/// The directory of a walk that is open, if any.
#[derive(Debug)]
pub(super) struct Directories {
    tree: Tree,
    /// The rights in the share that was entered last, by where it is seen; without rights, the
    /// login has the same rights everywhere in it.
    real: Option<(FtpPath, Option<RealRights>)>,
    owners: Owners,
    current: Option<(DirectoryId, OpenDirectory)>,
    /// For what the system returns of a directory, without being initialized each time.
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct OpenDirectory {
    /// As the client sees it.
    path: FtpPath,
    /// `None`: it only contains mount points.
    disk: Option<DiskDirectory>,
    /// The names of mount points in it, and of directories that contain some. What has these names
    /// on the disk is hidden.
    mounts: BTreeSet<Vec<u8>>,
    has_read_mounts: bool,
}

#[derive(Debug)]
struct DiskDirectory {
    root: Root,
    /// Relative to that root.
    path: FtpPath,
    /// Only names the directory (`O_PATH`); for looking at its entries.
    handle: OwnedFd,
    /// For its remaining names, if they are to be read.
    names: Option<OwnedFd>,
    identity: (u64, u64),
    /// The login's rights in it; `None`: as its path says.
    rights: Option<Rights>,
    containers: Containers,
}

impl Directories {
    pub(super) fn new(tree: &Tree) -> Self {
        Self {
            tree: tree.clone(),
            real: None,
            owners: Owners::default(),
            current: None,
            buffer: Vec::new(),
        }
    }

    /// A directory is opened by its path, so its parent directory is not needed any more.
    pub(super) fn open(&mut self, request: OpenRequest<'_>) -> WalkAnswer {
        self.current = None;
        answer(self.try_open(request).map(WalkAnswer::Opened))
    }

    /// The next names of a directory.
    pub(super) fn read(&mut self, id: DirectoryId) -> WalkAnswer {
        let directory = find(&mut self.current, id);
        answer(directory.and_then(|directory| directory.read(&mut self.buffer)))
    }

    /// An entry of a directory.
    pub(super) fn look(&mut self, id: DirectoryId, name: &[u8], details: Details) -> WalkAnswer {
        // Each is large to move, and a directory may contain many.
        let mut answer = WalkAnswer::Entry(Entry::new(Vec::new(), EntryKind::File, 0, 0));
        if let WalkAnswer::Entry(entry) = &mut answer
            && let Err(refusal) = self.try_look(id, name, details, entry)
        {
            answer = WalkAnswer::Refused(refusal);
        }
        answer
    }

    pub(super) fn look_at(&mut self, path: &FtpPath, details: Details) -> WalkAnswer {
        let entry = self.tree.entry(path, details, &mut self.owners);
        answer(entry.map(WalkAnswer::Entry))
    }

    pub(super) fn close(&mut self, id: DirectoryId) {
        self.current.take_if(|(current, _)| *current == id);
    }

    fn try_open(&mut self, request: OpenRequest<'_>) -> Result<OpenedDirectory, Refusal> {
        let path = request.path;
        let tree = self.tree.clone();
        let (disk, opened) = match tree.place(path)? {
            Place::Bare => {
                let (device, inode) = bare_identity(path);
                let opened = OpenedDirectory {
                    device,
                    inode,
                    is_root: false,
                };
                (None, opened)
            }
            Place::Shared(root, inner) => {
                let share = tree.share_of(path);
                let is_home = share.is_root();
                self.update_real_rights(share, root);
                let disk = self.open_on_disk(root, inner.into_owned(), request.is_read)?;
                let (device, inode) = disk.identity;
                let opened = OpenedDirectory {
                    device,
                    inode,
                    is_root: is_home && disk.is_root(),
                };
                (Some(disk), opened)
            }
        };
        let directory = OpenDirectory {
            path: path.clone(),
            disk,
            mounts: tree.mount_names(path),
            has_read_mounts: false,
        };
        self.current = Some((request.id, directory));
        Ok(opened)
    }

    fn open_on_disk(
        &self,
        root: &Root,
        path: FtpPath,
        is_read: bool,
    ) -> Result<DiskDirectory, Refusal> {
        let (handle, stat) = root.directory_handle(&path)?;
        let rights = match self.real_rights() {
            Some(real) => {
                let copy = handle.try_clone().map_err(|error| refusal(&error))?;
                Some(real.of_directory(root, copy))
            }
            None => None,
        };
        if rights.is_some_and(|rights| !rights.contains(Right::List)) {
            return Err(Refusal::LoginDenied);
        }
        let names = if is_read {
            Some(open_names(&handle).map_err(|error| refusal(&error))?)
        } else {
            None
        };
        Ok(DiskDirectory {
            root: root.clone(),
            handle,
            names,
            containers: Containers::of(path.clone()),
            path,
            identity: identity(&stat),
            rights,
        })
    }

    /// Rights are found once for each share that the walk comes to.
    fn update_real_rights(&mut self, share: FtpPath, root: &Root) {
        if self.real.as_ref().is_none_or(|(known, _)| *known != share) {
            self.real = Some((share, root.real_rights()));
        }
    }

    fn real_rights(&self) -> Option<&RealRights> {
        let (_, real) = self.real.as_ref()?;
        real.as_ref()
    }

    fn try_look(
        &mut self,
        id: DirectoryId,
        name: &[u8],
        details: Details,
        entry: &mut Entry,
    ) -> Result<(), Refusal> {
        let directory = find(&mut self.current, id)?;
        if let Some(path) = directory.seen_elsewhere(name) {
            *entry = self.tree.entry(&path, details, &mut self.owners)?;
            return Ok(());
        }
        let own = match name {
            b"." => Some(directory.path.clone()),
            b".." => Some(directory.path.parent()),
            _ => None,
        };
        let disk = directory.disk.as_mut().ok_or(Refusal::NotFound)?;
        let real = self.real.as_ref().and_then(|(_, real)| real.as_ref());
        disk.look(name, details, real, &mut self.owners, entry)?;
        entry.is_fixed = own.is_some_and(|own| !own.is_root() && self.tree.is_fixed(&own));
        Ok(())
    }
}

impl OpenDirectory {
    /// The path of what a name means that is not found in the directory on the disk.
    fn seen_elsewhere(&self, name: &[u8]) -> Option<FtpPath> {
        let is_top = self.disk.as_ref().is_none_or(DiskDirectory::is_root);
        match name {
            // The directory above a mount on the disk is none of the user's.
            b".." if is_top => Some(self.path.parent()),
            b"." if self.disk.is_none() => Some(self.path.clone()),
            name if self.mounts.contains(name) => self.path.child(name),
            _ => None,
        }
    }

    /// The next names; those of mount points come last.
    fn read(&mut self, buffer: &mut Vec<u8>) -> Result<WalkAnswer, Refusal> {
        let mut names = NameList::default();
        let is_last = match &mut self.disk {
            Some(disk) => {
                let directory = disk.names.as_ref().ok_or(Refusal::Failed)?;
                let read = read(directory, buffer, &disk.root, &self.mounts, &mut names);
                read.map_err(|error| refusal(&error))?
            }
            None => true,
        };
        if is_last && !std::mem::replace(&mut self.has_read_mounts, true) {
            self.mounts.iter().for_each(|name| names.push(name));
        }
        Ok(WalkAnswer::Names { names, is_last })
    }
}

impl DiskDirectory {
    fn is_root(&self) -> bool {
        self.identity == self.root.identity
    }

    fn look(
        &mut self,
        name: &[u8],
        details: Details,
        real: Option<&RealRights>,
        owners: &mut Owners,
        entry: &mut Entry,
    ) -> Result<(), Refusal> {
        let handle = &self.handle;
        let mut stat = rustix::fs::statat(handle, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| refusal(&errno.into()))?;
        if self.root.is_own(identity(&stat)) {
            return Err(Refusal::NotFound);
        }
        // What its path says is all that is known of the directory above.
        let of_directory = self.rights.filter(|_| name != b"..");
        let mut rights = real
            .zip(of_directory)
            .map(|(real, rights)| real.of_entry(rights, self.identity, name, Some(&stat)));
        if details.follow_links
            && is_link(&stat)
            && let Some(path) = self.path.child(name)
            && let Some((target, of_target)) =
                (self.root).follow(&path, &stat, &mut self.containers, real)
        {
            stat = target;
            rights = rights.map(|place| of_link(place, of_target));
        }
        fill_entry(entry, handle, name, &stat, details, owners);
        entry.rights = rights;
        Ok(())
    }
}

fn find(
    current: &mut Option<(DirectoryId, OpenDirectory)>,
    id: DirectoryId,
) -> Result<&mut OpenDirectory, Refusal> {
    match current {
        Some((current, directory)) if *current == id => Ok(directory),
        _ => Err(Refusal::Failed),
    }
}

/// Opens a directory for reading. A handle needs no right to read it; this does.
fn open_names(handle: &OwnedFd) -> io::Result<OwnedFd> {
    let open = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(handle, ".", open, Mode::empty())?)
}

/// Appends the next names, without `hidden` and those of the server's own files: those that the
/// system returns at once. True: there are no others.
fn read(
    directory: &OwnedFd,
    buffer: &mut Vec<u8>,
    root: &Root,
    hidden: &BTreeSet<Vec<u8>>,
    names: &mut NameList,
) -> io::Result<bool> {
    let own_inodes = root.rules.own_files.inodes();
    buffer.reserve(READ_BYTES);
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    loop {
        let found = match entries.next() {
            // The latter, where it has been removed meanwhile.
            None | Some(Err(Errno::NOENT)) => return Ok(true),
            Some(Err(Errno::INTR)) => continue,
            Some(found) => found?,
        };
        let name = found.file_name().to_bytes();
        // Most inodes need no look.
        let may_be_own = own_inodes.contains(&found.ino());
        let is_hidden =
            hidden.contains(name) || (may_be_own && is_own(root, directory, found.file_name()));
        if !is_hidden {
            names.push(name);
        }
        if entries.is_buffer_empty() && !names.is_empty() {
            return Ok(false);
        }
    }
}

fn is_own(root: &Root, directory: &OwnedFd, name: &CStr) -> bool {
    let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW);
    stat.is_ok_and(|stat| root.is_own(identity(&stat)))
}

fn answer(result: Result<WalkAnswer, Refusal>) -> WalkAnswer {
    result.unwrap_or_else(WalkAnswer::Refused)
}

/// What one call reads of a directory: about as many names as a walk wants in one piece. More would
/// not be faster, and a turn could not end between them.
const READ_BYTES: usize = 8 * 1024;
