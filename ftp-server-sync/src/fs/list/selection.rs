//! What LIST, NLST, MLSD and STAT find: a directory, a single file, or what matches.
//!
//! What exists under the very name that was asked for comes before what that name means as a pattern.

use ftp_proto::listing::Selection;
use ftp_proto::{FileAnswer, ListStyle, Refusal, limits};

use crate::fs::list::{Listing, ListingLines, NextLine};
use crate::fs::root::{Root, refusal};

impl Root {
    /// Opens what is to be listed: a directory, a single file, or what a path with wildcards leads to.
    ///
    /// # Errors
    ///
    /// As the file system has it; MLSD takes directories alone (RFC 3659, section 7.2.1).
    pub(crate) fn list(&self, listing: Listing<'_>) -> Result<ListingLines, Refusal> {
        let Selection {
            path, glob, flags, ..
        } = listing.selection;
        let refused = match flags.no_descend {
            true => Refusal::NotADirectory,
            false => match self.directory_handle(path) {
                Ok(handle) => {
                    return ListingLines::of_directory(self, handle, listing)
                        .map_err(|error| refusal(&error));
                }
                Err(refusal) => refusal,
            },
        };
        if matches!(listing.style, ListStyle::Facts { .. }) {
            return Err(refused);
        }
        match refused {
            // Something else than a directory, a link that leads nowhere, or a pattern.
            Refusal::NotADirectory | Refusal::NotFound | Refusal::NameRejected => {}
            other => return Err(other),
        }
        match (self.entry(path), glob) {
            (Ok(entry), _) => Ok(ListingLines::single(entry, listing)),
            (Err(_), Some(glob)) => {
                let base = self.directory_handle(&glob.base)?;
                ListingLines::of_matches(self, base, glob, listing).map_err(|error| refusal(&error))
            }
            (Err(refusal), None) => Err(refusal),
        }
    }

    pub(in crate::fs) fn status(
        &self,
        selection: &Selection,
        now: i64,
        number: u64,
    ) -> Result<FileAnswer, Refusal> {
        let mut lines = self.list(Listing {
            selection,
            style: ListStyle::Long,
            now,
            number,
        })?;
        let mut text = Vec::new();
        let (mut listed, mut steps) = (0, 0);
        let complete = loop {
            match lines
                .next_line(&mut text)
                .map_err(|error| refusal(&error))?
            {
                NextLine::End => break true,
                NextLine::Line => listed += 1,
                NextLine::Nothing => steps += 1,
            }
            if listed == limits::STAT_ENTRIES_MAX || steps == STATUS_STEPS_MAX {
                break false;
            }
        };
        let mut lines: Vec<Vec<u8>> = text
            .split(|&byte| byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
            .collect();
        // What follows the last line's end.
        lines.pop();
        if !complete {
            lines.push(b"(there may be more; use LIST)".to_vec());
        }
        Ok(FileAnswer::Lines(lines))
    }
}

/// Steps of a STAT that finds little; each looks at a bounded number of names.
const STATUS_STEPS_MAX: usize = 1000;
