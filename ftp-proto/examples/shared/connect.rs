//! Active mode for programs that wait for several sockets at once.

use std::io;
use std::net::{SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

/// Begins to connect from the address that the client knows. The stream is non-blocking: it becomes
/// writable when this is done or has failed.
pub(crate) fn begin_connecting(mut local: SocketAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    local.set_port(0);
    socket.bind(&local.into())?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(EINPROGRESS) => Err(error),
        _ => Ok(socket.into()),
    }
}

/// What `connect` returns when it has begun: the standard library has no stable name for it.
const EINPROGRESS: i32 = if cfg!(target_os = "linux") { 115 } else { 36 };
