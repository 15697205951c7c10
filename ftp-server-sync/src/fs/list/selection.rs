//! What LIST, NLST, MLSD and STAT list: a directory, a single file, or everything that matches a pattern.
//!
//! A file or directory with exactly the requested name comes before what that name matches as a pattern.

use ftp_proto::listing::Selection;
use ftp_proto::{FileAnswer, ListStyle, Refusal, limits};

use crate::fs::list::{Listing, ListingLines, NextLine};
use crate::fs::root::{Root, refusal};

impl Root {
    /// Opens what is to be listed: a directory, a single file, or the matches of a path with wildcards.
    ///
    /// # Errors
    ///
    /// The file system's refusal; MLSD lists directories only (RFC 3659, section 7.2.1).
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
            // A file, a link whose target does not exist, or a pattern.
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

    /// The lines of STAT with a path: at most [`limits::STAT_ENTRIES_MAX`] entries, as they all go into one
    /// reply.
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
        let (mut entries, mut steps) = (0, 0);
        let is_complete = loop {
            match lines
                .next_line(&mut text)
                .map_err(|error| refusal(&error))?
            {
                NextLine::End => break true,
                NextLine::Line => entries += 1,
                NextLine::Pending => steps += 1,
            }
            if entries == limits::STAT_ENTRIES_MAX || steps == STATUS_STEPS_MAX {
                break false;
            }
        };
        let mut lines: Vec<Vec<u8>> = text
            .split(|&byte| byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
            .collect();
        // The text behind the last line end is empty.
        lines.pop();
        if !is_complete {
            lines.push(b"(there may be more; use LIST)".to_vec());
        }
        Ok(FileAnswer::Lines(lines))
    }
}

/// Steps of a STAT that find no entry; each looks at a bounded number of names.
const STATUS_STEPS_MAX: usize = 1000;
