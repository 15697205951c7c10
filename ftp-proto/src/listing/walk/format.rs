//! What a walk has found, as lines or as the entries of STAT.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::{fmt, mem};

use super::scope::is_dots;
use super::step::Details;
use crate::account::Account;
use crate::codec::WireNames;
use crate::listing::batch::EntryBatch;
use crate::listing::entry::{Entry, EntryKind};
use crate::listing::long::LongLines;
use crate::listing::style::ListStyle;
use crate::listing::{encode_target, facts_line, heading, push_name};
use crate::path::FtpPath;

/// The form of a listing.
pub(super) struct Format {
    pub(super) style: ListStyle,
    pub(super) classify: bool,
    pub(super) now: i64,
    /// The lines of LIST.
    pub(super) long_lines: LongLines,
    /// The path of the entry that is written, whose memory is used for the next one.
    pub(super) name: Vec<u8>,
    /// What goes before the names of NLST.
    pub(super) prefix: Vec<u8>,
    /// The seconds that local time is ahead of UTC.
    pub(super) utc_offset: Option<UtcOffset>,
    /// How names are written.
    pub(super) names: WireNames,
    /// For the `perm` facts.
    pub(super) account: Arc<Account>,
    /// The directory whose facts are listed.
    pub(super) directory: FtpPath,
    /// No heading has been written yet.
    pub(super) is_first: bool,
    /// What is collected for the reply to STAT.
    pub(super) status: Option<Status>,
}

pub(super) type UtcOffset = alloc::boxed::Box<dyn Fn(i64) -> i32 + Send>;

/// The entries of STAT that are not returned yet.
#[derive(Debug, Default)]
pub(super) struct Status {
    batch: EntryBatch,
}

impl Format {
    /// What of an entry the lines show.
    pub(super) fn details(&self) -> Details {
        match &self.style {
            ListStyle::Long => Details::ALL,
            ListStyle::Names => Details::default(),
            ListStyle::Facts(facts) => Details {
                owners: facts.wants_names(),
                ..Details::FACTS
            },
        }
    }

    /// Whether names are enough.
    pub(super) fn shows_names_only(&self) -> bool {
        self.style == ListStyle::Names
    }

    /// Writes an entry by this name. Of the entry nothing is used after that.
    pub(super) fn entry(&mut self, entry: &mut Entry, name: &[&[u8]], out: &mut Vec<u8>) {
        match &self.style {
            ListStyle::Names => return self.name(name, out),
            ListStyle::Long => {
                let offset = self.utc_offset.as_ref();
                entry.utc_offset = offset.map_or(0, |offset| offset(entry.modified));
            }
            ListStyle::Facts(_) => {}
        }
        if let Some(status) = &mut self.status {
            // The session writes the lines.
            let taken = Entry::new(Vec::new(), EntryKind::File, 0, 0);
            let mut entry = mem::replace(entry, taken);
            entry.name = name.concat();
            return status.batch.entries.push(entry);
        }
        let mut joined = mem::take(&mut self.name);
        let name = match *name {
            // Not copied: most entries are in the directory itself.
            [b"", b"", name] | [name] => name,
            _ => {
                joined.clear();
                name.iter().for_each(|part| joined.extend_from_slice(part));
                &joined
            }
        };
        self.line(entry, name, out);
        self.name = joined;
    }

    fn line(&mut self, entry: &mut Entry, name: &[u8], out: &mut Vec<u8>) {
        encode_target(entry, &self.names);
        let written = self.names.encode(name);
        match &self.style {
            ListStyle::Facts(facts) => {
                let rights = self.account.rights_of_entry(&self.directory, name);
                entry.is_fixed |= !self.account.is_movable_entry(&self.directory, name);
                // Of the name they only show whether the entry is the directory itself.
                entry.name.clear();
                if is_dots(name) {
                    entry.name.extend_from_slice(name);
                }
                facts_line(&written, entry, *facts, rights, out);
            }
            ListStyle::Long | ListStyle::Names => self.long_lines.push(&written, entry, out),
        }
    }

    /// Writes a name alone, for NLST.
    pub(super) fn name(&self, name: &[&[u8]], out: &mut Vec<u8>) {
        // In pieces: a listing of names costs little else.
        let mut push = |part: &[u8]| {
            if !part.is_empty() {
                push_name(&self.names.encode(part), out);
            }
        };
        push(&self.prefix);
        name.iter().for_each(|part| push(part));
        out.extend_from_slice(b"\r\n");
    }

    /// Begins the entries of another directory.
    pub(super) fn heading(&mut self, path: Vec<u8>, out: &mut Vec<u8>) {
        match (&mut self.status, &self.style) {
            (Some(status), _) => status.batch.directory = Some(path),
            (None, ListStyle::Long) => heading(&self.names.encode(&path), self.is_first, out),
            (None, ListStyle::Names | ListStyle::Facts(_)) => {}
        }
        self.is_first = false;
    }

    /// The entries collected so far, if they are many, or if a heading has to come before others.
    pub(super) fn full_batch(&mut self, before_heading: bool) -> Option<EntryBatch> {
        let status = self.status.as_mut()?;
        let batch = &status.batch;
        let is_due = if before_heading {
            batch.directory.is_some() || !batch.entries.is_empty()
        } else {
            batch.entries.len() >= BATCH_ENTRIES_MAX
        };
        is_due.then(|| self.take_batch()).flatten()
    }

    /// The last batch of STAT.
    pub(super) fn last_batch(&mut self) -> Option<EntryBatch> {
        let mut batch = self.take_batch()?;
        batch.is_last = true;
        self.status = None;
        Some(batch)
    }

    fn take_batch(&mut self) -> Option<EntryBatch> {
        let status = self.status.as_mut()?;
        let mut batch = mem::take(&mut status.batch);
        (batch.now, batch.classify) = (self.now, self.classify);
        Some(batch)
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Format")
            .field("style", &self.style)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Entries of STAT that are collected before the session gets them.
const BATCH_ENTRIES_MAX: usize = 64;
