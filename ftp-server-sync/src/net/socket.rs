//! Opens TCP sockets: non-blocking, and closed in programs that this one starts.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use crate::logging::system_text::SystemText;

/// Listens on `address`. With `dual_stack`, an IPv6 socket accepts IPv4 clients too; for an IPv4
/// address it changes nothing.
pub(crate) fn listen(address: SocketAddr, dual_stack: bool) -> io::Result<TcpListener> {
    let socket = open(address)?;
    if address.is_ipv6() {
        socket.set_only_v6(!dual_stack)?;
    }
    bind(&socket, address)?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Checks that this process may accept connections. `accept4` is as old as Linux 2.6.28, but
/// filters of system calls may lack it: then no client would get in, without a word at the start.
///
/// # Errors
///
/// What the system says, and the remedy.
pub(crate) fn check_accept() -> io::Result<()> {
    // On a machine without IPv4 the sockets that are served have another family.
    let Ok(socket) = Socket::new(Domain::IPV4, Type::STREAM.cloexec(), None) else {
        return Ok(());
    };
    // It does not listen, so it has no connection to accept: the call fails in any case.
    match socket.accept() {
        Err(error)
            if matches!(
                Errno::from_io_error(&error),
                Some(Errno::NOSYS | Errno::PERM)
            ) =>
        {
            let advice = "allow the system call accept4 in the filter of system calls";
            let text = format!(
                "cannot accept connections: {}; {advice}",
                SystemText(&error)
            );
            Err(io::Error::new(error.kind(), text))
        }
        _ => Ok(()),
    }
}

/// Starts to connect to `target` from the address and port `local`; port 0 is any.
pub(crate) fn connect(local: SocketAddr, target: SocketAddr) -> io::Result<TcpStream> {
    let socket = open(local)?;
    bind(&socket, local)?;
    match socket.connect(&target.into()) {
        Err(error) if !is_in_progress(&error) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// Sets what holds for a control connection. Connections that are accepted get it from the socket
/// that listens.
pub(crate) fn set_control_options(socket: &impl AsFd) -> io::Result<()> {
    let socket = SockRef::from(socket);
    // Each write is a whole reply: waiting for more bytes would only delay it.
    socket.set_tcp_nodelay(true)?;
    // Clients mark a byte before ABOR as urgent. Without this option it would be missing.
    socket.set_out_of_band_inline(true)?;
    // Routers forget idle connections, and a control connection is idle during a transfer.
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE);
    socket.set_tcp_keepalive(&keepalive)
}

/// Whether this machine lacks the address family, or the address: without IPv6, the system reports
/// either.
pub(crate) fn is_family_missing(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking().cloexec();
    Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))
}

fn bind(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    // Connections of an earlier socket at this address may be open, or in TIME_WAIT, for a long
    // time.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

fn is_in_progress(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock || Errno::from_io_error(error) == Some(Errno::INPROGRESS)
}

/// Connections that wait in the kernel until they are accepted. Strangers who connect to a passive
/// port wait there too, and must not displace its client.
pub(crate) const BACKLOG: i32 = 1024;

/// Idle time after which the kernel probes a control connection: less than the time after which
/// common routers forget it.
const KEEPALIVE: Duration = Duration::from_secs(60);
