//! File commands that need no data connection, and how a refusal is told.

use alloc::vec::Vec;

use super::site::mode_changed;
use super::{Pending, Phase, Session};
use crate::action::{Action, FileRequest, Representation};
use crate::command::Verb;
use crate::date::{parse_time_val, time_val};
use crate::listing::{self, Selection};
use crate::outcome::{FileAnswer, Refusal};
use crate::path::{FtpPath, PathError};
use crate::permissions::Permissions;
use crate::reply::{Reply, quoted};

/// What the answer will be used for.
#[derive(Debug)]
pub(super) enum FileQuestion {
    ChangeDirectory(FtpPath),
    MakeDirectory(FtpPath),
    RemoveDirectory,
    DeleteFile,
    RenameFrom(FtpPath),
    Rename,
    Size,
    ModifiedTime,
    /// The time, and the name as the client wrote it.
    SetModified(i64, Vec<u8>),
    /// `reduced`: some of the bits that were asked for are not among them.
    ChangeMode {
        mode: u32,
        reduced: bool,
    },
    Facts(FtpPath),
    Status,
}

/// The codes of one command's refusals.
struct Codes {
    /// It cannot be done, and trying again will not help.
    unavailable: u16,
    busy: u16,
    no_space: u16,
    failed: u16,
    unsupported: u16,
}

/// Which codes the RFCs leave to a command: see [`codes`](crate::codes).
fn codes(verb: Verb) -> Codes {
    let (unavailable, busy, no_space, failed, unsupported) = match verb {
        Verb::Retr => (550, 450, 451, 451, 550),
        Verb::Stor | Verb::Stou => (553, 450, 452, 451, 553),
        Verb::Appe => (550, 450, 452, 451, 502),
        Verb::Dele | Verb::Rnfr => (550, 450, 550, 550, 502),
        Verb::Rnto => (553, 553, 553, 553, 502),
        Verb::List | Verb::Nlst | Verb::Mlsd => (550, 450, 451, 451, 502),
        Verb::Stat => (550, 450, 450, 450, 502),
        _ => (550, 550, 550, 550, 502),
    };
    Codes {
        unavailable,
        busy,
        no_space,
        failed,
        unsupported,
    }
}

/// The one table from a driver's refusal to code and text.
pub(super) fn refusal(verb: Verb, refusal: Refusal) -> Reply {
    let codes = codes(verb);
    let (code, text) = match refusal {
        Refusal::NotFound => (codes.unavailable, "No such file or directory."),
        Refusal::Denied => (codes.unavailable, "Permission denied."),
        Refusal::Exists => (codes.unavailable, "The name is taken already."),
        Refusal::NotEmpty => (codes.unavailable, "The directory is not empty."),
        // RFC 3659, section 7.2.1.
        Refusal::NotADirectory if verb == Verb::Mlsd => (501, "Not a directory."),
        Refusal::NotADirectory => (codes.unavailable, "Not a directory."),
        Refusal::IsADirectory => (codes.unavailable, "Not a plain file."),
        Refusal::NameRejected => (codes.unavailable, "The name is not allowed."),
        Refusal::NoSpace => (codes.no_space, "No space left."),
        // RFC 1123, section 4.1.2.11.
        Refusal::OffsetTooLarge if matches!(verb, Verb::Retr | Verb::Stor) => {
            (554, "The restart offset is beyond the end.")
        }
        Refusal::OffsetTooLarge => (codes.unavailable, "The offset is beyond the end."),
        Refusal::Busy => (codes.busy, "In use; try again later."),
        Refusal::Unsupported => (codes.unsupported, "Not possible on this server."),
        Refusal::Failed => (codes.failed, "Local error."),
    };
    Reply::fixed(code, text)
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
        if !permitted(verb, &ready.permissions) {
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
            (FileQuestion::ChangeMode { mode, reduced }, _) => mode_changed(mode, reduced),
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
    fn accepts(&self, answer: &FileAnswer) -> bool {
        match self {
            Self::Size => matches!(answer, FileAnswer::Size(_)),
            Self::ModifiedTime => matches!(answer, FileAnswer::Modified(_)),
            Self::Facts(_) => matches!(answer, FileAnswer::Entry(_)),
            Self::Status => matches!(answer, FileAnswer::Lines(_)),
            _ => matches!(answer, FileAnswer::Done),
        }
    }

    /// The command that asked.
    fn verb(&self) -> Verb {
        match self {
            Self::ChangeDirectory(_) => Verb::Cwd,
            Self::MakeDirectory(_) => Verb::Mkd,
            Self::RemoveDirectory => Verb::Rmd,
            Self::DeleteFile => Verb::Dele,
            Self::RenameFrom(_) => Verb::Rnfr,
            Self::Rename => Verb::Rnto,
            Self::Size => Verb::Size,
            Self::ModifiedTime => Verb::Mdtm,
            Self::SetModified(..) => Verb::Mfmt,
            Self::ChangeMode { .. } => Verb::Site,
            Self::Facts(_) => Verb::Mlst,
            Self::Status => Verb::Stat,
        }
    }
}

fn permitted(verb: Verb, permissions: &Permissions) -> bool {
    match verb {
        Verb::Mkd => permissions.make_directory,
        Verb::Rmd | Verb::Dele => permissions.delete,
        Verb::Rnfr | Verb::Rnto => permissions.rename,
        Verb::Mfmt => permissions.change_time,
        _ => permissions.list,
    }
}

/// The two arguments of MFMT.
fn time_and_name(argument: &[u8]) -> Option<(i64, &[u8])> {
    let blank = argument.iter().position(|&byte| byte == b' ')?;
    let (time, name) = (&argument[..blank], &argument[blank + 1..]);
    let modified = parse_time_val(time)?;
    (!name.is_empty()).then_some((modified, name))
}
