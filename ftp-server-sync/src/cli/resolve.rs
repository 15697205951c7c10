//! From the texts that argh has sorted to `Settings`: each flag's value, then what flags say together.
//!
//! Only the directory and the password file are looked at; everything else is arithmetic on text.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::ffi::OsStringExt;
use std::path::{self, Path, PathBuf};
use std::time::Duration;

use log::LevelFilter;

use super::expand::{Given, value_of};
use super::values;
use super::{FlagError, Flags};
use crate::accounts::users::{Password, Users};
use crate::settings::file::reason;
use crate::settings::{
    AddressSource, Limits, Listen, LocalNetworks, PortRange, Rates, Settings, Timeouts,
};

/// One entry of a list, its text and its value.
struct Entry<T> {
    /// Which repeat of the flag it stands in.
    repeat: usize,
    text: String,
    value: T,
}

impl Flags {
    pub(super) fn check(
        self,
        given: &[Given],
        password_variable: Option<OsString>,
        state_directory: &Path,
    ) -> Result<Settings, FlagError> {
        // The bytes as they were given, where argh saw only a replacement text.
        let exact = |flag, text: &Option<String>| {
            let text = text.as_ref().map(OsString::from);
            value_of(given, flag).or(text)
        };
        let directory = exact("--directory", &self.directory);
        let password = exact("--password", &self.password);
        let password_file = exact("--password-file", &self.password_file);

        let port = one("--port", &self.port, 2121, values::port)?;
        let passive_ports = self.passive_ports(port)?;
        let interfaces = self.interfaces()?;
        let mut listen = Listen::sockets(&interfaces, port, false);
        if let Some(port) = self.implicit_port(port, passive_ports)? {
            listen.extend(Listen::sockets(&interfaces, port, true));
        }
        let outer_port = one("--outer-port", &self.outer_port, 21, values::outer_port)?;
        Ok(Settings {
            listen,
            tls: self.tls(given, state_directory)?,
            directory: share(directory.unwrap_or_else(|| ".".into()))?,
            users: self.users(password, password_file, password_variable)?,
            masquerade_address: self
                .masquerade_address
                .as_deref()
                .map(|text| checked("--masquerade-address", text, values::masquerade_address))
                .transpose()?,
            masquerade_map: self.map()?,
            masquerade_clients: distinct(
                "--masquerade-client",
                list(
                    "--masquerade-client",
                    &self.masquerade_client,
                    values::client_rule,
                )?,
            )?,
            masquerade_refresh: one(
                "--masquerade-refresh",
                &self.masquerade_refresh,
                MASQUERADE_REFRESH,
                values::refresh,
            )?,
            local_networks: self.local_networks()?,
            outer_ports: self.outer_ports(passive_ports, outer_port)?,
            passive_ports,
            outer_port,
            trusted_gateways: self.trusted_gateways()?,
            limits: self.limits()?,
            rates: Rates {
                inward: one("--rate-in", &self.rate_in, None, values::rate)?,
                outward: one("--rate-out", &self.rate_out, None, values::rate)?,
            },
            timeouts: self.timeouts()?,
            login_delay: one(
                "--login-delay",
                &self.login_delay,
                LOGIN_DELAY,
                values::delay,
            )?,
            shutdown_grace: one(
                "--shutdown-grace",
                &self.shutdown_grace,
                SHUTDOWN_GRACE,
                values::grace,
            )?,
            banner: self
                .banner
                .as_deref()
                .map(|text| checked("--banner", text, values::banner))
                .transpose()?,
            permit_foreign_addresses: self.permit_foreign_addresses,
            permit_privileged_ports: self.permit_privileged_ports,
            log_level: self.log_level()?,
        })
    }

    fn interfaces(&self) -> Result<Vec<IpAddr>, FlagError> {
        let mut addresses: Vec<IpAddr> = Vec::new();
        for (repeat, text) in self.interface.iter().enumerate() {
            let refuse = |problem: String| {
                FlagError::with_value("--interface", text, problem).in_repeat(repeat)
            };
            let address = values::interface(text).map_err(refuse)?;
            if addresses.contains(&address) {
                let problem = "the same address is given twice; give it once";
                return Err(refuse(problem.to_owned()));
            }
            // A second socket on the same port would fail to bind, with a less helpful text.
            let covers = |one: &IpAddr, other: &IpAddr| {
                one.is_unspecified() && one.is_ipv4() == other.is_ipv4()
            };
            for other in &addresses {
                if covers(other, &address) || covers(&address, other) {
                    let problem = format!("overlaps with {other}; give only one of them");
                    return Err(refuse(problem));
                }
            }
            addresses.push(address);
        }
        Ok(addresses)
    }

    fn users(
        &self,
        password: Option<OsString>,
        password_file: Option<OsString>,
        password_variable: Option<OsString>,
    ) -> Result<Users, FlagError> {
        let Some(name) = &self.username else {
            for (flag, given) in [
                ("--password", &password),
                ("--password-file", &password_file),
            ] {
                if given.is_some() {
                    let problem = "there is no user that it belongs to; add --username NAME";
                    return Err(FlagError::new(flag, problem));
                }
            }
            return Ok(Users::anonymous_only(self.write));
        };
        let name = checked("--username", name, values::username)?;
        let (source, password) = match (password, password_file) {
            (Some(_), Some(_)) => {
                let problem = "--password is given as well; give only one of them";
                return Err(FlagError::new("--password-file", problem).beside("--password"));
            }
            (Some(password), None) => ("--password", password.into_vec()),
            (None, Some(file)) => return self.user_of_file(name, &file),
            (None, None) => match password_variable {
                Some(password) => (PASSWORD_VARIABLE, password.into_vec()),
                None => {
                    let problem = "a password is missing; add --password-file FILE or --password \
                                   TEXT, or set the environment variable FTP_PASSWORD";
                    return Err(FlagError::with_value("--username", name, problem));
                }
            },
        };
        match values::password_problem(&password) {
            Some(problem) => Err(FlagError::new(source, problem)),
            None => Ok(self.user(name, password)),
        }
    }

    fn user_of_file(&self, name: String, file: &OsStr) -> Result<Users, FlagError> {
        let refuse = |problem| Err(FlagError::with_value("--password-file", file, problem));
        let password = match read_password(Path::new(file)) {
            Ok(password) => password,
            Err(error) => {
                return refuse(format!(
                    "cannot be read: {}; give a file that holds the password",
                    reason(&error)
                ));
            }
        };
        match values::password_problem(&password) {
            Some(problem) => refuse(format!("{problem}; one line is wanted")),
            None => Ok(self.user(name, password)),
        }
    }

    fn user(&self, name: String, password: Vec<u8>) -> Users {
        Users::one(name, Password::new(password), self.write, self.anonymous)
    }

    fn map(&self) -> Result<BTreeMap<Ipv4Addr, AddressSource>, FlagError> {
        let flag = "--masquerade-address-map";
        let entries = list(flag, &self.masquerade_address_map, values::map_entry)?;
        Ok(distinct(flag, entries)?.into_iter().collect())
    }

    fn local_networks(&self) -> Result<LocalNetworks, FlagError> {
        let flag = "--local-networks";
        let entries: Vec<(usize, &str)> = entries(&self.local_networks).collect();
        if let Some(&(repeat, word)) = entries
            .iter()
            .find(|(_, entry)| ["auto", "none"].contains(entry))
        {
            if entries.len() > 1 {
                let problem = "stands alone; give auto, or none, or only networks";
                return Err(FlagError::with_value(flag, word, problem).in_repeat(repeat));
            }
            return Ok(match word {
                "none" => LocalNetworks::None,
                _ => LocalNetworks::Auto,
            });
        }
        let networks = list(flag, &self.local_networks, |entry| {
            let network = values::network(entry);
            let network = network.map_err(|problem| format!("{problem}, or auto, or none"))?;
            Ok((network, ()))
        })?;
        if networks.is_empty() {
            return Ok(LocalNetworks::Auto);
        }
        let networks = distinct(flag, networks)?;
        Ok(LocalNetworks::Networks(
            networks.into_iter().map(|(network, ())| network).collect(),
        ))
    }

    fn passive_ports(&self, port: u16) -> Result<Option<PortRange>, FlagError> {
        let flag = "--passive-ports";
        let Some(text) = &self.passive_ports else {
            return Ok(None);
        };
        let range = checked(flag, text, values::ports)?;
        if range.contains(port) {
            let problem = format!("holds the control port {port}; give a range without it");
            return Err(FlagError::with_value(flag, text, problem).beside("--port"));
        }
        Ok(Some(range))
    }

    fn outer_ports(
        &self,
        inner: Option<PortRange>,
        outer_port: u16,
    ) -> Result<Option<PortRange>, FlagError> {
        let flag = "--outer-ports";
        let Some(text) = &self.outer_ports else {
            return Ok(None);
        };
        let Some(inner) = inner else {
            let problem = "there are no ports that they lead to; add --passive-ports FROM-TO";
            return Err(FlagError::with_value(flag, text, problem));
        };
        let outer = checked(flag, text, |text| values::outer_ports(text, inner))
            .map_err(|error| error.beside("--passive-ports"))?;
        if outer.contains(outer_port) {
            let problem =
                format!("holds the router's control port {outer_port}; give a range without it");
            return Err(FlagError::with_value(flag, text, problem).beside("--outer-port"));
        }
        Ok(Some(outer))
    }

    fn trusted_gateways(&self) -> Result<Vec<IpAddr>, FlagError> {
        let gateway = |(repeat, text)| {
            checked("--trust-gateway", text, values::gateway)
                .map_err(|error| error.in_repeat(repeat))
        };
        entries(&self.trust_gateway).map(gateway).collect()
    }

    fn limits(&self) -> Result<Limits, FlagError> {
        let connections = |text: &str| values::number(text, 1..=CONNECTIONS_MAX);
        let per_address = |text: &str| values::number(text, 0..=CONNECTIONS_MAX);
        let attempts = |text: &str| values::number(text, 1..=LOGIN_ATTEMPTS_MAX);
        let per_address = one("--max-cons-per-ip", &self.max_cons_per_ip, 0, per_address)?;
        Ok(Limits {
            connections_max: one("--max-cons", &self.max_cons, 512, connections)?,
            connections_per_address_max: (per_address > 0).then_some(per_address),
            login_attempts_max: one(
                "--max-login-attempts",
                &self.max_login_attempts,
                3,
                attempts,
            )?,
        })
    }

    fn timeouts(&self) -> Result<Timeouts, FlagError> {
        let timeout = |flag, text, seconds| {
            one(
                flag,
                text,
                Some(Duration::from_secs(seconds)),
                values::timeout,
            )
        };
        Ok(Timeouts {
            idle: timeout("--timeout", &self.timeout, 300)?,
            data_open: timeout("--passive-timeout", &self.passive_timeout, 30)?,
            data_stall: timeout("--data-timeout", &self.data_timeout, 300)?,
            never_connected_after: Timeouts::NEVER_CONNECTED_AFTER_DEFAULT,
        })
    }

    fn log_level(&self) -> Result<LevelFilter, FlagError> {
        match &self.log_level {
            Some(level) if self.debug => {
                let problem = "--debug is given as well; give only one of them";
                Err(FlagError::with_value("--log-level", level, problem).beside("--debug"))
            }
            None if self.debug => Ok(LevelFilter::Debug),
            level => one("--log-level", level, LevelFilter::Info, values::log_level),
        }
    }
}

/// A value, or an error that names its flag.
fn checked<T>(
    flag: &str,
    text: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, FlagError> {
    parse(text).map_err(|problem| FlagError::with_value(flag, text, problem))
}

fn one<T>(
    flag: &str,
    text: &Option<String>,
    default: T,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, FlagError> {
    text.as_deref()
        .map_or(Ok(default), |text| checked(flag, text, parse))
}

/// The entries of all repeats, in order, each with the index of its repeat.
fn entries(repeats: &[String]) -> impl Iterator<Item = (usize, &str)> {
    let split = |(repeat, text)| str::split(text, ',').map(move |entry| (repeat, entry));
    repeats
        .iter()
        .map(String::as_str)
        .enumerate()
        .flat_map(split)
}

fn list<T>(
    flag: &'static str,
    repeats: &[String],
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<Entry<T>>, FlagError> {
    let parse = |entry: &str| match entry {
        "" => Err("an entry beside a comma is empty; leave the comma out".to_owned()),
        _ => parse(entry),
    };
    entries(repeats)
        .map(|(repeat, text)| {
            let value = checked(flag, text, parse).map_err(|error| error.in_repeat(repeat))?;
            Ok(Entry {
                repeat,
                text: text.to_owned(),
                value,
            })
        })
        .collect()
}

/// The pairs themselves, once it is sure that no key has two meanings.
fn distinct<K: PartialEq + ToString, V>(
    flag: &str,
    entries: Vec<Entry<(K, V)>>,
) -> Result<Vec<(K, V)>, FlagError> {
    let mut pairs: Vec<(K, V)> = Vec::new();
    for Entry {
        repeat,
        text,
        value: (key, value),
    } in entries
    {
        if pairs.iter().any(|(earlier, _)| *earlier == key) {
            let problem = format!("{} is given twice; give it once", key.to_string());
            return Err(FlagError::with_value(flag, text, problem).in_repeat(repeat));
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// The directory as an absolute path, if it can be listed.
fn share(directory: OsString) -> Result<PathBuf, FlagError> {
    let refuse = |problem: String| FlagError::with_value("--directory", &directory, problem);
    let metadata = fs::metadata(&directory)
        .map_err(|error| refuse(format!("{}; give an existing directory", reason(&error))))?;
    if !metadata.is_dir() {
        return Err(refuse(
            "not a directory; give the directory that holds it".to_owned(),
        ));
    }
    fs::read_dir(&directory).map_err(|error| {
        let problem = reason(&error);
        refuse(format!(
            "cannot be listed: {problem}; give a directory that this user may read"
        ))
    })?;
    path::absolute(&directory)
        .map_err(|error| refuse(format!("has no absolute path: {}", reason(&error))))
}

/// The file's only line. Reading stops soon, lest somebody names a device that never ends.
fn read_password(file: &Path) -> io::Result<Vec<u8>> {
    let mut password = Vec::new();
    let enough = values::PASSWORD_BYTES_MAX + b"\r\n".len() + 1;
    File::open(file)?
        .take(enough as u64)
        .read_to_end(&mut password)?;
    if password.ends_with(b"\n") {
        password.pop();
        if password.ends_with(b"\r") {
            password.pop();
        }
    }
    Ok(password)
}

pub(super) const PASSWORD_VARIABLE: &str = "FTP_PASSWORD";
const LOGIN_DELAY: Duration = Duration::from_secs(3);
const MASQUERADE_REFRESH: Duration = Duration::from_secs(60);
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
/// Far more threads than any machine runs.
const CONNECTIONS_MAX: u32 = 1_000_000;
const LOGIN_ATTEMPTS_MAX: u32 = 1000;
