//! A whole walk at once, for small drivers.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{DirectoryId, NameList, OpenedDirectory, Walk, WalkAnswer, WalkStep};
use crate::listing::entry::{Entry, EntryKind};
use crate::path::FtpPath;
use crate::refusal::Refusal;

impl Walk {
    /// Walks to the end and returns the lines: for a driver that finds everything by its path, and
    /// has memory for all lines. `look` returns the entry at a path, without following a symbolic
    /// link at its end: MLSD shows links as such. `read` returns the names in a directory; that of
    /// the listing itself may be a symbolic link.
    ///
    /// ```
    /// # use ftp_proto::listing::{Entry, EntryKind, ListRequest, NameList, Selection, Walk};
    /// # use ftp_proto::{Account, FtpPath, ListStyle, Rights};
    /// # let root = Selection::of_path(FtpPath::root());
    /// # let account = Account::new(Rights::READ_ONLY).into();
    /// # let request = ListRequest::new(root, ListStyle::Names, account);
    /// let lines = Walk::new(request, 0).collect_lines(
    ///     |path| Ok(Entry::new(path.name(), EntryKind::File, 3, 0)),
    ///     |_| Ok(NameList::from_iter(["a.txt", "b.txt"])),
    /// );
    /// assert_eq!(lines?, b"a.txt\r\nb.txt\r\n");
    /// # Ok::<(), ftp_proto::Refusal>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why there is no listing: the outcome of [`OpenTransfer`](crate::Action::OpenTransfer).
    pub fn collect_lines(
        mut self,
        look: impl Fn(&FtpPath) -> Result<Entry, Refusal>,
        read: impl Fn(&FtpPath) -> Result<NameList, Refusal>,
    ) -> Result<Vec<u8>, Refusal> {
        let mut lines = Vec::new();
        let mut open = BTreeMap::new();
        loop {
            let answer = match self.step(&mut lines) {
                WalkStep::LookAt { path, .. } => look(path).map(WalkAnswer::Entry),
                WalkStep::Look {
                    directory, name, ..
                } => path_of(&open, directory)
                    .and_then(|directory| entry_path(directory, name))
                    .and_then(|path| look(&path))
                    .map(WalkAnswer::Entry),
                WalkStep::Open(request) => {
                    let opened = if request.parent.is_some() {
                        look(request.path).and_then(|entry| identity(&entry))
                    } else {
                        read(request.path).map(|_| OpenedDirectory::default())
                    };
                    open.insert(request.id, request.path.clone());
                    opened.map(|mut opened| {
                        opened.is_root = request.path.is_root();
                        WalkAnswer::Opened(opened)
                    })
                }
                WalkStep::Read(directory) => {
                    path_of(&open, directory)
                        .and_then(&read)
                        .map(|names| WalkAnswer::Names {
                            names,
                            is_last: true,
                        })
                }
                WalkStep::Close(directory) => {
                    open.remove(&directory);
                    continue;
                }
                WalkStep::Lines
                | WalkStep::Entries(_)
                | WalkStep::Pending
                | WalkStep::Notice(_) => continue,
                WalkStep::End => return Ok(lines),
                WalkStep::Failed(refusal) => return Err(refusal),
            };
            self.answer(answer.unwrap_or_else(WalkAnswer::Refused));
        }
    }
}

fn path_of(
    open: &BTreeMap<DirectoryId, FtpPath>,
    directory: DirectoryId,
) -> Result<&FtpPath, Refusal> {
    open.get(&directory).ok_or(Refusal::Failed)
}

/// The path of an entry that the walk looks at, `.` and `..` among them.
fn entry_path(directory: &FtpPath, name: &[u8]) -> Result<FtpPath, Refusal> {
    match name {
        b"." => Ok(directory.clone()),
        b".." => Ok(directory.parent()),
        name => directory.child(name).ok_or(Refusal::NameRejected),
    }
}

/// What a directory below the listing's own is known by: it must still be the one that was shown.
fn identity(entry: &Entry) -> Result<OpenedDirectory, Refusal> {
    if entry.kind != EntryKind::Directory {
        return Err(Refusal::NotADirectory);
    }
    Ok(OpenedDirectory {
        device: entry.device,
        inode: entry.inode,
        is_root: false,
    })
}
