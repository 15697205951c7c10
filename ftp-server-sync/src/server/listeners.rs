//! The control sockets: which there are, and how they follow the settings.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use log::error;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use crate::settings::{Listen, PortRange};

/// The listeners of a server. Each has a token of its own, never used again.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    all: Vec<Listener>,
    tokens_used: usize,
}

#[derive(Debug)]
struct Listener {
    /// What it was opened for.
    listen: Listen,
    socket: TcpListener,
    token: Token,
    /// Edge-triggered: stays true until the socket would have blocked.
    ready: bool,
}

impl Listeners {
    /// Makes the listeners those that `wanted` names: new ones are opened, gone ones closed, and the
    /// others are not touched. On an error everything is as it was before.
    ///
    /// # Errors
    ///
    /// What the system said, with the address that it was about.
    pub(crate) fn follow(
        &mut self,
        wanted: &[Listen],
        passive_ports: Option<PortRange>,
        registry: &Registry,
    ) -> io::Result<()> {
        let has = |listeners: &[Listener], listen: &Listen| {
            listeners.iter().any(|listener| listener.listen == *listen)
        };
        let missing: Vec<Listen> = wanted
            .iter()
            .filter(|listen| !has(&self.all, listen))
            .copied()
            .collect();
        let gone: Vec<Listen> = self
            .all
            .iter()
            .map(|listener| listener.listen)
            .filter(|listen| !wanted.contains(listen))
            .collect();
        let opened = match self.open(&missing, passive_ports, registry) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                // One that goes may be in the way: all addresses give way to one of them, for instance.
                let in_the_way = |old: &&Listen| missing.iter().any(|new| overlap(old, new));
                let in_the_way: Vec<Listen> = gone.iter().filter(in_the_way).copied().collect();
                if in_the_way.is_empty() {
                    return Err(error);
                }
                self.close(&in_the_way);
                let again = self.open(&missing, passive_ports, registry);
                again.inspect_err(|_| self.reopen(&in_the_way, registry))?
            }
            other => other?,
        };
        self.close(&gone);
        self.all.extend(opened);
        Ok(())
    }

    pub(crate) fn close_all(&mut self) {
        self.all.clear();
    }

    /// Where they listen, and what each was opened for; a port that was given as 0 is the real one here.
    pub(crate) fn bound(&self) -> Vec<(SocketAddr, Listen)> {
        let bound =
            |listener: &Listener| Some((listener.socket.local_addr().ok()?, listener.listen));
        self.all.iter().filter_map(bound).collect()
    }

    pub(crate) fn note(&mut self, token: Token) {
        if let Some(listener) = self.all.iter_mut().find(|listener| listener.token == token) {
            listener.ready = true;
        }
    }

    /// The next connection, with what its listener is; `None` when nobody waits.
    ///
    /// # Errors
    ///
    /// When the system cannot give us the connection; it goes on waiting.
    pub(crate) fn accept(&mut self) -> io::Result<Option<(TcpStream, SocketAddr, Listen)>> {
        for listener in &mut self.all {
            while listener.ready {
                match listener.socket.accept() {
                    Ok((stream, peer)) => return Ok(Some((stream, peer, listener.listen))),
                    Err(error) => match error.kind() {
                        ErrorKind::WouldBlock => listener.ready = false,
                        ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                        _ => return Err(error),
                    },
                }
            }
        }
        Ok(None)
    }
}

impl Listeners {
    fn open(
        &mut self,
        missing: &[Listen],
        passive_ports: Option<PortRange>,
        registry: &Registry,
    ) -> io::Result<Vec<Listener>> {
        let mut opened = Vec::new();
        for &listen in missing {
            let mut socket = bind(listen, passive_ports)?;
            let token = Token(self.tokens_used);
            self.tokens_used += 1;
            registry.register(&mut socket, token, Interest::READABLE)?;
            opened.push(Listener {
                listen,
                socket,
                token,
                ready: true,
            });
        }
        Ok(opened)
    }

    fn close(&mut self, gone: &[Listen]) {
        self.all.retain(|listener| !gone.contains(&listener.listen));
    }

    fn reopen(&mut self, closed: &[Listen], registry: &Registry) {
        match self.open(closed, None, registry) {
            Ok(opened) => self.all.extend(opened),
            Err(error) => error!("a listener is lost: {error}"),
        }
    }
}

/// Whether all these sockets could be opened now; none of them is kept.
///
/// # Errors
///
/// What the system said, with the address that it was about.
pub(crate) fn probe(wanted: &[Listen], passive_ports: Option<PortRange>) -> io::Result<()> {
    let sockets: io::Result<Vec<TcpListener>> = wanted
        .iter()
        .map(|&listen| bind(listen, passive_ports))
        .collect();
    sockets.map(drop)
}

/// Whether the system would refuse to listen on both at the same time.
fn overlap(one: &Listen, other: &Listen) -> bool {
    let (one, other) = (one.address, other.address);
    let everywhere = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && (everywhere || one.ip() == other.ip())
}

fn bind(listen: Listen, passive_ports: Option<PortRange>) -> io::Result<TcpListener> {
    for _ in 0..BIND_ATTEMPTS_MAX {
        let socket = match listen_on(listen.address, listen.dual_stack) {
            Err(error) if lacks_family(&error) && listen.fallback.is_some() => {
                let fallback = listen.fallback.unwrap_or(listen.address);
                listen_on(fallback, false).map_err(|error| cannot_listen(error, fallback))?
            }
            other => other.map_err(|error| cannot_listen(error, listen.address))?,
        };
        let port = socket.local_addr()?.port();
        // Only a port of the kernel's choice can be one; the flags have seen to the others.
        if !passive_ports.is_some_and(|range| range.contains(port)) {
            return Ok(socket);
        }
    }
    Err(io::Error::other(
        "no control port outside the passive range",
    ))
}

fn listen_on(address: SocketAddr, dual_stack: bool) -> io::Result<TcpListener> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!dual_stack)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// A machine without IPv6 says either.
fn lacks_family(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
}

fn cannot_listen(error: io::Error, address: SocketAddr) -> io::Error {
    let advice = match error.kind() {
        ErrorKind::PermissionDenied => "; ports below 1024 need root or CAP_NET_BIND_SERVICE",
        ErrorKind::AddrInUse => "; another program listens there, or this server runs already",
        _ => "",
    };
    let text = format!("cannot listen on {address}: {error}{advice}");
    io::Error::new(error.kind(), text)
}

const BACKLOG: i32 = 1024;

/// Tries at a control port of the kernel's choice that lies outside the passive range.
const BIND_ATTEMPTS_MAX: usize = 100;
