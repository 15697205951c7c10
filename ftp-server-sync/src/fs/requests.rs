//! File requests: everything that clients do with files without a data connection.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;

use cap_std::fs::{Metadata, MetadataExt};
use ftp_proto::listing::Details;
use ftp_proto::{FileAnswer, FileRequest, FtpPath, Refusal, Representation};
use rustix::fs::{Access, RenameFlags};
use rustix::io::Errno;

use super::access::check_access;
use super::owners::Owners;
use super::root::{Root, changeable, refusal, relative};
use super::upload::leftovers::{ClearUp, are_alone};

impl Root {
    /// Performs a request that needs no data connection, except those that take longer: STAT, by
    /// [`Root::status`], SIZE in type A, by [`Root::text_size`], and HASH, by [`Root::hash`].
    ///
    /// # Errors
    ///
    /// The file system's refusal.
    pub(crate) fn perform(&self, request: &FileRequest) -> Result<FileAnswer, Refusal> {
        self.check_visible(request)?;
        self.check_own_files(request)?;
        self.check_real_rights(request)?;
        match request {
            FileRequest::ChangeDirectory(path) => done(self.check_enterable(path)),
            FileRequest::MakeDirectory { path, umask } => done(self.make_directory(path, *umask)),
            FileRequest::RemoveDirectory(path) => done(self.remove_directory(changeable(path)?)),
            FileRequest::DeleteFile(path) => system_done(self.delete_file(changeable(path)?)),
            FileRequest::RenameFrom(path) => {
                let name = relative(changeable(path)?);
                system_done(self.directory.symlink_metadata(name).map(drop))
            }
            FileRequest::Rename { from, to, replace } => {
                let (from, to) = (changeable(from)?, changeable(to)?);
                if *replace {
                    done(renamed(self.rename_over(from, to)))
                } else {
                    done(self.rename_to_new(from, to))
                }
            }
            FileRequest::Size {
                path,
                representation: Representation::Image,
            } => {
                let metadata = self.look_at_file(path)?;
                Ok(FileAnswer::Size(metadata.len()))
            }
            FileRequest::ModifiedTime(path) => {
                let metadata = self.look_at_file(path)?;
                Ok(FileAnswer::Modified(metadata.mtime()))
            }
            FileRequest::ChangeMode { path, mode } => done(self.change_mode(path, *mode)),
            FileRequest::SetModified { path, modified } => done(self.set_modified(path, *modified)),
            FileRequest::Facts(path) => {
                let entry = self.entry_with(path, Details::FACTS, &mut Owners::default());
                entry.map(FileAnswer::Entry)
            }
            FileRequest::Space(path) => self.space(path).map(FileAnswer::Space),
            FileRequest::Quota => Ok(FileAnswer::Quota(self.quota_use())),
            FileRequest::Status(_)
            | FileRequest::Hash(_)
            | FileRequest::Size {
                representation: Representation::Ascii,
                ..
            } => Err(Refusal::Unsupported),
        }
    }

    /// Whether a directory exists and may become the current one.
    fn check_enterable(&self, path: &FtpPath) -> Result<(), Refusal> {
        let directory = self.open_directory(path)?;
        check_access(&directory, Access::EXEC_OK).map_err(|errno| refusal(&errno.into()))
    }

    /// Removes an empty directory, or a symbolic link, which listings show as the directory to
    /// which it leads: never that directory.
    fn remove_directory(&self, path: &FtpPath) -> Result<(), Refusal> {
        let name = relative(path);
        let is_link = |metadata: Metadata| metadata.is_symlink();
        let mut removed = self.delete_directory(path);
        if let Err(error) = &removed
            && error.kind() == ErrorKind::DirectoryNotEmpty
        {
            // To the client it may be empty.
            let directory = self.open_directory(path)?;
            if are_alone(&directory).unwrap_or(false) {
                let way = ClearUp {
                    path: Some(path),
                    broken: self.rules.uploads.broken,
                    usage: &self.usage,
                    only: None,
                    is_quiet: false,
                };
                removed = way
                    .run(&directory, drop)
                    .and_then(|_| self.delete_directory(path));
            }
        }
        let removed = match removed {
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                match self.directory.symlink_metadata(name).map(is_link) {
                    Ok(true) => self.delete_file(path),
                    _ => Err(error),
                }
            }
            result => result,
        };
        removed.map_err(|error| refusal(&error))
    }

    /// Renames a file or directory, but replaces nothing.
    fn rename_to_new(&self, from: &FtpPath, to: &FtpPath) -> Result<(), Refusal> {
        let parents = [from, to].map(|path| self.open_directory(&path.parent()));
        let [from_parent, to_parent] = parents;
        let (from_parent, to_parent) = (from_parent?, to_parent?);
        let names = [from, to].map(|path| OsStr::from_bytes(path.name()));
        let [from_name, to_name] = names;
        let flags = RenameFlags::NOREPLACE;
        // Another session may be finding out what its change of this name replaces.
        let _change = self.usage.name_change();
        match rustix::fs::renameat_with(&from_parent, from_name, &to_parent, to_name, flags) {
            // The file system cannot do both in one step, as on some network shares.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => self.rename_if_free(from, to),
            result => renamed(result.map_err(io::Error::from)),
        }
    }

    /// The same in two steps: another client may create the name between them.
    fn rename_if_free(&self, from: &FtpPath, to: &FtpPath) -> Result<(), Refusal> {
        self.check_free(to)?;
        let (from, to) = (relative(from), relative(to));
        renamed(self.directory.rename(from, &self.directory, to))
    }

    /// Creates a directory. A `umask` of the client replaces that of the process.
    fn make_directory(&self, path: &FtpPath, umask: Option<u32>) -> Result<(), Refusal> {
        self.create_directory(changeable(path)?)?;
        match umask.or(self.rules.umask) {
            Some(umask) => self.change_mode(path, 0o777 & !umask),
            None => Ok(()),
        }
    }
}

/// The outcome of a rename. The paths have been opened by then: no link leads out of the share.
fn renamed(result: io::Result<()>) -> Result<(), Refusal> {
    result.map_err(|error| match error.kind() {
        ErrorKind::CrossesDevices => Refusal::OtherFileSystem,
        _ => refusal(&error),
    })
}

fn done(result: Result<(), Refusal>) -> Result<FileAnswer, Refusal> {
    result.map(|()| FileAnswer::Done)
}

fn system_done(result: io::Result<()>) -> Result<FileAnswer, Refusal> {
    done(result.map_err(|error| refusal(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_rename_replaces_only_if_it_may() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        for name in ["a", "b"] {
            fs::write(file(name), name).unwrap();
        }
        fs::create_dir(file("sub")).unwrap();
        let root = Root::open(directory.path()).unwrap();
        let path = |name: &str| FtpPath::parse(name.as_bytes()).unwrap();
        let rename = |from: &str, to: &str, replace| {
            let (from, to) = (path(from), path(to));
            let request = FileRequest::Rename { from, to, replace };
            root.perform(&request).map(drop)
        };
        assert_eq!(rename("a", "b", false), Err(Refusal::Exists));
        assert_eq!(rename("a", "sub", false), Err(Refusal::Exists));
        assert_eq!(fs::read_to_string(file("b")).unwrap(), "b");
        assert_eq!(rename("a", "sub/c", false), Ok(()));
        assert_eq!(rename("missing", "d", false), Err(Refusal::NotFound));
        assert_eq!(rename("sub/c", "b", true), Ok(()));
        assert_eq!(fs::read_to_string(file("b")).unwrap(), "a");

        // Where the file system cannot do it in one step.
        let in_two_steps = |from, to| root.rename_if_free(&path(from), &path(to));
        fs::write(file("e"), "e").unwrap();
        assert_eq!(in_two_steps("b", "e"), Err(Refusal::Exists));
        assert_eq!(in_two_steps("b", "f"), Ok(()));
        assert_eq!(fs::read_to_string(file("e")).unwrap(), "e");
    }
}
