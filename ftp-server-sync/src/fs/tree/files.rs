//! Requests and transfers, each in the share that its path leads to.

use std::borrow::Cow;
use std::sync::Arc;

use ftp_proto::listing::Details;
use ftp_proto::{FileAnswer, FileRequest, FtpPath, HashRequest, Refusal, UploadStart};

use super::{Place, Tree};
use crate::fs::download::Download;
use crate::fs::file_hash::{FileHash, HashSlots};
use crate::fs::owners::Owners;
use crate::fs::root::Root;
use crate::fs::text_size::TextSize;
use crate::fs::upload::{Upload, Uploader};

impl Tree {
    /// As [`Root::perform`]. A mount point stays where it is, and so do the directories that
    /// contain one.
    ///
    /// # Errors
    ///
    /// The file system's refusal; [`Refusal::MountPoint`]; [`Refusal::OtherFileSystem`] for a
    /// rename between two shares; [`Refusal::ShareUnavailable`].
    pub(crate) fn perform(&self, request: &FileRequest) -> Result<FileAnswer, Refusal> {
        use FileRequest as Request;
        if self.mounts.is_empty() {
            return self.home.perform(request);
        }
        self.home.check_visible(request)?;
        match request {
            Request::Rename { from, to, replace } => self.rename(from, to, *replace),
            Request::DeleteFile(path)
            | Request::RemoveDirectory(path)
            | Request::RenameFrom(path)
                if self.is_fixed(path) && !path.is_root() =>
            {
                Err(Refusal::MountPoint)
            }
            Request::ChangeMode { path, .. } | Request::SetModified { path, .. }
                if self.is_mount(path) =>
            {
                Err(Refusal::MountPoint)
            }
            Request::MakeDirectory { path, .. } if self.is_fixed(path) => Err(Refusal::Exists),
            Request::MakeDirectory { path, .. } => {
                self.check_parent(path)?;
                self.perform_at(path, request)
            }
            Request::Facts(path) => {
                let entry = self.entry(path, Details::FACTS, &mut Owners::default());
                entry.map(FileAnswer::Entry)
            }
            Request::ChangeDirectory(path)
            | Request::DeleteFile(path)
            | Request::RemoveDirectory(path)
            | Request::RenameFrom(path)
            | Request::Size { path, .. }
            | Request::ModifiedTime(path)
            | Request::ChangeMode { path, .. }
            | Request::SetModified { path, .. } => self.perform_at(path, request),
            Request::Space(path) => self.space(path, request),
            Request::Quota => self.home.perform(request),
            Request::Status(_) | Request::Hash(_) => Err(Refusal::Unsupported),
        }
    }

    /// As [`Root::download`].
    ///
    /// # Errors
    ///
    /// As there; [`Refusal::ShareUnavailable`].
    pub(crate) fn download(
        &self,
        path: &FtpPath,
        offset: u64,
        end: Option<u64>,
    ) -> Result<Download, Refusal> {
        let (root, path) = self.file(path)?;
        root.download(&path, offset, end)
    }

    /// As [`Root::text_size`].
    ///
    /// # Errors
    ///
    /// As there; [`Refusal::ShareUnavailable`].
    pub(crate) fn text_size(&self, path: &FtpPath) -> Result<TextSize, Refusal> {
        let (root, path) = self.file(path)?;
        root.text_size(&path)
    }

    /// As [`Root::hash`].
    ///
    /// # Errors
    ///
    /// As there; [`Refusal::ShareUnavailable`].
    pub(crate) fn hash(
        &self,
        slots: &Arc<HashSlots>,
        request: &HashRequest,
    ) -> Result<FileHash, Refusal> {
        let (root, path) = self.file(&request.path)?;
        let mut request = request.clone();
        request.path = path.into_owned();
        root.hash(slots, &request)
    }

    /// As [`Root::upload`].
    ///
    /// # Errors
    ///
    /// As there; [`Refusal::ShareUnavailable`].
    pub(crate) fn upload(
        &self,
        path: &FtpPath,
        start: UploadStart,
        umask: Option<u32>,
        uploader: &Uploader,
    ) -> Result<Upload, Refusal> {
        if self.is_fixed(self.home.visible(path)?) {
            return Err(Refusal::IsADirectory);
        }
        self.check_parent(path)?;
        let (root, path) = self.file(path)?;
        root.upload(&path, start, umask, uploader)
    }

    /// As [`Root::find_leftover`].
    pub(crate) fn find_leftover(&self, path: &FtpPath, uploader: &Uploader) -> bool {
        self.file(path)
            .is_ok_and(|(root, path)| root.find_leftover(&path, uploader))
    }

    /// Whether the operator hides a name in the path.
    pub(crate) fn hides_path(&self, path: &FtpPath) -> bool {
        self.home.hides_path(path)
    }

    /// Whether the operator hides a name in a path of the request.
    pub(crate) fn hides(&self, request: &FileRequest) -> bool {
        self.home.hides(request)
    }

    fn rename(&self, from: &FtpPath, to: &FtpPath, replace: bool) -> Result<FileAnswer, Refusal> {
        if from.is_root() || to.is_root() {
            return Err(Refusal::Denied);
        }
        if self.is_fixed(from) || self.is_fixed(to) {
            return Err(Refusal::MountPoint);
        }
        self.check_parent(to)?;
        if !self.are_together(from, to) {
            return Err(Refusal::OtherFileSystem);
        }
        let (root, from) = self.file(from)?;
        let (_, to) = self.file(to)?;
        let (from, to) = (from.into_owned(), to.into_owned());
        root.perform(&FileRequest::Rename { from, to, replace })
    }

    /// The space at a path, with the size of the largest share: the client may go on to another one
    /// before it stores the file. No size is known where a share is not available.
    fn space(&self, path: &FtpPath, request: &FileRequest) -> Result<FileAnswer, Refusal> {
        let mut answer = self.perform_at(path, request)?;
        if let FileAnswer::Space(space) = &mut answer {
            let mounts = self.mounts.iter().map(|mount| mount.root.as_ref());
            let shares = mounts.chain([Some(&self.home)]);
            let totals = shares.map(|root| root?.total_bytes(&root?.directory));
            space.total = totals.fold(space.total, |most, total| Some(most?.max(total?)));
        }
        Ok(answer)
    }

    /// Whether there can be something new at this path: not in a directory that only contains mount
    /// points.
    fn check_parent(&self, path: &FtpPath) -> Result<(), Refusal> {
        match self.place(&path.parent())? {
            Place::Bare => Err(Refusal::Denied),
            Place::Shared(..) => Ok(()),
        }
    }

    fn is_mount(&self, path: &FtpPath) -> bool {
        self.mounts.iter().any(|mount| mount.seen == *path)
    }

    /// The share of a file, and the path in it.
    fn file<'a>(&'a self, path: &'a FtpPath) -> Result<(&'a Root, Cow<'a, FtpPath>), Refusal> {
        match self.place(self.home.visible(path)?)? {
            Place::Shared(root, path) => Ok((root, path)),
            Place::Bare => Err(Refusal::IsADirectory),
        }
    }

    /// A request with one path, in the share of that path.
    fn perform_at(&self, path: &FtpPath, request: &FileRequest) -> Result<FileAnswer, Refusal> {
        match self.place(path)? {
            Place::Shared(root, inner) => {
                root.perform(&request.clone().with_path(inner.into_owned()))
            }
            Place::Bare => match request {
                FileRequest::ChangeDirectory(_) => Ok(FileAnswer::Done),
                FileRequest::Size { .. } | FileRequest::ModifiedTime(_) => {
                    Err(Refusal::IsADirectory)
                }
                _ => Err(Refusal::Denied),
            },
        }
    }
}
