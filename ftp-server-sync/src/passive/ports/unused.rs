//! The ports that clients did not connect to.

use std::collections::VecDeque;
use std::net::IpAddr;

/// Ports that a client was sent to and did not connect to, oldest first: each client gets its own
/// ones last.
#[derive(Debug, Default)]
pub(super) struct RecentlyUnused {
    ports: VecDeque<(IpAddr, u16)>,
}

impl RecentlyUnused {
    /// The client was sent to the port and did not connect to it.
    pub(super) fn insert(&mut self, client: IpAddr, port: u16) {
        self.remove(client, port);
        if self.ports.len() >= PORTS_MAX {
            self.ports.pop_front();
        }
        self.ports.push_back((client, port));
    }

    /// The client connected to the port.
    pub(super) fn remove(&mut self, client: IpAddr, port: u16) {
        self.ports.retain(|&known| known != (client, port));
    }

    /// This client's ports, oldest first.
    pub(super) fn of(&self, client: IpAddr) -> Vec<u16> {
        let own = self.ports.iter().filter(|(other, _)| *other == client);
        own.map(|(_, port)| *port).collect()
    }
}

/// How many ports are remembered for each local address.
const PORTS_MAX: usize = 256;
