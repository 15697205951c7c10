//! Information about the server and the session: FEAT, HELP, LANG, OPTS, STAT.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::context::Context;
use super::name_encoding::NameEncoding;
use super::ready::Ready;
use super::transfer_state::Transfer;
use crate::action::Representation;
use crate::command::{self, COMMANDS, split_word};
use crate::config::AsciiConversion;
use crate::hash::HashAlgorithm;
use crate::listing::FactSet;
use crate::reply::Reply;

/// Names on a line of HELP.
const HELP_COLUMNS: usize = 8;

impl Context {
    /// FEAT lists what is offered. MLST stands for MLSD too, so it needs both.
    pub(super) fn features(&self, facts: FactSet, hash: HashAlgorithm) -> Reply {
        let mut lines: Vec<String> = Vec::new();
        let names = FEATURES.iter().filter(|(names, _)| {
            let mut rows = names.iter().map(|name| command::find(name.as_bytes()));
            rows.all(|row| row.is_some_and(|row| self.is_offered(row)))
        });
        for (names, line) in names {
            lines.push(match names {
                ["HASH"] => hash_feature(hash),
                ["MLST", ..] => format!("MLST {}", facts.feature_text()),
                _ => String::from(*line),
            });
        }
        let lines = lines.into_iter().map(String::into_bytes).collect();
        Reply::features(lines)
    }

    /// `ready`: the state of a client that has logged in.
    pub(super) fn options(&mut self, argument: &[u8], ready: Option<&mut Ready>) -> Reply {
        let (name, options) = split_word(argument.trim_ascii());
        let options = options.trim_ascii();
        if name.eq_ignore_ascii_case(b"UTF8") {
            return self.utf8_option(options, ready);
        }
        let is_offered = |option: &str| {
            let is_same = option.as_bytes().eq_ignore_ascii_case(name);
            is_same && command::find(name).is_some_and(|command| self.is_offered(command))
        };
        let is_hash = is_offered("HASH");
        if !is_hash && !is_offered("MLST") {
            return Reply::NO_SUCH_OPTIONS;
        }
        let Some(ready) = ready else {
            return Reply::NOT_LOGGED_IN;
        };
        if is_hash {
            return ready.hash_option(options);
        }
        let Some(facts) = FactSet::parse(options) else {
            return Reply::FACTS_SYNTAX;
        };
        ready.facts = facts;
        Reply::facts_selected(&facts.option_text())
    }

    /// OPTS UTF8: on, names are not converted; off, the codec of the account converts them, if it
    /// has one. Before a login the account is not known.
    fn utf8_option(&mut self, options: &[u8], ready: Option<&mut Ready>) -> Reply {
        let has_codec = ready.map(|ready| !ready.account.names().is_identity());
        if options.is_empty() || options.eq_ignore_ascii_case(b"ON") {
            self.name_encoding = NameEncoding::Utf8;
            if has_codec == Some(true) {
                Reply::UTF8_ON
            } else {
                Reply::UTF8_ALWAYS
            }
        } else if has_codec != Some(false) && options.eq_ignore_ascii_case(b"OFF") {
            self.name_encoding = NameEncoding::OfAccountRequested;
            Reply::UTF8_OFF
        } else {
            Reply::PARAMETER_NOT_IMPLEMENTED
        }
    }

    pub(super) fn help(&self, argument: &[u8]) -> Reply {
        let name = argument.trim_ascii();
        if name.is_empty() {
            return self.help_overview();
        }
        if name.eq_ignore_ascii_case(b"SITE") && !self.denies("SITE") {
            return self.site_help(b"");
        }
        match command::find(name) {
            Some(info) if self.is_offered(info) => {
                Reply::syntax(info.name, info.syntax, info.purpose)
            }
            Some(_) => Reply::NOT_IMPLEMENTED,
            None if command::is_not_implemented(name) => Reply::NOT_IMPLEMENTED,
            None => Reply::NO_SUCH_COMMAND,
        }
    }

    /// SITE HELP and HELP SITE (RFC 959, section 4.1.3): all SITE commands, or one by its name.
    pub(super) fn site_help(&self, name: &[u8]) -> Reply {
        let is_requested = |(syntax, _): &&(&str, &str)| {
            name.is_empty() || split_word(syntax.as_bytes()).0.eq_ignore_ascii_case(name)
        };
        let lines: Vec<Vec<u8>> = SITE_COMMANDS
            .iter()
            .filter(is_requested)
            .map(|(syntax, purpose)| format!("SITE {syntax}  {purpose}").into_bytes())
            .collect();
        if lines.is_empty() {
            return Reply::NO_SUCH_COMMAND;
        }
        Reply::site_commands(lines)
    }

    /// LANG: replies are in English, for any region (RFC 2640, section 4.1). Clients of that RFC
    /// write UTF-8, such as lftp after this reply, whatever its user has set.
    pub(super) fn language(&mut self, argument: &[u8]) -> Reply {
        let reply = Self::language_reply(argument);
        if reply == Reply::LANGUAGE_ENGLISH {
            self.name_encoding = NameEncoding::Utf8;
        }
        reply
    }

    fn language_reply(argument: &[u8]) -> Reply {
        let tag = argument.trim_ascii();
        let is_subtag = |part: &[u8]| {
            (1..=8).contains(&part.len()) && part.iter().all(u8::is_ascii_alphanumeric)
        };
        let mut parts = tag.split(|&byte| byte == b'-');
        if tag.is_empty() {
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
        }
    }

    /// STAT: the state of the session and of its transfer.
    pub(super) fn status(&self, ready: Option<&Ready>) -> Reply {
        let connected = format!("Connected from {}.", self.endpoints.peer().ip());
        let mut lines = Vec::from([connected.into_bytes()]);
        match ready {
            Some(ready) => {
                lines.extend(self.status_of(ready));
                let last = self.never_connected.as_ref();
                lines.extend(last.map(|last| last.status().into_bytes()));
            }
            None => lines.push(b"Not logged in.".to_vec()),
        }
        Reply::session_status(lines)
    }

    fn status_of(&self, ready: &Ready) -> Vec<Vec<u8>> {
        let announcement = self.announcement();
        let representation = match ready.representation(self) {
            Representation::Ascii => "ASCII",
            Representation::Image => "IMAGE",
        };
        let conversion = match self.config.ascii {
            AsciiConversion::Requested => "after TYPE A only",
            AsciiConversion::Rfc959 => "until TYPE I",
            AsciiConversion::Never => "never",
        };
        let transfer = match (&ready.transfer, self.hash_command()) {
            (Transfer::Running(running), _) => format!(
                "{} in progress, {} bytes so far.",
                running.info.command.name, running.bytes
            ),
            (_, Some(hash)) => format!("{} in progress.", hash.name),
            (Transfer::None | Transfer::Opening(_), None) => {
                String::from("No transfer in progress.")
            }
        };
        let mut lines = Vec::from([
            [b"Logged in as ", &ready.user[..], b"."].concat(),
            format!("TYPE: {representation}; STRU: FILE; MODE: STREAM.").into_bytes(),
            format!("Line ends are converted {conversion}.").into_bytes(),
            format!(
                "Passive mode announces {}, by {}.",
                announcement.address, announcement.reason
            )
            .into_bytes(),
            transfer.into_bytes(),
        ]);
        if !ready.account.names().is_identity() {
            let names: &[u8] = match self.name_encoding {
                NameEncoding::Utf8 => b"Names are in UTF-8.",
                NameEncoding::OfAccount | NameEncoding::OfAccountRequested => {
                    b"Names are in the character set of the account."
                }
            };
            lines.push(names.to_vec());
        }
        lines
    }

    fn help_overview(&self) -> Reply {
        let names: Vec<&str> = COMMANDS
            .iter()
            .filter(|info| self.is_offered(info))
            .map(|info| info.name)
            .collect();
        let lines = names
            .chunks(HELP_COLUMNS)
            .map(|row| {
                row.iter()
                    .map(|name| format!("{name:<8}"))
                    .collect::<String>()
            })
            .map(|row| row.trim_end().as_bytes().to_vec())
            .collect();
        Reply::commands(lines)
    }
}

/// The lines of FEAT, and the commands that each of them promises; none for what needs no command.
/// The lines of HASH and MLST depend on the session.
const FEATURES: [(&[&str], &str); 23] = [
    (&["AUTH"], "AUTH TLS"),
    (&["AVBL"], "AVBL"),
    (&["CLNT"], "CLNT"),
    (&["EPRT"], "EPRT"),
    (&["EPSV"], "EPSV"),
    (&["HASH"], ""),
    (&["HOST"], "HOST"),
    (&["LANG"], "LANG EN*"),
    (&["MDTM"], "MDTM"),
    (&["MFMT"], "MFMT"),
    (&["MLST", "MLSD"], ""),
    (&["PBSZ"], "PBSZ"),
    (&["PROT"], "PROT"),
    (&["RANG"], "RANG STREAM"),
    (&["REST"], "REST STREAM"),
    (&["SIZE"], "SIZE"),
    (&[], "TVFS"),
    (&[], "UTF8"),
    (&["XCRC"], "XCRC"),
    (&["XMD5"], "XMD5"),
    (&["XSHA"], "XSHA"),
    (&["XSHA1"], "XSHA1"),
    (&["XSHA256"], "XSHA256"),
];

/// The algorithms of HASH, with a star behind the selected one.
fn hash_feature(selected: HashAlgorithm) -> String {
    let names = HashAlgorithm::ALL.map(|algorithm| {
        let star = if algorithm == selected { "*" } else { "" };
        format!("{}{star}", algorithm.name())
    });
    format!("HASH {}", names.join(";"))
}

/// Syntax and purpose, for SITE HELP.
const SITE_COMMANDS: [(&str, &str); 6] = [
    (
        "CHMOD octal-mode path",
        "change the permission bits of a file or directory",
    ),
    ("HELP [command]", "list these commands"),
    ("QUOTA", "show what is used of the quota of this login"),
    (
        "UMASK [octal-mode]",
        "show or set the permission bits that new files do not get",
    ),
    (
        "UTIME YYYYMMDDhhmm[ss] path",
        "set the modification time of a file or directory",
    ),
    (
        "UTIME path atime mtime ctime UTC",
        "the same, in another form; atime and ctime have no effect",
    ),
];
