//! The files below one directory, and the one user who may see them.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use ftp_proto::{
    Account, FileAnswer, FileRequest, FtpPath, Opened, Outcome, Refusal, Representation, Rights,
    Secret, TransferKind, TransferRequest, UploadStart,
};

use super::entry::{entry_of, refusal};
use super::list::{Listing, status};
use super::transfer::{Download, Transfer, Upload};

pub(crate) struct Storage {
    root: PathBuf,
    user: Vec<u8>,
    password: Vec<u8>,
    rights: Rights,
}

impl Storage {
    /// `root`: without symbolic links.
    pub(crate) fn new(root: PathBuf, user: Vec<u8>, password: Vec<u8>, rights: Rights) -> Self {
        Self {
            root,
            user,
            password,
            rights,
        }
    }

    /// The answer to `Authenticate`. A server on the internet delays it after a wrong password.
    pub(crate) fn authenticate(&self, user: &[u8], password: &Secret) -> Outcome {
        let is_right = password.matches(&self.password) && user == self.user;
        Outcome::Authenticated(is_right.then(|| Account::new(self.rights)))
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
            FileRequest::MakeDirectory { path, .. } => fs::create_dir(self.resolve(path, false)?),
            FileRequest::RemoveDirectory(path) => fs::remove_dir(self.resolve_below(path)?),
            FileRequest::DeleteFile(path) => fs::remove_file(self.resolve_below(path)?),
            FileRequest::RenameFrom(path) => self.resolve_below(path)?.symlink_metadata().map(drop),
            FileRequest::Rename { from, to, replace } => {
                let to = self.resolve_below(to)?;
                // Another program may create the name here; where that matters, use renameat2.
                if !replace && to.symlink_metadata().is_ok() {
                    return Err(Refusal::Exists);
                }
                fs::rename(self.resolve_below(from)?, to)
            }
            FileRequest::Size(path) => {
                return Ok(FileAnswer::Size(self.file(path)?.1.len()));
            }
            FileRequest::ModifiedTime(path) => {
                let modified = entry_of(&[], &self.file(path)?.1).modified;
                return Ok(FileAnswer::Modified(modified));
            }
            FileRequest::ChangeMode { path, mode } => {
                let permissions = fs::Permissions::from_mode(*mode);
                fs::set_permissions(self.resolve(path, true)?, permissions)
            }
            FileRequest::SetModified { path, modified } => {
                let since_1970 = u64::try_from(*modified).map_err(|_| Refusal::Unsupported)?;
                let time = SystemTime::UNIX_EPOCH + Duration::from_secs(since_1970);
                let path = self.resolve(path, true)?;
                // Opening a pipe would block.
                if !path.is_file() && !path.is_dir() {
                    return Err(Refusal::NotFound);
                }
                File::open(path).and_then(|file| file.set_modified(time))
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
            TransferKind::List {
                selection,
                style,
                names,
            } => {
                let listing = Listing::open(self, selection, style, names)?;
                Transfer::Download(Download::listing(listing))
            }
            TransferKind::Retrieve { path, offset } => {
                let (path, metadata) = self.file(path)?;
                let file = File::open(path).map_err(|error| refusal(&error))?;
                let (download, bytes) = Download::file(file, metadata.len(), *offset, is_ascii)?;
                opened.bytes = bytes;
                Transfer::Download(download)
            }
            TransferKind::Store { path, start } => {
                let upload = match start {
                    UploadStart::Unique => {
                        let (name, file) = self.create_unique(path)?;
                        opened.name = Some(name);
                        Upload::new(PathBuf::new(), Some(file), *start, is_ascii)
                    }
                    _ => self.upload(path, *start, is_ascii)?,
                };
                Transfer::Upload(upload)
            }
        };
        Ok((transfer, opened))
    }

    fn upload(
        &self,
        path: &FtpPath,
        start: UploadStart,
        is_ascii: bool,
    ) -> Result<Upload, Refusal> {
        let (file, bytes) = match self.file(path) {
            Ok(_) if start == UploadStart::Create => return Err(Refusal::Exists),
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
        if let UploadStart::At { offset, replace } = start {
            if offset.get() > bytes {
                return Err(Refusal::OffsetTooLarge);
            }
            if offset.get() < bytes && !replace {
                return Err(Refusal::Exists);
            }
        }
        Ok(Upload::new(
            self.resolve(path, true)?,
            file,
            start,
            is_ascii,
        ))
    }

    /// Creates a file with the name of the path, or one that begins with it.
    fn create_unique(&self, path: &FtpPath) -> Result<(Vec<u8>, File), Refusal> {
        let directory = self.resolve(&path.parent(), true)?;
        for number in 1..=1000 {
            let mut name = path.name().to_vec();
            if number > 1 {
                name.extend_from_slice(format!(".{number}").as_bytes());
            }
            match File::create_new(directory.join(OsString::from_vec(name.clone()))) {
                Ok(file) => return Ok((name, file)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
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
            _ => Err(Refusal::NotARegularFile),
        }
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
