//! Files beneath the shared directory.
//!
//! Every path is opened relative to one directory handle, and the kernel refuses to leave it: no
//! `..`, no symbolic link, not even one made between check and use, leads outside.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use ftp_proto::listing::Entry;
use ftp_proto::{FileAnswer, FileRequest, FtpPath, Refusal};
use rustix::fs::{Access, AtFlags, OFlags};
use rustix::io::Errno;

use super::attributes::apply_umask;
use super::list::entry_of;
use super::owners::Owners;

/// The shared tree. Cloning shares the handle.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    pub(super) root: Arc<Dir>,
}

/// A file to send.
#[derive(Debug)]
pub(crate) struct Download {
    /// Open for reading.
    pub file: File,
    /// Where to begin, in bytes.
    pub offset: u64,
    /// Where to end: the size when it was opened.
    pub size: u64,
}

/// A file to receive into. Nothing has been changed yet; only STOU's file exists already, because its
/// name has to be announced.
#[derive(Debug)]
pub(crate) struct Upload {
    target: Target,
    start: UploadStart,
    umask: Option<u32>,
}

#[derive(Debug)]
enum Target {
    Existing(File),
    /// To be made when the upload begins: until then another client may make, and fill, a file of
    /// this name.
    New {
        storage: Root,
        path: FtpPath,
    },
    Unique(File, Unique),
}

/// The empty file of a STOU, which is taken away again unless the upload begins.
#[derive(Debug)]
struct Unique {
    storage: Root,
    path: FtpPath,
}

/// What happens to the bytes that are there when an upload begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UploadStart {
    /// The first so many stay.
    At(u64),
    /// All stay.
    AtEnd,
}

impl Root {
    /// Opens the shared directory.
    ///
    /// # Errors
    ///
    /// What the system says, with the directory, when it is missing, not a directory, or not readable.
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        let root = Dir::open_ambient_dir(directory, ambient_authority());
        let root = root.map_err(|error| {
            let text = format!("cannot share {}: {error}", directory.display());
            io::Error::new(error.kind(), text)
        })?;
        Ok(Self { root: root.into() })
    }

    /// Whether this is the shared directory itself, by whatever way it was reached.
    pub(crate) fn is_root(&self, stat: &rustix::fs::Stat) -> bool {
        let root = rustix::fs::fstat(&self.root);
        root.is_ok_and(|root| (stat.st_dev, stat.st_ino) == (root.st_dev, root.st_ino))
    }

    /// Performs a request that needs no data connection. `now` is in seconds since 1970; `number` is the
    /// session's, for the log.
    ///
    /// # Errors
    ///
    /// Why it was not done.
    pub(crate) fn perform(
        &self,
        request: &FileRequest,
        now: i64,
        number: u64,
    ) -> Result<FileAnswer, Refusal> {
        match request {
            FileRequest::ChangeDirectory(path) => {
                let directory = self.open_directory(path)?;
                let enter = Access::EXEC_OK;
                done(
                    rustix::fs::accessat(&directory, ".", enter, AtFlags::EACCESS)
                        .map_err(Into::into),
                )
            }
            FileRequest::MakeDirectory { path, umask } => {
                self.make_directory(path, *umask)?;
                Ok(FileAnswer::Done)
            }
            FileRequest::RemoveDirectory(path) => {
                done(self.root.remove_dir(relative(changeable(path)?)))
            }
            FileRequest::DeleteFile(path) => {
                done(self.root.remove_file(relative(changeable(path)?)))
            }
            FileRequest::RenameFrom(path) => done(
                self.root
                    .symlink_metadata(relative(changeable(path)?))
                    .map(drop),
            ),
            FileRequest::Rename { from, to } => {
                let to = relative(changeable(to)?);
                done(
                    self.root
                        .rename(relative(changeable(from)?), &self.root, to),
                )
            }
            FileRequest::Size(path) => {
                let (_, metadata) = self.open_plain(path, OpenOptions::new().read(true))?;
                Ok(FileAnswer::Size(metadata.len()))
            }
            FileRequest::ModifiedTime(path) => {
                let (_, metadata) = self.open_plain(path, OpenOptions::new().read(true))?;
                Ok(FileAnswer::Modified(metadata.mtime()))
            }
            FileRequest::ChangeMode { path, mode } => {
                self.change_mode(path, *mode)?;
                Ok(FileAnswer::Done)
            }
            FileRequest::SetModified { path, modified } => {
                self.set_modified(path, *modified)?;
                Ok(FileAnswer::Done)
            }
            FileRequest::Facts(path) => self.entry(path).map(FileAnswer::Entry),
            FileRequest::Status(selection) => self.status(selection, now, number),
        }
    }

    /// Opens a file to send.
    ///
    /// # Errors
    ///
    /// As the file system has it; [`Refusal::OffsetTooLarge`] for an offset beyond the end.
    pub(crate) fn download(&self, path: &FtpPath, offset: u64) -> Result<Download, Refusal> {
        let (file, metadata) = self.open_plain(path, OpenOptions::new().read(true))?;
        let size = metadata.len();
        if offset > size {
            return Err(Refusal::OffsetTooLarge);
        }
        Ok(Download { file, offset, size })
    }

    /// Opens, or makes, a file to receive into; its first `offset` bytes will stay.
    ///
    /// # Errors
    ///
    /// As the file system has it; [`Refusal::OffsetTooLarge`] for an offset beyond the end.
    pub(crate) fn upload(
        &self,
        path: &FtpPath,
        offset: u64,
        umask: Option<u32>,
    ) -> Result<Upload, Refusal> {
        let upload = self.writable(path, UploadStart::At(offset), umask)?;
        if offset > upload.size()? {
            return Err(Refusal::OffsetTooLarge);
        }
        Ok(upload)
    }

    /// Opens, or makes, a file to receive into behind what is there.
    ///
    /// # Errors
    ///
    /// As the file system has it.
    pub(crate) fn append(&self, path: &FtpPath, umask: Option<u32>) -> Result<Upload, Refusal> {
        self.writable(path, UploadStart::AtEnd, umask)
    }

    /// Makes a new file in `directory`, named like `wish` if that can be, and returns its name.
    ///
    /// # Errors
    ///
    /// As the file system has it; [`Refusal::Exists`] when no name could be found.
    pub(crate) fn upload_unique(
        &self,
        directory: &FtpPath,
        wish: &[u8],
        umask: Option<u32>,
    ) -> Result<(Upload, Vec<u8>), Refusal> {
        let stem = if wish.is_empty() { b"upload" } else { wish };
        for number in 0..UNIQUE_NAMES_MAX {
            let name = match number {
                0 => stem.to_vec(),
                _ => [stem, format!(".{number}").as_bytes()].concat(),
            };
            let Some(path) = directory.child(&name) else {
                return Err(Refusal::NameRejected);
            };
            let mut options = OpenOptions::new();
            match self.open_with(&path, options.write(true).create_new(true)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(refusal(&error)),
                Ok(file) => {
                    let storage = self.clone();
                    let target = Target::Unique(file, Unique { storage, path });
                    let start = UploadStart::At(0);
                    return Ok((
                        Upload {
                            target,
                            start,
                            umask,
                        },
                        name,
                    ));
                }
            }
        }
        Err(Refusal::Exists)
    }

    pub(super) fn entry(&self, path: &FtpPath) -> Result<Entry, Refusal> {
        let parent = self.open_directory(&path.parent())?;
        let name = if path.is_root() { b"." } else { path.name() };
        let stat = rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| refusal(&errno.into()))?;
        let mut entry = entry_of(&parent, name, &stat, &mut Owners::default());
        entry.name = path.name().to_vec();
        Ok(entry)
    }

    pub(super) fn open_directory(&self, path: &FtpPath) -> Result<Dir, Refusal> {
        self.root
            .open_dir(relative(path))
            .map_err(|error| refusal(&error))
    }

    fn open_with(&self, path: &FtpPath, options: &mut OpenOptions) -> io::Result<File> {
        // A FIFO without a peer would hang an open that may block.
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        let file = self
            .root
            .open_with(relative(path), options.custom_flags(nonblocking))?;
        Ok(file.into_std())
    }

    /// Only regular files can be transferred.
    pub(super) fn open_plain(
        &self,
        path: &FtpPath,
        options: &mut OpenOptions,
    ) -> Result<(File, Metadata), Refusal> {
        let file = self
            .open_with(path, options)
            .map_err(|error| refusal(&error))?;
        let metadata = metadata(&file)?;
        match metadata.is_file() {
            true => Ok((file, metadata)),
            false => Err(Refusal::IsADirectory),
        }
    }

    fn writable(
        &self,
        path: &FtpPath,
        start: UploadStart,
        umask: Option<u32>,
    ) -> Result<Upload, Refusal> {
        changeable(path).map_err(|_| Refusal::IsADirectory)?;
        let target = match self.open_plain(path, &mut start.options()) {
            Ok((file, _)) => Target::Existing(file),
            Err(Refusal::NotFound) => {
                self.check_creatable(path)?;
                let (storage, path) = (self.clone(), path.clone());
                Target::New { storage, path }
            }
            Err(refusal) => return Err(refusal),
        };
        Ok(Upload {
            target,
            start,
            umask,
        })
    }

    /// Whether a file could be made: its directory is there and may be written to.
    fn check_creatable(&self, path: &FtpPath) -> Result<(), Refusal> {
        let parent = self.open_directory(&path.parent())?;
        let rights = Access::WRITE_OK | Access::EXEC_OK;
        rustix::fs::accessat(&parent, ".", rights, AtFlags::EACCESS)
            .map_err(|errno| refusal(&errno.into()))
    }
}

impl Upload {
    /// The data connection exists: from now on the file is written. What lies behind the offset goes.
    ///
    /// # Errors
    ///
    /// What the file system says; the file is as it was before.
    pub(crate) fn begin(self) -> io::Result<File> {
        let mut file = match self.target {
            Target::Existing(file) => file,
            Target::New { storage, path } => {
                let mut options = self.start.options();
                match storage.open_with(&path, options.create_new(true)) {
                    // Somebody else has made it meanwhile: the bits are theirs.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        storage.open_with(&path, &mut self.start.options())?
                    }
                    Err(error) => return Err(error),
                    Ok(file) => {
                        apply_umask(&file, self.umask)?;
                        file
                    }
                }
            }
            Target::Unique(file, unique) => {
                apply_umask(&file, self.umask)?;
                unique.keep();
                return Ok(file);
            }
        };
        if let UploadStart::At(offset) = self.start {
            let size = file.metadata()?.len();
            if size < offset {
                // Somebody has cut it meanwhile; zeros would go unnoticed.
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if size > offset {
                file.set_len(offset)?;
            }
            if offset > 0 {
                file.seek(SeekFrom::Start(offset))?;
            }
        }
        Ok(file)
    }

    fn size(&self) -> Result<u64, Refusal> {
        match &self.target {
            Target::Existing(file) => Ok(metadata(file)?.len()),
            Target::New { .. } | Target::Unique(..) => Ok(0),
        }
    }
}

impl UploadStart {
    fn options(self) -> OpenOptions {
        let mut options = OpenOptions::new();
        match self {
            Self::At(_) => options.write(true),
            Self::AtEnd => options.append(true),
        };
        options
    }
}

impl Unique {
    fn keep(mut self) {
        self.path = FtpPath::root();
    }
}

impl Drop for Unique {
    fn drop(&mut self) {
        if !self.path.is_root() {
            // If it cannot be removed an empty file stays; nobody was promised anything.
            let _ = self.storage.root.remove_file(relative(&self.path));
        }
    }
}

/// Turns the system's word into the core's.
pub(crate) fn refusal(error: &io::Error) -> Refusal {
    match Errno::from_io_error(error) {
        Some(Errno::NOENT) => Refusal::NotFound,
        // A symbolic link that leads outside, or in circles.
        Some(Errno::XDEV | Errno::LOOP) => Refusal::Denied,
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Refusal::Denied,
        Some(Errno::EXIST) => Refusal::Exists,
        Some(Errno::NOTEMPTY) => Refusal::NotEmpty,
        Some(Errno::NOTDIR) => Refusal::NotADirectory,
        Some(Errno::ISDIR) => Refusal::IsADirectory,
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Refusal::NoSpace,
        Some(Errno::NAMETOOLONG | Errno::INVAL | Errno::ILSEQ) => Refusal::NameRejected,
        Some(Errno::BUSY | Errno::TXTBSY | Errno::AGAIN) => Refusal::Busy,
        // A FIFO that nobody reads, or a device without a driver.
        Some(Errno::NXIO | Errno::NODEV) => Refusal::IsADirectory,
        _ if error.kind() == io::ErrorKind::PermissionDenied => Refusal::Denied,
        _ => Refusal::Failed,
    }
}

pub(super) fn relative(path: &FtpPath) -> &Path {
    Path::new(OsStr::from_bytes(path.relative()))
}

/// The root itself is never made, removed or renamed.
pub(super) fn changeable(path: &FtpPath) -> Result<&FtpPath, Refusal> {
    match path.is_root() {
        true => Err(Refusal::Denied),
        false => Ok(path),
    }
}

fn done(result: io::Result<()>) -> Result<FileAnswer, Refusal> {
    match result {
        Ok(()) => Ok(FileAnswer::Done),
        Err(error) => Err(refusal(&error)),
    }
}

fn metadata(file: &File) -> Result<Metadata, Refusal> {
    file.metadata().map_err(|error| refusal(&error))
}

/// Names that STOU tries.
const UNIQUE_NAMES_MAX: u32 = 10_000;
