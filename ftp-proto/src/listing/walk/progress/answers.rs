//! What a driver's answer means for a walk.

use alloc::vec::Vec;
use core::mem;

use super::{Event, Progress, Question, State};
use crate::listing::entry::{Entry, EntryKind};
use crate::listing::limits::PENDING_MAX;
use crate::listing::notice::WalkNotice;
use crate::listing::style::ListStyle;
use crate::listing::walk::directory::{CurrentDirectory, PendingDirectory};
use crate::listing::walk::rules::Rules;
use crate::listing::walk::scope::Scope;
use crate::listing::walk::sort::sort_key;
use crate::listing::walk::source::NameSource;
use crate::listing::walk::step::{DirectoryId, OpenedDirectory, WalkAnswer};
use crate::path::FtpPath;
use crate::refusal::Refusal;

impl Progress {
    /// Uses an answer. `None`: the walk advances at once.
    pub(in crate::listing::walk) fn on_answer(
        &mut self,
        question: Question,
        answer: &mut WalkAnswer,
        rules: &Rules,
        out: &mut Vec<u8>,
    ) -> Option<Event> {
        match question {
            Question::OpenPath => match opened(answer) {
                Ok(directory) => self.path_opened(directory, rules),
                Err(refusal) => {
                    self.next_id();
                    Some(self.not_a_directory(refusal, rules))
                }
            },
            Question::OpenBase => match opened(answer) {
                Ok(directory) => {
                    let base = self.base.clone();
                    self.enter(base, 0, directory, rules);
                    None
                }
                Err(refusal) => Some(self.fail(refusal)),
            },
            Question::Open(pending) => Some(self.subdirectory_opened(pending, answer, rules)),
            Question::LookAt => match entry(answer) {
                Ok(entry) => Some(self.single(entry, rules, out)),
                Err(refusal) => Some(self.match_pattern(refusal, rules)),
            },
            Question::LookAtOwn(name) => Some(self.own_entry(name, entry(answer), out)),
            Question::Read => match answer {
                WalkAnswer::Names { names, is_last } => {
                    if let Some(current) = &mut self.current {
                        current.names.on_read(mem::take(names), *is_last);
                    }
                    None
                }
                other => Some(self.fail(reason(other))),
            },
            Question::Key => {
                // An entry without attributes is not listed: any key will do.
                let order = rules.selection().flags.order;
                let key = entry(answer).map_or(0, |entry| sort_key(entry, order));
                if let Some(current) = &mut self.current {
                    current.names.on_key(key);
                }
                None
            }
            Question::Look => Some(self.looked(entry(answer), rules, out)),
        }
    }

    /// Begins: with the path as a directory, unless the client wants to see the path itself.
    pub(super) fn start(&mut self, rules: &Rules) -> Event {
        let selection = rules.selection();
        if selection.flags.no_descend {
            return self.not_a_directory(Refusal::NotADirectory, rules);
        }
        if rules.hides_path(&selection.path) {
            return self.not_a_directory(Refusal::NotFound, rules);
        }
        self.base = selection.path.clone();
        self.scope = if selection.flags.recursive {
            Scope::Recursive
        } else {
            Scope::OneDirectory
        };
        Event::Ask(Question::OpenPath)
    }

    /// The path is not listed as a directory. MLSD lists nothing else (RFC 3659, section 7.2.1).
    fn not_a_directory(&mut self, refusal: Refusal, rules: &Rules) -> Event {
        if matches!(self.format.style, ListStyle::Facts(_)) {
            return self.fail(refusal);
        }
        match refusal {
            // A file, a link whose target does not exist, or a pattern.
            Refusal::NotADirectory | Refusal::NotFound | Refusal::NameRejected => {}
            other => return self.fail(other),
        }
        if rules.hides_path(&rules.selection().path) {
            self.match_pattern(Refusal::NotFound, rules)
        } else {
            Event::Ask(Question::LookAt)
        }
    }

    /// There is nothing with exactly this path: lists what matches it as a pattern.
    fn match_pattern(&mut self, refusal: Refusal, rules: &Rules) -> Event {
        let Some(glob) = &rules.selection().glob else {
            return self.fail(refusal);
        };
        if rules.hides_path(&glob.base) {
            return self.fail(Refusal::NotFound);
        }
        self.base = glob.base.clone();
        self.scope = Scope::Matching(glob.patterns.clone());
        self.format.prefix.clone_from(&glob.prefix);
        self.must_find = true;
        Event::Ask(Question::OpenBase)
    }

    /// One entry alone, as LIST and NLST show a file, by the name that the client knows.
    fn single(&mut self, entry: &mut Entry, rules: &Rules, out: &mut Vec<u8>) -> Event {
        let selection = rules.selection();
        let is_known = !selection.argument.is_empty() && !selection.path.is_root();
        let name = if is_known && !self.format.shows_names_only() {
            selection.path.name()
        } else {
            selection.name()
        };
        self.format.entry(entry, &[name], out);
        self.has_begun = true;
        self.entries_shown = 1;
        match self.end() {
            batch @ Event::Entries(_) => batch,
            _ => Event::Lines,
        }
    }

    /// The path is a directory, and its entries are listed.
    fn path_opened(&mut self, directory: OpenedDirectory, rules: &Rules) -> Option<Event> {
        self.format.prefix = rules.selection().prefix();
        let base = self.base.clone();
        self.enter(base, 0, directory, rules);
        self.has_begun = true;
        let shows_own = matches!(self.format.style, ListStyle::Facts(_));
        shows_own.then_some(Event::Ask(Question::LookAtOwn(b".")))
    }

    /// MLSD begins with the directory itself and, unless this is the root, its parent directory
    /// (RFC 3659, section 7.5.1), of which only the facts are read.
    fn own_entry(
        &mut self,
        name: &'static [u8],
        entry: Result<&mut Entry, Refusal>,
        out: &mut Vec<u8>,
    ) -> Event {
        let is_root = self.current.as_ref().is_none_or(|current| current.is_root);
        if name == b"." && !is_root {
            self.queue.push_back(Event::Ask(Question::LookAtOwn(b"..")));
        }
        match entry {
            Ok(entry) => {
                self.format.entry(entry, &[name], out);
                Event::Lines
            }
            Err(_) => Event::Pending,
        }
    }

    fn subdirectory_opened(
        &mut self,
        pending: PendingDirectory,
        answer: &mut WalkAnswer,
        rules: &Rules,
    ) -> Event {
        let PendingDirectory {
            path,
            level,
            parent,
            is_last,
            ..
        } = &pending;
        if *is_last {
            self.queue.push_back(Event::Close(*parent));
        }
        match opened(answer) {
            Ok(found) if pending.is_still(found.device, found.inode) => {
                self.enter(path.clone(), *level, found, rules);
            }
            Ok(_) => {
                let id = self.next_id();
                self.queue.push_back(Event::Close(id));
                self.notice(WalkNotice::Replaced(pending.path));
            }
            Err(refusal) => {
                self.next_id();
                self.notice(WalkNotice::NotOpened(pending.path, refusal));
            }
        }
        self.search()
    }

    fn enter(&mut self, path: FtpPath, level: usize, opened: OpenedDirectory, rules: &Rules) {
        let id = self.next_id();
        let flags = rules.selection().flags;
        let names = match self.scope.only_name(level) {
            Some(name) => NameSource::of_name(name),
            None => {
                let filter = self.scope.filter(level, flags.all);
                NameSource::of_directory(filter, flags, rules.sort_memory.as_ref())
            }
        };
        self.state = match self.scope {
            Scope::Recursive => State::Heading,
            Scope::OneDirectory | Scope::Matching(_) => State::Walking,
        };
        self.current = Some(CurrentDirectory {
            id,
            path,
            level,
            is_root: opened.is_root,
            names,
            subdirectories: Vec::new(),
        });
    }

    /// The driver has looked at the current name: it may be listed, entered later, or both.
    fn looked(
        &mut self,
        entry: Result<&mut Entry, Refusal>,
        rules: &Rules,
        out: &mut Vec<u8>,
    ) -> Event {
        let Some(current) = &mut self.current else {
            return Event::Pending;
        };
        let entry = match entry {
            Ok(entry) => entry,
            Err(refusal) => {
                let notice = WalkNotice::NoEntry(current.path.clone(), refusal);
                self.notice(notice);
                return self.search();
            }
        };
        let treatment = self.scope.treatment(current.names.name(), current.level);
        if treatment.is_entered && entry.kind == EntryKind::Directory {
            if self.pending.len() + current.subdirectories.len() >= PENDING_MAX {
                self.fail(Refusal::Failed);
                return Event::Notice(WalkNotice::TooManyDirectories(self.base.clone()));
            }
            current.enter_later(entry, rules);
        }
        if treatment.is_listed {
            self.found(Some(entry), out)
        } else {
            self.search()
        }
    }

    fn notice(&mut self, notice: WalkNotice) {
        self.queue.push_back(Event::Notice(notice));
    }

    /// The id of the directory that was asked for last.
    fn next_id(&mut self) -> DirectoryId {
        let id = DirectoryId(self.directories_opened);
        self.directories_opened += 1;
        id
    }
}

fn entry(answer: &mut WalkAnswer) -> Result<&mut Entry, Refusal> {
    match answer {
        WalkAnswer::Entry(entry) => Ok(entry),
        other => Err(reason(other)),
    }
}

fn opened(answer: &WalkAnswer) -> Result<OpenedDirectory, Refusal> {
    match answer {
        WalkAnswer::Opened(directory) => Ok(*directory),
        other => Err(reason(other)),
    }
}

/// The reason of a refusal. An answer of another kind than was asked for is a bug in the driver.
fn reason(answer: &WalkAnswer) -> Refusal {
    match answer {
        WalkAnswer::Refused(refusal) => *refusal,
        WalkAnswer::Entry(_) | WalkAnswer::Opened(_) | WalkAnswer::Names { .. } => Refusal::Failed,
    }
}
