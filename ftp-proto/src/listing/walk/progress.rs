//! How far a walk has come: the question that is open, the directory that is read, and what comes
//! next.

mod answers;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::directory::{CurrentDirectory, PendingDirectory};
use super::format::Format;
use super::rules::Rules;
use super::scope::{Scope, is_dots, path_below};
use super::sort::Unsorted;
use super::source::NextName;
use super::step::{Details, DirectoryId, OpenRequest, WalkStep};
use crate::config::limits::STAT_ENTRIES_MAX;
use crate::listing::batch::EntryBatch;
use crate::listing::entry::Entry;
use crate::listing::limits::{FIRST_SEARCH_MAX, STATUS_SEARCH_MAX};
use crate::listing::notice::WalkNotice;
use crate::path::FtpPath;
use crate::refusal::Refusal;

/// The changing part of a walk.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) format: Format,
    state: State,
    /// Where the walk through directories begins.
    base: FtpPath,
    scope: Scope,
    current: Option<CurrentDirectory>,
    /// Directories to enter, the next one last.
    pending: Vec<PendingDirectory>,
    directories_opened: u64,
    /// Steps that come before the next one of the walk.
    queue: VecDeque<Event>,
    pub(super) has_begun: bool,
    /// It fails if it ends without an entry.
    must_find: bool,
    /// Names and directories that were looked at in vain.
    searched: usize,
    /// Entries without `.` and `..`.
    pub(super) entries_shown: u64,
    /// Entries with them, of STAT.
    status_entries: usize,
}

#[derive(Debug)]
enum State {
    NotStarted,
    /// The current directory was just entered, and its heading comes next.
    Heading,
    Walking,
    Ended(Result<(), Refusal>),
}

/// What a driver was asked for.
#[derive(Debug)]
pub(super) enum Question {
    /// To open the path as a directory.
    OpenPath,
    /// To open the directory before the pattern.
    OpenBase,
    Open(PendingDirectory),
    LookAt,
    /// MLSD's own entry: `.` or `..` of the directory.
    LookAtOwn(&'static [u8]),
    Read,
    /// What the current name is sorted by.
    Key,
    Look,
}

/// A step, without what it borrows.
#[derive(Debug)]
pub(super) enum Event {
    Ask(Question),
    Lines,
    Entries(EntryBatch),
    Pending,
    Notice(WalkNotice),
    Close(DirectoryId),
    Ended(Result<(), Refusal>),
}

impl Progress {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            state: State::NotStarted,
            base: FtpPath::root(),
            scope: Scope::OneDirectory,
            current: None,
            pending: Vec::new(),
            directories_opened: 0,
            queue: VecDeque::new(),
            has_begun: false,
            must_find: false,
            searched: 0,
            entries_shown: 0,
            status_entries: 0,
        }
    }

    /// The step that asks this question.
    pub(super) fn ask<'a>(&'a self, question: &'a Question, rules: &'a Rules) -> WalkStep<'a> {
        let open = |path, parent, level| {
            WalkStep::Open(OpenRequest {
                id: DirectoryId(self.directories_opened),
                path,
                parent,
                is_read: self.scope.only_name(level).is_none(),
            })
        };
        let current = self.current.as_ref();
        let look = |own: Option<&'static [u8]>, details| {
            current.map_or(WalkStep::Pending, |current| WalkStep::Look {
                directory: current.id,
                name: own.unwrap_or_else(|| current.looked_at()),
                details,
            })
        };
        match question {
            Question::OpenPath | Question::OpenBase => open(&self.base, None, 0),
            Question::Open(directory) => {
                open(&directory.path, Some(directory.parent), directory.level)
            }
            Question::LookAt => WalkStep::LookAt {
                path: &rules.selection().path,
                details: self.format.details(),
            },
            Question::LookAtOwn(name) => look(Some(name), self.format.details()),
            Question::Read => {
                current.map_or(WalkStep::Pending, |current| WalkStep::Read(current.id))
            }
            Question::Key => look(None, Details::default()),
            Question::Look => look(None, self.format.details()),
        }
    }

    /// The next step. It is found in bounded time.
    pub(super) fn advance(&mut self, rules: &Rules, out: &mut Vec<u8>) -> Event {
        if let Some(event) = self.queue.pop_front() {
            return event;
        }
        match self.state {
            State::NotStarted => self.start(rules),
            State::Heading => match self.format.full_batch(true) {
                Some(batch) => Event::Entries(batch),
                None => {
                    self.state = State::Walking;
                    self.heading(rules, out)
                }
            },
            State::Walking if self.current.is_some() => self.next_name(rules, out),
            State::Walking => match self.pending.pop() {
                Some(directory) => Event::Ask(Question::Open(directory)),
                None if self.must_find => self.fail(Refusal::NoMatch),
                None => self.end(),
            },
            State::Ended(result) => Event::Ended(result),
        }
    }

    /// Goes on in the current directory.
    fn next_name(&mut self, rules: &Rules, out: &mut Vec<u8>) -> Event {
        let Some(current) = &mut self.current else {
            return Event::Pending;
        };
        let path = &current.path;
        match current.names.advance(|name| rules.hides(path, name)) {
            NextName::Name => self.visit(rules, out),
            NextName::Read => Event::Ask(Question::Read),
            NextName::Key => {
                // Looking at all names first may take long, and there is something to list.
                let treatment = self.scope.treatment(current.names.name(), current.level);
                self.has_begun |= treatment.is_listed;
                Event::Ask(Question::Key)
            }
            NextName::Pending => self.search(),
            NextName::Unsorted(reason) => {
                let path = path.clone();
                let notice = match reason {
                    Unsorted::TooMany => WalkNotice::Unsorted(path),
                    Unsorted::NoMemory => WalkNotice::NoSortMemory(path),
                };
                self.queue.push_back(Event::Notice(notice));
                self.search()
            }
            NextName::End => self.leave(),
        }
    }

    /// Lists the current name, or asks what it is.
    fn visit(&mut self, rules: &Rules, out: &mut Vec<u8>) -> Event {
        let Some(current) = &self.current else {
            return Event::Pending;
        };
        let names = &current.names;
        let treatment = self.scope.treatment(names.name(), current.level);
        let is_enough = self.format.shows_names_only() && !names.may_be_missing;
        if is_enough && !treatment.is_entered {
            self.found_names(rules, out)
        } else {
            Event::Ask(Question::Look)
        }
    }

    /// Shows the current name, and those after it for which no driver is asked.
    fn found_names(&mut self, rules: &Rules, out: &mut Vec<u8>) -> Event {
        let mut event = self.found(None, out);
        // Some names of a recursive listing are looked at.
        if matches!(self.scope, Scope::Recursive) {
            return event;
        }
        for _ in 1..LINES_PER_STEP {
            let Some(current) = &mut self.current else {
                break;
            };
            let path = &current.path;
            // What comes instead of a name comes again in the next step.
            if current.names.advance(|name| rules.hides(path, name)) != NextName::Name {
                break;
            }
            event = self.found(None, out);
        }
        event
    }

    /// Shows the current name. `None`: names are enough.
    fn found(&mut self, entry: Option<&mut Entry>, out: &mut Vec<u8>) -> Event {
        let Some(current) = &self.current else {
            return Event::Pending;
        };
        (self.has_begun, self.must_find) = (true, false);
        let name = current.names.name();
        if !is_dots(name) {
            self.entries_shown += 1;
        }
        if self.format.status.is_some() {
            self.status_entries += 1;
            if self.status_entries > STAT_ENTRIES_MAX {
                return self.fail(Refusal::TooManyEntries);
            }
        }
        // Below a heading names stand alone.
        let is_below_heading =
            matches!(self.scope, Scope::Recursive) && !self.format.shows_names_only();
        let directory = if is_below_heading {
            b""
        } else {
            path_below(&self.base, &current.path)
        };
        let slash: &[u8] = if directory.is_empty() { b"" } else { b"/" };
        let name = [directory, slash, name];
        match entry {
            Some(entry) => self.format.entry(entry, &name, out),
            None => self.format.name(&name, out),
        }
        if self.format.status.is_some() {
            self.format
                .full_batch(false)
                .map_or(Event::Pending, Event::Entries)
        } else {
            Event::Lines
        }
    }

    /// The current directory is listed; those in it come next.
    fn leave(&mut self) -> Event {
        if let Some(mut current) = self.current.take() {
            match current.subdirectories.last_mut() {
                Some(last) => last.is_last = true,
                None => self.queue.push_back(Event::Close(current.id)),
            }
            self.pending.extend(current.subdirectories.drain(..).rev());
        }
        self.search()
    }

    fn heading(&mut self, rules: &Rules, out: &mut Vec<u8>) -> Event {
        let Some(current) = &self.current else {
            return Event::Pending;
        };
        let below = path_below(&self.base, &current.path);
        let base = rules.selection().name();
        let slash: &[u8] = match (below, base) {
            (b"", _) | (_, b"/") => b"",
            _ => b"/",
        };
        let path = [base, slash, below].concat();
        self.format.heading(path, out);
        self.search()
    }

    /// Counts a step without a line.
    fn search(&mut self) -> Event {
        self.searched += 1;
        if self.searched >= FIRST_SEARCH_MAX {
            self.has_begun = true;
        }
        if self.format.status.is_some() && self.searched >= STATUS_SEARCH_MAX {
            return self.fail(Refusal::TooManyEntries);
        }
        Event::Pending
    }

    fn fail(&mut self, refusal: Refusal) -> Event {
        self.state = State::Ended(Err(refusal));
        self.current = None;
        self.pending = Vec::new();
        Event::Ended(Err(refusal))
    }

    fn end(&mut self) -> Event {
        self.state = State::Ended(Ok(()));
        self.current = None;
        self.pending = Vec::new();
        self.has_begun = true;
        match self.format.last_batch() {
            Some(batch) => Event::Entries(batch),
            None => Event::Ended(Ok(())),
        }
    }
}

/// A step for each name would cost more than the names.
const LINES_PER_STEP: usize = 16;
