//! File commands that need no data connection, and how a refusal is told.

use alloc::vec::Vec;

use super::{Pending, Phase, Session};
use crate::action::{Action, FileRequest, Representation};
use crate::command::Verb;
use crate::date::time_val;
use crate::listing::{self, Selection};
use crate::outcome::{FileAnswer, Refusal};
use crate::path::{Path, PathError};
use crate::reply::{Reply, quoted};

/// What the answer will be used for.
#[derive(Debug)]
pub(super) enum FileQuestion {
    ChangeDirectory(Path),
    MakeDirectory(Path),
    RemoveDirectory,
    DeleteFile,
    RenameFrom(Path),
    Rename,
    Size,
    ModifiedTime,
    Facts(Path),
    Status,
}

/// What a refusal is about: it decides between the codes that RFC 959 lists for the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// CWD, MKD, RMD, SIZE, MDTM, MLST: 550 is all there is.
    Path,
    /// DELE, RNFR, RETR, APPE: 450 while it is busy.
    File,
    /// STOR, STOU: 553 for a name that cannot be written.
    Target,
    /// RNTO: 553 is all there is.
    NewName,
    /// LIST, NLST, STAT.
    Listing,
    /// MLSD: 501 for what is no directory (RFC 3659, section 7.2.1).
    Facts,
}

impl Asked {
    pub(super) fn of(verb: Verb) -> Self {
        match verb {
            Verb::Dele | Verb::Rnfr | Verb::Retr | Verb::Appe => Self::File,
            Verb::Stor | Verb::Stou => Self::Target,
            Verb::Rnto => Self::NewName,
            Verb::List | Verb::Nlst | Verb::Stat => Self::Listing,
            Verb::Mlsd => Self::Facts,
            _ => Self::Path,
        }
    }
}

/// The one table from a driver's refusal to code and text.
pub(super) fn refusal(asked: Asked, refusal: Refusal) -> Reply {
    let unavailable = match asked {
        Asked::Target | Asked::NewName => 553,
        _ => 550,
    };
    match refusal {
        Refusal::NotFound => Reply::fixed(unavailable, "No such file or directory."),
        Refusal::Denied => Reply::fixed(unavailable, "Permission denied."),
        Refusal::Exists => Reply::fixed(unavailable, "The name is taken already."),
        Refusal::NotEmpty => Reply::fixed(unavailable, "The directory is not empty."),
        Refusal::NotADirectory if asked == Asked::Facts => Reply::fixed(501, "Not a directory."),
        Refusal::NotADirectory => Reply::fixed(unavailable, "Not a directory."),
        Refusal::IsADirectory => Reply::fixed(unavailable, "Not a plain file."),
        Refusal::NameRejected => Reply::fixed(unavailable, "The name is not allowed."),
        Refusal::NoSpace => match asked {
            Asked::Target | Asked::File => Reply::fixed(452, "No space left."),
            _ => Reply::fixed(unavailable, "No space left."),
        },
        Refusal::OffsetTooLarge => Reply::fixed(554, "The restart offset is beyond the end."),
        Refusal::Busy => match asked {
            Asked::Path | Asked::NewName => Reply::fixed(unavailable, "In use; try again later."),
            _ => Reply::fixed(450, "In use; try again later."),
        },
        Refusal::Unsupported => Reply::fixed(502, "Not possible on this server."),
        Refusal::Failed => match asked {
            Asked::Path | Asked::NewName => Reply::fixed(unavailable, "Local error."),
            _ => Reply::fixed(451, "Local error."),
        },
    }
}

pub(super) fn path_refusal(error: PathError) -> Reply {
    match error {
        PathError::Character => Reply::PATH_SYNTAX,
        PathError::TooLong => Reply::PATH_TOO_LONG,
    }
}

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
                self.act(Action::File(request));
            }
        }
    }

    /// Returns whether that was asked.
    pub(super) fn file_answered(&mut self, result: Result<FileAnswer, Refusal>) -> bool {
        let (Pending::File(question), Phase::Ready(_)) = (&self.pending, &self.phase) else {
            return false;
        };
        if let Ok(answer) = &result
            && !question.takes(answer)
        {
            return false;
        }
        let Pending::File(question) = core::mem::replace(&mut self.pending, Pending::None) else {
            return false;
        };
        let reply = match result {
            Ok(answer) => self.tell(question, answer),
            Err(why) => refusal(question.asked(), why),
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
        let may = ready.permissions;
        let permitted = match verb {
            Verb::Mkd => may.make_directory,
            Verb::Rmd | Verb::Dele => may.delete,
            Verb::Rnfr | Verb::Rnto => may.rename,
            _ => may.list,
        };
        if !permitted {
            return Err(refusal(Asked::of(verb), Refusal::Denied));
        }
        let argument = match verb {
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
                FileRequest::MakeDirectory(path),
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
                let from = ready.rename_from.take().ok_or(Reply::RENAME_FROM_FIRST)?;
                (FileQuestion::Rename, FileRequest::Rename { from, to: path })
            }
            Verb::Size if ready.representation == Representation::Ascii => {
                return Err(Reply::SIZE_IN_ASCII);
            }
            Verb::Size => (FileQuestion::Size, FileRequest::Size(path)),
            Verb::Mdtm => (FileQuestion::ModifiedTime, FileRequest::ModifiedTime(path)),
            Verb::Mlst => (FileQuestion::Facts(path.clone()), FileRequest::Facts(path)),
            _ => (
                FileQuestion::ChangeDirectory(path.clone()),
                FileRequest::ChangeDirectory(path),
            ),
        })
    }

    fn tell(&mut self, question: FileQuestion, answer: FileAnswer) -> Reply {
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

impl FileQuestion {
    /// Whether an answer is of the kind that was asked for.
    fn takes(&self, answer: &FileAnswer) -> bool {
        match self {
            Self::Size => matches!(answer, FileAnswer::Size(_)),
            Self::ModifiedTime => matches!(answer, FileAnswer::Modified(_)),
            Self::Facts(_) => matches!(answer, FileAnswer::Entry(_)),
            Self::Status => matches!(answer, FileAnswer::Lines(_)),
            _ => matches!(answer, FileAnswer::Done),
        }
    }

    fn asked(&self) -> Asked {
        match self {
            Self::DeleteFile | Self::RenameFrom(_) => Asked::File,
            Self::Rename => Asked::NewName,
            Self::Status => Asked::Listing,
            _ => Asked::Path,
        }
    }
}
