//! The command line: the table of flags, their help, and the way from arguments to `Settings`.
//!
//! Whatever comes out as `Settings` can be served; everything else is a `FlagError` that names the
//! flag, the value and what would be right. A configuration file gives flags too, by the same
//! table. Nothing here prints, ends the process or remembers what it read.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use argh::{ArgsInfo, FlagInfoKind, FromArgs, Optionality};

use crate::nat::rules::{self, RulesKind};
use crate::settings::Settings;
pub use expand::FlagError;
use expand::{Flag, Given};

mod config_file;
pub(crate) mod expand;
#[cfg(test)]
pub(crate) mod golden;
mod resolve;
mod resolve_tls;
pub(crate) mod values;

/// A command line that can be read again, because the files that it names may have changed.
///
/// It keeps the arguments, and from the environment the password and where state is kept.
#[derive(Clone)]
pub struct CommandLine {
    arguments: Vec<OsString>,
    password_variable: Option<OsString>,
    state_directory: PathBuf,
}

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// Serve.
    Serve(Box<Settings>),
    /// Say what clients would be told and what is wrong, and serve nothing.
    Check(Box<Settings>),
    /// Print the lines that let clients in, and serve nothing.
    Rules(Box<Settings>, RulesKind),
    /// Print this text and succeed.
    Help(String),
    /// Print this line and succeed.
    Version(String),
}

/// Serves a directory over FTP, also from behind a NAT router.
#[derive(FromArgs, ArgsInfo)]
#[argh(help_triggers("-h", "--help"))]
struct Flags {
    /// listen on this address of the machine only; may be repeated [every address]
    #[argh(option, short = 'i', arg_name = "ADDR")]
    interface: Vec<String>,

    /// port of control connections; 0 takes any free one and prints it [2121]
    #[argh(option, short = 'p', arg_name = "N")]
    port: Option<String>,

    /// the directory to share [.]
    #[argh(option, short = 'd', arg_name = "PATH")]
    directory: Option<String>,

    /// let the user, or without --username anonymous, change files
    #[argh(switch, short = 'w')]
    write: bool,

    /// the one user; without it, anonymous is let in
    #[argh(option, short = 'u', arg_name = "NAME")]
    username: Option<String>,

    /// the user's password; other users of this machine can see it while the server runs
    #[argh(option, short = 'P', arg_name = "TEXT")]
    password: Option<String>,

    /// read the password from this file; without either flag it is taken from the environment
    /// variable FTP_PASSWORD
    #[argh(option, arg_name = "FILE")]
    password_file: Option<String>,

    /// let anonymous in beside the user, to read only
    #[argh(switch)]
    anonymous: bool,

    /// the router's public IPv4 address, told in PASV replies, or the host name that leads to it
    #[argh(option, short = 'n', arg_name = "ADDR")]
    masquerade_address: Option<String>,

    /// public address for each local address; may be repeated
    #[argh(option, arg_name = "PRIVATE=PUBLIC[,...]")]
    masquerade_address_map: Vec<String>,

    /// the address told to clients in a network, or "local" for the one that they connected to;
    /// the longest prefix wins; may be repeated
    #[argh(option, arg_name = "NET=ADDR|local[,...]")]
    masquerade_client: Vec<String>,

    /// look the host names in these flags up again so often [60]
    #[argh(option, arg_name = "SECONDS")]
    masquerade_refresh: Option<String>,

    /// clients in these networks are told the address that they connected to: "auto" for the
    /// networks of this machine, "none", or networks; may be repeated [auto]
    #[argh(option, arg_name = "NET[,...]")]
    local_networks: Vec<String>,

    /// ports for passive data connections, to be forwarded by the router, or one port [the
    /// kernel's choice]
    #[argh(option, short = 'r', arg_name = "FROM-TO")]
    passive_ports: Option<String>,

    /// the ports that the router forwards to the passive ones, as many [the same numbers]
    #[argh(option, arg_name = "FROM-TO")]
    outer_ports: Option<String>,

    /// the port that the router forwards to the control port [21]
    #[argh(option, arg_name = "N")]
    outer_port: Option<String>,

    /// let a client's control or data connection come from this gateway, and the other one from
    /// elsewhere; may be repeated
    #[argh(option, arg_name = "ADDR")]
    trust_gateway: Vec<String>,

    /// offer TLS (FTPS); without --certfile with a certificate that the server makes and keeps
    #[argh(switch)]
    tls: bool,

    /// the certificate and those that lead to its authority, as PEM
    #[argh(option, arg_name = "FILE")]
    certfile: Option<String>,

    /// the certificate's private key, as PEM [in the file of --certfile]
    #[argh(option, arg_name = "FILE")]
    keyfile: Option<String>,

    /// let nobody log in without TLS
    #[argh(switch)]
    tls_control_required: bool,

    /// transfer nothing without TLS
    #[argh(switch)]
    tls_data_required: bool,

    /// listen on this port too, for clients that begin with TLS at once (implicit FTPS, usually 990)
    #[argh(option, arg_name = "PORT")]
    tls_implicit: Option<String>,

    /// take data connections only from who holds the control connection's TLS session
    #[argh(switch)]
    tls_require_resumption: bool,

    /// let in only clients with a certificate that an authority in this file has signed
    #[argh(option, arg_name = "FILE")]
    client_ca: Option<String>,

    /// connections at the same time [512]
    #[argh(option, arg_name = "N")]
    max_cons: Option<String>,

    /// connections from one address at the same time; 0 for no limit [0]
    #[argh(option, arg_name = "N")]
    max_cons_per_ip: Option<String>,

    /// failed logins after which a connection is closed [3]
    #[argh(option, arg_name = "N")]
    max_login_attempts: Option<String>,

    /// wait after a failed login; 0 for none [3]
    #[argh(option, arg_name = "SECONDS")]
    login_delay: Option<String>,

    /// close a connection without commands, also before login; 0 for never [300]
    #[argh(option, arg_name = "SECONDS")]
    timeout: Option<String>,

    /// time for a data connection to be opened, in either mode; 0 for no limit [30]
    #[argh(option, arg_name = "SECONDS")]
    passive_timeout: Option<String>,

    /// end a transfer on which no byte moves; 0 for never [300]
    #[argh(option, arg_name = "SECONDS")]
    data_timeout: Option<String>,

    /// bytes per second that each session may upload, also as 500K or 2M; 0 for no limit [0]
    #[argh(option, arg_name = "BYTES")]
    rate_in: Option<String>,

    /// the same for downloads and listings [0]
    #[argh(option, arg_name = "BYTES")]
    rate_out: Option<String>,

    /// let running transfers go on for so long after SIGTERM or SIGINT; 0 ends them at once [10]
    #[argh(option, arg_name = "SECONDS")]
    shutdown_grace: Option<String>,

    /// let PORT and EPRT name another host than the client, and let another host connect to a
    /// passive port (FXP)
    #[argh(switch)]
    permit_foreign_addresses: bool,

    /// let PORT and EPRT name a port below 1024
    #[argh(switch)]
    permit_privileged_ports: bool,

    /// the text that greets clients [FTP server ready.]
    #[argh(option, arg_name = "TEXT")]
    banner: Option<String>,

    /// short for --log-level debug
    #[argh(switch, short = 'D')]
    debug: bool,

    /// error, warn, info, debug or trace [info]
    #[argh(option, arg_name = "LEVEL")]
    log_level: Option<String>,

    /// read more flags from this file, one "name value" per line, as here but without dashes; the
    /// command line wins
    #[argh(option, arg_name = "FILE")]
    config: Option<String>,

    /// serve nothing, but print what every kind of client would be told and what is wrong; exit
    /// code 1 if some would fail, 2 if the server cannot start
    #[argh(switch)]
    check: bool,

    /// serve nothing, but print what forwards or opens the ports: "nft", "iptables", "docker" or
    /// "ufw"
    #[argh(option, arg_name = "KIND")]
    rules: Option<String>,

    /// print the version and exit
    #[argh(switch, short = 'V')]
    version: bool,
}

/// Reads a command line, without the program's name in front.
///
/// `environment` looks a variable up. The directory, the configuration file and the password file
/// are looked at.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<Invocation, FlagError> {
    CommandLine::new(arguments, environment).parse()
}

/// The text of `--help`, from the same table that argh parses by, at most 80 columns wide.
pub fn help() -> String {
    let mut text = format!(
        "Usage: {PROGRAM} [FLAG]...\n\n{}\n",
        Flags::get_args_info().description
    );
    for flag in table() {
        for (heading, first) in SECTIONS {
            if first == flag.long {
                text.push_str(&format!("\n{heading}:\n"));
            }
        }
        text.push_str(&help_entry(&flag));
    }
    text.push_str(EPILOGUE);
    text
}

impl CommandLine {
    /// Keeps the arguments, without the program's name in front. Nothing is checked yet.
    pub fn new(
        arguments: impl IntoIterator<Item = OsString>,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Self {
        Self {
            arguments: arguments.into_iter().collect(),
            password_variable: environment(resolve::PASSWORD_VARIABLE),
            state_directory: resolve_tls::state_directory(environment),
        }
    }

    /// Reads the arguments and the files that they name, as they are now.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its file and line if it stands in one.
    pub fn parse(&self) -> Result<Invocation, FlagError> {
        let table = table();
        let expanded = expand::expand(&table, self.arguments.iter().cloned())?;
        if expanded.help {
            return Ok(Invocation::Help(help()));
        }
        let mut given = expanded.given;
        let mut flags = Flags::read(&given)?;
        if flags.version {
            let version = format!("{PROGRAM} {}", env!("CARGO_PKG_VERSION"));
            return Ok(Invocation::Version(version));
        }
        let file = expand::value_of(&given, "--config").filter(|_| flags.config.is_some());
        if let Some(file) = &file {
            given = merged(config_file::read(&table, file)?, given);
            flags = Flags::read(&given)?;
        }
        let (check, rules) = (flags.check, flags.rules.take());
        let variable = self.password_variable.clone();
        let settings = flags.check(&given, variable, &self.state_directory);
        let settings = settings.map_err(|error| match &file {
            Some(file) => error.locate(file, &given),
            None => error,
        })?;
        invocation(settings, check, rules.as_deref())
    }

    /// The settings that a server should have now: what SIGHUP asks for.
    ///
    /// # Errors
    ///
    /// As with [`parse`](Self::parse), and for a command line that asks for no server.
    pub fn settings(&self) -> Result<Settings, FlagError> {
        match self.parse()? {
            Invocation::Serve(settings) => Ok(*settings),
            Invocation::Check(_) => Err(FlagError::new("--check", NO_SERVER)),
            Invocation::Rules(..) => Err(FlagError::new("--rules", NO_SERVER)),
            Invocation::Help(_) => Err(FlagError::new("--help", NO_SERVER)),
            Invocation::Version(_) => Err(FlagError::new("--version", NO_SERVER)),
        }
    }
}

/// The arguments may hold a password.
impl fmt::Debug for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommandLine(not shown)")
    }
}

impl Flags {
    fn read(given: &[Given]) -> Result<Self, FlagError> {
        let texts = expand::texts(given);
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        Self::from_args(&[PROGRAM], &texts)
            .map_err(|exit| FlagError::new(PROGRAM, exit.output.trim()))
    }
}

/// What to do with these settings.
fn invocation(
    settings: Settings,
    check: bool,
    rules: Option<&str>,
) -> Result<Invocation, FlagError> {
    let settings = Box::new(settings);
    let Some(word) = rules else {
        return Ok(match check {
            true => Invocation::Check(settings),
            false => Invocation::Serve(settings),
        });
    };
    let refuse = |problem| Err(FlagError::with_value("--rules", word, problem));
    if check {
        return refuse("--check is given as well; give only one of them");
    }
    let Some(kind) = RulesKind::named(word) else {
        return refuse("give nft, iptables, docker or ufw");
    };
    rules::check(&settings, kind)?;
    Ok(Invocation::Rules(settings, kind))
}

/// The file's flags that the command line does not replace, and the command line's.
fn merged(file: Vec<Given>, command_line: Vec<Given>) -> Vec<Given> {
    let replaces = |one: &Given, other: &Given| {
        let pair = [one.flag.long, other.flag.long];
        let alternatives = |group: &[&str; 2]| pair.iter().all(|flag| group.contains(flag));
        pair[0] == pair[1] || ALTERNATIVES.iter().any(alternatives)
    };
    let replaced = |given: &Given| command_line.iter().any(|other| replaces(other, given));
    let mut all: Vec<Given> = file.into_iter().filter(|given| !replaced(given)).collect();
    all.extend(command_line);
    all
}

/// The long name of each flag, with its dashes, in the order of the help.
pub fn long_names() -> Vec<&'static str> {
    table().iter().map(|flag| flag.long).collect()
}

/// argh's table, with `--help` moved from the front to the end.
fn table() -> Vec<Flag> {
    let rows = Flags::get_args_info().flags;
    let (help, rest) = rows.split_first().expect("argh puts --help first");
    let mut table: Vec<Flag> = rest
        .iter()
        .map(|row| Flag {
            long: row.long,
            short: row.short,
            value: match row.kind {
                FlagInfoKind::Switch => None,
                FlagInfoKind::Option { arg_name } => Some(arg_name),
            },
            repeatable: matches!(row.optionality, Optionality::Repeating),
            description: row.description,
        })
        .collect();
    table.push(Flag {
        long: help.long,
        short: Some('h'),
        value: None,
        repeatable: true,
        description: "print this help and exit",
    });
    table
}

fn help_entry(flag: &Flag) -> String {
    let short = flag
        .short
        .map_or("    ".to_owned(), |short| format!("-{short}, "));
    let value = flag
        .value
        .map_or(String::new(), |value| format!(" {value}"));
    let mut entry = format!("  {short}{}{value}", flag.long);
    let mut column = entry.len();
    if column + 2 > HELP_COLUMN {
        entry.push('\n');
        column = 0;
    }
    entry.push_str(&" ".repeat(HELP_COLUMN - column));
    column = HELP_COLUMN;
    for word in flag.description.split_whitespace() {
        if column + 1 + word.len() > HELP_WIDTH {
            entry.push('\n');
            entry.push_str(&" ".repeat(HELP_COLUMN));
            column = HELP_COLUMN;
        } else if column > HELP_COLUMN {
            entry.push(' ');
            column += 1;
        }
        entry.push_str(word);
        column += word.len();
    }
    entry.push('\n');
    entry
}

const PROGRAM: &str = "ftp-server-sync";
const NO_SERVER: &str = "nothing is served with this flag; leave it out";
/// Flags that say the same thing in two ways: one on the command line replaces the other in the file.
const ALTERNATIVES: [[&str; 2]; 2] = [
    ["--password", "--password-file"],
    ["--debug", "--log-level"],
];
const HELP_COLUMN: usize = 32;
const HELP_WIDTH: usize = 80;
/// The headings of the help, each with the flag that it stands before.
const SECTIONS: [(&str, &str); 5] = [
    ("What is served, and to whom", "--interface"),
    ("Behind a NAT router", "--masquerade-address"),
    ("TLS", "--tls"),
    ("Limits", "--max-cons"),
    ("The rest", "--banner"),
];
const EPILOGUE: &str = "
Without flags anonymous may read the current directory. Behind a router that
forwards port 21 to 2121 and the passive ports to themselves:
  ftp-server-sync -d /srv/ftp -n PUBLIC-ADDRESS -r 60000-60009
";

#[cfg(test)]
mod tests;
