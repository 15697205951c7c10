//! Which paths clients may name: hidden ones do not exist.

use ftp_proto::{FileRequest, FtpPath, Refusal};

use super::root::Root;

impl Root {
    /// The path, unless a name in it is hidden: then it does not exist.
    pub(super) fn visible<'a>(&self, path: &'a FtpPath) -> Result<&'a FtpPath, Refusal> {
        match self.rules.hides_path(path) {
            true => Err(Refusal::NotFound),
            false => Ok(path),
        }
    }

    /// Whether all paths of a request are visible. STAT looks for itself.
    pub(super) fn check_visible(&self, request: &FileRequest) -> Result<(), Refusal> {
        match request {
            FileRequest::Rename { from, to, .. } => {
                self.visible(from)?;
                self.visible(to)?;
            }
            FileRequest::ChangeDirectory(path)
            | FileRequest::MakeDirectory { path, .. }
            | FileRequest::RemoveDirectory(path)
            | FileRequest::DeleteFile(path)
            | FileRequest::RenameFrom(path)
            | FileRequest::Size(path)
            | FileRequest::ModifiedTime(path)
            | FileRequest::ChangeMode { path, .. }
            | FileRequest::SetModified { path, .. }
            | FileRequest::Facts(path) => {
                self.visible(path)?;
            }
            FileRequest::Status(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
