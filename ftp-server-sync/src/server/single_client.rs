//! The client of a server that inetd has started.

use std::time::{Duration, Instant};

use mio::net::TcpStream;

/// The client of such a server.
#[derive(Debug)]
pub(super) struct SingleClient {
    /// Until its session starts.
    pub(super) connection: Option<TcpStream>,
    /// It starts by then, even if public addresses are not known yet.
    pub(super) deadline: Instant,
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
}

/// How long a client waits for its greeting. A lookup of a name takes less, unless it fails.
const LOOKUPS_MAX: Duration = Duration::from_secs(5);
