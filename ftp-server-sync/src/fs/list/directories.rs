//! The directories of a walk. One is open at a time: each is opened anew beneath the root, and the
//! core compares it with the one that its entry showed.

use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;

use ftp_proto::listing::limits::NAMES_PER_STEP;
use ftp_proto::listing::{
    Details, DirectoryId, Entry, NameList, OpenRequest, OpenedDirectory, WalkAnswer,
};
use ftp_proto::{FtpPath, Refusal, Right, Rights};
use rustix::fs::{AtFlags, Dir, Mode, OFlags};

use crate::fs::entry::entry_of;
use crate::fs::links::Containers;
use crate::fs::owners::Owners;
use crate::fs::real_rights::{RealRights, of_link};
use crate::fs::root::{Root, identity, refusal};

/// The directory of a walk that is open, if any.
#[derive(Debug)]
pub(super) struct Directories {
    root: Root,
    /// `None`: the login has the same rights everywhere.
    real: Option<RealRights>,
    owners: Owners,
    current: Option<(DirectoryId, OpenDirectory)>,
}

#[derive(Debug)]
struct OpenDirectory {
    /// Only names the directory (`O_PATH`); for looking at its entries.
    handle: OwnedFd,
    /// Its remaining names, if they are to be read.
    names: Option<Dir>,
    path: FtpPath,
    identity: (u64, u64),
    /// The login's rights in it; `None`: as its path says.
    rights: Option<Rights>,
    containers: Containers,
}

impl Directories {
    pub(super) fn new(root: &Root) -> Self {
        Self {
            root: root.clone(),
            real: root.real_rights(),
            owners: Owners::default(),
            current: None,
        }
    }

    /// A directory is opened by its path, so its parent directory is not needed any more.
    pub(super) fn open(&mut self, request: OpenRequest<'_>) -> WalkAnswer {
        self.current = None;
        answer(self.try_open(request).map(WalkAnswer::Opened))
    }

    /// The next names of a directory.
    pub(super) fn read(&mut self, id: DirectoryId) -> WalkAnswer {
        answer(find(&mut self.current, id).and_then(|directory| {
            let names = directory.names.as_mut().ok_or(Refusal::Failed)?;
            read(names, &self.root).map_err(|error| refusal(&error))
        }))
    }

    /// An entry of a directory.
    pub(super) fn look(&mut self, id: DirectoryId, name: &[u8], details: Details) -> WalkAnswer {
        answer(self.try_look(id, name, details).map(WalkAnswer::Entry))
    }

    pub(super) fn look_at(&mut self, path: &FtpPath, details: Details) -> WalkAnswer {
        let entry = self.root.entry_with(path, details, &mut self.owners);
        answer(entry.map(WalkAnswer::Entry))
    }

    pub(super) fn close(&mut self, id: DirectoryId) {
        self.current.take_if(|(current, _)| *current == id);
    }

    fn try_open(&mut self, request: OpenRequest<'_>) -> Result<OpenedDirectory, Refusal> {
        let (handle, stat) = self.root.directory_handle(request.path)?;
        let rights = match &self.real {
            Some(real) => {
                let copy = handle.try_clone().map_err(|error| refusal(&error))?;
                Some(real.of_directory(&self.root, copy))
            }
            None => None,
        };
        if rights.is_some_and(|rights| !rights.contains(Right::List)) {
            return Err(Refusal::LoginDenied);
        }
        let names = if request.is_read {
            Some(open_names(&handle).map_err(|error| refusal(&error))?)
        } else {
            None
        };
        let path = request.path.clone();
        let directory = OpenDirectory {
            handle,
            names,
            containers: Containers::of(path.clone()),
            path,
            identity: identity(&stat),
            rights,
        };
        self.current = Some((request.id, directory));
        let (device, inode) = identity(&stat);
        Ok(OpenedDirectory {
            device,
            inode,
            is_root: self.root.is_root(&stat),
        })
    }

    fn try_look(
        &mut self,
        id: DirectoryId,
        name: &[u8],
        details: Details,
    ) -> Result<Entry, Refusal> {
        let directory = find(&mut self.current, id)?;
        let handle = &directory.handle;
        let mut stat = rustix::fs::statat(handle, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| refusal(&errno.into()))?;
        if self.root.is_own(identity(&stat)) {
            return Err(Refusal::NotFound);
        }
        let real = self.real.as_ref();
        // What its path says is all that is known of the directory above.
        let of_directory = directory.rights.filter(|_| name != b"..");
        let mut rights = real
            .zip(of_directory)
            .map(|(real, rights)| real.of_entry(rights, directory.identity, name, Some(&stat)));
        if details.follow_links
            && let Some(path) = directory.path.child(name)
            && let Some((target, of_target)) =
                (self.root).follow(&path, &stat, &mut directory.containers, real)
        {
            stat = target;
            rights = rights.map(|place| of_link(place, of_target));
        }
        let mut entry = entry_of(handle, name, &stat, details, &mut self.owners);
        entry.rights = rights;
        Ok(entry)
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
fn open_names(handle: &OwnedFd) -> io::Result<Dir> {
    let open = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let readable = rustix::fs::openat(handle, ".", open, Mode::empty())?;
    Ok(Dir::new(readable)?)
}

/// The next names, without those of the server's own files.
fn read(directory: &mut Dir, root: &Root) -> io::Result<WalkAnswer> {
    let mut names = NameList::default();
    while names.len() < NAMES_PER_STEP {
        match directory.next() {
            Some(found) => {
                let found = found?;
                // Most inodes need no look.
                let may_be_own = root.rules.own_files.may_contain_inode(found.ino());
                if !may_be_own || !is_own(root, directory, found.file_name()) {
                    names.push(found.file_name().to_bytes());
                }
            }
            None => {
                return Ok(WalkAnswer::Names {
                    names,
                    is_last: true,
                });
            }
        }
    }
    Ok(WalkAnswer::Names {
        names,
        is_last: false,
    })
}

fn is_own(root: &Root, directory: &Dir, name: &CStr) -> bool {
    let nofollow = AtFlags::SYMLINK_NOFOLLOW;
    let stat = directory
        .fd()
        .and_then(|fd| rustix::fs::statat(fd, name, nofollow));
    stat.is_ok_and(|stat| root.is_own(identity(&stat)))
}

fn answer(result: Result<WalkAnswer, Refusal>) -> WalkAnswer {
    result.unwrap_or_else(WalkAnswer::Refused)
}
