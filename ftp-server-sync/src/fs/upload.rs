//! Uploads: where the bytes that a client sends become a file.
//!
//! Nothing is changed before the data connection exists.

use std::fs::File;
use std::io::{self, ErrorKind, Seek, SeekFrom};

use cap_std::fs::OpenOptions;
use ftp_proto::{FtpPath, Refusal};
use rustix::fs::{Access, AtFlags};

use super::attributes::apply_umask;
use super::root::{Root, changeable, refusal, relative};

/// A file to receive into. It is not changed yet; only STOU's file exists already, because its name has
/// to be announced.
#[derive(Debug)]
pub(crate) struct Upload {
    target: UploadTarget,
    start: UploadStart,
    umask: Option<u32>,
}

#[derive(Debug)]
enum UploadTarget {
    Existing(File),
    /// To be created when the upload begins: until then another client may create, and write, a file of
    /// this name.
    New {
        root: Root,
        path: FtpPath,
    },
    Unique(File, UniqueFile),
}

/// The empty file of a STOU. It is removed again unless the upload begins.
#[derive(Debug)]
struct UniqueFile {
    root: Root,
    /// The root itself: there is nothing to remove any more.
    path: FtpPath,
}

/// Which bytes of an existing file stay when an upload begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UploadStart {
    /// Those before this offset.
    At(u64),
    /// All.
    AtEnd,
}

impl Root {
    /// Prepares to replace, or create, a file; its first `offset` bytes will stay.
    ///
    /// # Errors
    ///
    /// The file system's refusal; [`Refusal::OffsetTooLarge`] for an offset behind the end.
    pub(crate) fn upload(
        &self,
        path: &FtpPath,
        offset: u64,
        umask: Option<u32>,
    ) -> Result<Upload, Refusal> {
        let upload = self.prepare_upload(path, UploadStart::At(offset), umask)?;
        if offset > upload.size()? {
            return Err(Refusal::OffsetTooLarge);
        }
        Ok(upload)
    }

    /// Prepares to append to a file, or to create it.
    ///
    /// # Errors
    ///
    /// The file system's refusal.
    pub(crate) fn append(&self, path: &FtpPath, umask: Option<u32>) -> Result<Upload, Refusal> {
        self.prepare_upload(path, UploadStart::AtEnd, umask)
    }

    /// Creates a new file in `directory`, named like `suggested_name` if possible, and returns its name.
    ///
    /// # Errors
    ///
    /// The file system's refusal; [`Refusal::Exists`] when no free name was found.
    pub(crate) fn upload_unique(
        &self,
        directory: &FtpPath,
        suggested_name: &[u8],
        umask: Option<u32>,
    ) -> Result<(Upload, Vec<u8>), Refusal> {
        let stem = match suggested_name {
            b"" => b"upload",
            name => name,
        };
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
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(refusal(&error)),
                Ok(file) => {
                    let root = self.clone();
                    let upload = Upload {
                        target: UploadTarget::Unique(file, UniqueFile { root, path }),
                        start: UploadStart::At(0),
                        umask,
                    };
                    return Ok((upload, name));
                }
            }
        }
        Err(Refusal::Exists)
    }

    fn prepare_upload(
        &self,
        path: &FtpPath,
        start: UploadStart,
        umask: Option<u32>,
    ) -> Result<Upload, Refusal> {
        changeable(path).map_err(|_| Refusal::IsADirectory)?;
        let target = match self.open_file(path, &mut start.options()) {
            Ok((file, _)) => UploadTarget::Existing(file),
            Err(Refusal::NotFound) => {
                self.check_creatable(path)?;
                let (root, path) = (self.clone(), path.clone());
                UploadTarget::New { root, path }
            }
            Err(refusal) => return Err(refusal),
        };
        Ok(Upload {
            target,
            start,
            umask,
        })
    }

    /// Whether a file can be created: its directory exists and may be written to.
    fn check_creatable(&self, path: &FtpPath) -> Result<(), Refusal> {
        let parent = self.open_directory(&path.parent())?;
        let rights = Access::WRITE_OK | Access::EXEC_OK;
        rustix::fs::accessat(&parent, ".", rights, AtFlags::EACCESS)
            .map_err(|errno| refusal(&errno.into()))
    }
}

impl Upload {
    /// The data connection exists: from now on the file is written. Bytes behind the offset are removed.
    ///
    /// # Errors
    ///
    /// The file system's error; the file is as it was before.
    pub(crate) fn begin(self) -> io::Result<File> {
        let mut file = match self.target {
            UploadTarget::Existing(file) => file,
            UploadTarget::New { root, path } => {
                let mut options = self.start.options();
                match root.open_with(&path, options.create_new(true)) {
                    // Another client has created it meanwhile, with permission bits of its own.
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                        root.open_with(&path, &mut self.start.options())?
                    }
                    Err(error) => return Err(error),
                    Ok(file) => {
                        apply_umask(&file, self.umask)?;
                        file
                    }
                }
            }
            UploadTarget::Unique(file, unique) => {
                apply_umask(&file, self.umask)?;
                unique.keep();
                return Ok(file);
            }
        };
        if let UploadStart::At(offset) = self.start {
            let size = file.metadata()?.len();
            if size < offset {
                // The file was truncated meanwhile: a gap of zeros would be data loss that no client sees.
                return Err(ErrorKind::UnexpectedEof.into());
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
            UploadTarget::Existing(file) => match file.metadata() {
                Ok(metadata) => Ok(metadata.len()),
                Err(error) => Err(refusal(&error)),
            },
            UploadTarget::New { .. } | UploadTarget::Unique(..) => Ok(0),
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

impl UniqueFile {
    fn keep(mut self) {
        self.path = FtpPath::root();
    }
}

impl Drop for UniqueFile {
    fn drop(&mut self) {
        if !self.path.is_root() {
            // Not fatal: an empty file stays, under a name that no reply has confirmed.
            let _ = self.root.directory.remove_file(relative(&self.path));
        }
    }
}

/// How many names STOU tries.
const UNIQUE_NAMES_MAX: u32 = 10_000;
