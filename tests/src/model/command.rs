//! The commands that the reference model knows, and how a client writes them.

use arbitrary::Arbitrary;

/// A command line.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelCommand {
    User,
    Password(bool),
    Reinitialize,
    Host,
    PrintDirectory,
    ChangeDirectory(Name),
    ChangeToParent,
    MakeDirectory(Name),
    RenameFrom(Name),
    RenameTo(Name),
    Delete(Name),
    Size(Name),
    Type(bool),
    Restart(u8),
    Passive,
    ExtendedPassive,
    ExtendedPassiveAll,
    Active,
    ActiveForeign,
    ActivePrivate,
    Retrieve(Name),
    Store(Name),
    Append(Name),
    List,
    Abort,
    Status,
    Noop,
    Quit,
    Unknown,
    ExtraArgument,
    /// The beginning of an HTTP request.
    HttpRequest,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    Plain,
    Absolute,
    Climbing,
    Missing,
}

impl ModelCommand {
    pub(super) fn line(self) -> String {
        let with = |verb: &str, name: Name| format!("{verb} {}", name.as_argument());
        match self {
            Self::User => "USER joe".into(),
            Self::Password(true) => "PASS secret".into(),
            Self::Password(false) => "PASS wrong".into(),
            Self::Reinitialize => "REIN".into(),
            Self::Host => "HOST ftp.example".into(),
            Self::PrintDirectory => "PWD".into(),
            Self::ChangeDirectory(name) => with("CWD", name),
            Self::ChangeToParent => "CDUP".into(),
            Self::MakeDirectory(name) => with("MKD", name),
            Self::RenameFrom(name) => with("RNFR", name),
            Self::RenameTo(name) => with("RNTO", name),
            Self::Delete(name) => with("DELE", name),
            Self::Size(name) => with("SIZE", name),
            Self::Type(true) => "TYPE I".into(),
            Self::Type(false) => "TYPE A".into(),
            Self::Restart(offset) => format!("REST {offset}"),
            Self::Passive => "PASV".into(),
            Self::ExtendedPassive => "EPSV".into(),
            Self::ExtendedPassiveAll => "EPSV ALL".into(),
            Self::Active => "PORT 192,0,2,7,200,10".into(),
            Self::ActiveForeign => "PORT 192,0,2,8,200,10".into(),
            Self::ActivePrivate => "PORT 10,0,0,7,200,10".into(),
            Self::Retrieve(name) => with("RETR", name),
            Self::Store(name) => with("STOR", name),
            Self::Append(name) => with("APPE", name),
            Self::List => "LIST".into(),
            Self::Abort => "ABOR".into(),
            Self::Status => "STAT".into(),
            Self::Noop => "NOOP".into(),
            Self::Quit => "QUIT".into(),
            Self::Unknown => "NOSUCH".into(),
            Self::ExtraArgument => "PWD x".into(),
            Self::HttpRequest => "GET / HTTP/1.1".into(),
        }
    }

    /// The name of the command.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Password(_) => "PASS",
            Self::Reinitialize => "REIN",
            Self::Host => "HOST",
            Self::PrintDirectory | Self::ExtraArgument => "PWD",
            Self::ChangeDirectory(_) => "CWD",
            Self::ChangeToParent => "CDUP",
            Self::MakeDirectory(_) => "MKD",
            Self::RenameFrom(_) => "RNFR",
            Self::RenameTo(_) => "RNTO",
            Self::Delete(_) => "DELE",
            Self::Size(_) => "SIZE",
            Self::Type(_) => "TYPE",
            Self::Restart(_) => "REST",
            Self::Passive => "PASV",
            Self::ExtendedPassive | Self::ExtendedPassiveAll => "EPSV",
            Self::Active | Self::ActiveForeign | Self::ActivePrivate => "PORT",
            Self::Retrieve(_) => "RETR",
            Self::Store(_) => "STOR",
            Self::Append(_) => "APPE",
            Self::List => "LIST",
            Self::Abort => "ABOR",
            Self::Status => "STAT",
            Self::Noop => "NOOP",
            Self::Quit => "QUIT",
            Self::Unknown => "NOSUCH",
            Self::HttpRequest => "GET",
        }
    }

    /// Whether it would start to transfer data. If an ABOR follows, it is not executed.
    pub(super) fn needs_data(self) -> bool {
        let sets_up = matches!(
            self,
            Self::Passive | Self::ExtendedPassive | Self::ExtendedPassiveAll
        );
        sets_up || self.transfers()
    }

    /// Whether it names an address, or its reply does.
    pub(super) fn needs_address(self) -> bool {
        matches!(
            self,
            Self::Passive | Self::Active | Self::ActiveForeign | Self::ActivePrivate
        )
    }

    /// Whether it requests a data connection, with success or not.
    pub(super) fn sets_up(self) -> bool {
        self.needs_address() || matches!(self, Self::ExtendedPassive)
    }

    pub(super) fn transfers(self) -> bool {
        matches!(
            self,
            Self::Retrieve(_) | Self::Store(_) | Self::Append(_) | Self::List
        )
    }
}

impl Name {
    fn as_argument(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Absolute => "/top/./below",
            Self::Climbing => "../../aside",
            Self::Missing => "missing",
        }
    }
}
