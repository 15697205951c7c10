//! File commands that need no data connection: each sends a request to the driver.

use alloc::vec::Vec;

use super::{Ready, space};
use crate::action::FileRequest;
use crate::command::{CommandInfo, FileVerb, MDTM_WITH_TIME, split_word};
use crate::date::{parse_time_val, time_val};
use crate::listing;
use crate::listing::style::ListStyle;
use crate::outcome::FileAnswer;
use crate::path::FtpPath;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::rights::Right;
use crate::session::context::{Context, FileQuestion, Question, SetTime};
use crate::session::file_status::FileStatus;
use crate::session::refusal::refusal;

impl Ready {
    /// `rename_from`: the path of RNFR, if that was the previous line.
    #[inline(never)]
    pub(super) fn file_command(
        &mut self,
        context: &mut Context,
        command: &'static CommandInfo,
        verb: FileVerb,
        argument: &[u8],
        rename_from: Option<FtpPath>,
    ) {
        let request = self.file_request(context, verb, argument, rename_from);
        self.ask(context, command, request);
    }

    /// STAT with a path.
    pub(super) fn list_status(
        &mut self,
        context: &mut Context,
        command: &'static CommandInfo,
        argument: &[u8],
    ) {
        let selection = self.select(context, argument);
        let request = selection.map(|selection| {
            let listing = self.list_request(context, selection, ListStyle::Long);
            let request = FileRequest::Status(listing);
            (FileQuestion::Status(FileStatus::default()), request)
        });
        self.ask(context, command, request);
    }

    /// The outcome of a file request. `false`: no such action is open.
    #[inline(never)]
    pub(in crate::session) fn file_answered(
        &mut self,
        context: &mut Context,
        result: Result<FileAnswer, Refusal>,
    ) -> bool {
        let accepts = |question: &FileQuestion| {
            let answer = result.as_ref();
            answer.map_or(true, |answer| question.expected() == answer.name())
        };
        let Some((command, question)) = context.take_file_question(accepts) else {
            return false;
        };
        if let FileQuestion::Home(waiting) = question {
            self.tilde_is_home = result.err() == Some(Refusal::NotFound);
            let (command, argument) = (waiting.command, &waiting.argument);
            self.dispatch(context, command, argument, waiting.rename_from);
            return true;
        }
        if let FileQuestion::Hash(hash) = question {
            self.hash_answered(context, command, hash, result);
            return true;
        }
        // Before another argument is tried: a time before a name comes before FF FF in it.
        if let (FileQuestion::ModifiedTime(Some(set)), Err(Refusal::NotFound)) =
            (&question, &result)
        {
            let (modified, path) = (set.modified, set.path.clone());
            let question = FileQuestion::SetModified(modified, set.name.clone());
            let request = FileRequest::SetModified { path, modified };
            self.ask(context, &MDTM_WITH_TIME, Ok((question, request)));
            return true;
        }
        if self.retries(context, result.as_ref().err().copied()) {
            return true;
        }
        let reply = match (question, result) {
            // What the driver cannot say is no reason against an upload.
            (FileQuestion::Allocate(_), Err(_)) => Reply::ALLOCATION_SUPERFLUOUS,
            (_, Err(reason)) => refusal(command, reason),
            (FileQuestion::Status(mut status), Ok(FileAnswer::Entries(batch))) => {
                status.add(&batch, self.names(context));
                if !batch.is_last {
                    context.question = Question::File(command, FileQuestion::Status(status));
                    return true;
                }
                let reply = status.into_reply();
                reply.unwrap_or_else(|reason| refusal(command, reason))
            }
            (question, Ok(answer)) => self.reply_to(context, question, answer),
        };
        context.reply(reply);
        true
    }

    fn file_request(
        &self,
        context: &Context,
        verb: FileVerb,
        argument: &[u8],
        rename_from: Option<FtpPath>,
    ) -> Result<(FileQuestion, FileRequest), Reply> {
        let resolve = |argument| self.resolve(context, argument);
        Ok(match verb {
            // Like `cd` in a shell.
            FileVerb::Cwd if argument.is_empty() => change_directory(self.account.home().clone()),
            FileVerb::Cwd => change_directory(resolve(argument)?),
            FileVerb::Cdup => change_directory(self.directory.parent()),
            FileVerb::Mkd => {
                let path = resolve(argument)?;
                let umask = self.umask;
                (
                    FileQuestion::MakeDirectory(path.clone()),
                    FileRequest::MakeDirectory { path, umask },
                )
            }
            FileVerb::Rmd => (
                FileQuestion::RemoveDirectory,
                FileRequest::RemoveDirectory(resolve(argument)?),
            ),
            FileVerb::Dele => (
                FileQuestion::DeleteFile,
                FileRequest::DeleteFile(resolve(argument)?),
            ),
            FileVerb::Rnfr => {
                let path = resolve(argument)?;
                (
                    FileQuestion::RenameFrom(path.clone()),
                    FileRequest::RenameFrom(path),
                )
            }
            FileVerb::Rnto => {
                let to = resolve(argument)?;
                self.rename(rename_from.ok_or(Reply::RENAME_FROM_FIRST)?, to)
            }
            FileVerb::Size => {
                let request = FileRequest::Size {
                    path: resolve(argument)?,
                    representation: self.representation(context),
                };
                (FileQuestion::Size, request)
            }
            FileVerb::Mdtm => (
                FileQuestion::ModifiedTime(self.time_to_set(context, argument)),
                FileRequest::ModifiedTime(resolve(argument)?),
            ),
            FileVerb::Mfmt => {
                let (modified, name) = time_and_name(argument).ok_or(Reply::ARGUMENT_SYNTAX)?;
                let path = resolve(name)?;
                (
                    FileQuestion::SetModified(modified, name.to_vec()),
                    FileRequest::SetModified { path, modified },
                )
            }
            FileVerb::Avbl => (
                FileQuestion::Available,
                FileRequest::Space(resolve(argument)?),
            ),
            FileVerb::Mlst => {
                let path = resolve(argument)?;
                (FileQuestion::Facts(path.clone()), FileRequest::Facts(path))
            }
        })
    }

    fn rename(&self, from: FtpPath, to: FtpPath) -> (FileQuestion, FileRequest) {
        let replace = self.account.allows(&to, Right::Overwrite);
        (
            FileQuestion::Rename,
            FileRequest::Rename { from, to, replace },
        )
    }

    /// What the argument of MDTM would set, if it begins with a time.
    fn time_to_set(&self, context: &Context, argument: &[u8]) -> Option<SetTime> {
        let (modified, name) = time_and_name(argument)?;
        Some(SetTime {
            modified,
            name: name.to_vec(),
            path: self.resolve(context, name).ok()?,
        })
    }

    fn reply_to(&mut self, context: &Context, question: FileQuestion, answer: FileAnswer) -> Reply {
        if let Some(reply) = space::reply(&question, &answer) {
            return reply;
        }
        match (question, answer) {
            (FileQuestion::ChangeDirectory(path), _) => {
                self.directory = path;
                Reply::DIRECTORY_CHANGED
            }
            (FileQuestion::MakeDirectory(path), _) => {
                Reply::directory_created(&self.names(context).encode(path.as_bytes()))
            }
            (FileQuestion::RenameFrom(path), _) => {
                self.rename_from = Some(path);
                Reply::RENAME_READY
            }
            (FileQuestion::SetModified(modified, name), _) => {
                Reply::modified_set(&time_val(modified), &name)
            }
            (FileQuestion::SetTime, _) => Reply::TIME_SET,
            (FileQuestion::ChangeMode { mode, reduced }, _) => Reply::mode_changed(mode, reduced),
            (FileQuestion::RemoveDirectory, _) => Reply::DIRECTORY_REMOVED,
            (FileQuestion::DeleteFile, _) => Reply::FILE_DELETED,
            (FileQuestion::Rename, _) => Reply::RENAMED,
            (FileQuestion::Facts(path), FileAnswer::Entry(mut entry)) => {
                // A driver that looks at `.` for the root may call it so: `cdir` is for MLSD only.
                entry.name = path.name().to_vec();
                listing::encode_target(&mut entry, self.names(context));
                let mut line = Vec::new();
                let rights = self.account.rights_at(&path);
                entry.is_fixed |= !self.account.is_movable(&path);
                let name = self.names(context).encode(path.as_bytes());
                listing::facts(&name, &entry, self.facts, rights, &mut line);
                Reply::entry(line)
            }
            (FileQuestion::Size, FileAnswer::Size(bytes)) => Reply::size(bytes),
            (FileQuestion::ModifiedTime(_), FileAnswer::Modified(seconds)) => {
                Reply::modified(&time_val(seconds))
            }
            // `file_answered` has refused all other pairs.
            (
                FileQuestion::Facts(_)
                | FileQuestion::Home(_)
                | FileQuestion::Status(_)
                | FileQuestion::Size
                | FileQuestion::Hash(_)
                | FileQuestion::ModifiedTime(_)
                | FileQuestion::Allocate(_)
                | FileQuestion::Available
                | FileQuestion::Quota,
                _,
            ) => Reply::LOCAL_ERROR,
        }
    }
}

fn change_directory(path: FtpPath) -> (FileQuestion, FileRequest) {
    (
        FileQuestion::ChangeDirectory(path.clone()),
        FileRequest::ChangeDirectory(path),
    )
}

/// The two arguments of MFMT.
fn time_and_name(argument: &[u8]) -> Option<(i64, &[u8])> {
    let (time, name) = split_word(argument);
    let modified = parse_time_val(time)?;
    (!name.is_empty()).then_some((modified, name))
}
