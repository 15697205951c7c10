//! A tree of directories in memory, and a driver that answers a walk from it.

use arbitrary::Arbitrary;
use ftp_proto::listing::{
    Details, DirectoryId, Entry, EntryKind, NameList, OpenedDirectory, WalkAnswer, WalkStep,
};
use ftp_proto::{FtpPath, Refusal};

use super::{NAMES, NOW};

/// A node below an earlier one, or below the root.
#[derive(Arbitrary, Clone, Debug)]
pub struct Node {
    pub parent: u8,
    pub name: u8,
    pub kind: u8,
    pub size: u8,
    pub age: u8,
}

/// The nodes by their index; the first is the root.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) entries: Vec<Entry>,
    parents: Vec<usize>,
    children: Vec<Vec<usize>>,
}

impl Tree {
    /// Nodes with a name that their directory contains already, and nodes below files, are left
    /// out.
    pub(super) fn new(nodes: &[Node]) -> Self {
        let mut tree = Self {
            entries: vec![Entry::new("", EntryKind::Directory, 0, NOW)],
            parents: vec![0],
            children: vec![Vec::new()],
        };
        for node in nodes.iter().take(60) {
            let parent = usize::from(node.parent) % tree.entries.len();
            let name = NAMES[usize::from(node.name) % NAMES.len()].as_bytes();
            let is_directory = tree.entries[parent].kind == EntryKind::Directory;
            if is_directory && tree.child(parent, name).is_none() {
                tree.add(parent, name, node);
            }
        }
        tree
    }

    fn add(&mut self, parent: usize, name: &[u8], node: &Node) {
        let kind = [
            EntryKind::File,
            EntryKind::Directory,
            EntryKind::Directory,
            EntryKind::Symlink,
        ][usize::from(node.kind % 4)];
        let index = self.entries.len();
        let age = i64::from(node.age % 4) * 100 * 86_400;
        let mut entry = Entry::new(name, kind, (node.size % 4).into(), NOW - age);
        entry.modified_nanos = (node.age / 4).into();
        entry.inode = index as u64;
        self.entries.push(entry);
        self.parents.push(parent);
        self.children.push(Vec::new());
        self.children[parent].push(index);
    }

    pub(super) fn children(&self, directory: usize) -> &[usize] {
        &self.children[directory]
    }

    /// The names in a directory.
    pub(super) fn names(&self, path: &FtpPath) -> Result<NameList, Refusal> {
        let directory = self.find(path)?;
        if self.entries[directory].kind != EntryKind::Directory {
            return Err(Refusal::NotADirectory);
        }
        let children = self.children[directory].iter();
        Ok(children.map(|&child| &self.entries[child].name).collect())
    }

    /// Where a name leads, also `.` and `..`.
    pub(super) fn child(&self, directory: usize, name: &[u8]) -> Option<usize> {
        match name {
            b"." => Some(directory),
            b".." => Some(self.parents[directory]),
            _ => {
                let mut children = self.children[directory].iter().copied();
                children.find(|&child| self.entries[child].name == name)
            }
        }
    }

    /// Where a path leads.
    pub(super) fn find(&self, path: &FtpPath) -> Result<usize, Refusal> {
        let mut at = 0;
        for name in path.as_bytes().split(|&byte| byte == b'/') {
            if name.is_empty() {
                continue;
            }
            if self.entries[at].kind != EntryKind::Directory {
                return Err(Refusal::NotADirectory);
            }
            at = self.child(at, name).ok_or(Refusal::NotFound)?;
        }
        Ok(at)
    }
}

/// Answers a walk, and checks what it asks for.
pub(super) struct Driver<'a> {
    tree: &'a Tree,
    piece: usize,
    hidden: Option<&'a [u8]>,
    open: Vec<Open>,
}

struct Open {
    id: DirectoryId,
    node: usize,
    /// What has been read; `None`: it is not open for reading.
    read: Option<usize>,
}

impl<'a> Driver<'a> {
    pub(super) fn new(tree: &'a Tree, piece: u8, hidden: Option<&'a [u8]>) -> Self {
        Self {
            tree,
            piece: usize::from(piece % 5) + 1,
            hidden,
            open: Vec::new(),
        }
    }

    pub(super) fn answer(&mut self, step: WalkStep<'_>) -> WalkAnswer {
        match step {
            WalkStep::LookAt { path, .. } => match self.tree.find(path) {
                Ok(node) => self.entry(node),
                Err(refusal) => WalkAnswer::Refused(refusal),
            },
            WalkStep::Look {
                directory,
                name,
                details,
            } => self.look(directory, name, details),
            WalkStep::Open(request) => {
                let is_open = |id| self.open.iter().any(|open| open.id == id);
                assert!(!is_open(request.id), "{request:?}");
                assert!(request.parent.is_none_or(is_open), "{request:?}");
                assert!(!path_has(request.path, self.hidden), "{request:?}");
                let node = match self.tree.find(request.path) {
                    Ok(node) => node,
                    Err(refusal) => return WalkAnswer::Refused(refusal),
                };
                let entry = &self.tree.entries[node];
                if entry.kind != EntryKind::Directory {
                    return WalkAnswer::Refused(Refusal::NotADirectory);
                }
                self.open.push(Open {
                    id: request.id,
                    node,
                    read: request.is_read.then_some(0),
                });
                WalkAnswer::Opened(OpenedDirectory {
                    device: entry.device,
                    inode: entry.inode,
                    is_root: node == 0,
                })
            }
            WalkStep::Read(directory) => self.read(directory),
            other => panic!("no question: {other:?}"),
        }
    }

    pub(super) fn close(&mut self, id: DirectoryId) {
        let count = self.open.len();
        self.open.retain(|open| open.id != id);
        assert_eq!(self.open.len() + 1, count, "{id:?} was not open");
    }

    /// A walk that succeeds closes what it has opened, except the directory of a failure.
    pub(super) fn assert_closed(&self, has_succeeded: bool) {
        assert!(!has_succeeded || self.open.is_empty());
    }

    fn look(&self, directory: DirectoryId, name: &[u8], _details: Details) -> WalkAnswer {
        assert_ne!(Some(name), self.hidden);
        let open = self.open.iter().find(|open| open.id == directory);
        let open = open.expect("an open directory");
        assert!(name != b".." || open.node != 0, "above the root");
        match self.tree.child(open.node, name) {
            Some(node) => self.entry(node),
            None => WalkAnswer::Refused(Refusal::NotFound),
        }
    }

    fn read(&mut self, directory: DirectoryId) -> WalkAnswer {
        let mut open = self.open.iter_mut();
        let open = open.find(|open| open.id == directory);
        let open = open.expect("an open directory");
        let read = open.read.as_mut().expect("open for reading");
        let names = [&b"."[..], b".."].into_iter();
        let children = self.tree.children(open.node).iter();
        let names = names.chain(children.map(|&child| &self.tree.entries[child].name[..]));
        let names: Vec<_> = names.skip(*read).collect();
        *read += self.piece;
        WalkAnswer::Names {
            is_last: names.len() < self.piece,
            names: NameList::from_iter(names.into_iter().take(self.piece)),
        }
    }

    fn entry(&self, node: usize) -> WalkAnswer {
        let mut entry = self.tree.entries[node].clone();
        // A walk knows names, and does not trust those of entries.
        entry.name = b"wrong".to_vec();
        WalkAnswer::Entry(entry)
    }
}

/// Whether a path has this component.
pub(super) fn path_has(path: &FtpPath, name: Option<&[u8]>) -> bool {
    let mut components = path.as_bytes().split(|&byte| byte == b'/');
    components.any(|component| !component.is_empty() && Some(component) == name)
}
