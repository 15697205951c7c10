//! Requests that change what quotas count: files and directories that lose their names, and new
//! directories.

use std::io;

use cap_std::fs::MetadataExt;
use ftp_proto::{FtpPath, Refusal};

use super::quota::usage::{Amount, NameChange, NamedFile};
use super::root::{Root, refusal, relative};

impl Root {
    /// Removes a file, or a link.
    pub(super) fn delete_file(&self, path: &FtpPath) -> io::Result<()> {
        let change = self.usage.name_change();
        let lost = self.counted_file(&change, path);
        self.directory.remove_file(relative(path))?;
        lose(change, lost);
        Ok(())
    }

    /// Renames a file or directory, and replaces what has the new name.
    pub(super) fn rename_over(&self, from: &FtpPath, to: &FtpPath) -> io::Result<()> {
        let change = self.usage.name_change();
        let renamed = self.counted_file(&change, from);
        let lost = self.counted_file(&change, to);
        let directory = &self.directory;
        directory.rename(relative(from), directory, relative(to))?;
        // Two names of one file stay as they are.
        let identity_of = |file: &Option<NamedFile>| file.as_ref().map(|file| file.identity);
        if identity_of(&renamed) != identity_of(&lost) {
            lose(change, lost);
        }
        Ok(())
    }

    /// Creates a directory, if the quota has room for it.
    pub(super) fn create_directory(&self, path: &FtpPath) -> Result<(), Refusal> {
        let (usage, quota) = (&self.usage, self.rules.quota.get());
        let reserved = usage.reserve(Amount::FILE, Amount::default(), quota);
        reserved.map_err(Refusal::QuotaExceeded)?;
        let change = usage.name_change();
        let created = self.directory.create_dir(relative(path));
        let stored = match &created {
            Ok(()) => Amount::FILE,
            Err(_) => Amount::default(),
        };
        change.finish(stored, Amount::FILE);
        created.map_err(|error| refusal(&error))
    }

    /// Removes an empty directory.
    pub(super) fn delete_directory(&self, path: &FtpPath) -> io::Result<()> {
        let change = self.usage.name_change();
        self.directory.remove_dir(relative(path))?;
        change.finish(Amount::default() - Amount::FILE, Amount::default());
        Ok(())
    }

    fn counted_file(&self, change: &NameChange<'_>, path: &FtpPath) -> Option<NamedFile> {
        if !change.is_tracked() {
            return None;
        }
        let metadata = self.directory.symlink_metadata(relative(path)).ok()?;
        let bytes = if metadata.is_file() {
            metadata.len()
        } else {
            0
        };
        let identity = (metadata.dev(), metadata.ino());
        let found = (identity, Amount::FILE + Amount::bytes(bytes));
        Some(change.named_file(&self.directory, relative(path), found))
    }
}

fn lose(change: NameChange<'_>, lost: Option<NamedFile>) {
    if let Some(lost) = lost {
        let counted = change.forget_file(lost);
        change.finish(Amount::default() - counted, Amount::default());
    }
}

#[cfg(test)]
mod tests;
