//! The command line: the table of flags, their help, and the way from arguments to `Settings`.
//!
//! Whatever comes out as `Settings` can be served; everything else is a `FlagError` that names the
//! flag, the value and what would be right. A configuration file gives flags too, by the same
//! table. Nothing here prints, ends the process or remembers what it read.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use argh::{ArgsInfo, FlagInfoKind, FromArgs, Optionality};

pub use crate::arguments::FlagError;
use crate::arguments::{self, Flag, Given};
use crate::rules::{self, RulesKind};
use crate::settings::Settings;

mod check;
mod config_file;
mod tls;

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
            password_variable: environment(check::PASSWORD_VARIABLE),
            state_directory: tls::state_directory(environment),
        }
    }

    /// Reads the arguments and the files that they name, as they are now.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its file and line if it stands in one.
    pub fn parse(&self) -> Result<Invocation, FlagError> {
        let table = table();
        let expanded = arguments::expand(&table, self.arguments.iter().cloned())?;
        if expanded.help {
            return Ok(Invocation::Help(help()));
        }
        let mut given = expanded.given;
        let mut flags = Flags::read(&given)?;
        if flags.version {
            let version = format!("{PROGRAM} {}", env!("CARGO_PKG_VERSION"));
            return Ok(Invocation::Version(version));
        }
        let file = arguments::value_of(&given, "--config").filter(|_| flags.config.is_some());
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
        let texts = arguments::texts(given);
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
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::settings::{Limits, Listen, LocalNetworks, Names, PublicAddress, Rates, Timeouts};
    use ftp_proto::{ClientRule, OuterPorts, Permissions};
    use log::LevelFilter;
    use std::collections::BTreeMap;
    use std::num::NonZeroU64;
    use std::os::unix::ffi::OsStringExt;
    use std::time::Duration;
    use std::{env, fs};

    fn parsed(arguments: &[String], variable: Option<&str>) -> Result<Invocation, FlagError> {
        let environment = |name: &str| {
            let is_password = name == "FTP_PASSWORD";
            variable.filter(|_| is_password).map(OsString::from)
        };
        parse(arguments.iter().map(OsString::from), environment)
    }

    /// Splits as a shell would: blanks, single quotes, and `\n` and `\e` inside them.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
        let mut characters = line.chars();
        while let Some(character) = characters.next() {
            match character {
                '\'' => {
                    quoted = !quoted;
                    word.get_or_insert_default();
                }
                ' ' if !quoted => words.extend(word.take()),
                '\\' if quoted => word.get_or_insert_default().push(match characters.next() {
                    Some('n') => '\n',
                    Some('e') => '\u{1b}',
                    other => panic!("{other:?} in {line}"),
                }),
                _ => word.get_or_insert_default().push(character),
            }
        }
        words.extend(word);
        words
    }

    /// A line of the shell: the variable may stand in front.
    fn line(line: &str) -> Result<Invocation, FlagError> {
        let mut words = words(line);
        let variable = words
            .first()
            .and_then(|word| word.strip_prefix("FTP_PASSWORD="))
            .map(str::to_owned);
        if variable.is_some() {
            words.remove(0);
        }
        parsed(&words, variable.as_deref())
    }

    #[track_caller]
    fn settings(text: &str) -> Settings {
        match line(text) {
            Ok(Invocation::Serve(settings)) => *settings,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn refusals() {
        let golden = include_str!("../tests/refusals.txt");
        let commands: Vec<&str> = golden
            .lines()
            .filter_map(|line| line.strip_prefix("$ "))
            .collect();
        let mut actual = String::new();
        for command in &commands {
            let refusal = match line(command) {
                Err(error) => error.to_string(),
                Ok(_) => "accepted".to_owned(),
            };
            actual.push_str(&format!("$ {command}\n{refusal}\n"));
        }
        assert!(commands.len() >= 90, "only {} commands", commands.len());
        assert!(
            actual == golden,
            "tests/refusals.txt differs; now:\n{actual}"
        );
    }

    #[test]
    fn without_flags() {
        let settings = settings("");
        assert_eq!(settings.listen, Listen::sockets(&[], 2121, false));
        assert_eq!(settings.directory, env::current_dir().unwrap());
        assert_eq!(
            settings.users.check(b"anonymous", b"x@y"),
            Some(Permissions::READ_ONLY)
        );
        assert_eq!(settings.users.account(), None);
        assert_eq!(
            (settings.masquerade_address, settings.passive_ports),
            (None, None)
        );
        assert_eq!((settings.outer_ports, settings.outer_port), (None, 21));
        assert_eq!(settings.masquerade_refresh, Duration::from_secs(60));
        assert_eq!(
            settings.trusted_gateways,
            <[std::net::IpAddr; 0]>::default()
        );
        assert_eq!(settings.local_networks, LocalNetworks::Auto);
        let limits = Limits {
            connections_max: 512,
            connections_per_address_max: None,
            login_attempts_max: 3,
        };
        assert_eq!(settings.limits, limits);
        let timeouts = Timeouts {
            idle: Some(Duration::from_secs(300)),
            data_open: Some(Duration::from_secs(30)),
            data_stall: Some(Duration::from_secs(300)),
        };
        assert_eq!(settings.timeouts, timeouts);
        assert_eq!(settings.rates, Rates::default());
        assert_eq!(settings.login_delay, Duration::from_secs(3));
        assert_eq!(settings.shutdown_grace, Duration::from_secs(10));
        assert_eq!((settings.banner, settings.tls), (None, None));
        assert!(!settings.permit_foreign_addresses && !settings.permit_privileged_ports);
        assert_eq!(settings.log_level, LevelFilter::Info);
    }

    #[test]
    fn with_every_flag() {
        let settings = settings(
            "-i 10.0.0.1 --interface=2001:db8::1 -p 21 -d / -wubob -P secret --anonymous \
             -n ::ffff:203.0.113.1 \
             --masquerade-address-map ::ffff:10.0.0.1=203.0.113.2,10.0.0.2=203.0.113.3 \
             --masquerade-address-map=10.0.0.3=203.0.113.4 \
             --masquerade-client 10.8.0.9/24=local --masquerade-client 10.9.0.0/16=10.9.0.1 \
             --local-networks 10.0.0.0/8,fd00::/8 --local-networks 192.168.0.1 \
             --masquerade-client 10.10.0.0/16=ftp.home.example --masquerade-refresh 5 \
             --trust-gateway 172.17.0.1 --trust-gateway ::ffff:172.18.0.1 \
             --outer-port 2100 --outer-ports 50000-50009 \
             -r 60000-60009 --max-cons 9 --max-cons-per-ip 2 --max-login-attempts 1 \
             --rate-in 500K --rate-out=2M \
             --login-delay 0 --shutdown-grace 0 --timeout 0 --passive-timeout 0 --data-timeout 7 \
             --banner 'two\nlines\n' --permit-foreign-addresses --permit-privileged-ports \
             --log-level trace",
        );
        let network = |text: &str| text.parse().unwrap();
        let address = |text: &str| text.parse().unwrap();
        let interfaces = [address("10.0.0.1"), address("2001:db8::1")];
        assert_eq!(settings.listen, Listen::sockets(&interfaces, 21, false));
        assert_eq!(
            settings.users.check(b"bob", b"secret"),
            Some(Permissions::READ_WRITE)
        );
        assert_eq!(settings.users.anonymous(), Some(Permissions::READ_ONLY));
        assert_eq!(settings.login_delay, Duration::ZERO);
        assert_eq!(settings.shutdown_grace, Duration::ZERO);

        let machine = Machine {
            gateways: vec![address("::ffff:10.0.0.254")],
            ..Machine::default()
        };
        assert_eq!(
            settings.names().into_iter().collect::<Vec<_>>(),
            ["ftp.home.example"]
        );
        assert_eq!(settings.masquerade_refresh, Duration::from_secs(5));
        assert_eq!(settings.outer_port, 2100);
        assert_eq!(
            settings.trusted_gateways,
            [address("172.17.0.1"), address("172.18.0.1")]
        );
        let config = settings.config(&machine, &Names::new());
        let outer_ports = OuterPorts {
            inner_first: 60000,
            outer_first: 50000,
            count: 10,
        };
        assert_eq!(config.masquerade.outer_ports, Some(outer_ports));
        assert_eq!(
            config.masquerade.address,
            Some(std::net::Ipv4Addr::new(203, 0, 113, 1).into())
        );
        let ipv4 = |text: &str| -> std::net::Ipv4Addr { text.parse().unwrap() };
        let pair = |private: &str, public: &str| (ipv4(private), ipv4(public).into());
        assert_eq!(
            config.masquerade.map,
            BTreeMap::from([
                pair("10.0.0.1", "203.0.113.2"),
                pair("10.0.0.2", "203.0.113.3"),
                pair("10.0.0.3", "203.0.113.4"),
            ])
        );
        let announced = ClientRule::Announce("10.9.0.1".parse().unwrap());
        assert_eq!(
            config.masquerade.clients,
            [
                (network("10.8.0.0/24"), ClientRule::Local),
                (network("10.9.0.0/16"), announced),
                (network("10.10.0.0/16"), ClientRule::Local),
            ]
        );
        let names = Names::from([("ftp.home.example".to_owned(), [203, 0, 113, 7].into())]);
        assert_eq!(
            settings.config(&machine, &names).masquerade.clients[2],
            (
                network("10.10.0.0/16"),
                ClientRule::Announce([203, 0, 113, 7].into())
            )
        );
        let local = [
            "127.0.0.0/8",
            "::1/128",
            "10.0.0.0/8",
            "fd00::/8",
            "192.168.0.1/32",
        ];
        assert_eq!(config.masquerade.local_networks, local.map(network));
        assert_eq!(config.masquerade.gateways, [address("10.0.0.254")]);
        assert_eq!(settings.passive_ports, Some(60000..=60009));
        assert_eq!(settings.limits.connections_max, 9);
        let rates = Rates {
            inward: NonZeroU64::new(512_000),
            outward: NonZeroU64::new(2 << 20),
        };
        assert_eq!(settings.rates, rates);
        assert_eq!(settings.limits.connections_per_address_max, Some(2));
        assert_eq!(config.login_attempts_max, 1);
        assert_eq!((config.idle_timeout, config.login_timeout), (None, None));
        assert_eq!(config.data_open_timeout, None);
        assert_eq!(config.data_stall_timeout, Some(Duration::from_secs(7)));
        assert_eq!(config.banner, "two\nlines");
        assert!(config.permit_foreign_addresses && config.permit_privileged_ports);
        assert_eq!(settings.log_level, LevelFilter::Trace);
    }

    #[test]
    fn small_choices() {
        assert_eq!(settings("-D").log_level, LevelFilter::Debug);
        assert_eq!(
            settings("--local-networks none").local_networks,
            LocalNetworks::None
        );
        assert_eq!(
            settings("--local-networks=auto").local_networks,
            LocalNetworks::Auto
        );
        assert_eq!(settings("-r60000").passive_ports, Some(60000..=60000));
        assert_eq!(settings("-p 0 -r 60000").listen[0].address.port(), 0);
        assert_eq!(
            settings("-w").users.anonymous(),
            Some(Permissions::READ_WRITE)
        );
        assert_eq!(
            settings("-n 127.0.0.1").masquerade_address,
            Some(PublicAddress::Address([127, 0, 0, 1].into()))
        );
    }

    #[test]
    fn where_the_password_comes_from() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("password");
        let from_file = format!(
            "FTP_PASSWORD=other -u bob --password-file {}",
            file.display()
        );
        for (content, password) in [
            ("secret", "secret"),
            ("secret\n", "secret"),
            ("secret\r\n", "secret"),
            (" two words \n", " two words "),
        ] {
            fs::write(&file, content).unwrap();
            let users = settings(&from_file).users;
            assert!(
                users.check(b"bob", password.as_bytes()).is_some(),
                "{content:?}"
            );
            assert!(users.check(b"bob", b"other").is_none());
        }
        for content in ["", "\n", "two\nlines\n", "secret\n\n", "a\rb"] {
            fs::write(&file, content).unwrap();
            assert!(line(&from_file).is_err(), "{content:?}");
        }
        for (text, password) in [
            ("FTP_PASSWORD=other -u bob -P secret", "secret"),
            ("FTP_PASSWORD=other -u bob", "other"),
            ("-u bob --password=--write", "--write"),
            ("-u bob --password==", "="),
        ] {
            let users = settings(text).users;
            assert!(users.check(b"bob", password.as_bytes()).is_some(), "{text}");
        }
        assert_eq!(settings("FTP_PASSWORD=other").users, settings("").users);
    }

    #[test]
    fn no_text_shows_a_password() {
        let shown = format!("{:?}", line("-u bob -P secret"));
        assert!(
            shown.contains("bob") && !shown.contains("secret"),
            "{shown}"
        );
        let commands = include_str!("../tests/refusals.txt").lines();
        let commands = commands.filter_map(|line| line.strip_prefix("$ "));
        for command in commands.filter(|command| command.contains("secret")) {
            let refusal = line(command).unwrap_err().to_string();
            assert!(!refusal.contains("secret"), "{refusal}");
        }
    }

    #[test]
    fn a_directory_may_have_any_name() {
        let parent = tempfile::tempdir().unwrap();
        let odd = OsString::from_vec(b"f\xe9t\xe9".to_vec());
        let directory = parent.path().join(&odd);
        fs::create_dir(&directory).unwrap();
        let arguments = ["-d".into(), directory.clone().into_os_string()];
        let Ok(Invocation::Serve(settings)) = parse(arguments, |_| None) else {
            panic!("refused");
        };
        assert_eq!(settings.directory, directory);
    }

    #[test]
    fn help_and_version() {
        assert_eq!(line("-w --help --nonsense"), Ok(Invocation::Help(help())));
        let version = format!("ftp-server-sync {}", env!("CARGO_PKG_VERSION"));
        assert_eq!(
            line("--version -p nonsense"),
            Ok(Invocation::Version(version))
        );

        let help = help();
        for line in help.lines() {
            assert!(
                line.len() <= HELP_WIDTH && line.trim_end() == line,
                "{line}"
            );
        }
        for (heading, _) in SECTIONS {
            assert_eq!(
                help.matches(&format!("\n{heading}:\n")).count(),
                1,
                "{heading}"
            );
        }
        for flag in table() {
            let names = |line: &&str| {
                let names = &line[..line.len().min(HELP_COLUMN)];
                names.split_whitespace().any(|word| word == flag.long)
            };
            // The example at the end speaks of short names only.
            assert_eq!(help.lines().filter(names).count(), 1, "{}", flag.long);
        }
    }

    #[test]
    fn nothing_is_served_with_check_or_rules() {
        let flags = "-n 203.0.113.1 -r 60000-60009";
        let expected = || Box::new(settings(flags));
        assert_eq!(
            line(&format!("{flags} --check")),
            Ok(Invocation::Check(expected()))
        );
        for (word, kind) in [
            ("nft", RulesKind::Nft),
            ("iptables", RulesKind::Iptables),
            ("docker", RulesKind::Docker),
            ("ufw", RulesKind::Ufw),
        ] {
            assert_eq!(
                line(&format!("--rules {word} {flags}")),
                Ok(Invocation::Rules(expected(), kind))
            );
        }
    }

    /// The letters are pyftpdlib's; one that stood twice would hide the second flag.
    #[test]
    fn short_names_are_distinct() {
        let mut letters: Vec<char> = table().iter().filter_map(|flag| flag.short).collect();
        letters.sort_unstable();
        let text: String = letters.iter().collect();
        assert_eq!(text, "DPVdhinpruw");
    }

    #[test]
    fn the_readme_knows_every_flag() {
        let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"));
        let readme = readme.unwrap();
        for name in long_names() {
            assert!(
                readme.contains(&format!("{name}`")) || readme.contains(&format!("{name} ")),
                "{name}"
            );
        }
    }
}
