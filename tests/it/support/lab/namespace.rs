//! Sockets of the test itself on a host of the lab.
//!
//! Only the thread that opens a socket has to be on the host: the socket stays there, whichever
//! thread uses it. So the thread enters for a moment and ends, and no thread that runs tests ever
//! changes its network.

use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use socket2::{Domain, Socket, Type};

/// The network of one host.
#[derive(Clone, Debug)]
pub(crate) struct Namespace(Arc<File>);

impl Namespace {
    pub(super) fn open(name: &str) -> Self {
        let path = Path::new("/run/netns").join(name);
        Self(Arc::new(File::open(path).expect("a namespace of the lab")))
    }

    /// Runs `work` in a thread that is on this host.
    pub(crate) fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let enter = || {
            move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("entering a namespace needs root");
            work()
        };
        thread::scope(|scope| scope.spawn(enter).join()).expect("a thread on a host of the lab")
    }

    /// A connection from this host: from the address `from` if the host has several.
    pub(crate) fn connect(&self, from: Option<IpAddr>, to: SocketAddr) -> io::Result<TcpStream> {
        self.enter(|| connect(from, to))
    }

    pub(crate) fn listen(&self, address: impl Into<SocketAddr>) -> io::Result<TcpListener> {
        let address = address.into();
        self.enter(|| TcpListener::bind(address))
    }
}

/// Connects from wherever this thread is.
pub(crate) fn connect(from: Option<IpAddr>, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    if let Some(from) = from {
        socket.bind(&SocketAddr::new(from, 0).into())?;
    }
    socket.connect_timeout(&to.into(), CONNECT_MAX)?;
    let stream: TcpStream = socket.into();
    stream.set_read_timeout(Some(READ_MAX))?;
    Ok(stream)
}

/// More than one lost SYN takes.
const CONNECT_MAX: Duration = Duration::from_secs(4);
/// Longer than any wait for a passive port.
const READ_MAX: Duration = Duration::from_secs(45);
