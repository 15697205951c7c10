//! The files below one directory, and the one user who may see them.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use ftp_proto::{
    FileAnswer, FileRequest, FtpPath, Opened, Outcome, Permissions, Refusal, Representation,
    Secret, TransferKind, TransferRequest,
};

use super::entry::{entry_of, refusal};
use super::list::{Listing, status};
use super::transfer::{Download, Transfer, Upload};

pub(crate) struct Storage {
    root: PathBuf,
    user: Vec<u8>,
    password: Vec<u8>,
    permissions: Permissions,
}

impl Storage {
    /// `root`: without symbolic links.
    pub(crate) fn new(
        root: PathBuf,
        user: Vec<u8>,
        password: Vec<u8>,
        permissions: Permissions,
    ) -> Self {
        Self {
            root,
            user,
            password,
            permissions,
        }
    }

    /// The answer to `Authenticate`. A server on the internet delays it after a wrong password.
    pub(crate) fn authenticate(&self, user: &[u8], password: &Secret) -> Outcome {
        let is_right = password.matches(&self.password) && user == self.user;
        Outcome::Authenticated(is_right.then_some(self.permissions))
    }

    /// The answer to `File`: one outcome, or several for STAT with a path.
    pub(crate) fn answer(&self, request: &FileRequest) -> Vec<Outcome> {
        if let FileRequest::Status(selection) = request {
            return match status(self, selection) {
                Ok(batches) => batches
                    .into_iter()
                    .map(|batch| Outcome::File(Ok(FileAnswer::Entries(batch))))
                    .collect(),
                Err(refusal) => vec![Outcome::File(Err(refusal))],
            };
        }
        vec![Outcome::File(self.perform(request))]
    }

    fn perform(&self, request: &FileRequest) -> Result<FileAnswer, Refusal> {
        let result = match request {
            FileRequest::ChangeDirectory(path) => fs::read_dir(self.resolve(path, true)?).map(drop),
            FileRequest::MakeDirectory { path, umask } => {
                let path = self.resolve(path, false)?;
                fs::create_dir(&path).and_then(|()| apply_umask(&path, 0o777, *umask))
            }
            FileRequest::RemoveDirectory(path) => fs::remove_dir(self.resolve_below(path)?),
            FileRequest::DeleteFile(path) => fs::remove_file(self.resolve_below(path)?),
            FileRequest::RenameFrom(path) => self.resolve_below(path)?.symlink_metadata().map(drop),
            FileRequest::Rename { from, to } => {
                fs::rename(self.resolve_below(from)?, self.resolve_below(to)?)
            }
            FileRequest::Size(path) => {
                return Ok(FileAnswer::Size(self.file(path)?.1.len()));
            }
            FileRequest::ModifiedTime(path) => {
                let modified = entry_of(&[], &self.file(path)?.1).modified;
                return Ok(FileAnswer::Modified(modified));
            }
            FileRequest::ChangeMode { path, mode } => {
                let (path, metadata) = self.changeable(path)?;
                // As chmod does: what a directory hands down to new files stays.
                let kept = if metadata.is_dir() { 0o3000 } else { 0 };
                let mode = mode & 0o777 | metadata.mode() & kept;
                fs::set_permissions(path, fs::Permissions::from_mode(mode))
            }
            FileRequest::SetModified { path, modified } => {
                let distance = Duration::from_secs(modified.unsigned_abs());
                let time = match modified {
                    ..0 => SystemTime::UNIX_EPOCH.checked_sub(distance),
                    _ => SystemTime::UNIX_EPOCH.checked_add(distance),
                };
                let time = time.ok_or(Refusal::Unsupported)?;
                File::open(self.changeable(path)?.0).and_then(|file| file.set_modified(time))
            }
            FileRequest::Facts(path) => {
                let metadata = self.resolve(path, false)?.symlink_metadata();
                let metadata = metadata.map_err(|error| refusal(&error))?;
                return Ok(FileAnswer::Entry(entry_of(path.name(), &metadata)));
            }
            FileRequest::Status(_) => return Err(Refusal::Unsupported),
        };
        match result {
            Ok(()) => Ok(FileAnswer::Done),
            Err(error) => Err(refusal(&error)),
        }
    }

    /// The answer to `OpenTransfer`, and the bytes of the transfer. Nothing is changed yet, except that STOU creates
    /// its file: its name is announced.
    pub(crate) fn open(&self, request: &TransferRequest) -> Result<(Transfer, Opened), Refusal> {
        let is_ascii = request.representation == Representation::Ascii;
        let mut opened = Opened::default();
        let transfer = match &request.kind {
            TransferKind::List { selection, style } => {
                Transfer::Download(Download::listing(Listing::open(self, selection, style)?))
            }
            TransferKind::Retrieve { path, offset } => {
                let (path, metadata) = self.file(path)?;
                let file = File::open(path).map_err(|error| refusal(&error))?;
                let (download, bytes) = Download::file(file, metadata.len(), *offset, is_ascii)?;
                opened.bytes = bytes;
                Transfer::Download(download)
            }
            TransferKind::Store { path, offset } => {
                Transfer::Upload(self.upload(path, Some(*offset), is_ascii)?)
            }
            TransferKind::Append { path } => Transfer::Upload(self.upload(path, None, is_ascii)?),
            TransferKind::StoreUnique {
                directory,
                suggested_name,
            } => {
                let (name, file) = self.create_unique(directory, suggested_name)?;
                opened.name = Some(name);
                Transfer::Upload(Upload::new(PathBuf::new(), Some(file), Some(0), is_ascii))
            }
        };
        Ok((transfer, opened))
    }

    /// `offset`: how many bytes of the file stay; `None`: all.
    fn upload(
        &self,
        path: &FtpPath,
        offset: Option<u64>,
        is_ascii: bool,
    ) -> Result<Upload, Refusal> {
        let (file, bytes) = match self.file(path) {
            Ok((path, metadata)) => {
                let file = OpenOptions::new().write(true).open(path);
                (Some(file.map_err(|error| refusal(&error))?), metadata.len())
            }
            // The file may be created if there is a directory for it.
            Err(Refusal::NotFound) => {
                let parent = self.resolve(path, true)?;
                let parent = parent.parent().ok_or(Refusal::NotFound)?;
                fs::metadata(parent).map_err(|error| refusal(&error))?;
                (None, 0)
            }
            Err(refusal) => return Err(refusal),
        };
        if offset.is_some_and(|offset| offset > bytes) {
            return Err(Refusal::OffsetTooLarge);
        }
        Ok(Upload::new(
            self.resolve(path, true)?,
            file,
            offset,
            is_ascii,
        ))
    }

    fn create_unique(
        &self,
        directory: &FtpPath,
        suggested: &[u8],
    ) -> Result<(Vec<u8>, File), Refusal> {
        let directory = self.resolve(directory, true)?;
        let suggested = if suggested.is_empty() {
            b"file"
        } else {
            suggested
        };
        for number in 1..=1000 {
            let mut name = suggested.to_vec();
            if number > 1 {
                name.extend_from_slice(format!(".{number}").as_bytes());
            }
            let path = directory.join(OsString::from_vec(name.clone()));
            match File::create_new(path) {
                Ok(file) => return Ok((name, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(refusal(&error)),
            }
        }
        Err(Refusal::Exists)
    }

    /// A regular file, behind symbolic links. Others are never opened: a pipe would block.
    fn file(&self, path: &FtpPath) -> Result<(PathBuf, Metadata), Refusal> {
        let path = self.resolve(path, true)?;
        let metadata = fs::metadata(&path).map_err(|error| refusal(&error))?;
        match metadata.file_type() {
            kind if kind.is_file() => Ok((path, metadata)),
            kind if kind.is_dir() => Err(Refusal::IsADirectory),
            _ => Err(Refusal::Denied),
        }
    }

    /// What SITE CHMOD and MFMT may change, behind symbolic links.
    fn changeable(&self, path: &FtpPath) -> Result<(PathBuf, Metadata), Refusal> {
        let is_root = path.is_root();
        let path = self.resolve(path, true)?;
        let metadata = fs::metadata(&path).map_err(|error| refusal(&error))?;
        if is_root || !(metadata.is_file() || metadata.is_dir()) {
            return Err(Refusal::Denied);
        }
        Ok((path, metadata))
    }

    pub(super) fn is_root(&self, path: &Path) -> bool {
        path == self.root
    }

    fn resolve_below(&self, path: &FtpPath) -> Result<PathBuf, Refusal> {
        if path.is_root() {
            return Err(Refusal::Denied);
        }
        self.resolve(path, false)
    }

    /// Where a path leads. Links are followed here, not by the system: none may lead out of the root, so absolute ones
    /// lead nowhere. `follow`: also a link at the end. The end need not exist.
    pub(crate) fn resolve(&self, path: &FtpPath, follow: bool) -> Result<PathBuf, Refusal> {
        let mut found = self.root.clone();
        let relative = Path::new(std::ffi::OsStr::from_bytes(path.relative())).to_owned();
        let mut pending: Vec<OsString> = Vec::new();
        let push = |pending: &mut Vec<OsString>, path: &Path| {
            pending.extend(
                path.components()
                    .rev()
                    .map(|part| part.as_os_str().to_owned()),
            );
        };
        push(&mut pending, &relative);
        let mut links_max = 40;
        while let Some(name) = pending.pop() {
            if name == ".." {
                if found == self.root || !found.pop() {
                    return Err(Refusal::Denied);
                }
                continue;
            }
            found.push(name);
            if pending.is_empty() && !follow {
                break;
            }
            if let Ok(target) = fs::read_link(&found) {
                links_max -= 1;
                if target.components().next() == Some(Component::RootDir) || links_max == 0 {
                    return Err(Refusal::Denied);
                }
                found.pop();
                push(&mut pending, &target);
            }
        }
        Ok(found)
    }
}

/// Sets the permission bits of what has just been created, if the client has sent SITE UMASK.
pub(super) fn apply_umask(path: &Path, mode: u32, umask: Option<u32>) -> io::Result<()> {
    match umask {
        Some(umask) => fs::set_permissions(path, fs::Permissions::from_mode(mode & !umask)),
        None => Ok(()),
    }
}
