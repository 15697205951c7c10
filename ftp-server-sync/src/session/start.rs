//! What a session starts with.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ftp_proto::{Endpoints, canonical};
use mio::net::TcpStream;

use super::command::SentCommands;
use super::login_state::SharedLoginState;
use super::server_state::ServerState;

/// What a balancer says about the connection of its client (the PROXY protocol).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proxied {
    /// The address that the client connected to: one of the balancer.
    pub(crate) dialled: SocketAddr,
    /// The address that the connection comes from.
    pub(crate) balancer: IpAddr,
}

/// The ends of a control connection. Displayed as its first line in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    /// The address of this machine, canonical: passive ports are opened there. The client may have
    /// connected to another one, that of a balancer.
    pub(super) own: SocketAddr,
    /// What the client sees of it, for the core.
    pub(super) endpoints: Endpoints,
    balancer: Option<IpAddr>,
}

/// A client, and what its session needs of the server.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) number: u64,
    pub(crate) server: Arc<ServerState>,
    pub(crate) stream: TcpStream,
    /// The client's address, also behind a balancer.
    pub(crate) peer: SocketAddr,
    /// The address of this machine. `None`: the socket has to be asked.
    pub(crate) local: Option<SocketAddr>,
    /// The client starts with a TLS handshake.
    pub(crate) implicit_tls: bool,
    /// `None`: it has no balancer before it.
    pub(crate) proxied: Option<Proxied>,
    pub(crate) commands: Arc<SentCommands>,
    /// For the main thread.
    pub(crate) login_state: Arc<SharedLoginState>,
}

impl Start {
    /// # Errors
    ///
    /// What the system says if the client is gone.
    pub(super) fn ends(&self) -> io::Result<Ends> {
        let own = self.local.map_or_else(|| self.stream.local_addr(), Ok)?;
        let dialled = self.proxied.map_or(own, |proxied| proxied.dialled);
        Ok(Ends {
            own: canonical(own),
            endpoints: Endpoints::new(dialled, self.peer),
            balancer: self.proxied.map(|proxied| proxied.balancer),
        })
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (local, port) = (self.endpoints.local(), self.endpoints.peer().port());
        write!(f, "connected to {local} from port {port}")?;
        match self.balancer {
            Some(balancer) => write!(f, " through the balancer {balancer}"),
            None => Ok(()),
        }
    }
}
