//! The commands: one table that the parser, HELP and FEAT share.

/// A command line, split into verb and argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Command<'a> {
    pub(crate) verb: Verb,
    /// What follows the first space, untouched; empty where nothing does.
    pub(crate) argument: &'a [u8],
}

/// What the session does; several names may stand for one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Abor,
    Acct,
    Allo,
    Appe,
    Auth,
    Ccc,
    Cdup,
    Cwd,
    Dele,
    Eprt,
    Epsv,
    Feat,
    Help,
    List,
    Mdtm,
    Mkd,
    Mlsd,
    Mlst,
    Mode,
    Nlst,
    Noop,
    Opts,
    Pass,
    Pasv,
    Pbsz,
    Port,
    Prot,
    Pwd,
    Quit,
    Rein,
    Rest,
    Retr,
    Rmd,
    Rnfr,
    Rnto,
    Size,
    Stat,
    Stor,
    Stou,
    Stru,
    Syst,
    Type,
    User,
    /// Known to the RFCs, refused by us.
    NotImplemented,
    /// In no RFC that we know of.
    Unknown,
}

impl Verb {
    /// Whether the command moves bytes over a data connection.
    pub(crate) fn is_transfer(self) -> bool {
        matches!(
            self,
            Self::Appe
                | Self::List
                | Self::Mlsd
                | Self::Nlst
                | Self::Retr
                | Self::Stor
                | Self::Stou
        )
    }
}

/// Whether a command takes an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// One is refused.
    None,
    Optional,
    Required,
    /// Without meaning, but no reason to refuse the command.
    Ignored,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommandInfo {
    pub(crate) name: &'static str,
    pub(crate) verb: Verb,
    pub(crate) argument: Argument,
    pub(crate) access: Access,
    /// The syntax behind the name, for HELP.
    pub(crate) syntax: &'static str,
}

/// When a command may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Always,
    AfterLogin,
    /// Always, where TLS is offered.
    Tls,
}

const fn row(
    name: &'static str,
    verb: Verb,
    argument: Argument,
    access: Access,
    syntax: &'static str,
) -> CommandInfo {
    CommandInfo {
        name,
        verb,
        argument,
        access,
        syntax,
    }
}

/// Every command that is carried out.
#[rustfmt::skip]
pub(crate) const COMMANDS: &[CommandInfo] = &[
    row("ABOR", Verb::Abor, Argument::Ignored,  Access::AfterLogin, ""),
    row("ACCT", Verb::Acct, Argument::Required, Access::AfterLogin, "account"),
    row("ALLO", Verb::Allo, Argument::Required, Access::AfterLogin, "bytes [R record-bytes]"),
    row("APPE", Verb::Appe, Argument::Required, Access::AfterLogin, "path"),
    row("AUTH", Verb::Auth, Argument::Required, Access::Tls,        "TLS"),
    row("CCC",  Verb::Ccc,  Argument::None,     Access::Tls,        ""),
    row("CDUP", Verb::Cdup, Argument::None,     Access::AfterLogin, ""),
    row("CWD",  Verb::Cwd,  Argument::Optional, Access::AfterLogin, "[path]"),
    row("DELE", Verb::Dele, Argument::Required, Access::AfterLogin, "path"),
    row("EPRT", Verb::Eprt, Argument::Required, Access::AfterLogin, "|family|address|port|"),
    row("EPSV", Verb::Epsv, Argument::Optional, Access::AfterLogin, "[1|2|ALL]"),
    row("FEAT", Verb::Feat, Argument::None,     Access::Always,     ""),
    row("HELP", Verb::Help, Argument::Optional, Access::Always,     "[command]"),
    row("LIST", Verb::List, Argument::Optional, Access::AfterLogin, "[path]"),
    row("MDTM", Verb::Mdtm, Argument::Required, Access::AfterLogin, "path"),
    row("MKD",  Verb::Mkd,  Argument::Required, Access::AfterLogin, "path"),
    row("MLSD", Verb::Mlsd, Argument::Optional, Access::AfterLogin, "[path]"),
    row("MLST", Verb::Mlst, Argument::Optional, Access::AfterLogin, "[path]"),
    row("MODE", Verb::Mode, Argument::Required, Access::AfterLogin, "S"),
    row("NLST", Verb::Nlst, Argument::Optional, Access::AfterLogin, "[path]"),
    row("NOOP", Verb::Noop, Argument::Ignored,  Access::Always,     ""),
    row("OPTS", Verb::Opts, Argument::Required, Access::Always,     "command [options]"),
    row("PASS", Verb::Pass, Argument::Optional, Access::Always,     "password"),
    row("PASV", Verb::Pasv, Argument::None,     Access::AfterLogin, ""),
    row("PBSZ", Verb::Pbsz, Argument::Required, Access::Tls,        "0"),
    row("PORT", Verb::Port, Argument::Required, Access::AfterLogin, "h1,h2,h3,h4,p1,p2"),
    row("PROT", Verb::Prot, Argument::Required, Access::Tls,        "C|P"),
    row("PWD",  Verb::Pwd,  Argument::None,     Access::AfterLogin, ""),
    row("QUIT", Verb::Quit, Argument::Ignored,  Access::Always,     ""),
    row("REIN", Verb::Rein, Argument::None,     Access::Always,     ""),
    row("REST", Verb::Rest, Argument::Required, Access::AfterLogin, "offset"),
    row("RETR", Verb::Retr, Argument::Required, Access::AfterLogin, "path"),
    row("RMD",  Verb::Rmd,  Argument::Required, Access::AfterLogin, "path"),
    row("RNFR", Verb::Rnfr, Argument::Required, Access::AfterLogin, "path"),
    row("RNTO", Verb::Rnto, Argument::Required, Access::AfterLogin, "path"),
    row("SIZE", Verb::Size, Argument::Required, Access::AfterLogin, "path"),
    row("STAT", Verb::Stat, Argument::Optional, Access::Always,     "[path]"),
    row("STOR", Verb::Stor, Argument::Required, Access::AfterLogin, "path"),
    row("STOU", Verb::Stou, Argument::Optional, Access::AfterLogin, "[path]"),
    row("STRU", Verb::Stru, Argument::Required, Access::AfterLogin, "F"),
    row("SYST", Verb::Syst, Argument::None,     Access::Always,     ""),
    row("TYPE", Verb::Type, Argument::Required, Access::AfterLogin, "A [N]|I|L 8"),
    row("USER", Verb::User, Argument::Required, Access::Always,     "name"),
    row("XCUP", Verb::Cdup, Argument::None,     Access::AfterLogin, ""),
    row("XCWD", Verb::Cwd,  Argument::Optional, Access::AfterLogin, "[path]"),
    row("XMKD", Verb::Mkd,  Argument::Required, Access::AfterLogin, "path"),
    row("XPWD", Verb::Pwd,  Argument::None,     Access::AfterLogin, ""),
    row("XRMD", Verb::Rmd,  Argument::Required, Access::AfterLogin, "path"),
];

/// Commands of the RFCs that are answered 502 (RFC 959, 2228, 2640, 3659, 7151).
const NOT_IMPLEMENTED: &[&str] = &[
    "ADAT", "CONF", "ENC", "HOST", "LANG", "LPRT", "LPSV", "MIC", "SITE", "SMNT",
];

impl<'a> Command<'a> {
    /// Never fails: what is not in the table is [`Verb::Unknown`] or [`Verb::NotImplemented`].
    pub(crate) fn parse(line: &'a [u8]) -> Self {
        let (name, argument) = match line.iter().position(|&byte| byte == b' ') {
            Some(space) => (&line[..space], &line[space + 1..]),
            None => (line, &b""[..]),
        };
        let verb = match find(name) {
            Some(info) => info.verb,
            None if is_not_implemented(name) => Verb::NotImplemented,
            None => Verb::Unknown,
        };
        Self { verb, argument }
    }
}

/// The row of a command, by any of its names, in either case.
pub(crate) fn find(name: &[u8]) -> Option<&'static CommandInfo> {
    COMMANDS
        .iter()
        .find(|info| info.name.as_bytes().eq_ignore_ascii_case(name))
}

/// Whether this is a command that we know and refuse.
pub(crate) fn is_not_implemented(name: &[u8]) -> bool {
    NOT_IMPLEMENTED
        .iter()
        .any(|known| known.as_bytes().eq_ignore_ascii_case(name))
}

/// The row of a verb that [`Command::parse`] found in the table.
pub(crate) fn info(verb: Verb) -> Option<&'static CommandInfo> {
    COMMANDS.iter().find(|info| info.verb == verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &[u8], verb: Verb, argument: &[u8]) {
        assert_eq!(Command::parse(line), Command { verb, argument });
    }

    #[test]
    fn parse() {
        check(b"NOOP", Verb::Noop, b"");
        check(b"noop ", Verb::Noop, b"");
        check(b"RETR  two  spaces ", Verb::Retr, b" two  spaces ");
        check(b"xPwD", Verb::Pwd, b"");
        check(b"site help", Verb::NotImplemented, b"help");
        check(b"", Verb::Unknown, b"");
        check(b" NOOP", Verb::Unknown, b"NOOP");
        check(b"NOOPS", Verb::Unknown, b"");
        check(b"\xffABOR", Verb::Unknown, b"");
    }

    #[test]
    fn the_table_is_sorted_and_without_doubles() {
        assert!(COMMANDS.is_sorted_by(|a, b| a.name < b.name));
        for name in NOT_IMPLEMENTED {
            assert!(find(name.as_bytes()).is_none(), "{name}");
        }
    }
}
