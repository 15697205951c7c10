//! The client of a server that inetd has started: the server has its session alone, and ends with
//! it.
//!
//! Nothing here starts a session: what the server knows comes as an argument.

use std::time::{Duration, Instant};

use mio::net::TcpStream;

use super::listeners::Accepted;
use crate::net::socket::set_control_options;
use crate::settings::Listen;

/// The client of such a server.
#[derive(Debug)]
pub(super) struct SingleClient {
    /// Until its session starts.
    connection: Option<TcpStream>,
    /// It starts by then, even if public addresses are not known yet.
    deadline: Instant,
}

impl SingleClient {
    pub(super) fn new(connection: TcpStream) -> Self {
        Self {
            connection: Some(connection),
            deadline: Instant::now() + LOOKUPS_MAX,
        }
    }

    /// When its session starts at the latest.
    pub(super) fn due(&self) -> Option<Instant> {
        self.connection.is_some().then_some(self.deadline)
    }

    /// Returns the client once the public addresses for PASV replies are known: this server is as
    /// young as its client. A client that is gone by then is none.
    pub(super) fn take_due(
        &mut self,
        addresses_are_known: bool,
        listen: &[Listen],
        now: Instant,
    ) -> Option<Accepted> {
        if !addresses_are_known && now < self.deadline {
            return None;
        }
        let connection = self.connection.take()?;
        let (local, peer) = (connection.local_addr().ok()?, connection.peer_addr().ok()?);
        set_control_options(&connection).ok()?;
        let mut listen = listen.iter();
        Some(Accepted {
            implicit_tls: listen
                .any(|listen| listen.implicit_tls && listen.address.port() == local.port()),
            stream: connection,
            peer,
            local: Some(local),
            proxied: None,
        })
    }

    /// Closes the connection, if its session has not started.
    pub(super) fn close(&mut self) {
        self.connection = None;
    }
}

/// How long a client waits for its greeting. A lookup of a name takes less, unless it fails.
const LOOKUPS_MAX: Duration = Duration::from_secs(5);
