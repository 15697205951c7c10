//! Listings: the lines of LIST, NLST, MLSD and STAT.
//!
//! Entries are read while the lines are sent: memory does not grow with their number.

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
use walk::{FoundEntry, Scope, Walk, WalkPlan, WalkStep};

/// What to list, and in which format.
#[derive(Clone, Debug)]
pub(crate) struct Listing<'a> {
    pub(crate) selection: &'a Selection,
    pub(crate) style: ListStyle,
    /// In seconds since 1970.
    pub(crate) now: i64,
    /// The session's number, for the log.
    pub(crate) number: u64,
}

/// The lines of a listing, with their line ends.
#[derive(Debug)]
pub(crate) struct ListingLines {
    /// Lines that come before those of the walk.
    prepared: Option<Vec<u8>>,
    walk: Option<Walk>,
    format: LineFormat,
    /// No heading has been written yet.
    is_first: bool,
    /// The listing fails if it ends without an entry.
    must_find: bool,
}

/// How the line of an entry is written.
#[derive(Debug)]
struct LineFormat {
    style: ListStyle,
    classify: bool,
    now: i64,
    /// What goes before the names of NLST.
    prefix: Vec<u8>,
    /// The name of the directory in which the walk begins.
    base_name: Vec<u8>,
    /// The directory whose facts are listed.
    directory: FtpPath,
}

/// The outcome of asking for a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextLine {
    /// A line was appended, perhaps with a heading before it.
    Line,
    /// No line yet: many names had to be looked at.
    Pending,
    End,
}

impl ListingLines {
    /// The entries of the directory that `handle` names.
    ///
    /// # Errors
    ///
    /// The system's error if the directory cannot be read.
    fn of_directory(root: &Root, handle: OwnedFd, listing: Listing<'_>) -> io::Result<Self> {
        let selection = listing.selection;
        let scope = match selection.flags.recursive {
            true => Scope::Recursive,
            false => Scope::OneDirectory,
        };
        let format = LineFormat::of(&listing, selection.prefix());
        let own_lines = format.own_lines(root, &handle);
        let plan = listing.plan(root, &selection.path, scope);
        let walk = Walk::begin(plan, handle)?;
        let mut lines = Self::new(format, Some(walk));
        lines.prepared = Some(own_lines).filter(|lines| !lines.is_empty());
        Ok(lines)
    }

    /// Everything that matches below the directory that `handle` names.
    ///
    /// # Errors
    ///
    /// The system's error if that directory cannot be read, or if nothing matches. Where many names have
    /// to be looked at first, the latter shows only later, at the end of the lines.
    fn of_matches(
        root: &Root,
        handle: OwnedFd,
        glob: &Glob,
        listing: Listing<'_>,
    ) -> io::Result<Self> {
        let scope = Scope::Matching(glob.patterns.clone());
        let plan = listing.plan(root, &glob.base, scope);
        let walk = Walk::begin(plan, handle)?;
        let format = LineFormat::of(&listing, glob.prefix.clone());
        let mut lines = Self::new(format, Some(walk));
        lines.must_find = true;
        let mut first = Vec::new();
        for _ in 0..FIRST_MATCH_STEPS_MAX {
            match lines.next_line(&mut first)? {
                NextLine::Pending => {}
                NextLine::Line | NextLine::End => break,
            }
        }
        lines.prepared = Some(first).filter(|line| !line.is_empty());
        Ok(lines)
    }

    /// One entry alone, as LIST and NLST show a file.
    fn single(mut entry: Entry, listing: Listing<'_>) -> Self {
        let selection = listing.selection;
        if selection.argument.is_empty() || entry.name.is_empty() {
            entry.name = selection.name().to_vec();
        }
        let format = LineFormat::of(&listing, Vec::new());
        let mut line = Vec::new();
        match format.style {
            // The name as the client knows it.
            ListStyle::Names => listing::name_line(selection.name(), &mut line),
            _ => format.entry_line(&entry, &mut line),
        }
        let mut lines = Self::new(format, None);
        lines.prepared = Some(line);
        lines
    }

    /// Appends the next line to `out`.
    ///
    /// # Errors
    ///
    /// The system's error if a directory cannot be read to its end. An entry without attributes, such as
    /// one that was removed meanwhile, is left out.
    pub(crate) fn next_line(&mut self, out: &mut Vec<u8>) -> io::Result<NextLine> {
        if let Some(line) = self.prepared.take() {
            out.extend_from_slice(&line);
            return Ok(NextLine::Line);
        }
        let Some(walk) = &mut self.walk else {
            return Ok(NextLine::End);
        };
        match walk.step()? {
            WalkStep::Pending => Ok(NextLine::Pending),
            WalkStep::Directory(name) => {
                if self.format.style == ListStyle::Long {
                    self.format.heading(&name, self.is_first, out);
                }
                self.is_first = false;
                Ok(NextLine::Pending)
            }
            WalkStep::Found(found) => {
                self.must_find = false;
                self.format.line(&found, out);
                Ok(NextLine::Line)
            }
            WalkStep::End if self.must_find => Err(Errno::NOENT.into()),
            WalkStep::End => {
                self.walk = None;
                Ok(NextLine::End)
            }
        }
    }

    fn new(format: LineFormat, walk: Option<Walk>) -> Self {
        Self {
            prepared: None,
            walk,
            format,
            is_first: true,
            must_find: false,
        }
    }
}

impl Listing<'_> {
    fn plan(&self, root: &Root, base: &FtpPath, scope: Scope) -> WalkPlan {
        WalkPlan {
            root: root.clone(),
            base: base.clone(),
            scope,
            flags: self.selection.flags,
            details: self.style != ListStyle::Names,
            number: self.number,
        }
    }
}

impl LineFormat {
    fn of(listing: &Listing<'_>, prefix: Vec<u8>) -> Self {
        Self {
            style: listing.style.clone(),
            classify: listing.selection.flags.classify,
            now: listing.now,
            prefix,
            base_name: listing.selection.name().to_vec(),
            directory: listing.selection.path.clone(),
        }
    }

    /// MLSD begins with the directory itself and, unless this is the root, its parent directory (RFC 3659,
    /// section 7.5.1), of which only the facts are read.
    fn own_lines(&self, root: &Root, directory: &OwnedFd) -> Vec<u8> {
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
            // A link may lead to the root too: no client sees what is above it.
            if root.is_root(&stat) {
                break;
            }
        }
        lines
    }

    fn line(&self, found: &FoundEntry, out: &mut Vec<u8>) {
        match &found.entry {
            Some(entry) => self.entry_line(entry, out),
            None => listing::name_line(&[&self.prefix[..], &found.name].concat(), out),
        }
    }

    fn entry_line(&self, entry: &Entry, out: &mut Vec<u8>) {
        match &self.style {
            ListStyle::Facts { facts, account } => {
                let rights = account.rights_of_entry(&self.directory, &entry.name);
                listing::facts_line(&entry.name, entry, *facts, rights, out);
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

/// Steps that search for a first match before the transfer begins. Each looks at a bounded number of names.
const FIRST_MATCH_STEPS_MAX: usize = 400;
