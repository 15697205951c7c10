//! The listener that a lease has become, and how it is bound.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use socket2::{Domain, Protocol, Socket, Type};

use super::books::Ending;
use super::lease::Lease;

/// A listening socket together with the lease of its port.
#[derive(Debug)]
pub struct PassiveListener {
    // The order of these two matters: the port must be closed before anybody else may have it.
    listener: TcpListener,
    pub(super) lease: Lease,
    port: u16,
    pub(super) announced: Instant,
    waiting: Arc<AtomicUsize>,
}

impl PassiveListener {
    pub(super) fn new(
        listener: TcpListener,
        lease: Lease,
        port: u16,
        announced: Instant,
        waiting: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            listener,
            lease,
            port,
            announced,
            waiting,
        }
    }

    /// The socket, to accept on and to register with a poll.
    pub fn listener(&mut self) -> &mut TcpListener {
        &mut self.listener
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The client has connected: closes the listener and gives the port back in good standing.
    /// A listener that is dropped instead leaves a port that this client may still come to late, so
    /// the client gets it again only when no other one is free.
    pub fn connected(mut self) {
        self.lease.ending = Ending::Connected;
    }

    /// When to give up on the client because others wait for a port, None while nobody does, and for
    /// a port outside the range, which would help nobody.
    /// The owner's waker is called when this turns from None into an instant. When the instant has
    /// come, ask again before giving up: those who waited may have been served meanwhile.
    pub fn yield_deadline(&self) -> Option<Instant> {
        let is_awaited =
            self.waiting.load(Ordering::SeqCst) > 0 && self.lease.pool.lists(self.port);
        is_awaited.then_some(self.announced + YIELD_AFTER)
    }
}

pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // Mapped addresses have become IPv4 before, so IPv4 clients have no business here.
        socket.set_only_v6(true)?;
    }
    // The port is leased again while transfers of its former owners still run on it.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// How long a lease may keep its port while others wait and its client does not come.
const YIELD_AFTER: Duration = Duration::from_secs(5);

/// Strangers are not looked at before the transfer's command comes, and until then they must not keep
/// the right client out.
const BACKLOG: i32 = 1024;
