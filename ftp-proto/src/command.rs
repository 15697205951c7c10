//! The commands: one table with everything about a command that is data. The parser, HELP, the
//! documentation, the checks before a command is executed and the codes of its refusals use it.

use crate::hash::HashAlgorithm;
use crate::refusal_codes::{
    APPEND, CHECKSUM, DELETE, HASH, LIST, LIST_FACTS, OTHER, RENAME, RETRIEVE, RefusalCodes,
    STATUS, STORE, STORE_UNIQUE,
};
use crate::rights::Right;

/// A command line, split into command and argument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommandLine<'a> {
    pub(crate) command: Command,
    /// Everything after the first space, unchanged; may be empty.
    pub(crate) argument: &'a [u8],
    /// The argument with both bytes of each FF FF, if it contains any.
    pub(crate) with_doubled: Option<&'a [u8]>,
    /// The bytes of the whole line.
    pub(crate) length: usize,
}

/// The command that the first word of a line names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    Known(&'static CommandInfo),
    /// An RFC defines it, this server does not implement it.
    NotImplemented,
    /// No RFC that we know defines it.
    Unknown,
}

/// What a command does, grouped by its handler. Several names may have the same verb, such as CWD
/// and XCWD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Control(ControlVerb),
    Protection(ProtectionVerb),
    Info(InfoVerb),
    File(FileVerb),
    Hash(HashVerb),
    Transfer(TransferVerb),
    Data(DataVerb),
    Local(LocalVerb),
    Site,
}

/// Login and logout, and the end of the session. Allowed in every phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ControlVerb {
    Host,
    Pass,
    Quit,
    Rein,
    User,
}

/// The protection of the connections (RFC 4217). Allowed in every phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProtectionVerb {
    Auth,
    Ccc,
    Pbsz,
    Prot,
}

/// Information about the server and the session. Allowed in every phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InfoVerb {
    Clnt,
    Feat,
    Help,
    Lang,
    Noop,
    Opts,
    Stat,
    Syst,
}

/// File commands without a data connection: each sends a request to the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileVerb {
    Avbl,
    Cdup,
    Cwd,
    Dele,
    Mdtm,
    Mfmt,
    Mkd,
    Mlst,
    Rmd,
    Rnfr,
    Rnto,
    Size,
}

/// Commands that compute a digest of a file: like transfers without a data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HashVerb {
    /// With the algorithm that OPTS HASH selects.
    Hash,
    /// XCRC and others, each with its own algorithm.
    Checksum(HashAlgorithm),
}

/// Commands that transfer bytes over a data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransferVerb {
    Appe,
    List,
    Mlsd,
    Nlst,
    Retr,
    Stor,
    Stou,
}

/// Commands that set up the next data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataVerb {
    Eprt,
    Epsv,
    Pasv,
    Port,
}

/// Commands of a logged-in client that need nothing from the driver, but for ALLO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LocalVerb {
    Abor,
    Acct,
    Allo,
    Mode,
    Pwd,
    Rang,
    Rest,
    Stru,
    Type,
}

/// Whether a command takes an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// An argument is refused.
    None,
    Optional,
    Required,
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct CommandInfo {
    pub(crate) name: &'static str,
    pub(crate) verb: Verb,
    pub(crate) argument: Argument,
    pub(crate) access: Access,
    /// The right that the user must have; `None` if the command needs none.
    pub(crate) right: Option<Right>,
    pub(crate) refusals: RefusalCodes,
    /// The syntax after the name, for HELP.
    pub(crate) syntax: &'static str,
    /// What it does, for HELP and the documentation.
    pub(crate) purpose: &'static str,
}

/// When a command may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Always,
    AfterLogin,
    /// After a login, if digests are offered.
    Digests,
    /// Always, if TLS is offered.
    Tls,
}

#[expect(
    clippy::too_many_arguments,
    reason = "a row of the table, one column each"
)]
const fn row(
    name: &'static str,
    verb: Verb,
    argument: Argument,
    access: Access,
    right: Option<Right>,
    refusals: RefusalCodes,
    syntax: &'static str,
    purpose: &'static str,
) -> CommandInfo {
    CommandInfo {
        name,
        verb,
        argument,
        access,
        right,
        refusals,
        syntax,
        purpose,
    }
}

/// Every implemented command.
#[rustfmt::skip]
pub(crate) static COMMANDS: &[CommandInfo] = &[
    row("ABOR", Verb::Local(LocalVerb::Abor),           Argument::None,     Access::AfterLogin, None,                         OTHER,        "", "abort the running transfer, close an open passive port"),
    row("ACCT", Verb::Local(LocalVerb::Acct),           Argument::Required, Access::AfterLogin, None,                         OTHER,        "account", "accepted; no account is needed"),
    row("ALLO", Verb::Local(LocalVerb::Allo),           Argument::Required, Access::AfterLogin, None,                         OTHER,        "bytes [R record-bytes]", "ask whether a file of this size can fit; no space is reserved"),
    row("APPE", Verb::Transfer(TransferVerb::Appe),     Argument::Required, Access::AfterLogin, Some(Right::Append),          APPEND,       "path", "append to a file"),
    row("AUTH", Verb::Protection(ProtectionVerb::Auth), Argument::Required, Access::Tls,        None,                         OTHER,        "TLS", "protect the control connection"),
    row("AVBL", Verb::File(FileVerb::Avbl),             Argument::Optional, Access::AfterLogin, Some(Right::Store),           OTHER,        "[path]", "show how many bytes can be stored in a directory"),
    row("CCC",  Verb::Protection(ProtectionVerb::Ccc),  Argument::None,     Access::Tls,        None,                         OTHER,        "", "refused: the control connection stays protected"),
    row("CDUP", Verb::File(FileVerb::Cdup),             Argument::None,     Access::AfterLogin, Some(Right::ChangeDirectory), OTHER,        "", "change to the parent directory"),
    row("CLNT", Verb::Info(InfoVerb::Clnt),             Argument::Required, Access::Always,     None,                         OTHER,        "name", "accepted; the name of the client program"),
    row("CWD",  Verb::File(FileVerb::Cwd),              Argument::Optional, Access::AfterLogin, Some(Right::ChangeDirectory), OTHER,        "[path]", "change the working directory"),
    row("DELE", Verb::File(FileVerb::Dele),             Argument::Required, Access::AfterLogin, Some(Right::Delete),          DELETE,       "path", "delete a file"),
    row("EPRT", Verb::Data(DataVerb::Eprt),             Argument::Required, Access::AfterLogin, None,                         OTHER,        "|family|address|port|", "use active mode to this address, IPv4 or IPv6"),
    row("EPSV", Verb::Data(DataVerb::Epsv),             Argument::Optional, Access::AfterLogin, None,                         OTHER,        "[1|2|ALL]", "open a passive port, IPv4 or IPv6"),
    row("FEAT", Verb::Info(InfoVerb::Feat),             Argument::None,     Access::Always,     None,                         OTHER,        "", "list the extensions"),
    row("HASH", Verb::Hash(HashVerb::Hash),             Argument::Required, Access::Digests,    Some(Right::Read),            HASH,         "path", "show a digest of a file; see OPTS HASH and RANG"),
    row("HELP", Verb::Info(InfoVerb::Help),             Argument::Optional, Access::Always,     None,                         OTHER,        "[command]", "list the commands, or explain one"),
    row("HOST", Verb::Control(ControlVerb::Host),       Argument::Required, Access::Always,     None,                         OTHER,        "name", "accepted; the host name that the client uses"),
    row("LANG", Verb::Info(InfoVerb::Lang),             Argument::Optional, Access::Always,     None,                         OTHER,        "[EN]", "set the language of replies"),
    row("LIST", Verb::Transfer(TransferVerb::List),     Argument::Optional, Access::AfterLogin, Some(Right::List),            LIST,         "[path]", "list a directory, as ls -l does"),
    row("MDTM", Verb::File(FileVerb::Mdtm),             Argument::Required, Access::AfterLogin, Some(Right::List),            OTHER,        "path", "show the modification time of a file"),
    row("MFMT", Verb::File(FileVerb::Mfmt),             Argument::Required, Access::AfterLogin, Some(Right::ChangeTime),      OTHER,        "YYYYMMDDHHMMSS path", "set the modification time of a file"),
    row("MKD",  Verb::File(FileVerb::Mkd),              Argument::Required, Access::AfterLogin, Some(Right::MakeDirectory),   OTHER,        "path", "create a directory"),
    row("MLSD", Verb::Transfer(TransferVerb::Mlsd),     Argument::Optional, Access::AfterLogin, Some(Right::List),            LIST_FACTS,   "[path]", "list a directory as facts"),
    row("MLST", Verb::File(FileVerb::Mlst),             Argument::Optional, Access::AfterLogin, Some(Right::List),            OTHER,        "[path]", "show the facts of one path"),
    row("MODE", Verb::Local(LocalVerb::Mode),           Argument::Required, Access::AfterLogin, None,                         OTHER,        "S", "set the transfer mode"),
    row("NLST", Verb::Transfer(TransferVerb::Nlst),     Argument::Optional, Access::AfterLogin, Some(Right::List),            LIST,         "[path]", "list only names"),
    row("NOOP", Verb::Info(InfoVerb::Noop),             Argument::None,     Access::Always,     None,                         OTHER,        "", "do nothing"),
    row("OPTS", Verb::Info(InfoVerb::Opts),             Argument::Required, Access::Always,     None,                         OTHER,        "command [options]", "set an option of HASH, MLST or UTF8"),
    row("PASS", Verb::Control(ControlVerb::Pass),       Argument::Optional, Access::Always,     None,                         OTHER,        "password", "give the password and log in"),
    row("PASV", Verb::Data(DataVerb::Pasv),             Argument::None,     Access::AfterLogin, None,                         OTHER,        "", "open a passive port, IPv4"),
    row("PBSZ", Verb::Protection(ProtectionVerb::Pbsz), Argument::Required, Access::Tls,        None,                         OTHER,        "0", "set the protection buffer size"),
    row("PORT", Verb::Data(DataVerb::Port),             Argument::Required, Access::AfterLogin, None,                         OTHER,        "h1,h2,h3,h4,p1,p2", "use active mode to this address, IPv4"),
    row("PROT", Verb::Protection(ProtectionVerb::Prot), Argument::Required, Access::Tls,        None,                         OTHER,        "C|P", "set whether TLS protects data connections"),
    row("PWD",  Verb::Local(LocalVerb::Pwd),            Argument::None,     Access::AfterLogin, None,                         OTHER,        "", "show the working directory"),
    row("QUIT", Verb::Control(ControlVerb::Quit),       Argument::None,     Access::Always,     None,                         OTHER,        "", "end the session after the running transfer"),
    row("RANG", Verb::Local(LocalVerb::Rang),           Argument::Required, Access::AfterLogin, None,                         OTHER,        "first last", "restrict the next RETR or HASH to these bytes"),
    row("REIN", Verb::Control(ControlVerb::Rein),       Argument::None,     Access::Always,     None,                         OTHER,        "", "log out"),
    row("REST", Verb::Local(LocalVerb::Rest),           Argument::Required, Access::AfterLogin, None,                         OTHER,        "offset", "start the next transfer at this offset"),
    row("RETR", Verb::Transfer(TransferVerb::Retr),     Argument::Required, Access::AfterLogin, Some(Right::Read),            RETRIEVE,     "path", "download a file"),
    row("RMD",  Verb::File(FileVerb::Rmd),              Argument::Required, Access::AfterLogin, Some(Right::Delete),          OTHER,        "path", "remove an empty directory"),
    row("RNFR", Verb::File(FileVerb::Rnfr),             Argument::Required, Access::AfterLogin, Some(Right::Rename),          DELETE,       "path", "select the file or directory to rename"),
    row("RNTO", Verb::File(FileVerb::Rnto),             Argument::Required, Access::AfterLogin, Some(Right::Rename),          RENAME,       "path", "give it the new name"),
    row("SITE", Verb::Site,                             Argument::Required, Access::AfterLogin, Some(Right::ChangeMode),      OTHER,        "HELP|CHMOD|QUOTA|UMASK|UTIME", "see SITE HELP"),
    row("SIZE", Verb::File(FileVerb::Size),             Argument::Required, Access::AfterLogin, Some(Right::List),            OTHER,        "path", "show how many bytes RETR would send"),
    row("STAT", Verb::Info(InfoVerb::Stat),             Argument::Optional, Access::Always,     Some(Right::List),            STATUS,       "[path]", "show the state of the session, or list a path"),
    row("STOR", Verb::Transfer(TransferVerb::Stor),     Argument::Required, Access::AfterLogin, Some(Right::Store),           STORE,        "path", "upload a file"),
    row("STOU", Verb::Transfer(TransferVerb::Stou),     Argument::Optional, Access::AfterLogin, Some(Right::Store),           STORE_UNIQUE, "[path]", "upload a file under a free name"),
    row("STRU", Verb::Local(LocalVerb::Stru),           Argument::Required, Access::AfterLogin, None,                         OTHER,        "F", "set the file structure"),
    row("SYST", Verb::Info(InfoVerb::Syst),             Argument::None,     Access::Always,     None,                         OTHER,        "", "show the type of the system"),
    row("TYPE", Verb::Local(LocalVerb::Type),           Argument::Required, Access::AfterLogin, None,                         OTHER,        "A [N]|I|L 8", "set the representation type"),
    row("USER", Verb::Control(ControlVerb::User),       Argument::Required, Access::Always,     None,                         OTHER,        "name", "give the user name"),
    row("XCRC", Verb::Hash(HashVerb::Checksum(HashAlgorithm::Crc32)), Argument::Required, Access::Digests,    Some(Right::Read),            CHECKSUM,     "path [start [end]]", "show the CRC32 of a file"),
    row("XCUP", Verb::File(FileVerb::Cdup),             Argument::None,     Access::AfterLogin, Some(Right::ChangeDirectory), OTHER,        "", "the same as CDUP"),
    row("XCWD", Verb::File(FileVerb::Cwd),              Argument::Optional, Access::AfterLogin, Some(Right::ChangeDirectory), OTHER,        "[path]", "the same as CWD"),
    row("XMD5", Verb::Hash(HashVerb::Checksum(HashAlgorithm::Md5)), Argument::Required, Access::Digests,    Some(Right::Read),            CHECKSUM,     "path [start [end]]", "show the MD5 digest of a file"),
    row("XMKD", Verb::File(FileVerb::Mkd),              Argument::Required, Access::AfterLogin, Some(Right::MakeDirectory),   OTHER,        "path", "the same as MKD"),
    row("XPWD", Verb::Local(LocalVerb::Pwd),            Argument::None,     Access::AfterLogin, None,                         OTHER,        "", "the same as PWD"),
    row("XRMD", Verb::File(FileVerb::Rmd),              Argument::Required, Access::AfterLogin, Some(Right::Delete),          OTHER,        "path", "the same as RMD"),
    row("XSHA", Verb::Hash(HashVerb::Checksum(HashAlgorithm::Sha1)), Argument::Required, Access::Digests,    Some(Right::Read),            CHECKSUM,     "path [start [end]]", "show the SHA-1 digest of a file"),
    row("XSHA1", Verb::Hash(HashVerb::Checksum(HashAlgorithm::Sha1)), Argument::Required, Access::Digests,    Some(Right::Read),            CHECKSUM,     "path [start [end]]", "the same as XSHA"),
    row("XSHA256", Verb::Hash(HashVerb::Checksum(HashAlgorithm::Sha256)), Argument::Required, Access::Digests,    Some(Right::Read),            CHECKSUM,     "path [start [end]]", "show the SHA-256 digest of a file"),
];

/// MDTM with a time before the path.
#[rustfmt::skip]
pub(crate) static MDTM_WITH_TIME: CommandInfo =
    row("MDTM", Verb::File(FileVerb::Mdtm), Argument::Required, Access::AfterLogin, Some(Right::ChangeTime), OTHER, "", "");

/// The look at the name `~`, before a command whose path begins with it.
#[rustfmt::skip]
pub(crate) static HOME_LOOK: CommandInfo =
    row("MLST", Verb::File(FileVerb::Mlst), Argument::Required, Access::AfterLogin, Some(Right::List), OTHER, "", "");

/// SITE needs the right to change permission bits, but for this, which sets a time.
#[rustfmt::skip]
pub(crate) static SITE_UTIME: CommandInfo =
    row("SITE UTIME", Verb::Site, Argument::Required, Access::AfterLogin, Some(Right::ChangeTime), OTHER, "", "");

/// And for this, which names no path: every login may ask for its own quota.
#[rustfmt::skip]
pub(crate) static SITE_QUOTA: CommandInfo =
    row("SITE QUOTA", Verb::Site, Argument::None, Access::AfterLogin, Some(Right::Store), OTHER, "", "");

/// ALLO where the login may store files: otherwise it is answered without a look.
#[rustfmt::skip]
pub(crate) static ALLOCATE: CommandInfo =
    row("ALLO", Verb::Local(LocalVerb::Allo), Argument::Required, Access::AfterLogin, Some(Right::Store), OTHER, "", "");

/// Commands of RFCs and drafts that get the reply 502 (RFC 959, 1639 and 2228, the drafts of MFMT
/// and CSID).
pub(crate) const NOT_IMPLEMENTED: &[&str] = &[
    "ADAT", "CONF", "CSID", "ENC", "LPRT", "LPSV", "MFCT", "MFF", "MIC", "SMNT",
];

/// A command of the core, as HELP and documents describe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct CommandSummary {
    /// The name in upper case.
    pub name: &'static str,
    /// The syntax of the argument; empty if the command takes none.
    pub syntax: &'static str,
    /// What the command does, without a full stop.
    pub purpose: &'static str,
    /// The name of the command that does the same: `CWD` for `XCWD`.
    pub same_as: Option<&'static str>,
}

/// Every command that the core implements, by name, whatever a session's settings and rights
/// permit.
#[must_use]
pub fn commands() -> impl ExactSizeIterator<Item = CommandSummary> {
    COMMANDS.iter().map(|info| CommandSummary {
        name: info.name,
        syntax: info.syntax,
        purpose: info.purpose,
        same_as: first_name(info.verb).filter(|first| *first != info.name),
    })
}

/// The first name with this verb.
pub(crate) fn first_name(verb: Verb) -> Option<&'static str> {
    let mut rows = COMMANDS.iter();
    rows.find(|row| row.verb == verb).map(|row| row.name)
}

impl<'a> CommandLine<'a> {
    /// Never fails: every line has a first word, which may be empty.
    pub(crate) fn parse(line: &'a [u8]) -> Self {
        let (name, argument) = split_word(line);
        let command = match find(name) {
            Some(info) => Command::Known(info),
            None if is_not_implemented(name) => Command::NotImplemented,
            None => Command::Unknown,
        };
        Self {
            command,
            argument,
            with_doubled: None,
            length: line.len(),
        }
    }

    /// Whether it ends the session. With an argument QUIT is an error.
    pub(crate) fn is_quit(&self) -> bool {
        self.command.verb() == Some(Verb::Control(ControlVerb::Quit))
            && self.argument.trim_ascii().is_empty()
    }
}

impl Command {
    pub(crate) fn verb(self) -> Option<Verb> {
        match self {
            Self::Known(info) => Some(info.verb),
            Self::NotImplemented | Self::Unknown => None,
        }
    }
}

/// The first word, and everything after the space that ends it.
pub(crate) fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|&byte| byte == b' ') {
        Some(space) => (&text[..space], &text[space + 1..]),
        None => (text, b""),
    }
}

/// The row of a command, by its name in upper or lower case.
pub(crate) fn find(name: &[u8]) -> Option<&'static CommandInfo> {
    let key = key(name);
    let mut slot = slot(key);
    loop {
        let index = usize::from(SLOTS[slot]);
        // No slot is free if there is nothing behind the last row.
        let info = COMMANDS.get(index)?;
        if KEYS[index] == key {
            // A NUL in the name would look like its end.
            return (info.name.len() == name.len()).then_some(info);
        }
        slot = (slot + 1) % SLOTS.len();
    }
}

/// The first eight bytes of a name in upper case, as a number.
const fn key(name: &[u8]) -> u64 {
    let (mut key, mut at) = (0, 0);
    while at < name.len() && at < size_of::<u64>() {
        key = key << 8 | name[at].to_ascii_uppercase() as u64;
        at += 1;
    }
    key
}

/// The keys of [`COMMANDS`]: every line of a client is looked up, and these fit into few cache
/// lines.
static KEYS: [u64; COMMANDS.len()] = {
    let mut keys = [0; COMMANDS.len()];
    let mut at = 0;
    while at < keys.len() {
        keys[at] = key(COMMANDS[at].name.as_bytes());
        at += 1;
    }
    keys
};

/// Where the index of a row stands in [`SLOTS`], or at the next free place behind that.
const fn slot(key: u64) -> usize {
    // The golden ratio spreads names that differ in one letter.
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SLOTS_LOG)) as usize
}

/// The indices of [`COMMANDS`], by the hash of the name. Most slots are free, so that a name is
/// found, or not, at the first look.
static SLOTS: [u8; 1 << SLOTS_LOG] = {
    let mut slots = [FREE; 1 << SLOTS_LOG];
    let mut index = 0;
    while index < COMMANDS.len() {
        let mut at = slot(key(COMMANDS[index].name.as_bytes()));
        while slots[at] != FREE {
            at = (at + 1) % slots.len();
        }
        slots[at] = index as u8;
        index += 1;
    }
    slots
};

const SLOTS_LOG: u32 = 9;

/// Of no row.
const FREE: u8 = u8::MAX;
const _: () = assert!(COMMANDS.len() < FREE as usize);

/// Whether this is a command of [`NOT_IMPLEMENTED`].
pub(crate) fn is_not_implemented(name: &[u8]) -> bool {
    NOT_IMPLEMENTED
        .iter()
        .any(|known| known.as_bytes().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &[u8], verb: Option<Verb>, argument: &[u8]) {
        let parsed = CommandLine::parse(line);
        assert_eq!((parsed.command.verb(), parsed.argument), (verb, argument));
    }

    #[test]
    fn parse() {
        check(b"NOOP", Some(Verb::Info(InfoVerb::Noop)), b"");
        check(b"noop ", Some(Verb::Info(InfoVerb::Noop)), b"");
        check(
            b"RETR  two  spaces ",
            Some(Verb::Transfer(TransferVerb::Retr)),
            b" two  spaces ",
        );
        check(b"xPwD", Some(Verb::Local(LocalVerb::Pwd)), b"");
        check(b"site help", Some(Verb::Site), b"help");
        check(b"smnt x", None, b"x");
        check(b"", None, b"");
        check(b" NOOP", None, b"NOOP");
        check(b"NOOPS", None, b"");
        check(b"\xffABOR", None, b"");
        check(b"CWD\0", None, b"");
        check(b"CW", None, b"");
        let sha1 = Verb::Hash(HashVerb::Checksum(HashAlgorithm::Sha1));
        let sha256 = Verb::Hash(HashVerb::Checksum(HashAlgorithm::Sha256));
        check(b"xsha a", Some(sha1), b"a");
        check(b"XSHA1 a", Some(sha1), b"a");
        check(b"Xsha256 a", Some(sha256), b"a");
        check(b"XSHA25", None, b"");
        check(b"XSHA2567", None, b"");
    }

    #[test]
    fn the_table_is_sorted_and_no_name_comes_twice() {
        assert!(COMMANDS.is_sorted_by(|a, b| a.name < b.name));
        for info in COMMANDS {
            assert_eq!(
                find(info.name.as_bytes()).map(|found| found.name),
                Some(info.name)
            );
            assert!(info.name.len() <= 8);
        }
        for name in NOT_IMPLEMENTED {
            assert!(find(name.as_bytes()).is_none(), "{name}");
        }
    }
}
