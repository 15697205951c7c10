//! Data connections, from the client's side.

use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

use socket2::{Domain, SockRef, Socket, Type};

use super::wait::{GUARD, pause, wait_until};

/// A data connection with deadlines.
#[track_caller]
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = connect_from(None::<Ipv4Addr>, address);
    stream.unwrap_or_else(|error| panic!("{address}: {error}"))
}

/// The same from another address of this machine.
pub(crate) fn connect_from(
    from: Option<impl Into<IpAddr>>,
    to: SocketAddr,
) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    if let Some(from) = from {
        socket.bind(&SocketAddr::new(from.into(), 0).into())?;
    }
    socket.connect_timeout(&to.into(), GUARD)?;
    Ok(guarded(socket.into()))
}

/// A connection from an address that no client of the tests has.
pub(crate) fn connect_stranger(to: SocketAddr) -> io::Result<TcpStream> {
    connect_from(Some(STRANGER), to)
}

pub(crate) fn guarded(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(GUARD)).expect("a timeout");
    stream.set_write_timeout(Some(GUARD)).expect("a timeout");
    stream
}

/// The next connection, for which the server has as long as for anything.
#[track_caller]
pub(crate) fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    listener.set_nonblocking(true).expect("a listener");
    let deadline = Instant::now() + GUARD;
    loop {
        match listener.accept() {
            Ok((stream, from)) => {
                stream.set_nonblocking(false).expect("a stream");
                return (guarded(stream), from);
            }
            Err(error) if is_timeout(&error) && Instant::now() < deadline => pause(),
            Err(error) => panic!("the server does not connect: {error}"),
        }
    }
}

#[track_caller]
pub(crate) fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("data");
    bytes
}

#[track_caller]
pub(crate) fn read_some(stream: &mut TcpStream, count: usize) {
    stream.read_exact(&mut vec![0; count]).expect("data");
}

/// Reads until the server ends the connection, by a close or a reset.
#[track_caller]
pub(crate) fn drain(mut stream: TcpStream) -> usize {
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return bytes,
            Ok(count) => bytes += count,
            Err(error) if is_gone(&error) => return bytes,
            Err(error) => panic!("the data connection stays open: {error}"),
        }
    }
}

/// Ends a connection as a process that is killed on a broken line does: by a reset.
pub(crate) fn reset(stream: TcpStream) {
    let linger = SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO));
    linger.expect("no lingering");
}

pub(crate) fn is_gone(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset
    )
}

pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// No one listens there any more. A stranger asks: the server would take a client's own connection.
#[track_caller]
pub(crate) fn wait_until_closed(address: SocketAddr) {
    wait_until(&format!("{address} is closed"), || {
        matches!(connect_stranger(address), Err(error)
            if error.kind() == ErrorKind::ConnectionRefused)
    });
}

/// A listener of the client's, and the command that has the server connect to it.
#[track_caller]
pub(crate) fn active_listener() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let command = port_command(listener.local_addr().expect("its address"));
    (listener, command)
}

pub(crate) fn port_command(address: SocketAddr) -> String {
    let SocketAddr::V4(address) = address else {
        panic!("{address} is not IPv4");
    };
    let [a, b, c, d] = address.ip().octets();
    let [high, low] = address.port().to_be_bytes();
    format!("PORT {a},{b},{c},{d},{high},{low}")
}

pub(crate) fn eprt_command(address: SocketAddr) -> String {
    let family = if address.is_ipv4() { 1 } else { 2 };
    format!("EPRT |{family}|{}|{}|", address.ip(), address.port())
}

/// A connection to it neither succeeds nor fails.
pub(crate) struct FullListener {
    pub(crate) address: SocketAddr,
    _listener: TcpListener,
    _queued: TcpStream,
}

impl FullListener {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("its address");
        // One connection fits into the queue, and the kernel lets further ones wait.
        SockRef::from(&listener).listen(0).expect("a short queue");
        Self {
            address,
            _listener: listener,
            _queued: connect(address),
        }
    }
}

/// Clients come from 127.0.0.1; this address is a stranger's.
pub(crate) const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
