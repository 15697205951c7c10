//! Which paths clients may name: hidden ones, and the server's own files, do not exist.

use cap_std::fs::MetadataExt;
use ftp_proto::{FileRequest, FtpPath, Refusal};

use super::root::{Root, relative};

impl Root {
    /// The path, unless a name in it is hidden: then it does not exist.
    pub(super) fn visible<'a>(&self, path: &'a FtpPath) -> Result<&'a FtpPath, Refusal> {
        if self.rules.hides_path(path) {
            Err(Refusal::NotFound)
        } else {
            Ok(path)
        }
    }

    /// Whether the operator hides a name in the path.
    pub(crate) fn hides_path(&self, path: &FtpPath) -> bool {
        self.rules.hides_by_pattern() && self.visible(path).is_err()
    }

    /// Whether the operator hides a name in a path of the request.
    pub(crate) fn hides(&self, request: &FileRequest) -> bool {
        self.rules.hides_by_pattern() && self.check_visible(request).is_err()
    }

    /// Whether this is none of the server's own files, no link to one, and not the path of one that
    /// is missing: a client that has the right to write changes none of these.
    pub(super) fn check_not_own(&self, path: &FtpPath) -> Result<(), Refusal> {
        if self.rules.own_files.are_none() {
            return Ok(());
        }
        let name = relative(path);
        let found = [
            self.directory.symlink_metadata(name),
            self.directory.metadata(name),
        ];
        let mut found = found.iter().flatten();
        if found.any(|metadata| self.is_own((metadata.dev(), metadata.ino()))) {
            return Err(Refusal::NotFound);
        }
        let parent = path.parent();
        let parent = self.directory.metadata(relative(&parent)).ok();
        let parent = parent.map(|metadata| (metadata.dev(), metadata.ino()));
        let own_files = &self.rules.own_files;
        if parent.is_some_and(|parent| own_files.have_path(parent, path.name())) {
            Err(Refusal::NotFound)
        } else {
            Ok(())
        }
    }

    /// Whether this may get another name. A directory with one of the server's own files in it may
    /// not: a client could put another file at the path that the server reads.
    fn check_movable(&self, path: &FtpPath) -> Result<(), Refusal> {
        self.check_not_own(path)?;
        if self.rules.own_files.are_none() {
            return Ok(());
        }
        let metadata = self.directory.symlink_metadata(relative(path)).ok();
        let identity = metadata.map(|metadata| (metadata.dev(), metadata.ino()));
        if identity.is_some_and(|identity| self.rules.own_files.are_below(identity)) {
            Err(Refusal::Denied)
        } else {
            Ok(())
        }
    }

    /// Whether a file with this device and inode is the server's own.
    pub(super) fn is_own(&self, identity: (u64, u64)) -> bool {
        self.rules.own_files.contain(identity)
    }

    /// Whether a request changes none of the server's own files, nor their paths. What reads looks
    /// for itself.
    pub(super) fn check_own_files(&self, request: &FileRequest) -> Result<(), Refusal> {
        match request {
            FileRequest::DeleteFile(path)
            | FileRequest::RemoveDirectory(path)
            | FileRequest::MakeDirectory { path, .. }
            | FileRequest::ChangeMode { path, .. }
            | FileRequest::SetModified { path, .. } => self.check_not_own(path),
            FileRequest::RenameFrom(path) => self.check_movable(path),
            FileRequest::Rename { from, to, .. } => {
                self.check_movable(from)?;
                self.check_movable(to)
            }
            FileRequest::ChangeDirectory(_)
            | FileRequest::Size { .. }
            | FileRequest::ModifiedTime(_)
            | FileRequest::Facts(_)
            | FileRequest::Hash(_)
            | FileRequest::Status(_)
            | FileRequest::Space(_)
            | FileRequest::Quota => Ok(()),
        }
    }

    /// Whether all paths of a request are visible. STAT looks for itself.
    pub(super) fn check_visible(&self, request: &FileRequest) -> Result<(), Refusal> {
        if matches!(request, FileRequest::Status(_)) {
            return Ok(());
        }
        for path in request.paths() {
            self.visible(path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
