//! The addresses that a session's passive port is open on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ftp_proto::canonical;

/// Where a session listens for its data connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListenAddresses {
    /// The address that the client connected to, canonical, without port and flow label but with
    /// its scope.
    pub(super) local: SocketAddr,
    /// Another address of this machine, which the client is given: a balancer may carry the control
    /// connection alone.
    pub(super) announced: Option<SocketAddr>,
    /// Whether all IPv4 addresses of this machine share one range of ports.
    one_range: bool,
}

/// Only the control connection's own address; its port is ignored.
impl From<SocketAddr> for ListenAddresses {
    fn from(local: SocketAddr) -> Self {
        Self {
            local: without_port(local),
            announced: None,
            one_range: false,
        }
    }
}

impl ListenAddresses {
    /// The same, and `announced` if that is another one. Sessions whose addresses may meet so must
    /// all be made by this function: a port that is free for one of them is then free at every
    /// address.
    pub(crate) fn with_announced(self, announced: Option<Ipv4Addr>) -> Self {
        let announced = announced.map(|address| SocketAddr::new(address.into(), 0));
        Self {
            announced: announced.filter(|address| address.ip() != self.local.ip()),
            one_range: true,
            ..self
        }
    }

    /// Addresses with the same key share one range of ports.
    pub(super) fn key(self) -> SocketAddr {
        if self.one_range && self.local.is_ipv4() {
            SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)
        } else {
            self.local
        }
    }

    /// Whether a session with these addresses needs a socket there.
    pub(super) fn contains(self, address: SocketAddr) -> bool {
        address == self.local || Some(address) == self.announced
    }
}

/// The canonical address, without the parts that make no difference between listeners.
fn without_port(local: SocketAddr) -> SocketAddr {
    let mut address = canonical(local);
    address.set_port(0);
    if let SocketAddr::V6(address) = &mut address {
        address.set_flowinfo(0);
    }
    address
}
