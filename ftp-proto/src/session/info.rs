//! What the server tells about itself: FEAT, HELP, HOST, LANG, STAT.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Session;
use super::phase::Phase;
use super::ready::Ready;
use super::transfer_state::Transfer;
use crate::action::Representation;
use crate::address::is_host;
use crate::command::{self, Access, COMMANDS};
use crate::listing::FactSet;
use crate::reply::Reply;

/// Names on a line of HELP.
const HELP_COLUMNS: usize = 8;

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
