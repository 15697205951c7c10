//! The lines of listings.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::time::SystemTime;

use ftp_proto::listing::{self, Selection};
use ftp_proto::{ListStyle, Refusal, TransferError};

use super::Storage;
use super::entry::{entry_of, refusal};

pub(crate) struct Listing {
    lines: Vec<u8>,
}

impl Listing {
    pub(super) fn open(
        storage: &Storage,
        selection: &Selection,
        style: &ListStyle,
    ) -> Result<Self, Refusal> {
        let path = storage.resolve(&selection.path, true)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_secs() as i64);
        let mut lines = Vec::new();
        for found in fs::read_dir(path).map_err(|error| refusal(&error))? {
            let found = found.map_err(|error| refusal(&error))?;
            let name = found.file_name();
            let name = name.as_bytes();
            let Ok(metadata) = found.metadata() else {
                continue;
            };
            let entry = entry_of(name, &metadata);
            match style {
                ListStyle::Long => listing::long_line(&entry, now, false, &mut lines),
                ListStyle::Names => listing::name_line(name, &mut lines),
                ListStyle::Facts { facts, permissions } => {
                    listing::facts_line(name, &entry, *facts, *permissions, &mut lines);
                }
            }
        }
        Ok(Self { lines })
    }

    /// Appends the next lines. Returns false at the end.
    pub(super) fn read(&mut self, out: &mut Vec<u8>) -> Result<bool, TransferError> {
        let is_last = self.lines.is_empty();
        out.append(&mut self.lines);
        Ok(!is_last)
    }

    pub(super) fn split(self) -> Vec<Vec<u8>> {
        let lines = self.lines.split(|&byte| byte == b'\n');
        let lines = lines.map(|line| line.trim_ascii_end().to_vec());
        lines.filter(|line| !line.is_empty()).collect()
    }
}
