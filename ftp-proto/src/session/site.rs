//! SITE: what the RFCs leave to each server. HELP, CHMOD and UMASK, as other servers have them.

use alloc::format;
use alloc::vec::Vec;

use super::Session;
use super::file_question::FileQuestion;
use super::phase::{Pending, Phase};
use super::refusal::{path_refusal, refusal};
use crate::action::{Action, FileRequest};
use crate::command::{Verb, split_word};
use crate::outcome::Refusal;
use crate::reply::Reply;

/// The bits that a client may set: setuid, setgid and sticky give rights that are the operator's to give.
const MODE_MAX: u32 = 0o777;

impl Session {
    pub(super) fn site(&mut self, argument: &[u8]) {
        let (name, rest) = split_word(argument.trim_ascii_start());
        match &name.to_ascii_uppercase()[..] {
            b"HELP" => self.site_help(rest.trim_ascii()),
            b"CHMOD" => self.change_mode(rest),
            b"UMASK" => self.set_umask(rest.trim_ascii()),
            b"" => self.reply(Reply::ARGUMENT_NEEDED),
            _ => self.reply(Reply::UNKNOWN_SITE_COMMAND),
        }
    }

    /// All of them, or one by its name. RFC 959, section 4.1.3, has HELP SITE for it.
    pub(super) fn site_help(&mut self, name: &[u8]) {
        let is_requested = |(syntax, _): &&(&str, &str)| {
            name.is_empty() || split_word(syntax.as_bytes()).0.eq_ignore_ascii_case(name)
        };
        let lines: Vec<Vec<u8>> = SITE_COMMANDS
            .iter()
            .filter(is_requested)
            .map(|(syntax, purpose)| format!("SITE {syntax}  {purpose}").into_bytes())
            .collect();
        self.reply(match lines.is_empty() {
            true => Reply::NO_SUCH_COMMAND,
            false => Reply::lines(
                214,
                &b"These SITE commands are understood:"[..],
                lines,
                &b"End of help."[..],
            ),
        });
    }

    fn change_mode(&mut self, argument: &[u8]) {
        let request = self.change_mode_request(argument);
        match request {
            Err(reply) => self.reply(reply),
            Ok((question, request)) => {
                self.pending = Pending::File(question);
                self.push_action(Action::File(request));
            }
        }
    }

    fn change_mode_request(&self, argument: &[u8]) -> Result<(FileQuestion, FileRequest), Reply> {
        let (mode, name) = split_word(argument);
        let (Some(wanted), false) = (parse_octal(mode), name.is_empty()) else {
            return Err(Reply::ARGUMENT_SYNTAX);
        };
        let Phase::Ready(ready) = &self.phase else {
            return Err(Reply::NOT_LOGGED_IN);
        };
        if !ready.permissions.allow(Verb::Site) {
            return Err(refusal(Verb::Site, Refusal::Denied));
        }
        let path = ready.directory.resolve(name).map_err(path_refusal)?;
        let mode = wanted & MODE_MAX;
        let reduced = mode != wanted;
        Ok((
            FileQuestion::ChangeMode { mode, reduced },
            FileRequest::ChangeMode { path, mode },
        ))
    }

    fn set_umask(&mut self, argument: &[u8]) {
        let default = self.config.umask;
        let Phase::Ready(ready) = &mut self.phase else {
            return;
        };
        let before = ready.umask.unwrap_or(default);
        let reply = if argument.is_empty() {
            Reply::line(200, format!("The umask is {before:03o}."))
        } else {
            match parse_octal(argument) {
                Some(umask) if umask <= MODE_MAX => {
                    ready.umask = Some(umask);
                    Reply::line(
                        200,
                        format!("Umask set to {umask:03o}; it was {before:03o}."),
                    )
                }
                _ => Reply::ARGUMENT_SYNTAX,
            }
        };
        self.reply(reply);
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

/// Syntax and purpose, for SITE HELP.
const SITE_COMMANDS: [(&str, &str); 3] = [
    (
        "CHMOD octal-mode path",
        "change the permission bits of a file or directory",
    ),
    ("HELP [command]", "list these commands"),
    (
        "UMASK [octal-mode]",
        "tell or set the bits that new files will not have",
    ),
];
