//! What a lease has become: a place at a listening socket.

use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::lease::Lease;
use super::pool_state::LeaseEnd;
use super::shared_listener::{IncomingConnection, SharedListener};

/// A place at a listening socket, which other sessions may share, together with the lease of its port.
#[derive(Debug)]
pub(crate) struct PassiveListener {
    watch: Option<Watch>,
    listener: Arc<SharedListener>,
    pub(super) lease: Lease,
    port: u16,
    pub(super) announced: Instant,
    must_yield: Arc<AtomicBool>,
}

/// The socket's place in one session's poll. It must be given up explicitly: the socket stays open for
/// the others.
#[derive(Debug)]
struct Watch {
    registry: Registry,
    socket: RawFd,
}

impl PassiveListener {
    pub(super) fn new(
        listener: Arc<SharedListener>,
        lease: Lease,
        port: u16,
        announced: Instant,
        must_yield: Arc<AtomicBool>,
    ) -> Self {
        Self {
            watch: None,
            listener,
            lease,
            port,
            announced,
            must_yield,
        }
    }

    /// The next one who has connected, if anybody has: the expected client, whoever accepted its
    /// connection, or somebody else.
    ///
    /// # Errors
    ///
    /// What the system said when asked for a connection.
    pub(crate) fn accept(&mut self) -> io::Result<Option<IncomingConnection>> {
        self.listener.accept(&self.lease.request)
    }

    /// Has this poll report when somebody connects; what the waker reports is handed over by another
    /// session. Call [`accept`](Self::accept) until it returns None before, and after.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub(crate) fn watch(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        if self.watch.is_none()
            && let Some(socket) = self.listener.socket_number()
        {
            let watch = Watch {
                registry: registry.try_clone()?,
                socket,
            };
            // mio ties its own sources to one poll, and there is a poll for each session.
            SourceFd(&socket).register(registry, token, Interest::READABLE)?;
            self.watch = Some(watch);
        }
        Ok(())
    }

    /// The port that it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The client has connected: gives the port back in good standing, and closes it unless others
    /// listen there too. A listener that is dropped instead leaves a port that this client may still
    /// come to late, so the client gets it again only when no other one can be had.
    pub(crate) fn connected(mut self) {
        self.lease.end = LeaseEnd::Connected;
    }

    /// When to give up on the client because others wait for a port and this one stands in their way;
    /// None while that is not so.
    /// The owner's waker is called when this turns from None into an instant. When the instant has
    /// come, ask again before giving up: those who waited may have been served meanwhile.
    pub(crate) fn yield_deadline(&self) -> Option<Instant> {
        let must_yield = self.must_yield.load(Ordering::SeqCst);
        must_yield.then_some(self.announced + YIELD_AFTER)
    }
}

/// First the poll forgets the socket, then it is closed, then the lease ends: the port must be closed
/// before anybody else may have it for itself.
impl Drop for PassiveListener {
    fn drop(&mut self) {
        self.watch = None;
        self.listener.leave(&self.lease.request);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Only fails for a socket that was not registered.
        let _ = SourceFd(&self.socket).deregister(&self.registry);
    }
}

/// How long a lease may keep its port while others wait and its client does not come.
const YIELD_AFTER: Duration = Duration::from_secs(5);
