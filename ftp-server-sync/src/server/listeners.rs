//! The control sockets: which are open, and how they change with the settings.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use log::error;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};

use crate::logging::system_text::SystemText;
use crate::settings::{Listen, PortRange};

/// The open control sockets. Each has a token that no later one gets.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    all: Vec<Listener>,
    tokens_used: usize,
}

#[derive(Debug)]
struct Listener {
    /// The setting that it was opened for.
    listen: Listen,
    socket: TcpListener,
    token: Token,
    /// Edge-triggered: stays true until the socket would have blocked.
    ready: bool,
}

impl Listeners {
    /// Opens the listeners that are new in `wanted`, closes those that are not in it, and leaves
    /// the others alone. After an error everything is as it was before.
    ///
    /// # Errors
    ///
    /// What the system said, with the address that it was about.
    pub(super) fn update(
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
        let unwanted: Vec<Listen> = self
            .all
            .iter()
            .map(|listener| listener.listen)
            .filter(|listen| !wanted.contains(listen))
            .collect();
        let opened = match self.open(&missing, passive_ports, registry) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                // A listener that is to be closed may be in the way, if all addresses are replaced
                // by one.
                let in_the_way = |old: &&Listen| missing.iter().any(|new| overlap(old, new));
                let in_the_way: Vec<Listen> = unwanted.iter().filter(in_the_way).copied().collect();
                if in_the_way.is_empty() {
                    return Err(error);
                }
                // Closing them must not be in vain: the right to open a port below 1024 again may
                // have been given up.
                let probed = missing
                    .iter()
                    .map(|listen| listen.open(passive_ports).err());
                let is_other = |error: &io::Error| error.kind() != ErrorKind::AddrInUse;
                if let Some(error) = probed.flatten().find(is_other) {
                    return Err(error);
                }
                self.close(&in_the_way);
                let again = self.open(&missing, passive_ports, registry);
                again.inspect_err(|_| self.reopen(&in_the_way, registry))?
            }
            other => other?,
        };
        self.close(&unwanted);
        self.all.extend(opened);
        Ok(())
    }

    pub(super) fn close_all(&mut self) {
        self.all.clear();
    }

    /// The address of each, and the setting that it was opened for. A port that was given as 0 is
    /// the real one here.
    pub(super) fn bound(&self) -> Vec<(SocketAddr, Listen)> {
        let bound =
            |listener: &Listener| Some((listener.socket.local_addr().ok()?, listener.listen));
        self.all.iter().filter_map(bound).collect()
    }

    pub(super) fn on_event(&mut self, token: Token) {
        if let Some(listener) = self.all.iter_mut().find(|listener| listener.token == token) {
            listener.ready = true;
        }
    }

    /// The next connection, with the setting of its listener; `None` when no client waits.
    ///
    /// # Errors
    ///
    /// If the system cannot accept the connection. It stays in the kernel's queue.
    pub(super) fn accept(&mut self) -> io::Result<Option<(TcpStream, SocketAddr, Listen)>> {
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

    fn close(&mut self, unwanted: &[Listen]) {
        self.all
            .retain(|listener| !unwanted.contains(&listener.listen));
    }

    fn reopen(&mut self, closed: &[Listen], registry: &Registry) {
        match self.open(closed, None, registry) {
            Ok(opened) => self.all.extend(opened),
            Err(error) => error!("a control socket is lost: {}", SystemText(&error)),
        }
    }
}

/// Whether the system would refuse to listen on both at the same time.
fn overlap(one: &Listen, other: &Listen) -> bool {
    let (one, other) = (one.address, other.address);
    let everywhere = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && (everywhere || one.ip() == other.ip())
}
