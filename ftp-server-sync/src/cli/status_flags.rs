//! The flags of `--who`, `--kick`, `--stop`, `--reload` and `--drain`, which ask a server that
//! runs.
//!
//! Of the environment and the configuration file, only what says where that server is counts: this
//! user may be another one than the server's, without the right to read its other files.

use std::path::PathBuf;

use super::config_file;
use super::environment::Environment;
use super::error::{self, FlagError};
use super::flags::{Flag, Flags};
use super::given::{Given, GivenFlags};
use crate::status::{ClientRequest, ClientTask, SocketSearch};

/// The flag of these that asks a running server for something, if one is given.
pub(super) fn order_flag(given: &GivenFlags) -> Option<&Given> {
    ORDERS.iter().find_map(|flag| given.find(flag))
}

/// What the flags of the command line ask for. One of [`ORDERS`] is among them.
pub(super) fn request(
    table: &[Flag],
    given: GivenFlags,
    environment: &Environment,
) -> Result<ClientRequest, FlagError> {
    let mut orders = ORDERS.iter().filter_map(|flag| given.find(flag));
    let first = orders.next().map_or("", |first| first.flag.long);
    if let Some(second) = orders.next() {
        return Err(second.refuse(error::conflict(first)));
    }
    let allowed = [&PLACE[..], &[first], WHO_ONLY].concat();
    if let Some(other) = given.first_but(&allowed) {
        return Err(other.refuse(error::not_with_order(first)));
    }
    if first != "--who" {
        refuse_without_who(&given)?;
    }
    let names_port = given.find("--port").is_some();
    let given = with_place(table, given, environment)?;
    let flags = given.parse()?;
    let port = given.find("--port").map(|_| flags.port);
    if port == Some(0) {
        return Err(given.refuse("--port", "give the port that the server listens on"));
    }
    Ok(ClientRequest {
        task: task(&flags),
        socket: match flags.status_socket {
            Some(word) if word.as_os_str() == "off" => {
                let problem = "the server has no socket; give it one, or use signals";
                return Err(given.refuse("--status-socket", problem));
            }
            Some(path) => SocketSearch::File {
                path,
                port: port.filter(|_| names_port),
            },
            None => SocketSearch::Directories {
                directories: environment.status_directories(),
                port,
            },
        },
    })
}

/// Refuses what means something with `--who` only.
pub(super) fn refuse_without_who(given: &GivenFlags) -> Result<(), FlagError> {
    match WHO_ONLY.iter().find_map(|flag| given.find(flag)) {
        Some(flag) => Err(flag.refuse("there is nothing to show; add --who")),
        None => Ok(()),
    }
}

fn task(flags: &Flags) -> ClientTask {
    match flags.kick {
        Some(number) => ClientTask::Kick(number),
        None if flags.stop => ClientTask::Stop,
        None if flags.reload => ClientTask::Reload,
        None if flags.drain => ClientTask::Drain,
        None => ClientTask::Who {
            watch: flags.watch,
            json: flags.json,
        },
    }
}

/// With where the server is, from the environment and from a file.
fn with_place(
    table: &[Flag],
    given: GivenFlags,
    environment: &Environment,
) -> Result<GivenFlags, FlagError> {
    let mut given = given.over(environment.some_flags(&PLACE)?);
    if let Some(config) = given.find("--config")
        && given.find("--status-socket").is_none()
    {
        let mut file = config_file::read(table, config)?;
        file.keep(&PLACE);
        given = given.over(file);
    }
    Ok(given)
}

impl Environment {
    /// Where servers make their status sockets, the likeliest place first.
    fn status_directories(&self) -> Vec<PathBuf> {
        let mut directories: Vec<PathBuf> = self.runtime_directory.iter().cloned().collect();
        directories.push("/run/ftp-server-sync".into());
        directories.push(self.state_directory(false));
        directories.push("/var/lib/ftp-server-sync".into());
        directories
    }
}

/// Each of them asks for something else.
const ORDERS: [&str; 5] = ["--who", "--kick", "--stop", "--reload", "--drain"];
/// Where the server is.
const PLACE: [&str; 3] = ["--status-socket", "--config", "--port"];
/// How `--who` shows what it shows.
const WHO_ONLY: &[&str] = &["--watch", "--json"];

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;

    use super::*;
    use crate::cli::{CommandLine, Invocation};

    /// What `--who` and these flags ask for, where the variables have these values.
    fn asked(flags: &str, variables: &[(&str, &str)]) -> Result<ClientRequest, FlagError> {
        let arguments = flags.split_whitespace().map(OsString::from);
        let line = CommandLine::new(arguments, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.into())
        });
        match line.parse()? {
            Invocation::AskServer(request) => Ok(*request),
            other => panic!("{flags}: {other:?}"),
        }
    }

    #[track_caller]
    fn socket(flags: &str, variables: &[(&str, &str)]) -> SocketSearch {
        asked(&format!("--who {flags}"), variables).unwrap().socket
    }

    #[test]
    fn what_is_asked_for() {
        for (flags, task) in [
            ("--kick 17", ClientTask::Kick(17)),
            ("--kick #17 -p 21", ClientTask::Kick(17)),
            ("--stop", ClientTask::Stop),
            ("--reload", ClientTask::Reload),
            ("--drain", ClientTask::Drain),
            (
                "--json --who",
                ClientTask::Who {
                    watch: false,
                    json: true,
                },
            ),
            (
                "--who --watch",
                ClientTask::Who {
                    watch: true,
                    json: false,
                },
            ),
        ] {
            assert_eq!(asked(flags, &[]).unwrap().task, task, "{flags}");
        }
    }

    #[test]
    fn where_the_server_is() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("conf");
        let text = "port 2100\nusername bob\npassword-file /nonexistent\nstatus-socket /run/a\n";
        fs::write(&file, text).unwrap();
        let config = format!("--config {}", file.display());
        let path = |path: &str| SocketSearch::File {
            path: path.into(),
            port: None,
        };
        let variables = [
            ("FTP_SERVER_SYNC_STATUS_SOCKET", "/run/b"),
            ("FTP_SERVER_SYNC_TLS", "perhaps"),
        ];
        assert_eq!(socket(&config, &[]), path("/run/a"));
        assert_eq!(socket(&config, &variables), path("/run/b"));
        let flags = format!("{config} --status-socket /run/c");
        assert_eq!(socket(&flags, &variables), path("/run/c"));
        // The file may be that of several servers: only a flag names one of them.
        let named = SocketSearch::File {
            path: "/run/a".into(),
            port: Some(2121),
        };
        assert_eq!(socket(&format!("{config} -p 2121"), &[]), named);
        // A flag that says it makes the file void, which this user may not be able to read.
        let flags = "--config /nonexistent --status-socket /run/c";
        assert_eq!(socket(flags, &[]), path("/run/c"));
        assert!(asked("--who --config /nonexistent", &[]).is_err());
    }

    #[test]
    fn where_it_is_searched_for() {
        let search = |directories: &[&str], port| SocketSearch::Directories {
            directories: directories.iter().map(PathBuf::from).collect(),
            port,
        };
        let (run, state) = ("/run/ftp-server-sync", "/var/lib/ftp-server-sync");
        assert_eq!(socket("", &[]), search(&[run, state, state], None));
        let variables = [
            ("HOME", "/home/a"),
            ("RUNTIME_DIRECTORY", "/run/x:/run/y"),
            ("FTP_SERVER_SYNC_PORT", "21"),
        ];
        let home = "/home/a/.local/state/ftp-server-sync";
        let all = ["/run/x", run, home, state];
        assert_eq!(socket("", &variables), search(&all, Some(21)));
        assert_eq!(socket("-p 2121", &variables), search(&all, Some(2121)));
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("conf");
        fs::write(&file, "port 2100\n").unwrap();
        let config = format!("--config {}", file.display());
        assert_eq!(
            socket(&config, &[]),
            search(&[run, state, state], Some(2100))
        );
    }
}
