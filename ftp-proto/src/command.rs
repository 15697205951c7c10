//! The commands: one table that the parser, HELP and the README share. Their reply codes stand in
//! [`codes`](crate::codes).

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
    Clnt,
    Cwd,
    Dele,
    Eprt,
    Epsv,
    Feat,
    Help,
    Host,
    Lang,
    List,
    Mdtm,
    Mfmt,
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
    Site,
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
    /// What it does, for HELP and the README.
    pub(crate) purpose: &'static str,
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
    purpose: &'static str,
) -> CommandInfo {
    CommandInfo {
        name,
        verb,
        argument,
        access,
        syntax,
        purpose,
    }
}

/// Every command that is carried out.
#[rustfmt::skip]
pub(crate) const COMMANDS: &[CommandInfo] = &[
    row("ABOR", Verb::Abor, Argument::None,     Access::AfterLogin, "", "end the running transfer, close a waiting data port"),
    row("ACCT", Verb::Acct, Argument::Required, Access::AfterLogin, "account", "accepted, since no account is needed"),
    row("ALLO", Verb::Allo, Argument::Required, Access::AfterLogin, "bytes [R record-bytes]", "accepted, since no space is set aside"),
    row("APPE", Verb::Appe, Argument::Required, Access::AfterLogin, "path", "store behind what a file holds"),
    row("AUTH", Verb::Auth, Argument::Required, Access::Tls,        "TLS", "protect the control connection"),
    row("CCC",  Verb::Ccc,  Argument::None,     Access::Tls,        "", "refused: the control connection stays protected"),
    row("CDUP", Verb::Cdup, Argument::None,     Access::AfterLogin, "", "change to the directory above"),
    row("CLNT", Verb::Clnt, Argument::Required, Access::Always,     "name", "accepted: the name of the client's program"),
    row("CWD",  Verb::Cwd,  Argument::Optional, Access::AfterLogin, "[path]", "change the working directory"),
    row("DELE", Verb::Dele, Argument::Required, Access::AfterLogin, "path", "delete a file"),
    row("EPRT", Verb::Eprt, Argument::Required, Access::AfterLogin, "|family|address|port|", "take data connections there, IPv4 or IPv6"),
    row("EPSV", Verb::Epsv, Argument::Optional, Access::AfterLogin, "[1|2|ALL]", "open a passive data port, IPv4 or IPv6"),
    row("FEAT", Verb::Feat, Argument::None,     Access::Always,     "", "list the extensions"),
    row("HELP", Verb::Help, Argument::Optional, Access::Always,     "[command]", "list the commands, or explain one"),
    row("HOST", Verb::Host, Argument::Required, Access::Always,     "name", "accepted: the host that the client means"),
    row("LANG", Verb::Lang, Argument::Optional, Access::Always,     "[EN]", "set the language of replies"),
    row("LIST", Verb::List, Argument::Optional, Access::AfterLogin, "[path]", "list a directory, as ls -l does"),
    row("MDTM", Verb::Mdtm, Argument::Required, Access::AfterLogin, "path", "tell a file's time of modification"),
    row("MFMT", Verb::Mfmt, Argument::Required, Access::AfterLogin, "YYYYMMDDHHMMSS path", "set a file's time of modification"),
    row("MKD",  Verb::Mkd,  Argument::Required, Access::AfterLogin, "path", "make a directory"),
    row("MLSD", Verb::Mlsd, Argument::Optional, Access::AfterLogin, "[path]", "list a directory, as facts"),
    row("MLST", Verb::Mlst, Argument::Optional, Access::AfterLogin, "[path]", "tell the facts of one path"),
    row("MODE", Verb::Mode, Argument::Required, Access::AfterLogin, "S", "set the transfer mode"),
    row("NLST", Verb::Nlst, Argument::Optional, Access::AfterLogin, "[path]", "list names alone"),
    row("NOOP", Verb::Noop, Argument::None,     Access::Always,     "", "do nothing"),
    row("OPTS", Verb::Opts, Argument::Required, Access::Always,     "command [options]", "set an option of MLST or UTF8"),
    row("PASS", Verb::Pass, Argument::Optional, Access::Always,     "password", "log in"),
    row("PASV", Verb::Pasv, Argument::None,     Access::AfterLogin, "", "open a passive data port, IPv4"),
    row("PBSZ", Verb::Pbsz, Argument::Required, Access::Tls,        "0", "set the protection buffer size"),
    row("PORT", Verb::Port, Argument::Required, Access::AfterLogin, "h1,h2,h3,h4,p1,p2", "take data connections there, IPv4"),
    row("PROT", Verb::Prot, Argument::Required, Access::Tls,        "C|P", "protect data connections or not"),
    row("PWD",  Verb::Pwd,  Argument::None,     Access::AfterLogin, "", "tell the working directory"),
    row("QUIT", Verb::Quit, Argument::None,     Access::Always,     "", "end the session, after the running transfer"),
    row("REIN", Verb::Rein, Argument::None,     Access::Always,     "", "log out"),
    row("REST", Verb::Rest, Argument::Required, Access::AfterLogin, "offset", "begin the next transfer there"),
    row("RETR", Verb::Retr, Argument::Required, Access::AfterLogin, "path", "fetch a file"),
    row("RMD",  Verb::Rmd,  Argument::Required, Access::AfterLogin, "path", "remove an empty directory"),
    row("RNFR", Verb::Rnfr, Argument::Required, Access::AfterLogin, "path", "name what to rename"),
    row("RNTO", Verb::Rnto, Argument::Required, Access::AfterLogin, "path", "name it anew"),
    row("SITE", Verb::Site, Argument::Required, Access::AfterLogin, "HELP|CHMOD|UMASK", "see SITE HELP"),
    row("SIZE", Verb::Size, Argument::Required, Access::AfterLogin, "path", "tell how many bytes RETR would send"),
    row("STAT", Verb::Stat, Argument::Optional, Access::Always,     "[path]", "tell the state of the session, or list a path"),
    row("STOR", Verb::Stor, Argument::Required, Access::AfterLogin, "path", "store a file"),
    row("STOU", Verb::Stou, Argument::Optional, Access::AfterLogin, "[path]", "store under a name that is free"),
    row("STRU", Verb::Stru, Argument::Required, Access::AfterLogin, "F", "set the file structure"),
    row("SYST", Verb::Syst, Argument::None,     Access::Always,     "", "tell the kind of system"),
    row("TYPE", Verb::Type, Argument::Required, Access::AfterLogin, "A [N]|I|L 8", "set the representation type"),
    row("USER", Verb::User, Argument::Required, Access::Always,     "name", "say who logs in"),
    row("XCUP", Verb::Cdup, Argument::None,     Access::AfterLogin, "", "the same as CDUP"),
    row("XCWD", Verb::Cwd,  Argument::Optional, Access::AfterLogin, "[path]", "the same as CWD"),
    row("XMKD", Verb::Mkd,  Argument::Required, Access::AfterLogin, "path", "the same as MKD"),
    row("XPWD", Verb::Pwd,  Argument::None,     Access::AfterLogin, "", "the same as PWD"),
    row("XRMD", Verb::Rmd,  Argument::Required, Access::AfterLogin, "path", "the same as RMD"),
];

/// Commands of the RFCs and drafts that are answered 502 (RFC 959, 1639 and 2228, the drafts of MFMT and CSID).
pub(crate) const NOT_IMPLEMENTED: &[&str] = &[
    "ADAT", "CONF", "CSID", "ENC", "LPRT", "LPSV", "MFCT", "MFF", "MIC", "SMNT",
];

impl<'a> Command<'a> {
    /// Never fails: what is not in the table is [`Verb::Unknown`] or [`Verb::NotImplemented`].
    pub(crate) fn parse(line: &'a [u8]) -> Self {
        let (name, argument) = split_word(line);
        let verb = match find(name) {
            Some(info) => info.verb,
            None if is_not_implemented(name) => Verb::NotImplemented,
            None => Verb::Unknown,
        };
        Self { verb, argument }
    }
}

/// The first word, and what follows the space behind it.
pub(crate) fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|&byte| byte == b' ') {
        Some(space) => (&text[..space], &text[space + 1..]),
        None => (text, b""),
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
        check(b"site help", Verb::Site, b"help");
        check(b"smnt x", Verb::NotImplemented, b"x");
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
