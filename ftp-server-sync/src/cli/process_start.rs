//! What the process was started with, when no one else sees the passwords in it any more.
//!
//! The arguments of a process are public on its machine, and its environment is for all processes
//! of its user. So a process that gets a password there executes itself once more without it. The
//! same gives it the variables that its allocator reads at start.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::mem;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use zeroize::Zeroizing;

use super::environment::{PASSWORD, PASSWORD_FLAG};
use super::memory_variables::memory_variables;
use super::reexec::{NewImage, execute_again, handed_over};
use super::{CommandLine, flags, hidden_arguments};
use crate::net::inetd;
use crate::net::passed_sockets::PassedSockets;
use crate::settings::{Settings, SocketSource};

/// The arguments and variables of this process.
pub struct ProcessStart {
    arguments: Vec<OsString>,
    /// The variables that the process had, and has no longer.
    removed: Vec<(String, OsString)>,
    warning: Option<String>,
    /// Those of a service manager.
    sockets: PassedSockets,
}

impl ProcessStart {
    /// Reads the arguments of this process. If there is a password among them, or in a variable,
    /// the process executes itself once more, without a place where others can see it, and
    /// this call returns there. To be called first of all, in a process of one thread.
    ///
    /// # Errors
    ///
    /// If what was executed again cannot read its arguments, or sockets were passed that it cannot
    /// use: a text with the remedy.
    pub fn read() -> Result<Self, String> {
        inetd::keep_stderr_out();
        let mut start = match handed_over() {
            Ok(None) => Self::hide(env::args_os().skip(1).collect()),
            Ok(Some(text)) => Self::decode(&text).ok_or_else(|| broken(&"it is not complete"))?,
            Err(error) => return Err(broken(&error)),
        };
        // Not before the process has executed itself: that takes the variables away.
        let problem = PassedSockets::passed_to_parent();
        start.warning = start.warning.or(problem);
        start.sockets = PassedSockets::from_environment()?;
        Ok(start)
    }

    /// The sockets for a server with these settings, which can be taken once.
    ///
    /// # Errors
    ///
    /// If inetd should have passed one and has not: a text with the remedy.
    pub fn take_sockets(&mut self, settings: &Settings) -> Result<PassedSockets, String> {
        match settings.socket_source {
            SocketSource::Inetd => PassedSockets::from_inetd(),
            _ => Ok(mem::take(&mut self.sockets)),
        }
    }

    /// The command line.
    pub fn command_line(&self) -> CommandLine {
        let removed = |name: &str| {
            let found = self.removed.iter().find(|(other, _)| other == name);
            found.map(|(_, value)| value.clone())
        };
        let variable = |name: &str| removed(name).or_else(|| env::var_os(name));
        CommandLine::new(self.arguments.iter().cloned(), variable).with_sockets(&self.sockets)
    }

    /// For the log: that others can see a password, or that passed sockets are not used.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Executes the program once more if there is something to hide, or to say to the allocator.
    fn hide(arguments: Vec<OsString>) -> Self {
        let shown = hidden_arguments::hide(&flags::table(), &arguments);
        let variables = [PASSWORD, PASSWORD_FLAG];
        let removed = variables.into_iter().filter_map(|name| {
            let value = env::var_os(name)?;
            Some((name.to_owned(), value))
        });
        let mut start = Self {
            arguments,
            removed: removed.collect(),
            warning: None,
            sockets: PassedSockets::default(),
        };
        let hides = shown.is_some() || !start.removed.is_empty();
        let added = memory_variables(|name| env::var_os(name));
        if hides || !added.is_empty() {
            let error = execute_again(&NewImage {
                arguments: shown.as_deref().unwrap_or(&start.arguments),
                removed: &variables,
                added: &added,
                text: &start.encode(),
            });
            // Without its variables the server only takes more memory.
            start.warning = hides.then(|| {
                format!(
                    "other users of this machine can see the password in the list of its \
                     processes, as it cannot be hidden: {error}; give --password-file"
                )
            });
        }
        start
    }

    /// The number of arguments, the arguments, and the variables, each with a NUL at its end.
    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut text = Zeroizing::new(self.arguments.len().to_string().into_bytes());
        text.push(0);
        for argument in &self.arguments {
            text.extend_from_slice(argument.as_bytes());
            text.push(0);
        }
        for (name, value) in &self.removed {
            text.extend_from_slice(name.as_bytes());
            text.push(b'=');
            text.extend_from_slice(value.as_bytes());
            text.push(0);
        }
        text
    }

    fn decode(text: &[u8]) -> Option<Self> {
        let mut items = text.strip_suffix(b"\0")?.split(|&byte| byte == 0);
        let count: usize = str::from_utf8(items.next()?).ok()?.parse().ok()?;
        let mut arguments = Vec::new();
        for _ in 0..count {
            arguments.push(OsStr::from_bytes(items.next()?).to_owned());
        }
        let variable = |item: &[u8]| {
            let split = item.iter().position(|&byte| byte == b'=')?;
            let name = str::from_utf8(&item[..split]).ok()?;
            Some((
                name.to_owned(),
                OsString::from_vec(item[split + 1..].to_vec()),
            ))
        };
        Some(Self {
            arguments,
            removed: items.map(variable).collect::<Option<_>>()?,
            warning: None,
            sockets: PassedSockets::default(),
        })
    }
}

/// The arguments may have a password.
impl fmt::Debug for ProcessStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProcessStart(not shown)")
    }
}

fn broken(error: &dyn fmt::Display) -> String {
    format!(
        "the command line with the password cannot be read: {error}; give --password-file instead"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_the_same_after_it_was_handed_over() {
        let bytes = |text: &[u8]| OsString::from_vec(text.to_vec());
        for (arguments, removed) in [
            (vec![], vec![]),
            (vec!["", "-P", "a=b\n", "\u{e4}"], vec![]),
            (
                vec!["-w"],
                vec![("FTP_PASSWORD", &b"x=\xff"[..]), ("B", b"")],
            ),
        ] {
            let removed = removed.into_iter();
            let start = ProcessStart {
                arguments: arguments.into_iter().map(OsString::from).collect(),
                removed: removed
                    .map(|(name, value)| (name.to_owned(), bytes(value)))
                    .collect(),
                warning: None,
                sockets: PassedSockets::default(),
            };
            let found = ProcessStart::decode(&start.encode()).expect("a start");
            assert_eq!(found.arguments, start.arguments);
            assert_eq!(found.removed, start.removed);
        }
    }

    #[test]
    fn a_part_is_no_start() {
        let start = ProcessStart {
            arguments: vec!["-P".into(), "secret".into()],
            removed: Vec::new(),
            warning: None,
            sockets: PassedSockets::default(),
        };
        let text = start.encode();
        for end in 0..text.len() {
            assert!(ProcessStart::decode(&text[..end]).is_none(), "{end}");
        }
    }
}
