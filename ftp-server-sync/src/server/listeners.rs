//! The control sockets: which there are, and how they follow the settings.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use log::error;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};

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
            let mut socket = listen.open(passive_ports)?;
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

/// Whether the system would refuse to listen on both at the same time.
fn overlap(one: &Listen, other: &Listen) -> bool {
    let (one, other) = (one.address, other.address);
    let everywhere = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && (everywhere || one.ip() == other.ip())
}
