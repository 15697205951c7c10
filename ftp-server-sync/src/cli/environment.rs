//! The environment: flags as variables `FTP_SERVER_SYNC_…`, the password, and where state is
//! stored.
//!
//! `--passive-ports` is `FTP_SERVER_SYNC_PASSIVE_PORTS`. A switch has the value `yes` or `no`, a
//! flag that may be repeated has a list with commas (paths: colons) between the entries, and an
//! empty value counts as not set. Variables are read once, at start.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::error::{self, FlagError};
use super::flags::{self, Flag};
use super::given::{self, GivenFlags};
use crate::accounts::similar::suggest;
use crate::net::order;

/// The variables that matter, as they were at start.
#[derive(Clone)]
pub(super) struct Environment {
    flags: Vec<(Flag, OsString)>,
    /// The password if no flag gives one.
    pub(super) password: Option<OsString>,
    pub(super) state_directory: PathBuf,
    /// The same for a server that becomes another user: that one has no right to root's home.
    pub(super) system_state_directory: PathBuf,
    /// Where systemd lets the service have sockets.
    pub(super) runtime_directory: Option<PathBuf>,
    /// The time zone of this process, if it is not that of the machine.
    pub(super) time_zone: Option<OsString>,
}

impl Environment {
    /// Looks the variables up. Nothing is checked yet.
    pub(super) fn read(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let given = |flag: Flag| {
            let name = variable_name(&flag);
            // `NAME=` is how users of Docker Compose remove a variable.
            let is_set = |value: &OsString| !value.is_empty() && !is_of_kubernetes(&name, value);
            variable(&name).filter(is_set).map(|value| (flag, value))
        };
        let flags = flags::table().into_iter();
        Self {
            flags: flags
                .filter(|flag| !flag.is_for_command_line_only())
                .filter_map(given)
                .collect(),
            password: variable(PASSWORD).filter(|password| !password.is_empty()),
            time_zone: variable("TZ"),
            system_state_directory: state_directory(|name| {
                let is_of_system = name == SYSTEMD_STATE;
                variable(name).filter(|_| is_of_system)
            }),
            runtime_directory: first_directory(&variable, SYSTEMD_RUNTIME),
            state_directory: state_directory(variable),
        }
    }

    /// Where the server stores what it makes; `becomes_user`: it gives up the rights of root.
    pub(super) fn state_directory(&self, becomes_user: bool) -> PathBuf {
        if becomes_user {
            self.system_state_directory.clone()
        } else {
            self.state_directory.clone()
        }
    }

    /// Where the server makes its status socket.
    pub(super) fn socket_directory(&self, becomes_user: bool) -> PathBuf {
        let runtime = self.runtime_directory.clone();
        runtime.unwrap_or_else(|| self.state_directory(becomes_user))
    }

    /// The variables as flags, and the switches that they switch off in weaker sources.
    pub(super) fn flags(&self) -> Result<(GivenFlags, Vec<Flag>), FlagError> {
        self.flags_that(|_| true)
    }

    /// Only those of these names; what is wrong with others does not matter.
    pub(super) fn some_flags(&self, long_names: &[&str]) -> Result<GivenFlags, FlagError> {
        let (given, _) = self.flags_that(|flag| long_names.contains(&flag.long))?;
        Ok(given)
    }

    fn flags_that(
        &self,
        is_wanted: impl Fn(&Flag) -> bool,
    ) -> Result<(GivenFlags, Vec<Flag>), FlagError> {
        let (mut given, mut off) = (GivenFlags::default(), Vec::new());
        for (flag, value) in self.flags.iter().filter(|(flag, _)| is_wanted(flag)) {
            let place = || Some(variable_name(flag));
            let separator = if flag.is_path() { b':' } else { b',' };
            match (flag.placeholder, value.to_str()) {
                (None, Some("yes")) => given.add(*flag, None, place())?,
                (None, Some("no")) => off.push(*flag),
                (None, _) => {
                    let error = FlagError::with_value(flag.long, value, error::YES_OR_NO);
                    return Err(error.at(place()));
                }
                // A variable cannot be repeated.
                (Some(_), _) if flag.repeatable => {
                    for entry in given::split(value, separator) {
                        given.add(*flag, Some(entry), place())?;
                    }
                }
                (Some(_), _) => given.add(*flag, Some(value.clone()), place())?,
            }
        }
        Ok((given, off))
    }
}

/// Notes about variables that look like flags and are ignored, from the names and values of all
/// variables.
pub fn environment_notes(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<String> {
    let table = flags::table();
    let (mut of_kubernetes, mut notes) = (Vec::new(), Vec::new());
    for (name, value) in variables {
        match name.to_str().filter(|name| name.starts_with(PREFIX)) {
            Some(name) if is_of_kubernetes(name, &value) => of_kubernetes.push(name.to_owned()),
            Some(name) => notes.extend(note(&table, name)),
            None => {}
        }
    }
    order::sort(&mut notes);
    order::sort(&mut of_kubernetes);
    if !of_kubernetes.is_empty() {
        let names = of_kubernetes.join(", ");
        notes.push(format!(
            "Kubernetes sets these for a service, so they are ignored: {names}"
        ));
    }
    notes
}

/// A note unless the variable is a flag.
fn note(table: &[Flag], name: &str) -> Option<String> {
    let problem = match table.iter().find(|flag| variable_name(flag) == name) {
        Some(flag) if flag.is_for_command_line_only() => {
            format!("{} works only on the command line", flag.long)
        }
        Some(_) => return None,
        None => {
            let allowed = table.iter().filter(|flag| !flag.is_for_command_line_only());
            let names: Vec<&str> = allowed.map(Flag::name).collect();
            let similar = suggest(&name[PREFIX.len()..], &names);
            error::unknown("name", similar.map(variable))
        }
    };
    Some(format!(
        "{} is ignored: {problem}",
        error::shown(name.as_ref())
    ))
}

/// `FTP_SERVER_SYNC_PASSIVE_PORTS` for `--passive-ports`.
pub(super) fn variable_name(flag: &Flag) -> String {
    variable(flag.name())
}

fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_ascii_uppercase().replace('-', "_"))
}

/// Whether Kubernetes has set this variable, as it does in each container for each service.
fn is_of_kubernetes(name: &str, value: &OsStr) -> bool {
    let is_link = ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.as_bytes().starts_with(scheme.as_bytes()));
    let is_part = |part: &&str| name.contains(part);
    (is_link && name.contains("_PORT"))
        || ["_SERVICE_HOST", "_SERVICE_PORT", "_TCP_", "_UDP_", "_SCTP_"]
            .iter()
            .any(is_part)
}

/// Where the server stores what it makes: as systemd says, or by the XDG base directories.
fn state_directory(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let directory = |name| absolute(&variable(name)?);
    let own = |parent: PathBuf| parent.join("ftp-server-sync");
    first_directory(&variable, SYSTEMD_STATE)
        .or_else(|| directory("XDG_STATE_HOME").map(own))
        .or_else(|| Some(own(directory("HOME")?.join(".local/state"))))
        .unwrap_or_else(|| own(Path::new("/var/lib").to_owned()))
}

/// The first directory in a variable of systemd, which may name several, with colons between them.
fn first_directory(
    variable: &impl Fn(&str) -> Option<OsString>,
    name: &'static str,
) -> Option<PathBuf> {
    let all = variable(name)?;
    let first = all.as_bytes().split(|&byte| byte == b':').next();
    absolute(OsStr::from_bytes(first.unwrap_or_default()))
}

fn absolute(path: &OsStr) -> Option<PathBuf> {
    Some(PathBuf::from(path)).filter(|path| path.is_absolute())
}

pub(super) const PASSWORD: &str = "FTP_PASSWORD";
/// The variable of `--password`.
pub(super) const PASSWORD_FLAG: &str = "FTP_SERVER_SYNC_PASSWORD";
pub(super) const PREFIX: &str = "FTP_SERVER_SYNC_";
const SYSTEMD_STATE: &str = "STATE_DIRECTORY";
const SYSTEMD_RUNTIME: &str = "RUNTIME_DIRECTORY";

#[cfg(test)]
mod tests;
