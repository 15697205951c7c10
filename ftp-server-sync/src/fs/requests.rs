//! File requests: everything that clients do with files without a data connection.

use std::io;
use std::os::unix::fs::MetadataExt;

use cap_std::fs::OpenOptions;
use ftp_proto::{FileAnswer, FileRequest, FtpPath, Refusal};
use rustix::fs::{Access, AtFlags};

use super::root::{Root, changeable, refusal, relative};

impl Root {
    /// Performs a request that needs no data connection, except STAT, which takes longer: [`Root::status`].
    ///
    /// # Errors
    ///
    /// The file system's refusal.
    pub(crate) fn perform(&self, request: &FileRequest) -> Result<FileAnswer, Refusal> {
        match request {
            FileRequest::ChangeDirectory(path) => done(self.check_enterable(path)),
            FileRequest::MakeDirectory { path, umask } => done(self.make_directory(path, *umask)),
            FileRequest::RemoveDirectory(path) => {
                let name = relative(changeable(path)?);
                system_done(self.directory.remove_dir(name))
            }
            FileRequest::DeleteFile(path) => {
                let name = relative(changeable(path)?);
                system_done(self.directory.remove_file(name))
            }
            FileRequest::RenameFrom(path) => {
                let name = relative(changeable(path)?);
                system_done(self.directory.symlink_metadata(name).map(drop))
            }
            FileRequest::Rename { from, to } => {
                let to = relative(changeable(to)?);
                let from = relative(changeable(from)?);
                system_done(self.directory.rename(from, &self.directory, to))
            }
            FileRequest::Size(path) => {
                let (_, metadata) = self.open_file(path, OpenOptions::new().read(true))?;
                Ok(FileAnswer::Size(metadata.len()))
            }
            FileRequest::ModifiedTime(path) => {
                let (_, metadata) = self.open_file(path, OpenOptions::new().read(true))?;
                Ok(FileAnswer::Modified(metadata.mtime()))
            }
            FileRequest::ChangeMode { path, mode } => done(self.change_mode(path, *mode)),
            FileRequest::SetModified { path, modified } => done(self.set_modified(path, *modified)),
            FileRequest::Facts(path) => self.entry(path).map(FileAnswer::Entry),
            FileRequest::Status(_) => Err(Refusal::Unsupported),
        }
    }

    /// Whether a directory exists and may become the current one.
    fn check_enterable(&self, path: &FtpPath) -> Result<(), Refusal> {
        let directory = self.open_directory(path)?;
        rustix::fs::accessat(&directory, ".", Access::EXEC_OK, AtFlags::EACCESS)
            .map_err(|errno| refusal(&errno.into()))
    }

    /// Creates a directory. A `umask` of the client replaces that of the process.
    fn make_directory(&self, path: &FtpPath, umask: Option<u32>) -> Result<(), Refusal> {
        let name = relative(changeable(path)?);
        self.directory
            .create_dir(name)
            .map_err(|error| refusal(&error))?;
        match umask {
            Some(umask) => self.change_mode(path, 0o777 & !umask),
            None => Ok(()),
        }
    }
}

fn done(result: Result<(), Refusal>) -> Result<FileAnswer, Refusal> {
    result.map(|()| FileAnswer::Done)
}

fn system_done(result: io::Result<()>) -> Result<FileAnswer, Refusal> {
    done(result.map_err(|error| refusal(&error)))
}
