//! File commands that need no data connection.

use alloc::vec::Vec;

use super::Session;
use super::file_question::FileQuestion;
use super::phase::{Pending, Phase};
use super::refusal::{path_refusal, refusal};
use crate::action::{Action, FileRequest, Representation};
use crate::command::{Verb, split_word};
use crate::date::{parse_time_val, time_val};
use crate::listing::{self, Selection};
use crate::outcome::{FileAnswer, Refusal};
use crate::reply::{Reply, quoted};

impl Session {
    pub(super) fn print_directory(&mut self) {
        let Phase::Ready(ready) = &self.phase else {
            return;
        };
        let mut text = quoted(ready.directory.as_bytes());
        text.extend_from_slice(b" is the current directory.");
        self.reply(Reply::line(257, text));
    }

    pub(super) fn file_command(&mut self, verb: Verb, argument: &[u8]) {
        match self.file_request(verb, argument) {
            Err(reply) => self.reply(reply),
            Ok((question, request)) => {
                self.pending = Pending::File(question);
                self.push_action(Action::File(request));
            }
        }
    }

    /// Returns whether that was asked.
    pub(super) fn file_answered(&mut self, result: Result<FileAnswer, Refusal>) -> bool {
        let (Pending::File(question), Phase::Ready(_)) = (&self.pending, &self.phase) else {
            return false;
        };
        if let Ok(answer) = &result
            && !question.accepts(answer)
        {
            return false;
        }
        let Pending::File(question) = core::mem::replace(&mut self.pending, Pending::None) else {
            return false;
        };
        let reply = match result {
            Ok(answer) => self.reply_to(question, answer),
            Err(why) => refusal(question.verb(), why),
        };
        self.reply(reply);
        true
    }

    fn file_request(
        &mut self,
        verb: Verb,
        argument: &[u8],
    ) -> Result<(FileQuestion, FileRequest), Reply> {
        let Phase::Ready(ready) = &mut self.phase else {
            return Err(Reply::NOT_LOGGED_IN);
        };
        let from = match verb {
            Verb::Rnto => ready.rename_from.take(),
            _ => None,
        };
        if !ready.permissions.allow(verb) {
            return Err(refusal(verb, Refusal::Denied));
        }
        let mut modified = 0;
        let argument = match verb {
            Verb::Mfmt => {
                let (time, name) = time_and_name(argument).ok_or(Reply::ARGUMENT_SYNTAX)?;
                modified = time;
                name
            }
            Verb::Cdup => &b".."[..],
            // As with a shell's `cd`.
            Verb::Cwd if argument.is_empty() => &b"/"[..],
            _ => argument,
        };
        if verb == Verb::Stat {
            let selection = Selection::parse(argument, &ready.directory).map_err(path_refusal)?;
            return Ok((FileQuestion::Status, FileRequest::Status(selection)));
        }
        let path = ready.directory.resolve(argument).map_err(path_refusal)?;
        Ok(match verb {
            Verb::Mkd => (
                FileQuestion::MakeDirectory(path.clone()),
                FileRequest::MakeDirectory {
                    path,
                    umask: ready.umask,
                },
            ),
            Verb::Rmd => (
                FileQuestion::RemoveDirectory,
                FileRequest::RemoveDirectory(path),
            ),
            Verb::Dele => (FileQuestion::DeleteFile, FileRequest::DeleteFile(path)),
            Verb::Rnfr => (
                FileQuestion::RenameFrom(path.clone()),
                FileRequest::RenameFrom(path),
            ),
            Verb::Rnto => {
                let from = from.ok_or(Reply::RENAME_FROM_FIRST)?;
                (FileQuestion::Rename, FileRequest::Rename { from, to: path })
            }
            Verb::Size if ready.representation == Representation::Ascii => {
                return Err(Reply::SIZE_IN_ASCII);
            }
            Verb::Size => (FileQuestion::Size, FileRequest::Size(path)),
            Verb::Mdtm => (FileQuestion::ModifiedTime, FileRequest::ModifiedTime(path)),
            Verb::Mfmt => (
                FileQuestion::SetModified(modified, argument.to_vec()),
                FileRequest::SetModified { path, modified },
            ),
            Verb::Mlst => (FileQuestion::Facts(path.clone()), FileRequest::Facts(path)),
            _ => (
                FileQuestion::ChangeDirectory(path.clone()),
                FileRequest::ChangeDirectory(path),
            ),
        })
    }

    fn reply_to(&mut self, question: FileQuestion, answer: FileAnswer) -> Reply {
        let Phase::Ready(ready) = &mut self.phase else {
            return Reply::NOT_LOGGED_IN;
        };
        match (question, answer) {
            (FileQuestion::ChangeDirectory(path), _) => {
                ready.directory = path;
                Reply::DIRECTORY_CHANGED
            }
            (FileQuestion::MakeDirectory(path), _) => {
                let mut text = quoted(path.as_bytes());
                text.extend_from_slice(b" created.");
                Reply::line(257, text)
            }
            (FileQuestion::RenameFrom(path), _) => {
                ready.rename_from = Some(path);
                Reply::RENAME_READY
            }
            (FileQuestion::SetModified(modified, name), _) => {
                let fact = [b"Modify=", &time_val(modified)[..], b"; ", &name];
                Reply::line(213, fact.concat())
            }
            (FileQuestion::ChangeMode { mode, reduced }, _) => Reply::mode_changed(mode, reduced),
            (FileQuestion::Facts(path), FileAnswer::Entry(entry)) => {
                let mut line = Vec::new();
                let name = path.as_bytes();
                listing::facts(name, &entry, ready.facts, ready.permissions, &mut line);
                Reply::lines(250, &b"Listing:"[..], [line].into(), &b"End."[..])
            }
            (_, FileAnswer::Lines(lines)) => {
                Reply::lines(213, &b"Status:"[..], lines, &b"End of status."[..])
            }
            (_, FileAnswer::Size(bytes)) => Reply::line(213, alloc::format!("{bytes}")),
            (_, FileAnswer::Modified(seconds)) => Reply::line(213, time_val(seconds)),
            (FileQuestion::RemoveDirectory, _) => Reply::DIRECTORY_REMOVED,
            (FileQuestion::DeleteFile, _) => Reply::FILE_DELETED,
            _ => Reply::RENAMED,
        }
    }
}

/// The two arguments of MFMT.
fn time_and_name(argument: &[u8]) -> Option<(i64, &[u8])> {
    let (time, name) = split_word(argument);
    let modified = parse_time_val(time)?;
    (!name.is_empty()).then_some((modified, name))
}
