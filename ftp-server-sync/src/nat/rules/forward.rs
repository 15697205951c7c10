//! What a router forwards: ports, and the addresses that they lead to.

use std::net::Ipv4Addr;

use crate::settings::PortRange;

/// The ports on both sides of a router; both ranges have the same length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ForwardedPorts {
    pub(super) control_outer: u16,
    pub(super) control_inner: u16,
    /// Of implicit TLS. Clients expect its number, so it is the same on both sides.
    pub(super) implicit_tls: Option<u16>,
    pub(super) outer: PortRange,
    pub(super) inner: PortRange,
}

/// A public address, and the private address that it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ForwardedAddress {
    /// `None`: any address of the router, because one that is not given as such may change.
    pub(super) public: Option<Ipv4Addr>,
    pub(super) private: Ipv4Addr,
}
