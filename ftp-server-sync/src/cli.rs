//! From the command line, the environment and a configuration file to [`Settings`].
//!
//! A server can serve any `Settings` that come out of this module; all other input is a
//! [`FlagError`] that names the flag, its value and what to give instead. All sources use one table
//! of flags. Nothing here prints or ends the process, but for the
//! questions of [`new_password_hash`].

use std::ffi::OsString;
use std::fmt;

use crate::nat::rules::{self, RulesKind};
use crate::net::passed_sockets::PassedSockets;
use crate::probe::ProbeRequest;
use crate::settings::{Listen, Settings};
use crate::status::ClientRequest;
use environment::Environment;
pub use environment::environment_notes;
pub use error::FlagError;
pub use flags::long_names;
pub use hash_password::new_password_hash;
pub use help::{help, short_help};
pub use process_start::ProcessStart;

mod config_file;
mod environment;
mod error;
mod expand;
mod flags;
mod given;
#[cfg(test)]
pub(crate) mod golden;
mod hash_password;
mod help;
mod hidden_arguments;
mod memory_variables;
#[cfg(test)]
mod packaging;
mod probe_flags;
mod process_start;
mod reexec;
mod resolve;
mod status_flags;
mod values;

/// With the commit that was built, as `build.rs` has found it.
const VERSION: &str = concat!(
    "ftp-server-sync ",
    env!("CARGO_PKG_VERSION"),
    env!("FTP_BUILD")
);

/// A command line that can be parsed again, because the files that it names may have changed.
///
/// The arguments and the environment stay as they were at start.
#[derive(Clone)]
pub struct CommandLine {
    arguments: Vec<OsString>,
    environment: Environment,
    /// Where sockets listen that the process was started with.
    passed: Vec<Listen>,
}

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// Serve.
    Serve(Box<Settings>),
    /// Print which addresses clients would get and what is wrong, and serve nothing.
    Check(Box<Settings>),
    /// Count what is in the homes of users with quotas, and serve nothing.
    Recount(Box<Settings>),
    /// Print the lines that let clients in, and serve nothing.
    Rules(Box<Settings>, RulesKind),
    /// Look at an FTP server as its clients do, and serve nothing.
    Probe(Box<ProbeRequest>),
    /// Ask a server that runs, and serve nothing.
    AskServer(Box<ClientRequest>),
    /// Print the hash of a new password, as [`new_password_hash`] returns it, and serve nothing.
    HashPassword,
    /// Print this text and succeed.
    Help(String),
    /// Print this line and succeed.
    Version(String),
}

/// Parses a command line, without the program's name in front.
///
/// `variable` looks up an environment variable. The directory, the configuration file and the
/// password file are read.
///
/// # Errors
///
/// As for [`CommandLine::parse`].
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Invocation, FlagError> {
    CommandLine::new(arguments, variable).parse()
}

impl CommandLine {
    /// Takes the arguments, without the program's name in front, and looks up the environment
    /// variables. Nothing is checked yet.
    pub fn new(
        arguments: impl IntoIterator<Item = OsString>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Self {
        Self {
            arguments: arguments.into_iter().collect(),
            environment: Environment::read(variable),
            passed: Vec::new(),
        }
    }

    /// These sockets take the place of those that flags name.
    #[must_use]
    pub fn with_sockets(mut self, sockets: &PassedSockets) -> Self {
        self.passed = sockets.listen();
        self
    }

    /// Parses the flags of all sources, and the files that they name as they are now.
    ///
    /// # Errors
    ///
    /// The first flag that is wrong, with its file and line or its variable.
    pub fn parse(&self) -> Result<Invocation, FlagError> {
        let table = flags::table();
        let mut given = expand::expand(&table, self.arguments.iter().cloned())?;
        if let Some(value) = given.find("--help").and_then(|help| help.value.as_ref()) {
            return help::requested(value).map(Invocation::Help);
        }
        if given.find("--version").is_some() {
            return Ok(Invocation::Version(VERSION.to_owned()));
        }
        if given.find("--hash-password").is_some() {
            return match given.first_but(&["--hash-password"]) {
                Some(other) => Err(other.refuse(error::NOT_WITH_HASH_PASSWORD)),
                None => Ok(Invocation::HashPassword),
            };
        }
        if given.find("--probe").is_some() {
            // It is about another server: neither a file nor variables with this one's flags count.
            let request = probe_flags::request(&given, &self.environment)?;
            return Ok(Invocation::Probe(Box::new(request)));
        }
        probe_flags::refuse_without_probe(&given)?;
        if status_flags::order_flag(&given).is_some() {
            let request = status_flags::request(&table, given, &self.environment)?;
            return Ok(Invocation::AskServer(Box::new(request)));
        }
        status_flags::refuse_without_who(&given)?;
        let (variables, switched_off) = self.environment.flags()?;
        given = given.over(variables);
        if let Some(config) = given.find("--config") {
            let mut file = config_file::read(&table, config)?;
            file.remove(&switched_off);
            given = given.over(file);
        }
        let flags = given.parse()?;
        let (check, rules, recount) = (flags.check, flags.rules, flags.recount);
        let settings = Box::new(resolve::settings(
            flags,
            &given,
            &self.environment,
            &self.passed,
        )?);
        if recount {
            let others = [("--check", check), ("--rules", rules.is_some())];
            if let Some((other, _)) = others.into_iter().find(|(_, is_given)| *is_given) {
                return Err(given.refuse("--recount", error::conflict(other)));
            }
            if !settings.has_quotas() {
                let problem = "no user has a quota; add --users FILE with the option quota";
                return Err(given.refuse("--recount", problem));
            }
            return Ok(Invocation::Recount(settings));
        }
        match rules {
            Some(_) if check => Err(given.refuse("--rules", error::conflict("--check"))),
            Some(kind) => {
                rules::check(&settings, kind)
                    .map_err(|error| given.refuse("--rules", error.to_string()))?;
                Ok(Invocation::Rules(settings, kind))
            }
            None if check => Ok(Invocation::Check(settings)),
            None => Ok(Invocation::Serve(settings)),
        }
    }

    /// The settings that a server should have now: what SIGHUP asks for.
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse), and for a command line that asks for no server.
    pub fn settings(&self) -> Result<Settings, FlagError> {
        let flag = match self.parse()? {
            Invocation::Serve(settings) => return Ok(*settings),
            Invocation::Check(_) => "--check",
            Invocation::Rules(..) => "--rules",
            Invocation::Recount(_) => "--recount",
            Invocation::Probe(_) => "--probe",
            Invocation::AskServer(_) => "--who",
            Invocation::HashPassword => "--hash-password",
            Invocation::Help(_) => "--help",
            Invocation::Version(_) => "--version",
        };
        Err(FlagError::new(flag, error::NO_SERVER))
    }
}

/// The arguments may have a password.
impl fmt::Debug for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommandLine(not shown)")
    }
}

#[cfg(test)]
mod tests;
