//! Uploads: where the bytes that a client sends become a file.
//!
//! Nothing is changed before the data connection exists.

use std::fs::File;
use std::io::{self, ErrorKind, Seek, SeekFrom};

use cap_std::fs::OpenOptions;
use ftp_proto::{FtpPath, Refusal, UploadStart};
use rustix::fs::{Access, AtFlags};

use super::attributes::apply_umask;
use super::root::{Root, changeable, refusal, relative};

/// A file to receive into. It is not changed yet; only STOU's file exists already, because its name
/// has to be announced.
#[derive(Debug)]
pub(crate) struct Upload {
    target: UploadTarget,
    start: UploadStart,
    umask: Option<u32>,
}

#[derive(Debug)]
enum UploadTarget {
    Existing(File),
    /// To be created when the upload begins: until then another client may create, and write, a
    /// file of this name.
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
    name: Vec<u8>,
    /// What to remove; `None` when the upload has begun.
    path: Option<FtpPath>,
}

impl Root {
    /// Prepares to receive into a file as `start` says. `umask`: the client's, for a new file.
    ///
    /// # Errors
    ///
    /// The file system's refusal; [`Refusal::OffsetTooLarge`] for an offset behind the end;
    /// [`Refusal::Exists`] if a file exists that may not be replaced, and for STOU when no free
    /// name was found.
    pub(crate) fn upload(
        &self,
        path: &FtpPath,
        start: UploadStart,
        umask: Option<u32>,
    ) -> Result<Upload, Refusal> {
        self.visible(changeable(path).map_err(|_| Refusal::IsADirectory)?)?;
        self.check_not_own(path)?;
        let target = match start {
            UploadStart::Unique => self.create_unique(path)?,
            UploadStart::Create => {
                self.check_free(path)?;
                self.new_target(path)?
            }
            UploadStart::Replace | UploadStart::At { .. } | UploadStart::End => {
                match self.open_file(path, &mut options(start)) {
                    Ok((file, _)) => UploadTarget::Existing(file),
                    Err(Refusal::NotFound) => self.new_target(path)?,
                    Err(refusal) => return Err(refusal),
                }
            }
        };
        let upload = Upload {
            target,
            start,
            umask,
        };
        if let UploadStart::At { offset, replace } = start {
            check_offset(upload.size()?, offset.get(), replace)?;
        }
        Ok(upload)
    }

    /// Creates a new file with the name of `path` if that is free, or one that begins with it.
    fn create_unique(&self, path: &FtpPath) -> Result<UploadTarget, Refusal> {
        let (directory, stem) = (path.parent(), path.name());
        for number in 0..UNIQUE_NAMES_MAX {
            let name = match number {
                0 => stem.to_vec(),
                _ => [stem, format!(".{number}").as_bytes()].concat(),
            };
            let Some(path) = directory.child(&name) else {
                return Err(Refusal::NameRejected);
            };
            if self.visible(&path).is_err() {
                continue;
            }
            let mut options = OpenOptions::new();
            match self.open_with(&path, options.write(true).create_new(true)) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(refusal(&error)),
                Ok(file) => {
                    let (root, path) = (self.clone(), Some(path));
                    return Ok(UploadTarget::Unique(file, UniqueFile { root, name, path }));
                }
            }
        }
        Err(Refusal::Exists)
    }

    fn new_target(&self, path: &FtpPath) -> Result<UploadTarget, Refusal> {
        self.check_creatable(path)?;
        let (root, path) = (self.clone(), path.clone());
        Ok(UploadTarget::New { root, path })
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
    /// The name that was chosen for STOU.
    pub(crate) fn unique_name(&self) -> Option<&[u8]> {
        match &self.target {
            UploadTarget::Unique(_, unique) => Some(&unique.name),
            UploadTarget::Existing(_) | UploadTarget::New { .. } => None,
        }
    }

    /// The data connection exists: from now on the file is written. Bytes behind the offset are
    /// removed.
    ///
    /// # Errors
    ///
    /// The file system's error; the file is as it was before.
    pub(crate) fn begin(self) -> io::Result<File> {
        let mut file = match self.target {
            UploadTarget::Existing(file) => file,
            UploadTarget::New { root, path } => create(&root, &path, self.start, self.umask)?,
            UploadTarget::Unique(file, unique) => {
                apply_umask(&file, self.umask)?;
                unique.keep();
                return Ok(file);
            }
        };
        match self.start {
            UploadStart::Replace if file.metadata()?.len() > 0 => file.set_len(0)?,
            UploadStart::At { offset, replace } => {
                // Checked again: a gap of zeros would be data loss that no client sees.
                check_offset(file.metadata()?.len(), offset.get(), replace)
                    .map_err(io::Error::other)?;
                file.set_len(offset.get())?;
                file.seek(SeekFrom::Start(offset.get()))?;
            }
            UploadStart::Create | UploadStart::Replace | UploadStart::End | UploadStart::Unique => {
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

impl UniqueFile {
    fn keep(mut self) {
        self.path = None;
    }
}

impl Drop for UniqueFile {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // Not fatal: an empty file stays, under a name that no reply has confirmed.
            let _ = self.root.directory.remove_file(relative(path));
        }
    }
}

/// Creates the file that did not exist when the upload was prepared.
fn create(root: &Root, path: &FtpPath, start: UploadStart, umask: Option<u32>) -> io::Result<File> {
    match root.open_with(path, options(start).create_new(true)) {
        // Another client has created it meanwhile, with permission bits of its own.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && start != UploadStart::Create => {
            let opened = root.open_file(path, &mut options(start));
            opened.map(|(file, _)| file).map_err(io::Error::other)
        }
        Err(error) => Err(error),
        Ok(file) => {
            apply_umask(&file, umask)?;
            Ok(file)
        }
    }
}

fn options(start: UploadStart) -> OpenOptions {
    let mut options = OpenOptions::new();
    match start {
        UploadStart::End => options.append(true),
        UploadStart::Create
        | UploadStart::Replace
        | UploadStart::At { .. }
        | UploadStart::Unique => options.write(true),
    };
    options
}

/// Whether an upload may go on at this offset of a file. `replace`: bytes behind the offset may be
/// removed.
fn check_offset(size: u64, offset: u64, replace: bool) -> Result<(), Refusal> {
    if offset > size {
        return Err(Refusal::OffsetTooLarge);
    }
    if offset == size || replace {
        Ok(())
    } else {
        Err(Refusal::Exists)
    }
}

/// How many names STOU tries.
const UNIQUE_NAMES_MAX: u32 = 10_000;

#[cfg(test)]
mod tests;
