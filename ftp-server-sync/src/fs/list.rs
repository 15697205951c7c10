//! Listings: the lines of LIST, NLST, MLSD and STAT.
//!
//! Entries are read as lines are asked for: memory stays flat however many there are.

mod names;
mod selection;
mod walk;

use std::io;
use std::os::fd::OwnedFd;

use ftp_proto::listing::{self, Entry, Glob, Selection};
use ftp_proto::{FtpPath, ListStyle};
use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::entry::entry_of;
use super::owners::Owners;
use super::root::Root;
use walk::{Found, Plan, Route, Step, Walk};

/// What a listing is of, and how it looks.
#[derive(Clone, Debug)]
pub(crate) struct Listing<'a> {
    pub(crate) selection: &'a Selection,
    pub(crate) style: ListStyle,
    /// In seconds since 1970.
    pub(crate) now: i64,
    /// The session's number, for the log.
    pub(crate) number: u64,
}

/// Lines of a listing, with their endings.
#[derive(Debug)]
pub(crate) struct ListingLines {
    /// Made before it was asked for.
    early: Option<Vec<u8>>,
    walk: Option<Walk>,
    look: Look,
    /// Headings tell it from later ones.
    is_first: bool,
    /// An end without any entry is a failure.
    must_find: bool,
}

/// How entries look.
#[derive(Debug)]
struct Look {
    style: ListStyle,
    classify: bool,
    now: i64,
    /// What goes before the names of NLST.
    prefix: Vec<u8>,
    /// What the directory is called where the walk begins.
    base_name: Vec<u8>,
}

/// What came of asking for a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextLine {
    /// A line, or an entry's with a heading before it.
    Line,
    /// Nothing yet, as there is much to look at.
    Nothing,
    End,
}

impl ListingLines {
    /// The entries of the directory that `handle` names.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub(crate) fn of_directory(
        storage: &Root,
        handle: OwnedFd,
        listing: Listing<'_>,
    ) -> io::Result<Self> {
        let selection = listing.selection;
        let route = match selection.flags.recursive {
            true => Route::All,
            false => Route::One,
        };
        let look = Look::of(&listing, selection.prefix());
        let early = look.own_lines(storage, &handle);
        let plan = listing.plan(storage, &selection.path, route);
        let walk = Walk::begin(plan, handle)?;
        let mut lines = Self::new(look, Some(walk));
        lines.early = Some(early).filter(|early| !early.is_empty());
        Ok(lines)
    }

    /// Whatever matches below the directory that `handle` names.
    ///
    /// # Errors
    ///
    /// When that directory cannot be read, or nothing matches. Where there is much to look at, that shows only
    /// later, as the end of the lines.
    pub(crate) fn of_matches(
        storage: &Root,
        handle: OwnedFd,
        glob: &Glob,
        listing: Listing<'_>,
    ) -> io::Result<Self> {
        let route = Route::Matching(glob.patterns.clone());
        let plan = listing.plan(storage, &glob.base, route);
        let walk = Walk::begin(plan, handle)?;
        let look = Look::of(&listing, glob.prefix.clone());
        let mut lines = Self::new(look, Some(walk));
        lines.must_find = true;
        let mut early = Vec::new();
        for _ in 0..EARLY_STEPS_MAX {
            match lines.next_line(&mut early)? {
                NextLine::Nothing => {}
                NextLine::Line | NextLine::End => break,
            }
        }
        lines.early = Some(early).filter(|line| !line.is_empty());
        Ok(lines)
    }

    /// One entry alone, as LIST and NLST show a file.
    pub(crate) fn single(mut entry: Entry, listing: Listing<'_>) -> Self {
        let selection = listing.selection;
        if selection.argument.is_empty() || entry.name.is_empty() {
            entry.name = selection.name().to_vec();
        }
        let look = Look::of(&listing, Vec::new());
        let mut line = Vec::new();
        match look.style {
            // The name as the client knows it.
            ListStyle::Names => listing::name_line(selection.name(), &mut line),
            _ => look.entry_line(&entry, &mut line),
        }
        let mut lines = Self::new(look, None);
        lines.early = Some(line);
        lines
    }

    /// Appends the next line to `out`.
    ///
    /// # Errors
    ///
    /// When a directory cannot be read on. An entry that cannot be looked at is passed over.
    pub(crate) fn next_line(&mut self, out: &mut Vec<u8>) -> io::Result<NextLine> {
        if let Some(line) = self.early.take() {
            out.extend_from_slice(&line);
            return Ok(NextLine::Line);
        }
        let Some(walk) = &mut self.walk else {
            return Ok(NextLine::End);
        };
        match walk.step()? {
            Step::Pending => Ok(NextLine::Nothing),
            Step::Directory(name) => {
                if self.look.style == ListStyle::Long {
                    self.look.heading(&name, self.is_first, out);
                }
                self.is_first = false;
                Ok(NextLine::Nothing)
            }
            Step::Found(found) => {
                self.must_find = false;
                self.look.line(&found, out);
                Ok(NextLine::Line)
            }
            Step::End if self.must_find => Err(Errno::NOENT.into()),
            Step::End => {
                self.walk = None;
                Ok(NextLine::End)
            }
        }
    }

    fn new(look: Look, walk: Option<Walk>) -> Self {
        Self {
            early: None,
            walk,
            look,
            is_first: true,
            must_find: false,
        }
    }
}

impl Listing<'_> {
    fn plan(&self, storage: &Root, base: &FtpPath, route: Route) -> Plan {
        Plan {
            storage: storage.clone(),
            base: base.clone(),
            route,
            flags: self.selection.flags,
            details: self.style != ListStyle::Names,
            number: self.number,
        }
    }
}

impl Look {
    fn of(listing: &Listing<'_>, prefix: Vec<u8>) -> Self {
        Self {
            style: listing.style.clone(),
            classify: listing.selection.flags.classify,
            now: listing.now,
            prefix,
            base_name: listing.selection.name().to_vec(),
        }
    }

    /// MLSD begins with the directory itself and, unless this is the root, the one above (RFC 3659, section
    /// 7.5.1), of which nothing is read but what is known about it.
    fn own_lines(&self, storage: &Root, directory: &OwnedFd) -> Vec<u8> {
        let mut lines = Vec::new();
        if !matches!(self.style, ListStyle::Facts { .. }) {
            return lines;
        }
        let mut owners = Owners::default();
        for name in [&b"."[..], b".."] {
            let Ok(stat) = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            self.entry_line(&entry_of(directory, name, &stat, &mut owners), &mut lines);
            // A link may lead to the root too: what is above it is nobody's business.
            if storage.is_root(&stat) {
                break;
            }
        }
        lines
    }

    fn line(&self, found: &Found, out: &mut Vec<u8>) {
        match &found.entry {
            Some(entry) => self.entry_line(entry, out),
            None => listing::name_line(&[&self.prefix[..], &found.name].concat(), out),
        }
    }

    fn entry_line(&self, entry: &Entry, out: &mut Vec<u8>) {
        match &self.style {
            ListStyle::Facts { facts, permissions } => {
                listing::facts_line(&entry.name, entry, *facts, *permissions, out);
            }
            ListStyle::Long | ListStyle::Names => {
                listing::long_line(entry, self.now, self.classify, out);
            }
        }
    }

    fn heading(&self, name: &[u8], is_first: bool, out: &mut Vec<u8>) {
        let slash: &[u8] = match (name, &self.base_name[..]) {
            (b"", _) | (_, b"/") => b"",
            _ => b"/",
        };
        let path = [&self.base_name[..], slash, name].concat();
        listing::heading(&path, is_first, out);
    }
}

/// Steps before a transfer begins, in search of a first match. Each looks at a bounded number of names.
const EARLY_STEPS_MAX: usize = 400;
