//! What the server tells about itself, and the parameters of transfers: FEAT, HELP, OPTS, LANG, HOST, STAT,
//! TYPE, MODE, STRU, ALLO.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Phase, Session};
use crate::action::Representation;
use crate::address::{is_host, parse_decimal};
use crate::command::{self, Access, COMMANDS};
use crate::listing::FactSet;
use crate::reply::Reply;
use crate::session::ready::Ready;
use crate::session::transfer::Transfer;

/// Names on a line of HELP.
const HELP_COLUMNS: usize = 8;

/// The 220 reply; every line of the banner is a line of it.
pub(super) fn greeting(banner: &str) -> Reply {
    let mut lines: Vec<Vec<u8>> = banner
        .lines()
        .map(|line| line.as_bytes().to_vec())
        .collect();
    let last = lines.pop().unwrap_or_default();
    if lines.is_empty() {
        return Reply::line(220, last);
    }
    let first = lines.remove(0);
    Reply::lines(220, first, lines, last)
}

impl Session {
    pub(super) fn features(&mut self) {
        let facts = match &self.phase {
            Phase::Ready(ready) => ready.facts,
            _ => FactSet::default(),
        };
        let mut lines: Vec<String> = Vec::new();
        if self.config.tls {
            lines.push("AUTH TLS".into());
        }
        lines
            .extend(["CLNT", "EPRT", "EPSV", "HOST", "LANG EN*", "MDTM", "MFMT"].map(String::from));
        lines.push(format!("MLST {}", facts.feature_text()));
        if self.config.tls {
            lines.extend(["PBSZ".into(), "PROT".into()]);
        }
        lines.extend(["REST STREAM", "SIZE", "TVFS", "UTF8"].map(String::from));
        let lines = lines.into_iter().map(String::into_bytes).collect();
        self.reply(Reply::lines(211, &b"Features:"[..], lines, &b"End."[..]));
    }

    pub(super) fn options(&mut self, argument: &[u8]) {
        let words = argument.trim_ascii();
        let (name, options) = match words.iter().position(|&byte| byte == b' ') {
            Some(space) => (&words[..space], words[space..].trim_ascii()),
            None => (words, &b""[..]),
        };
        let reply = if name.eq_ignore_ascii_case(b"UTF8") {
            match options.is_empty() || options.eq_ignore_ascii_case(b"ON") {
                true => Reply::UTF8_ALWAYS,
                false => Reply::PARAMETER_NOT_IMPLEMENTED,
            }
        } else if name.eq_ignore_ascii_case(b"MLST") {
            match &mut self.phase {
                Phase::Ready(ready) => match FactSet::parse(options) {
                    Some(facts) => {
                        ready.facts = facts;
                        let text = format!("MLST OPTS {}", facts.option_text());
                        Reply::line(200, String::from(text.trim_end()))
                    }
                    None => Reply::FACTS_SYNTAX,
                },
                _ => Reply::NOT_LOGGED_IN,
            }
        } else {
            Reply::fixed(501, "There are no options for that.")
        };
        self.reply(reply);
    }

    pub(super) fn help(&mut self, argument: &[u8]) {
        let name = argument.trim_ascii();
        if name.eq_ignore_ascii_case(b"SITE") {
            return self.site_help(b"");
        }
        let reply = if name.is_empty() {
            self.help_overview()
        } else if let Some(info) = command::find(name)
            && self.is_offered(info.access)
        {
            let usage = format!("{} {}", info.name, info.syntax);
            Reply::line(
                214,
                format!("Syntax: {}; {}.", usage.trim_end(), info.purpose),
            )
        } else if command::find(name).is_some() || command::is_not_implemented(name) {
            Reply::NOT_IMPLEMENTED
        } else {
            Reply::NO_SUCH_COMMAND
        };
        self.reply(reply);
    }

    /// There is one site, and it has as many names as its router: any is taken that could be one (RFC 7151,
    /// section 3). It must come before USER.
    pub(super) fn host(&mut self, argument: &[u8]) {
        let is_early = matches!(&self.phase, Phase::Login(login) if !login.is_named());
        self.reply(match is_early {
            false => Reply::HOST_TOO_LATE,
            true if is_host(argument.trim_ascii()) => Reply::HOST_ACCEPTED,
            true => Reply::ARGUMENT_SYNTAX,
        });
    }

    /// Replies are in English, whatever the region (RFC 2640, section 4.1).
    pub(super) fn language(&mut self, argument: &[u8]) {
        let tag = argument.trim_ascii();
        let is_subtag = |part: &[u8]| {
            (1..=8).contains(&part.len()) && part.iter().all(u8::is_ascii_alphanumeric)
        };
        let mut parts = tag.split(|&byte| byte == b'-');
        self.reply(if tag.is_empty() {
            Reply::LANGUAGE_ENGLISH
        } else if !parts.clone().all(is_subtag) {
            Reply::ARGUMENT_SYNTAX
        } else if parts
            .next()
            .is_some_and(|main| main.eq_ignore_ascii_case(b"EN"))
        {
            Reply::LANGUAGE_ENGLISH
        } else {
            Reply::LANGUAGE_UNKNOWN
        });
    }

    /// The state of the session; during a transfer with the bytes so far.
    pub(super) fn status(&mut self) {
        let connected = format!("Connected from {}.", self.endpoints.peer().ip());
        let mut lines = Vec::from([connected.into_bytes()]);
        match &self.phase {
            Phase::Ready(ready) => {
                lines.extend(self.status_of(ready));
                lines.extend(
                    self.never_connected()
                        .map(|last| last.status().into_bytes()),
                );
            }
            Phase::Login(_) | Phase::Closed => lines.push(b"Not logged in.".to_vec()),
        }
        self.reply(Reply::lines(
            211,
            &b"Status:"[..],
            lines,
            &b"End of status."[..],
        ));
    }

    fn status_of(&self, ready: &Ready) -> [Vec<u8>; 4] {
        let announcement = self.announcement();
        let representation = match ready.representation {
            Representation::Ascii => "ASCII",
            Representation::Image => "IMAGE",
        };
        let transfer = match &ready.transfer {
            Transfer::Running(running) => format!(
                "{} in progress, {} bytes so far.",
                running.info.command, running.bytes
            ),
            Transfer::None | Transfer::Opening(_) => String::from("No transfer in progress."),
        };
        [
            [b"Logged in as ", &ready.user[..], b"."].concat(),
            format!("TYPE: {representation}; STRU: FILE; MODE: STREAM.").into_bytes(),
            format!(
                "Passive mode announces {}, by {}.",
                announcement.address, announcement.reason
            )
            .into_bytes(),
            transfer.into_bytes(),
        ]
    }

    pub(super) fn representation_type(&mut self, argument: &[u8]) {
        let words = argument.trim_ascii().to_ascii_uppercase();
        let (representation, reply) = match &words[..] {
            b"A" | b"A N" => (Representation::Ascii, Reply::TYPE_ASCII),
            // People leave the blank out.
            b"I" | b"L 8" | b"L8" => (Representation::Image, Reply::TYPE_IMAGE),
            b"A T" | b"A C" | b"E" | b"E N" | b"E T" | b"E C" => {
                return self.reply(Reply::PARAMETER_NOT_IMPLEMENTED);
            }
            [b'L', size @ ..] => {
                let is_size = parse_decimal::<u8>(size.trim_ascii()).is_some();
                return self.reply(parameter_refusal(is_size));
            }
            _ => return self.reply(Reply::ARGUMENT_SYNTAX),
        };
        if let Phase::Ready(ready) = &mut self.phase {
            ready.representation = representation;
        }
        self.reply(reply);
    }

    pub(super) fn transfer_mode(&mut self, argument: &[u8]) {
        self.reply(match &argument.trim_ascii().to_ascii_uppercase()[..] {
            b"S" => Reply::MODE_STREAM,
            other => parameter_refusal(matches!(other, b"B" | b"C" | b"Z")),
        });
    }

    pub(super) fn file_structure(&mut self, argument: &[u8]) {
        self.reply(match &argument.trim_ascii().to_ascii_uppercase()[..] {
            b"F" => Reply::STRUCTURE_FILE,
            other => parameter_refusal(matches!(other, b"R" | b"P")),
        });
    }

    pub(super) fn allocate(&mut self, argument: &[u8]) {
        let mut words = argument.trim_ascii().split(|&byte| byte == b' ');
        let mut number = || words.next().and_then(parse_decimal::<u64>).is_some();
        let bytes_given = number();
        let well_formed = bytes_given
            && match words.next() {
                None => true,
                Some(record) if record.eq_ignore_ascii_case(b"R") => {
                    words.next().and_then(parse_decimal::<u64>).is_some() && words.next().is_none()
                }
                Some(_) => false,
            };
        self.reply(match well_formed {
            true => Reply::ALLOCATION_SUPERFLUOUS,
            false => Reply::ARGUMENT_SYNTAX,
        });
    }

    fn help_overview(&self) -> Reply {
        let names: Vec<&str> = COMMANDS
            .iter()
            .filter(|info| self.is_offered(info.access))
            .map(|info| info.name)
            .collect();
        let lines = names
            .chunks(HELP_COLUMNS)
            .map(|row| {
                row.iter()
                    .map(|name| format!("{name:<6}"))
                    .collect::<String>()
            })
            .map(|row| row.trim_end().as_bytes().to_vec())
            .collect();
        Reply::lines(
            214,
            &b"These commands are understood:"[..],
            lines,
            &b"End of help."[..],
        )
    }

    fn is_offered(&self, access: Access) -> bool {
        access != Access::Tls || self.config.tls
    }
}

/// A value of the RFC that we lack is 504, anything else 501.
fn parameter_refusal(known: bool) -> Reply {
    match known {
        true => Reply::PARAMETER_NOT_IMPLEMENTED,
        false => Reply::ARGUMENT_SYNTAX,
    }
}
