//! SITE: commands that each server defines itself. HELP, CHMOD, QUOTA, UMASK and UTIME work as on
//! other servers.

use super::Ready;
use crate::action::FileRequest;
use crate::command::{CommandInfo, SITE_QUOTA, SITE_UTIME, split_word};
use crate::date::parse_time_val;
use crate::reply::Reply;
use crate::rights::Right;
use crate::session::context::{Context, FileQuestion};
use crate::session::refusal::login_refusal;

/// The bits that a client may set. Only the operator may set setuid, setgid and sticky.
const MODE_MAX: u32 = 0o777;

impl Ready {
    #[inline(never)]
    pub(super) fn site(
        &mut self,
        context: &mut Context,
        command: &'static CommandInfo,
        argument: &[u8],
    ) {
        let (name, rest) = split_word(argument.trim_ascii_start());
        let reply = match &name.to_ascii_uppercase()[..] {
            b"HELP" => context.site_help(rest.trim_ascii()),
            b"CHMOD" => {
                let request = self.change_mode(context, rest);
                return self.ask(context, command, request);
            }
            b"UTIME" => {
                let request = self.set_time(context, rest);
                return self.ask(context, &SITE_UTIME, request);
            }
            b"QUOTA" if rest.trim_ascii().is_empty() => {
                let request = (FileQuestion::Quota, FileRequest::Quota);
                return self.ask(context, &SITE_QUOTA, Ok(request));
            }
            b"QUOTA" => Reply::NO_ARGUMENT_TAKEN,
            b"UMASK" => self.set_umask(context.config.umask, command, rest.trim_ascii()),
            b"" => Reply::ARGUMENT_NEEDED,
            _ => Reply::UNKNOWN_SITE_COMMAND,
        };
        context.reply(reply);
    }

    fn change_mode(
        &self,
        context: &Context,
        argument: &[u8],
    ) -> Result<(FileQuestion, FileRequest), Reply> {
        let (mode, name) = split_word(argument);
        let (Some(requested), false) = (parse_octal(mode), name.is_empty()) else {
            return Err(Reply::ARGUMENT_SYNTAX);
        };
        let path = self.resolve(context, name)?;
        let mode = requested & MODE_MAX;
        let reduced = mode != requested;
        Ok((
            FileQuestion::ChangeMode { mode, reduced },
            FileRequest::ChangeMode { path, mode },
        ))
    }

    fn set_time(
        &self,
        context: &Context,
        argument: &[u8],
    ) -> Result<(FileQuestion, FileRequest), Reply> {
        let (modified, name) = utime(argument).ok_or(Reply::ARGUMENT_SYNTAX)?;
        let path = self.resolve(context, name)?;
        Ok((
            FileQuestion::SetTime,
            FileRequest::SetModified { path, modified },
        ))
    }

    /// Permission bits of files that will be stored are as much in question as those of files that
    /// exist, so that it needs the right of SITE CHMOD.
    fn set_umask(&mut self, default: u32, command: &CommandInfo, argument: &[u8]) -> Reply {
        let before = self.umask.unwrap_or(default);
        if argument.is_empty() {
            return Reply::umask(before);
        }
        if !self.account.allows(&self.directory, Right::ChangeMode) {
            return login_refusal(command, &self.account, Right::ChangeMode);
        }
        match parse_octal(argument) {
            Some(umask) if umask <= MODE_MAX => {
                self.umask = Some(umask);
                Reply::umask_set(umask, before)
            }
            _ => Reply::ARGUMENT_SYNTAX,
        }
    }
}

/// The time and the path of SITE UTIME: `time path`, or `path atime mtime ctime UTC`, of which
/// only the second time can be set.
fn utime(argument: &[u8]) -> Option<(i64, &[u8])> {
    let (modified, name) = utime_of_path(argument).or_else(|| {
        let (time, name) = split_word(argument);
        Some((parse_time(time)?, name))
    })?;
    (!name.is_empty()).then_some((modified, name))
}

fn utime_of_path(argument: &[u8]) -> Option<(i64, &[u8])> {
    let (argument, zone) = split_last_word(argument.trim_ascii_end())?;
    let (argument, changed) = split_last_word(argument)?;
    let (argument, modified) = split_last_word(argument)?;
    let (name, accessed) = split_last_word(argument)?;
    let are_times = zone.eq_ignore_ascii_case(b"UTC")
        && parse_time(accessed).is_some()
        && parse_time(changed).is_some();
    parse_time(modified)
        .filter(|_| are_times)
        .map(|modified| (modified, name))
}

fn split_last_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = text.iter().rposition(|&byte| byte == b' ')?;
    Some((&text[..space], &text[space + 1..]))
}

/// A time with or without its seconds.
fn parse_time(text: &[u8]) -> Option<i64> {
    match text.len() {
        12 => parse_time_val(&[text, b"00"].concat()),
        _ => parse_time_val(text),
    }
}

/// One to four octal digits.
fn parse_octal(digits: &[u8]) -> Option<u32> {
    let is_octal = |byte: &u8| (b'0'..=b'7').contains(byte);
    if !(1..=4).contains(&digits.len()) || !digits.iter().all(is_octal) {
        return None;
    }
    let add = |sum: u32, digit: &u8| sum * 8 + u32::from(digit - b'0');
    Some(digits.iter().fold(0, add))
}
