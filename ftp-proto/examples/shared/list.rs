//! Listings: the core's walk decides what is looked at, and this looks.

use std::ffi::OsStr;
use std::fs::{self, ReadDir};
use std::mem;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ftp_proto::listing::limits::NAMES_PER_STEP;
use ftp_proto::listing::{
    Details, DirectoryId, Entry, EntryBatch, ListRequest, NameList, OpenRequest, OpenedDirectory,
    Walk, WalkAnswer, WalkStep,
};
use ftp_proto::{Refusal, TransferError};

use super::root::Root;

pub(crate) struct Listing {
    walk: Walk,
    root: Root,
    directories: Vec<Directory>,
    lines: Vec<u8>,
    is_over: bool,
}

/// An open one.
struct Directory {
    id: DirectoryId,
    path: PathBuf,
    names: Option<ReadDir>,
    is_first: bool,
}

impl Listing {
    /// A listing that fails before it has begun has no 150, and no data connection.
    pub(super) fn open(root: &Root, request: &ListRequest) -> Result<Self, Refusal> {
        let mut listing = Self::new(root, Walk::new(request.clone(), now()));
        while !listing.walk.has_begun() && !listing.is_over {
            listing.step()?;
        }
        Ok(listing)
    }

    fn new(root: &Root, walk: Walk) -> Self {
        Self {
            walk,
            root: root.clone(),
            directories: Vec::new(),
            lines: Vec::new(),
            is_over: false,
        }
    }

    /// Appends the next lines, or none if many names had to be looked at. Returns false at the end.
    pub(super) fn read(&mut self, out: &mut Vec<u8>) -> Result<bool, TransferError> {
        let mut steps = 0..STEPS_MAX;
        while self.lines.len() < LINES_BYTES && !self.is_over && steps.next().is_some() {
            self.step().map_err(|_| TransferError::LocalRead)?;
        }
        let has_lines = !self.lines.is_empty();
        out.append(&mut self.lines);
        Ok(has_lines || !self.is_over)
    }

    /// One step of the walk. Only of STAT it returns entries.
    fn step(&mut self) -> Result<Option<EntryBatch>, Refusal> {
        let directories = &mut self.directories;
        let answer = match self.walk.step(&mut self.lines) {
            WalkStep::LookAt { path, details } => {
                let path = self.root.resolve(path, false);
                let entry = path.and_then(|path| look(&self.root, &path, details));
                entry.map(WalkAnswer::Entry)
            }
            WalkStep::Look {
                directory,
                name,
                details,
            } => find(directories, directory).and_then(|found| {
                let path = found.path.join(OsStr::from_bytes(name));
                look(&self.root, &path, details).map(WalkAnswer::Entry)
            }),
            WalkStep::Open(request) => open(&self.root, directories, request),
            WalkStep::Read(directory) => find(directories, directory).and_then(read),
            WalkStep::Close(directory) => {
                directories.retain(|open| open.id != directory);
                return Ok(None);
            }
            WalkStep::Entries(batch) => {
                self.is_over = batch.is_last;
                return Ok(Some(batch));
            }
            WalkStep::Notice(notice) => {
                eprintln!("{notice}");
                return Ok(None);
            }
            WalkStep::Lines | WalkStep::Pending => return Ok(None),
            WalkStep::End => {
                self.is_over = true;
                return Ok(None);
            }
            WalkStep::Failed(refusal) => return Err(refusal),
        };
        self.walk.answer(answer.unwrap_or_else(WalkAnswer::Refused));
        Ok(None)
    }
}

/// The answer to STAT with a path. The walk bounds how much it looks at.
pub(super) fn status(root: &Root, request: &ListRequest) -> Result<Vec<EntryBatch>, Refusal> {
    let mut listing = Listing::new(root, Walk::of_status(request.clone(), now()));
    let mut batches = Vec::new();
    while !listing.is_over {
        batches.extend(listing.step()?);
    }
    Ok(batches)
}

/// The entry at a path. MLSD and MLST follow a symbolic link, unless it leads nowhere or upwards.
pub(super) fn look(root: &Root, path: &Path, details: Details) -> Result<Entry, Refusal> {
    let is_followed = details.follow_links && path.is_symlink();
    let target = is_followed.then(|| root.follow(path).ok()).flatten();
    match target.filter(|target| !path.starts_with(target)) {
        Some(target) => entry(&target, details).or_else(|_| entry(path, details)),
        None => entry(path, details),
    }
}

/// The entry at a path, where a symbolic link is itself.
fn entry(path: &Path, details: Details) -> Result<Entry, Refusal> {
    let metadata = path
        .symlink_metadata()
        .map_err(|error| Refusal::from(&error))?;
    let mut entry = Entry::from_metadata(b"", &metadata);
    if details.link_target && metadata.is_symlink() {
        let target = fs::read_link(path).ok();
        entry.link_target = target.map(|target| target.into_os_string().into_vec());
    }
    Ok(entry)
}

fn find(directories: &mut [Directory], id: DirectoryId) -> Result<&mut Directory, Refusal> {
    let mut directories = directories.iter_mut();
    directories
        .find(|open| open.id == id)
        .ok_or(Refusal::Failed)
}

fn open(
    root: &Root,
    directories: &mut Vec<Directory>,
    request: OpenRequest<'_>,
) -> Result<WalkAnswer, Refusal> {
    let path = root.resolve(request.path, true)?;
    let entry = entry(&path, Details::default())?;
    let names = match request.is_read {
        true => Some(fs::read_dir(&path).map_err(|error| Refusal::from(&error))?),
        false if path.is_dir() => None,
        false => return Err(Refusal::NotADirectory),
    };
    let opened = OpenedDirectory {
        device: entry.device,
        inode: entry.inode,
        is_root: root.is(&path),
    };
    let id = request.id;
    directories.push(Directory {
        id,
        path,
        names,
        is_first: true,
    });
    Ok(WalkAnswer::Opened(opened))
}

fn read(directory: &mut Directory) -> Result<WalkAnswer, Refusal> {
    let mut names = NameList::default();
    if mem::replace(&mut directory.is_first, false) {
        // The flag -a shows them, and `ReadDir` leaves them out.
        names = NameList::from_iter([".", ".."]);
    }
    let found = directory.names.as_mut().ok_or(Refusal::Failed)?;
    for _ in 0..NAMES_PER_STEP {
        match found.next() {
            Some(Ok(entry)) => names.push(entry.file_name().as_bytes()),
            Some(Err(error)) => return Err(Refusal::from(&error)),
            None => {
                return Ok(WalkAnswer::Names {
                    names,
                    is_last: true,
                });
            }
        }
    }
    let is_last = false;
    Ok(WalkAnswer::Names { names, is_last })
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs() as i64)
}

/// Lines that are sent at once.
const LINES_BYTES: usize = 64 * 1024;

/// Steps before others, such as an ABOR, get their turn.
const STEPS_MAX: usize = 64;
