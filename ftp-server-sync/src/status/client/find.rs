//! Where the status socket of the only server is, if no flag names it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ftp_proto::text::printable_word;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::logging::system_text::SystemText;
use crate::net::order;

/// What was found in the directories.
#[derive(Default)]
struct Search {
    answering: Vec<(PathBuf, UnixStream)>,
    /// Sockets and directories that this user may not use.
    denied: Vec<PathBuf>,
    /// Sockets of servers that accept no one.
    silent: Vec<PathBuf>,
}

/// Connects to the only server whose socket is in these directories. Each may take so long.
///
/// # Errors
///
/// Where there is none, or are several: what to do then.
pub(super) fn find(
    directories: &[PathBuf],
    port: Option<u16>,
    time_max: Duration,
) -> Result<(PathBuf, UnixStream), String> {
    let directories = distinct(directories);
    let mut search = Search::of(&directories, port, time_max);
    match (search.answering.len(), search.silent.len()) {
        (1, 0) => Ok(search.answering.remove(0)),
        (0, 0 | 1) => {
            // The port may be that of a configuration file, which several servers share.
            let others = port.map(|_| Search::of(&directories, None, time_max / 10));
            Err(search.nothing(&directories, port, &others.unwrap_or_default()))
        }
        _ => Err(search.several()),
    }
}

/// What is there under two names is looked at once.
fn distinct(directories: &[PathBuf]) -> Vec<PathBuf> {
    let mut known = BTreeSet::new();
    let is_new = |directory: &&PathBuf| {
        let place = fs::canonicalize(directory).unwrap_or_else(|_| (*directory).clone());
        known.insert(place)
    };
    directories.iter().filter(is_new).cloned().collect()
}

impl Search {
    fn of(directories: &[PathBuf], port: Option<u16>, time_max: Duration) -> Self {
        let mut search = Self::default();
        for directory in directories {
            search.look_into(directory, port, time_max);
        }
        search
    }

    fn look_into(&mut self, directory: &Path, port: Option<u16>, time_max: Duration) {
        let sockets = match port {
            Some(port) => vec![directory.join(format!("{PREFIX}{port}{SUFFIX}"))],
            None => match sockets(directory) {
                Ok(sockets) => sockets,
                Err(error) => {
                    if error.kind() == ErrorKind::PermissionDenied {
                        self.denied.push(directory.to_owned());
                    }
                    return;
                }
            },
        };
        for socket in sockets {
            match connect(&socket, time_max) {
                Ok(stream) => self.answering.push((socket, stream)),
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    self.denied.push(socket);
                }
                Err(error) if is_timeout(&error) => self.silent.push(socket),
                // A server that was killed leaves its socket behind.
                Err(_) => {}
            }
        }
    }

    fn nothing(&self, directories: &[PathBuf], port: Option<u16>, others: &Self) -> String {
        let port = port.map_or("PORT".to_owned(), |port| port.to_string());
        let mut text = format!(
            "no server answers at {PREFIX}{port}{SUFFIX} in {}",
            list(directories)
        );
        if !self.denied.is_empty() {
            let denied = list(&self.denied);
            text.push_str(&format!("; {denied}: {DENIED}"));
        }
        if !self.silent.is_empty() {
            let silent = list(&self.silent);
            text.push_str(&format!("; {silent}: {SILENT}"));
        }
        let others = others.answering.iter().map(|(path, _)| path);
        let others: BTreeSet<_> = others.filter_map(|path| port_of(path)).collect();
        if !others.is_empty() {
            let others: Vec<&str> = others.into_iter().collect();
            let others = others.join(", or --port ");
            text.push_str(&format!("; a server answers with --port {others}"));
        }
        text.push_str("; --status-socket PATH names the socket of a server that has it elsewhere");
        text
    }

    fn several(&self) -> String {
        let answering = self.answering.iter().map(|(path, _)| path);
        let paths: Vec<PathBuf> = answering.chain(&self.silent).cloned().collect();
        let ports: Vec<Option<&str>> = paths.iter().map(|path| port_of(path)).collect();
        let distinct: BTreeSet<_> = ports.iter().flatten().collect();
        let choice = match ports[0] {
            Some(port) if distinct.len() == paths.len() => format!("--port {port}"),
            _ => format!("--status-socket {}", shown(&paths[0])),
        };
        format!(
            "several servers run: {}; choose one, such as {choice}",
            list(&paths)
        )
    }
}

/// The control port of the server whose socket has this name.
fn port_of(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    let port = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let number = port.parse().ok().filter(|&number: &u16| number > 0)?;
    (number.to_string() == port).then_some(port)
}

/// The sockets of servers in a directory, in the order of their names.
fn sockets(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut sockets = Vec::new();
    for entry in fs::read_dir(directory)?.take(ENTRIES_MAX) {
        let name = entry?.file_name();
        let name = name.as_bytes();
        if name.starts_with(PREFIX.as_bytes()) && name.ends_with(SUFFIX.as_bytes()) {
            sockets.push(directory.join(std::ffi::OsStr::from_bytes(name)));
        }
    }
    order::sort(&mut sockets);
    Ok(sockets)
}

/// A connection to the server at this path. A server that is stopped accepts no one, and when
/// enough others wait for it, a connection would wait without end.
pub(super) fn connect(path: &Path, time_max: Duration) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_write_timeout(Some(time_max))?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(UnixStream::from(OwnedFd::from(socket)))
}

pub(super) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

/// What an error of a connection means, and what to do.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => {
            "there is no such socket; is the server running, with this --status-socket?".to_owned()
        }
        ErrorKind::ConnectionRefused => {
            "no server listens there; it has ended, and left the file behind".to_owned()
        }
        ErrorKind::PermissionDenied => DENIED.to_owned(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => SILENT.to_owned(),
        _ => SystemText(error).to_string(),
    }
}

/// Paths as a text.
fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| shown(path)).collect();
    paths.join(", ")
}

pub(super) fn shown(path: &Path) -> String {
    printable_word(path.as_os_str().as_bytes())
}

const DENIED: &str = "permission denied, run this as the server's user or as root";
pub(super) const SILENT: &str = "the server does not answer in time; is it stopped, or overloaded?";
const PREFIX: &str = "status-";
const SUFFIX: &str = ".socket";
/// More than these directories ever have.
const ENTRIES_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn the_only_server_that_answers_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        let directories = [directory.path().to_owned(), place("."), place("absent")];
        let error = find(&directories, None, MOMENT).unwrap_err();
        assert_eq!(
            error,
            format!(
                "no server answers at status-PORT.socket in {0}, {0}/absent; \
                 --status-socket PATH names the socket of a server that has it elsewhere",
                directory.path().display()
            )
        );
        drop(UnixListener::bind(place("status-1.socket")).unwrap());
        let _other = UnixListener::bind(place("other.socket")).unwrap();
        assert!(find(&directories, None, MOMENT).is_err());
        let _first = UnixListener::bind(place("status-21.socket")).unwrap();
        let found = find(&directories, None, MOMENT).unwrap().0;
        assert_eq!(found, place("status-21.socket"));
        let _second = UnixListener::bind(place("status-2121.socket")).unwrap();
        let error = find(&directories, None, MOMENT).unwrap_err();
        let path = directory.path().display();
        assert_eq!(
            error,
            format!(
                "several servers run: {path}/status-21.socket, {path}/status-2121.socket; \
                 choose one, such as --port 21"
            )
        );
        let found = find(&directories, Some(2121), MOMENT).unwrap().0;
        assert_eq!(found, place("status-2121.socket"));
        let error = find(&directories, Some(22), MOMENT).unwrap_err();
        assert!(error.starts_with("no server answers at status-22.socket in "));
        assert!(
            error.contains("; a server answers with --port 21, or --port 2121; "),
            "{error}"
        );
    }

    /// Of two users, or with a name that is not the server's own.
    #[test]
    fn a_port_that_is_not_enough_is_not_named() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let directories = [one.path().to_owned(), two.path().to_owned()];
        let bind = |directory: &Path, name: &str| UnixListener::bind(directory.join(name)).unwrap();
        let _first = bind(one.path(), "status-21.socket");
        let second = bind(two.path(), "status-21.socket");
        let cure = format!(
            "; choose one, such as --status-socket {}/status-21.socket",
            one.path().display()
        );
        for port in [None, Some(21)] {
            let error = find(&directories, port, MOMENT).unwrap_err();
            assert!(error.ends_with(&cure), "{error}");
        }
        drop(second);
        let _third = bind(one.path(), "status-x.socket");
        fs::remove_file(two.path().join("status-21.socket")).unwrap();
        let error = find(&directories, None, MOMENT).unwrap_err();
        assert!(error.ends_with(&cure), "{error}");
    }

    /// Its connections wait in a queue, which may be full. Perhaps it is the wanted one.
    #[test]
    fn a_server_that_accepts_no_one_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        let directories = [directory.path().to_owned()];
        let stopped = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        let address = SockAddr::unix(place("status-21.socket")).unwrap();
        stopped.bind(&address).unwrap();
        stopped.listen(0).unwrap();
        let _waiting = UnixStream::connect(place("status-21.socket")).unwrap();
        let error = find(&directories, None, MOMENT).unwrap_err();
        assert!(
            error.contains(&format!("/status-21.socket: {SILENT}")),
            "{error}"
        );
        let _second = UnixListener::bind(place("status-2121.socket")).unwrap();
        let error = find(&directories, None, MOMENT).unwrap_err();
        assert!(error.starts_with("several servers run: "), "{error}");
        assert_eq!(error.matches("status-21.socket").count(), 1, "{error}");
        assert!(find(&directories, Some(2121), MOMENT).is_ok());
    }

    const MOMENT: Duration = Duration::from_millis(200);

    #[test]
    fn reasons_name_the_cure() {
        let reason = |kind: ErrorKind| reason(&io::Error::from(kind));
        assert!(reason(ErrorKind::PermissionDenied).ends_with("or as root"));
        assert!(reason(ErrorKind::NotFound).contains("is the server running"));
    }
}
