//! The connection that inetd has accepted. It is standard input, usually standard output too, and
//! often stderr: no line of the log may get into it.

use std::fs::File;
use std::io::{self, Write};
use std::net::TcpStream as StdTcpStream;
use std::os::fd::{AsFd, BorrowedFd};

use ftp_proto::Reply;
use mio::net::TcpStream;
use rustix::fs::fstat;
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout, stderr, stdin, stdout};
use socket2::{SockRef, Type};

/// Closes stderr if it is the connection of a client: what is printed there is lost. A log file
/// does not need it.
pub(crate) fn keep_stderr_out() {
    if is_internet_socket(stdin()) && is_same_file(stdin(), stderr()) {
        // If it fails, no other place is left to say so.
        let _ = null().and_then(|null| Ok(dup2_stderr(null)?));
    }
}

/// Takes the connection: from then on, neither standard input nor standard output is it, so that
/// its end is seen by the client.
///
/// # Errors
///
/// If standard input is no connection: a text with the remedy.
pub(super) fn take_connection() -> Result<TcpStream, String> {
    let input = stdin();
    let socket = SockRef::from(&input);
    let is_stream = is_internet_socket(input) && socket.r#type().ok() == Some(Type::STREAM);
    if is_stream && socket.is_listener().unwrap_or(false) {
        return Err(format!("--inetd: {LISTENS}"));
    }
    if !is_stream || socket.peer_addr().is_err() {
        return Err(format!("--inetd: {NO_CONNECTION}"));
    }
    take().map_err(|error| format!("--inetd: the connection cannot be used: {error}"))
}

fn take() -> io::Result<TcpStream> {
    let connection = StdTcpStream::from(stdin().try_clone_to_owned()?);
    connection.set_nonblocking(true)?;
    let null = null()?;
    if is_same_file(stdin(), stdout()) {
        dup2_stdout(&null)?;
    }
    dup2_stdin(&null)?;
    Ok(TcpStream::from_std(connection))
}

/// Sends a 421 to the client of inetd, if there is one: it cannot be served.
pub fn refuse_inetd_client() {
    if is_internet_socket(stdin())
        && let Ok(connection) = stdin().try_clone_to_owned()
    {
        refuse(StdTcpStream::from(connection));
    }
}

/// A client that starts with TLS cannot read the reply.
pub(crate) fn refuse(mut connection: impl Write) {
    let mut bytes = Vec::new();
    Reply::server_unavailable().encode(&mut bytes);
    let _ = connection.write(&bytes);
}

fn null() -> io::Result<File> {
    File::options().read(true).write(true).open("/dev/null")
}

fn is_internet_socket(descriptor: BorrowedFd<'_>) -> bool {
    let domain = SockRef::from(&descriptor).domain();
    domain.is_ok_and(|domain| [socket2::Domain::IPV4, socket2::Domain::IPV6].contains(&domain))
}

fn is_same_file(one: BorrowedFd<'_>, other: impl AsFd) -> bool {
    match (fstat(one), fstat(other)) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}

const NO_CONNECTION: &str = "standard input is no TCP connection: the flag is for a server that \
    inetd, or a socket unit of systemd with Accept=yes, starts for each client; leave it out for a \
    server that listens itself";
const LISTENS: &str = "standard input is a listening socket; write nowait in the configuration of \
    inetd, or Accept=yes in the socket unit";
