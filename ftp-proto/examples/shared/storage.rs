//! What the one user may do with the files: the answers to actions.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ftp_proto::listing::{Details, Entry};
use ftp_proto::{
    Account, FileAnswer, FileRequest, FtpPath, Opened, Outcome, Refusal, Representation, Rights,
    Secret, TransferKind, TransferRequest, UploadStart,
};

use super::list::{Listing, look, status};
use super::root::Root;
use super::transfer::{Download, Transfer, Upload, text_length};

pub(crate) struct Storage {
    pub(super) root: Root,
    pub(super) user: Vec<u8>,
    pub(super) password: Vec<u8>,
    pub(super) rights: Rights,
}

impl Storage {
    /// The answer to `Authenticate`. A server on the internet delays it after a wrong password.
    pub(crate) fn authenticate(&self, user: &[u8], password: &Secret) -> Outcome {
        let is_right = password.matches(&self.password) && user == self.user;
        Outcome::Authenticated(is_right.then(|| Account::new(self.rights)))
    }

    /// The answer to `File`: one outcome, or several for STAT with a path.
    pub(crate) fn answer(&self, request: &FileRequest) -> Vec<Outcome> {
        let answers = match request {
            FileRequest::Status(listing) => status(&self.root, listing)
                .map(|batches| batches.into_iter().map(FileAnswer::Entries).collect()),
            _ => self.perform(request).map(|answer| vec![answer]),
        };
        match answers {
            Ok(answers) => answers
                .into_iter()
                .map(|answer| Outcome::File(Ok(answer)))
                .collect(),
            Err(refusal) => vec![Outcome::File(Err(refusal))],
        }
    }

    fn perform(&self, request: &FileRequest) -> Result<FileAnswer, Refusal> {
        let root = &self.root;
        let result = match request {
            FileRequest::ChangeDirectory(path) => fs::read_dir(root.resolve(path, true)?).map(drop),
            FileRequest::MakeDirectory { path, umask } => {
                let path = root.below(path)?;
                fs::create_dir(&path).and_then(|()| apply_umask(&path, 0o777, *umask))
            }
            FileRequest::RemoveDirectory(path) => match root.below(path)? {
                path if path.is_symlink() => fs::remove_file(path),
                path => fs::remove_dir(path),
            },
            FileRequest::DeleteFile(path) => fs::remove_file(root.below(path)?),
            FileRequest::RenameFrom(path) => root.below(path)?.symlink_metadata().map(drop),
            FileRequest::Rename { from, to, replace } => {
                let to = root.below(to)?;
                // Another program may create the name here; where that matters, use renameat2.
                if !replace && to.symlink_metadata().is_ok() {
                    return Err(Refusal::Exists);
                }
                fs::rename(root.below(from)?, to)
            }
            FileRequest::Size {
                path,
                representation,
            } => {
                let (path, metadata) = root.file(path)?;
                let size = match representation {
                    Representation::Image => metadata.len(),
                    Representation::Ascii => text_length(&path, metadata.len())?,
                };
                return Ok(FileAnswer::Size(size));
            }
            FileRequest::ModifiedTime(path) => {
                let entry = Entry::from_metadata(b"", &root.file(path)?.1);
                return Ok(FileAnswer::Modified(entry.modified));
            }
            FileRequest::ChangeMode { path, mode } => {
                let (path, metadata) = root.changeable(path)?;
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
                File::open(root.changeable(path)?.0).and_then(|file| file.set_modified(time))
            }
            FileRequest::Facts(path) => {
                let mut entry = look(root, &root.resolve(path, false)?, Details::FACTS)?;
                entry.name = path.name().to_vec();
                return Ok(FileAnswer::Entry(entry));
            }
            // There are no quotas.
            FileRequest::Quota => return Ok(FileAnswer::Quota(None)),
            // Digests are not requested, as `Config::digests` is false.
            FileRequest::Status(_) | FileRequest::Hash(_) | FileRequest::Space(_) => {
                return Err(Refusal::Unsupported);
            }
        };
        match result {
            Ok(()) => Ok(FileAnswer::Done),
            Err(error) => Err(Refusal::from(&error)),
        }
    }

    /// The answer to `OpenTransfer`, and the bytes of the transfer. Nothing is changed yet, except
    /// that STOU creates its file: its name is announced.
    pub(crate) fn open(&self, request: &TransferRequest) -> Result<(Transfer, Opened), Refusal> {
        let root = &self.root;
        let is_ascii = request.representation == Representation::Ascii;
        let mut opened = Opened::default();
        let mut upload = match &request.kind {
            TransferKind::List(listing) => {
                let listing = Listing::open(root, listing)?;
                return Ok((Transfer::Download(Download::listing(listing)), opened));
            }
            TransferKind::Retrieve { path, offset, end } => {
                let (path, metadata) = root.file(path)?;
                let file = File::open(path).map_err(|error| Refusal::from(&error))?;
                let end = end.unwrap_or(u64::MAX).min(metadata.len());
                let (download, bytes) = Download::file(file, end, *offset, is_ascii)?;
                opened.bytes = bytes;
                return Ok((Transfer::Download(download), opened));
            }
            TransferKind::Store { path, start } => match start {
                UploadStart::Unique => {
                    let (path, file) = create_unique(root.resolve(path, false)?)?;
                    opened.name = path.file_name().map(|name| name.as_bytes().to_vec());
                    let created = apply_umask(&path, 0o666, request.umask);
                    created.map_err(|error| Refusal::from(&error))?;
                    Upload::new(path, Some(file), *start)
                }
                _ => self.upload(path, *start)?,
            },
        };
        upload.set_form(is_ascii, request.umask);
        Ok((Transfer::Upload(upload), opened))
    }

    fn upload(&self, path: &FtpPath, start: UploadStart) -> Result<Upload, Refusal> {
        let (path, file, bytes) = match self.root.file(path) {
            Ok(_) if start == UploadStart::Create => return Err(Refusal::Exists),
            Ok((path, metadata)) => {
                let file = File::options().write(true).open(&path);
                let file = file.map_err(|error| Refusal::from(&error))?;
                (path, Some(file), metadata.len())
            }
            // The file may be created if there is a directory for it.
            Err(Refusal::NotFound) => {
                let path = self.root.resolve(path, true)?;
                let parent = path.parent().ok_or(Refusal::NotFound)?;
                fs::metadata(parent).map_err(|error| Refusal::from(&error))?;
                (path, None, 0)
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
        Ok(Upload::new(path, file, start))
    }
}

/// Creates the suggested file, or one whose name begins with that name.
fn create_unique(suggested: PathBuf) -> Result<(PathBuf, File), Refusal> {
    let mut path = suggested.clone();
    for number in 2..1000 {
        match File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                path.clone_from(&suggested);
                path.as_mut_os_string().push(format!(".{number}"));
            }
            Err(error) => return Err(Refusal::from(&error)),
        }
    }
    Err(Refusal::Exists)
}

/// Sets the permission bits of what has just been created, if the client has sent SITE UMASK.
pub(super) fn apply_umask(path: &Path, mode: u32, umask: Option<u32>) -> io::Result<()> {
    match umask {
        Some(umask) => fs::set_permissions(path, fs::Permissions::from_mode(mode & !umask)),
        None => Ok(()),
    }
}
