//! A tree of files in memory.

use std::collections::BTreeMap;

use ftp_proto::listing::{Entry, EntryBatch, EntryKind, ListRequest};
use ftp_proto::{Digest, FileAnswer, FileRequest, FtpPath, Refusal, Space};
use ftp_proto_testkit::operations;

#[derive(Default)]
pub(crate) struct Files {
    /// By absolute path; the root is always there.
    nodes: BTreeMap<Vec<u8>, Node>,
}

#[derive(Clone)]
enum Node {
    Directory,
    File(Vec<u8>),
}

impl Files {
    pub(crate) fn answer(&mut self, request: &FileRequest) -> Result<FileAnswer, Refusal> {
        match request {
            FileRequest::ChangeDirectory(path) => self.directory(path)?,
            FileRequest::MakeDirectory { path, .. } => self.make_directory(path)?,
            FileRequest::RemoveDirectory(path) => {
                self.directory(path)?;
                if !self.names(path).is_empty() {
                    return Err(Refusal::NotEmpty);
                }
                self.nodes.remove(path.as_bytes());
            }
            FileRequest::DeleteFile(path) => {
                self.read(path)?;
                self.nodes.remove(path.as_bytes());
            }
            FileRequest::Rename { from, to, replace } => {
                if !replace && self.nodes.contains_key(to.as_bytes()) {
                    return Err(Refusal::Exists);
                }
                let content = self.read(from)?.to_vec();
                self.nodes.remove(from.as_bytes());
                self.write(to, content);
            }
            FileRequest::Size { path, .. } => {
                let bytes = u64::try_from(self.read(path)?.len());
                return Ok(FileAnswer::Size(bytes.map_err(|_| Refusal::Failed)?));
            }
            FileRequest::ModifiedTime(path) => {
                self.read(path)?;
                return Ok(FileAnswer::Modified(1_700_000_000));
            }
            FileRequest::Facts(path) => {
                self.read(path)?;
                return Ok(FileAnswer::Entry(operations::entry(0)));
            }
            FileRequest::Status(ListRequest { selection, .. }) => {
                self.directory(&selection.path)?;
                let names = self.names(&selection.path).into_iter();
                let entry = |name: Vec<u8>| Entry::new(name, EntryKind::File, 0, 0);
                let batch = EntryBatch::new(names.map(entry).collect(), 0, true);
                return Ok(FileAnswer::Entries(batch));
            }
            FileRequest::Hash(request) => {
                let bytes = self.read(&request.path)?;
                let range =
                    request.bytes_of(bytes.len().try_into().map_err(|_| Refusal::Failed)?)?;
                let digest = Digest::new([0; 4], range.end - range.start);
                return Ok(FileAnswer::Digest(digest));
            }
            FileRequest::Space(path) => {
                self.directory(path)?;
                return Ok(FileAnswer::Space(Space::default()));
            }
            FileRequest::Quota => return Ok(FileAnswer::Quota(None)),
            FileRequest::RenameFrom(path)
            | FileRequest::ChangeMode { path, .. }
            | FileRequest::SetModified { path, .. } => drop(self.read(path)?),
        }
        Ok(FileAnswer::Done)
    }

    pub(crate) fn read(&self, path: &FtpPath) -> Result<&[u8], Refusal> {
        match self.nodes.get(path.as_bytes()) {
            Some(Node::File(content)) => Ok(content),
            Some(Node::Directory) => Err(Refusal::IsADirectory),
            None if path.as_bytes() == b"/" => Err(Refusal::IsADirectory),
            None => Err(Refusal::NotFound),
        }
    }

    pub(crate) fn write(&mut self, path: &FtpPath, content: Vec<u8>) {
        let path = path.as_bytes().to_vec();
        self.nodes.insert(path, Node::File(content));
    }

    pub(crate) fn directory(&self, path: &FtpPath) -> Result<(), Refusal> {
        match self.nodes.get(path.as_bytes()) {
            Some(Node::Directory) => Ok(()),
            Some(Node::File(_)) => Err(Refusal::NotADirectory),
            None if path.as_bytes() == b"/" => Ok(()),
            None => Err(Refusal::NotFound),
        }
    }

    /// The names in a directory.
    pub(crate) fn names(&self, directory: &FtpPath) -> Vec<Vec<u8>> {
        let prefix = match directory.as_bytes() {
            b"/" => b"/".to_vec(),
            other => [other, b"/"].concat(),
        };
        let below = self
            .nodes
            .keys()
            .filter_map(|path| path.strip_prefix(&prefix[..]));
        let own = below.filter(|name| !name.contains(&b'/'));
        own.map(<[u8]>::to_vec).collect()
    }

    fn make_directory(&mut self, path: &FtpPath) -> Result<(), Refusal> {
        if self.read(path) != Err(Refusal::NotFound) {
            return Err(Refusal::Exists);
        }
        let bytes = path.as_bytes();
        let parent = bytes.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        let parent_exists = match &bytes[..parent] {
            b"" => true,
            parent => matches!(self.nodes.get(parent), Some(Node::Directory)),
        };
        if !parent_exists {
            return Err(Refusal::NotFound);
        }
        self.nodes.insert(bytes.to_vec(), Node::Directory);
        Ok(())
    }
}
