//! Listings: answers the walks of the core from the file system.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::SystemTime;

use ftp_proto::listing::{
    DirectoryId, Entry, EntryBatch, NameList, OpenedDirectory, Selection, Walk, WalkAnswer,
    WalkStep,
};
use ftp_proto::{ListStyle, Refusal, TransferError};

use super::Storage;
use super::entry::{entry_of, refusal};

/// The lines of a listing. All of them are made at once: a server that has other clients to serve in the same thread
/// goes on with them after some steps of the walk.
pub(crate) struct Listing {
    lines: Vec<u8>,
}

impl Listing {
    pub(super) fn open(
        storage: &Storage,
        selection: &Selection,
        style: &ListStyle,
    ) -> Result<Self, Refusal> {
        let walk = Walk::new(selection.clone(), style.clone(), now());
        let (lines, _) = walk_all(storage, walk)?;
        Ok(Self { lines })
    }

    /// Appends the next lines. Returns false at the end.
    pub(super) fn read(&mut self, out: &mut Vec<u8>) -> Result<bool, TransferError> {
        let is_last = self.lines.is_empty();
        out.append(&mut self.lines);
        Ok(!is_last)
    }
}

/// The answer to STAT with a path.
pub(super) fn status(storage: &Storage, selection: &Selection) -> Result<Vec<EntryBatch>, Refusal> {
    let walk = Walk::of_status(selection.clone(), now());
    walk_all(storage, walk).map(|(_, batches)| batches)
}

fn walk_all(storage: &Storage, mut walk: Walk) -> Result<(Vec<u8>, Vec<EntryBatch>), Refusal> {
    let (mut lines, mut batches) = (Vec::new(), Vec::new());
    let mut directories: Vec<(DirectoryId, PathBuf)> = Vec::new();
    loop {
        let path_of = |wanted| {
            let found = directories.iter().find(|(id, _)| *id == wanted);
            found.map(|(_, path)| path).ok_or(Refusal::Failed)
        };
        let answer = match walk.step(&mut lines) {
            WalkStep::LookAt { path, .. } => {
                let path = storage.resolve(path, false);
                path.and_then(look).map(WalkAnswer::Entry)
            }
            WalkStep::Look {
                directory, name, ..
            } => {
                let path = path_of(directory).map(|path| path.join(OsStr::from_bytes(name)));
                path.and_then(look).map(WalkAnswer::Entry)
            }
            WalkStep::Open(request) => match storage.resolve(request.path, true) {
                Ok(path) => {
                    directories.push((request.id, path.clone()));
                    open(storage, path).map(WalkAnswer::Opened)
                }
                Err(refusal) => Err(refusal),
            },
            WalkStep::Read(directory) => path_of(directory).and_then(read),
            WalkStep::Close(directory) => {
                directories.retain(|(id, _)| *id != directory);
                continue;
            }
            WalkStep::Entries(batch) => {
                batches.push(batch);
                continue;
            }
            WalkStep::Notice(notice) => {
                eprintln!("{notice}");
                continue;
            }
            WalkStep::Lines | WalkStep::Pending => continue,
            WalkStep::End => return Ok((lines, batches)),
            WalkStep::Failed(refusal) => return Err(refusal),
        };
        walk.answer(answer.unwrap_or_else(WalkAnswer::Refused));
    }
}

fn look(path: PathBuf) -> Result<Entry, Refusal> {
    let metadata = fs::symlink_metadata(path).map_err(|error| refusal(&error))?;
    Ok(entry_of(b"", &metadata))
}

fn open(storage: &Storage, path: PathBuf) -> Result<OpenedDirectory, Refusal> {
    let metadata = fs::symlink_metadata(&path).map_err(|error| refusal(&error))?;
    if !metadata.is_dir() {
        return Err(Refusal::NotADirectory);
    }
    let entry = entry_of(b"", &metadata);
    Ok(OpenedDirectory {
        device: entry.device,
        inode: entry.inode,
        is_root: storage.is_root(&path),
    })
}

/// All names at once.
fn read(path: &PathBuf) -> Result<WalkAnswer, Refusal> {
    let mut names = NameList::from_iter([".", ".."]);
    for found in fs::read_dir(path).map_err(|error| refusal(&error))? {
        let found = found.map_err(|error| refusal(&error))?;
        names.push(&found.file_name().into_vec());
    }
    Ok(WalkAnswer::Names {
        names,
        is_last: true,
    })
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs() as i64)
}
