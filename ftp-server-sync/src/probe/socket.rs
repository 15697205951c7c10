//! Blocking sockets, on which each read and each write ends in time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::seen::Failure;
use crate::settings::file::reason;

/// A TCP connection with a deadline, after which reading and writing fail.
#[derive(Debug)]
pub(super) struct TimedSocket {
    socket: TcpStream,
    deadline: Instant,
}

/// Connects, within the time limit for one connection and before `end`.
pub(super) fn connect(address: SocketAddr, end: Instant) -> Result<TimedSocket, Failure> {
    let left = end.saturating_duration_since(Instant::now());
    let limit = left.min(CONNECT_MAX);
    if limit.is_zero() {
        return Err(Failure::NoAnswer(0));
    }
    let socket =
        TcpStream::connect_timeout(&address, limit).map_err(|error| match error.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Failure::NoAnswer(limit.as_secs()),
            ErrorKind::ConnectionRefused => Failure::Refused,
            _ => Failure::Unreachable(reason(&error)),
        })?;
    Ok(TimedSocket {
        socket,
        deadline: Instant::now() + limit,
    })
}

impl TimedSocket {
    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(left)
    }
}

impl Read for TimedSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.left()?))?;
        self.socket.read(buffer).map_err(timed_out)
    }
}

impl Write for TimedSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.left()?))?;
        self.socket.write(bytes).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What went wrong on an open connection, for people. `seconds` is the limit that applied.
pub(super) fn problem(error: &io::Error, seconds: u64) -> String {
    match error.kind() {
        ErrorKind::TimedOut => format!("nothing came within {seconds} s"),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            "the connection was reset, by the server or by a firewall on the way".to_owned()
        }
        ErrorKind::UnexpectedEof => "the other side closed the connection".to_owned(),
        _ => reason(error),
    }
}

/// A socket's time limit shows as `WouldBlock`.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    }
}

/// More than two lost SYNs take, and longer than our server waits until it reports a client that
/// did not connect.
const CONNECT_MAX: Duration = Duration::from_secs(6);
