//! The control sockets: which are open, and how they change with the settings.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener as StdTcpListener};

use log::error;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};

use crate::logging::system_text::SystemText;
use crate::net::socket::set_control_options;
use crate::session::Proxied;
use crate::settings::{Listen, PortRange};

/// The open control sockets. Each has a token that no later one gets.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    all: Vec<Listener>,
    tokens_used: usize,
    /// Those that the server was started with, until they are used.
    passed: Vec<(Listen, StdTcpListener)>,
}

#[derive(Debug)]
struct Listener {
    /// The setting that it was opened for.
    listen: Listen,
    socket: TcpListener,
    /// The local address of all its connections, if that is certain.
    local: Option<SocketAddr>,
    token: Token,
    /// Edge-triggered: stays true until the socket would have blocked.
    ready: bool,
    registry: Registry,
}

/// A connection of a client.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    /// `None`: the socket has to be asked.
    pub(super) local: Option<SocketAddr>,
    /// The client starts with a TLS handshake.
    pub(super) implicit_tls: bool,
    /// `None`: it has no balancer before it.
    pub(super) proxied: Option<Proxied>,
}

impl Listeners {
    /// None is open yet. `passed`: instead of opening what is wanted, these are used.
    pub(super) fn new(passed: Vec<(Listen, StdTcpListener)>) -> Self {
        Self {
            passed,
            ..Self::default()
        }
    }

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

    /// The next connection; `None` when no client waits.
    ///
    /// # Errors
    ///
    /// If the system cannot accept the connection. It stays in the kernel's queue.
    pub(super) fn accept(&mut self) -> io::Result<Option<Accepted>> {
        for listener in &mut self.all {
            while listener.ready {
                match listener.socket.accept() {
                    Ok((stream, peer)) => {
                        return Ok(Some(Accepted {
                            stream,
                            peer,
                            local: listener.local,
                            implicit_tls: listener.listen.implicit_tls,
                            proxied: None,
                        }));
                    }
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
            let (mut socket, local) = match self.take_passed(&listen) {
                Some(socket) => {
                    socket.set_nonblocking(true)?;
                    // Who has opened it may have made it transparent: any address is possible.
                    (TcpListener::from_std(socket), None)
                }
                None => {
                    let socket = listen.open(passive_ports)?;
                    let local = socket.local_addr()?;
                    (
                        socket,
                        Some(local).filter(|local| !local.ip().is_unspecified()),
                    )
                }
            };
            set_control_options(&socket)?;
            let token = Token(self.tokens_used);
            self.tokens_used += 1;
            registry.register(&mut socket, token, Interest::READABLE)?;
            opened.push(Listener {
                listen,
                socket,
                local,
                token,
                ready: true,
                registry: registry.try_clone()?,
            });
        }
        Ok(opened)
    }

    fn take_passed(&mut self, listen: &Listen) -> Option<StdTcpListener> {
        let mut passed = self.passed.iter();
        let index = passed.position(|(passed, _)| passed == listen)?;
        Some(self.passed.remove(index).1)
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

/// A socket that was passed stays open elsewhere: without this, the poll would go on to wake this
/// thread for clients that wait there.
impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.registry.deregister(&mut self.socket);
    }
}

/// Whether the system would refuse to listen on both at the same time.
fn overlap(one: &Listen, other: &Listen) -> bool {
    let (one, other) = (one.address, other.address);
    let everywhere = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && (everywhere || one.ip() == other.ip())
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream as StdTcpStream;
    use std::time::Duration;

    use mio::{Events, Poll};
    use socket2::SockRef;

    use super::*;

    fn listen(socket: &StdTcpListener) -> Listen {
        Listen {
            address: socket.local_addr().unwrap(),
            dual_stack: false,
            fallback: None,
            implicit_tls: false,
        }
    }

    /// The next server takes them.
    #[test]
    fn clients_of_a_passed_socket_wait_in_it_after_its_end_here() {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(8);
        let outside = StdTcpListener::bind("127.0.0.1:0").unwrap();
        let wanted = [listen(&outside)];
        let passed = vec![(wanted[0], outside.try_clone().unwrap())];
        let mut listeners = Listeners::new(passed);
        for _reload in 0..2 {
            listeners.update(&wanted, None, poll.registry()).unwrap();
            assert_eq!(listeners.bound(), [(wanted[0].address, wanted[0])]);
        }
        let first = StdTcpStream::connect(wanted[0].address).unwrap();
        poll.poll(&mut events, None).unwrap();
        events
            .iter()
            .for_each(|event| listeners.on_event(event.token()));
        let accepted = listeners.accept().unwrap().unwrap();
        assert_eq!(accepted.peer, first.local_addr().unwrap());

        listeners.close_all();
        let second = StdTcpStream::connect(wanted[0].address).unwrap();
        let wait = Some(Duration::from_millis(20));
        poll.poll(&mut events, wait).unwrap();
        assert!(
            events.is_empty(),
            "it is woken for clients of the next server"
        );
        outside.set_nonblocking(false).unwrap();
        let (_, peer) = outside.accept().unwrap();
        assert_eq!(peer, second.local_addr().unwrap());
    }

    /// Linux hands these options from the socket that listens to the connections.
    #[test]
    fn connections_have_the_options_of_control_connections() {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(8);
        let outside = StdTcpListener::bind("127.0.0.1:0").unwrap();
        let passed = listen(&outside);
        let opened = Listen {
            address: "127.0.0.1:0".parse().unwrap(),
            ..passed
        };
        let mut listeners = Listeners::new(vec![(passed, outside)]);
        listeners
            .update(&[passed, opened], None, poll.registry())
            .unwrap();
        for (address, listen) in listeners.bound() {
            let client = StdTcpStream::connect(address).unwrap();
            poll.poll(&mut events, None).unwrap();
            events
                .iter()
                .for_each(|event| listeners.on_event(event.token()));
            let accepted = listeners.accept().unwrap().unwrap();
            assert_eq!(accepted.peer, client.local_addr().unwrap());
            assert_eq!(accepted.local, (listen == opened).then_some(address));
            let socket = SockRef::from(&accepted.stream);
            assert!(socket.tcp_nodelay().unwrap());
            assert!(socket.out_of_band_inline().unwrap());
            assert!(socket.keepalive().unwrap());
            let minute = Duration::from_secs(60);
            assert_eq!(socket.tcp_keepalive_time().unwrap(), minute);
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), minute);
        }
    }
}
