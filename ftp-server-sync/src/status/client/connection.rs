//! A connection to a status socket: one line there, one line back.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::find::{connect, find, is_timeout, reason, shown};
use super::reply::{Answer, parse};
use super::request::SocketSearch;

/// A server, and the connection to it while there is one.
#[derive(Debug)]
pub(super) struct StatusConnection {
    path: PathBuf,
    stream: Option<UnixStream>,
    time_max: Duration,
}

impl StatusConnection {
    pub(super) fn open(place: &SocketSearch) -> Result<Self, String> {
        let (path, stream) = match place {
            SocketSearch::File { path, .. } => (path.clone(), None),
            SocketSearch::Directories { directories, port } => {
                let (path, stream) = find(directories, *port, TIME_MAX)?;
                (path, Some(stream))
            }
        };
        Ok(Self {
            path,
            stream,
            time_max: TIME_MAX,
        })
    }

    /// Sends a command and returns the answer. After an error, the next call connects again.
    pub(super) fn ask(&mut self, command: &str) -> Result<Answer, String> {
        let line = self.exchange(command);
        let answer = line.and_then(|line| parse(&line));
        answer.map_err(|problem| {
            self.stream = None;
            format!("{}: {problem}", shown(&self.path))
        })
    }

    /// How long an answer may take from now on.
    pub(super) fn limit_time(&mut self, time_max: Duration) {
        self.time_max = time_max;
    }

    /// What to say of an answer to another question.
    pub(super) fn unexpected(&self) -> String {
        let problem = "the answer is none to this command; is that another program's socket?";
        format!("{}: {problem}", shown(&self.path))
    }

    /// What to say of a server with these control ports, where the user has named another one.
    pub(super) fn other_port(&self, ports: &[u16], port: u16) -> String {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        let place = match &ports[..] {
            [] => "ends, and listens on no port".to_owned(),
            ports => format!("listens on port {}, not on {port}", ports.join(" and ")),
        };
        format!(
            "{}: the server there {place}; name the socket of the other one, or leave --port out",
            shown(&self.path)
        )
    }

    fn exchange(&mut self, command: &str) -> Result<Vec<u8>, String> {
        let time_max = self.time_max;
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let stream = connect(&self.path, time_max).map_err(|error| reason(&error))?;
                self.stream.insert(stream)
            }
        };
        let sent = stream
            .set_write_timeout(Some(time_max))
            .and_then(|()| stream.write_all(format!("{command}\n").as_bytes()));
        // A server that refuses this user answers before it has read anything.
        let answer = read_line(stream, Instant::now() + time_max);
        match (sent, answer) {
            (_, Ok(line)) => Ok(line),
            // The first of two errors is only that of a connection that is closed already.
            (Err(error), _) if is_timeout(&error) => Err(reason(&error)),
            (_, Err(error)) => Err(reason(&error)),
        }
    }
}

/// The next line, without its end.
fn read_line(stream: &mut UnixStream, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut bytes = vec![0; PIECE_BYTES];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let count = match stream.read(&mut bytes) {
            Ok(0) => {
                let problem = "the server has closed the connection without an answer";
                return Err(io::Error::other(problem));
            }
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        line.extend_from_slice(&bytes[..count]);
        // A command has one line as its answer: nothing follows.
        if line.last() == Some(&b'\n') {
            line.pop();
            return Ok(line);
        }
        if line.len() > LINE_BYTES_MAX {
            return Err(io::Error::other("the answer is too long"));
        }
    }
}

/// A server answers at once, but its machine may be busy.
const TIME_MAX: Duration = Duration::from_secs(10);
/// Some ten thousand sessions with long paths.
const LINE_BYTES_MAX: usize = 64 << 20;
const PIECE_BYTES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use socket2::{Domain, SockAddr, Socket, Type};

    use super::*;
    use crate::status::client::find::SILENT;

    fn at(path: PathBuf) -> StatusConnection {
        StatusConnection::open(&SocketSearch::File { path, port: None }).unwrap()
    }

    /// A server that sends this to each client, whatever it asks for, and a client of it.
    fn client_of(answers: &'static [&'static [u8]]) -> (StatusConnection, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut command = [0; 100];
                let _ = stream.read(&mut command);
                for byte in *answer {
                    let _ = stream.write_all(&[*byte]);
                }
                if !answer.ends_with(b"\n") && !answer.is_empty() {
                    // It waits for the end of its client.
                    let _ = stream.read(&mut command);
                }
            }
        });
        let mut client = at(path);
        client.time_max = Duration::from_millis(200);
        (client, directory)
    }

    #[test]
    fn a_server_that_ends_is_connected_to_again() {
        let done: &[u8] = b"{\"protocol\":1,\"done\":\"#17 ends\"}\n";
        let (mut client, _directory) = client_of(Box::leak(Box::new([done, b"", done])));
        let done = || Ok(Answer::Done("#17 ends".to_owned()));
        assert_eq!(client.ask("kick 17"), done());
        let error = client.ask("kick 17").unwrap_err();
        assert!(
            error.contains("closed the connection") || error.contains("roken pipe"),
            "{error}"
        );
        // This is the client whose command gets no answer.
        assert!(client.ask("kick 17").is_err());
        assert_eq!(client.ask("kick 17"), done());
    }

    /// A server that is stopped accepts no one, and others may have asked it before.
    #[test]
    fn a_server_whose_queue_is_full_is_not_waited_for_without_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("status-21.socket");
        let address = SockAddr::unix(&path).unwrap();
        let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        listener.bind(&address).unwrap();
        listener.listen(0).unwrap();
        let before = || {
            let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None).unwrap();
            socket.connect(&address).map(|()| socket)
        };
        let waiting: Vec<Socket> = std::iter::from_fn(|| before().ok()).take(100).collect();
        assert!(waiting.len() < 100, "the queue has no end");
        let mut client = at(path.clone());
        client.time_max = Duration::from_millis(200);
        let error = client.ask("who").unwrap_err();
        assert_eq!(error, format!("{}: {SILENT}", path.display()));
    }

    #[test]
    fn no_server_and_silent_servers_are_named() {
        let path = PathBuf::from("/nonexistent/status socket");
        let mut client = at(path);
        assert_eq!(
            client.ask("who").unwrap_err(),
            "\"/nonexistent/status socket\": there is no such socket; is the server running, with \
             this --status-socket?"
        );
        let (mut client, directory) = client_of(&[b"{\"protocol\""]);
        let path = directory.path().join("socket");
        let expected = format!("{}: {SILENT}", path.display());
        assert_eq!(client.ask("who").unwrap_err(), expected);
    }
}
