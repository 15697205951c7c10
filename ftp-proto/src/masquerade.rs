//! Which address and which port number the server announces to a client.
//!
//! A pure lookup over addresses that are already resolved: no host name is resolved and no
//! interface is read here, so PASV neither waits nor fails.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use core::num::{NonZeroU16, TryFromIntError};

use ipnet::IpNet;

use crate::address::Endpoints;

/// The rules, in the order in which [`lookup`](Self::lookup) tries them. The default has none; set
/// the fields of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Masquerade {
    /// Rules by client network; the longest prefix wins.
    pub clients: Vec<(IpNet, ClientRule)>,
    /// For clients in these networks the server announces the address that they connected to.
    pub local_networks: Vec<IpNet>,
    /// The routers' own addresses. They never count as local, even inside a local network: a
    /// client that the router hairpins arrives from such an address and needs the public
    /// address.
    pub gateways: Vec<IpAddr>,
    /// The public address, by the local address of the control connection.
    pub map: BTreeMap<Ipv4Addr, PublicAddress>,
    /// The public address for all other clients.
    pub address: Option<PublicAddress>,
    /// The public address that the router reported by port mapping.
    pub learned: Option<Ipv4Addr>,
    /// The router's port numbers, if they differ from the server's.
    pub outer_ports: Option<OuterPorts>,
}

/// The public address of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PublicAddress {
    /// This one.
    Known(Ipv4Addr),
    /// The rule has a host name that could not be resolved yet. The server announces the address
    /// that the client connected to: the address of another rule would be wrong.
    Unknown,
}

impl From<Ipv4Addr> for PublicAddress {
    fn from(address: Ipv4Addr) -> Self {
        Self::Known(address)
    }
}

/// What the server announces to the clients in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientRule {
    /// Announce this address, with the outer port number.
    Announce(PublicAddress),
    /// Announce the address that the client connected to, with the inner port number.
    Local,
}

/// The forwarded range as seen from outside: the first outer port leads to the first inner one, and
/// so on. All ports are from 1 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OuterPorts {
    inner_first: u16,
    outer_first: u16,
    count: u16,
}

/// Why three numbers are not [`OuterPorts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OuterPortsError {
    /// A range begins at port 0, to which no client can connect.
    PortZero,
    /// There are no ports in the ranges.
    Empty,
    /// A range goes beyond port 65535.
    TooLong,
}

impl fmt::Display for OuterPortsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PortZero => "a range of ports begins at 0",
            Self::Empty => "a range of ports is empty",
            Self::TooLong => "a range of ports goes beyond 65535",
        })
    }
}

impl Error for OuterPortsError {}

impl OuterPorts {
    /// The router's ports from `outer_first` on lead to the server's ports from `inner_first` on,
    /// `count` of them.
    ///
    /// # Errors
    ///
    /// When a port would not be between 1 and 65535, or when there is none.
    pub const fn new(
        inner_first: u16,
        outer_first: u16,
        count: u16,
    ) -> Result<Self, OuterPortsError> {
        if inner_first == 0 || outer_first == 0 {
            return Err(OuterPortsError::PortZero);
        }
        let Some(steps) = count.checked_sub(1) else {
            return Err(OuterPortsError::Empty);
        };
        match (
            inner_first.checked_add(steps),
            outer_first.checked_add(steps),
        ) {
            (Some(_), Some(_)) => Ok(Self {
                inner_first,
                outer_first,
                count,
            }),
            (None, _) | (_, None) => Err(OuterPortsError::TooLong),
        }
    }

    /// The first port that the server listens on.
    #[must_use]
    pub const fn inner_first(self) -> u16 {
        self.inner_first
    }

    /// The router's port that leads to the first inner one.
    #[must_use]
    pub const fn outer_first(self) -> u16 {
        self.outer_first
    }

    /// How many ports are forwarded.
    #[must_use]
    pub const fn count(self) -> u16 {
        self.count
    }

    /// The router's number for a port of the server; a port outside the range keeps its number.
    #[must_use]
    pub const fn outer(self, inner: u16) -> u16 {
        match inner.checked_sub(self.inner_first) {
            Some(index) if index < self.count => self.outer_first + index,
            _ => inner,
        }
    }
}

/// A passive port that the driver has bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Bound {
    /// The port that the server listens on.
    pub port: NonZeroU16,
    /// The port of the router that leads to it, if the driver knows: it has asked the router to
    /// forward one. It is announced wherever a public address is, and
    /// [`Masquerade::outer_ports`] does not apply.
    pub outer: Option<NonZeroU16>,
}

impl Bound {
    /// A port without one of the router's own.
    #[must_use]
    pub const fn new(port: NonZeroU16) -> Self {
        Self { port, outer: None }
    }

    /// The same with the port of the router that leads to it.
    #[must_use]
    pub const fn with_outer(self, outer: NonZeroU16) -> Self {
        Self {
            outer: Some(outer),
            ..self
        }
    }
}

/// The port of a listener; fails for port 0, which no listener has.
impl TryFrom<u16> for Bound {
    type Error = TryFromIntError;

    fn try_from(port: u16) -> Result<Self, Self::Error> {
        NonZeroU16::try_from(port).map(Self::new)
    }
}

/// The answer of [`Masquerade::lookup`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Announcement {
    /// The address for the 227 reply. IPv6 only on IPv6 sessions, where PASV is refused.
    pub address: IpAddr,
    /// Which number of the passive port is announced, in 227 and in 229.
    pub port: PortNumber,
    /// The rule that decided, for the log and for STAT.
    pub reason: AnnounceReason,
}

/// Which of the two numbers of a forwarded port is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PortNumber {
    /// The number that the server listens on.
    Inner,
    /// The number that the router forwards from.
    Outer,
}

/// The rule behind an [`Announcement`]; its `Display` completes "announced by …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AnnounceReason {
    /// A rule for the client's network.
    ClientRule(IpNet),
    /// The rule for local clients; the client is in this network.
    LocalClient(IpNet),
    /// The map has an entry for this local address.
    Map(Ipv4Addr),
    /// The one masquerade address.
    MasqueradeAddress,
    /// Learned from the router.
    PortMapping,
    /// The rule that applies has no known public address yet: the address that the client connected
    /// to is announced.
    Unknown,
    /// No rule applies: the address that the client connected to is announced.
    LocalAddress,
    /// IPv6 needs no translation.
    Ipv6,
}

impl fmt::Display for AnnounceReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientRule(network) => write!(f, "the rule for clients in {network}"),
            Self::LocalClient(network) => write!(f, "the rule for local clients ({network})"),
            Self::Map(local) => write!(f, "the map entry for {local}"),
            Self::MasqueradeAddress => f.write_str("the masquerade address"),
            Self::PortMapping => f.write_str("the router's port mapping"),
            Self::Unknown => f.write_str("a rule whose public address is not known yet"),
            Self::LocalAddress => f.write_str("no masquerade rule"),
            Self::Ipv6 => f.write_str("no rule (IPv6)"),
        }
    }
}

impl Masquerade {
    /// What the server announces to a client. The first that applies decides: the rule for the
    /// client's network, the rule for local clients, the map by local address, the masquerade
    /// address, the address learned from the router, the local address.
    #[must_use]
    pub fn lookup(&self, endpoints: &Endpoints) -> Announcement {
        let peer = endpoints.peer().ip();
        let local = match endpoints.local().ip() {
            IpAddr::V4(local) => local,
            local @ IpAddr::V6(_) => return Announcement::inner(local, AnnounceReason::Ipv6),
        };

        if let Some((network, rule)) = self.client_rule(peer) {
            let reason = AnnounceReason::ClientRule(network);
            return match rule {
                ClientRule::Announce(public) => Announcement::public(public, local, reason),
                ClientRule::Local => Announcement::inner(local.into(), reason),
            };
        }
        if let Some(network) = self.local_network(peer) {
            return Announcement::inner(local.into(), AnnounceReason::LocalClient(network));
        }
        if let Some(&public) = self.map.get(&local) {
            return Announcement::public(public, local, AnnounceReason::Map(local));
        }
        if let Some(public) = self.address {
            return Announcement::public(public, local, AnnounceReason::MasqueradeAddress);
        }
        if let Some(public) = self.learned {
            return Announcement::outer(public, AnnounceReason::PortMapping);
        }
        Announcement::inner(local.into(), AnnounceReason::LocalAddress)
    }

    /// The number to announce for a passive port.
    #[must_use]
    pub fn announced_port(&self, number: PortNumber, bound: Bound) -> u16 {
        let inner = bound.port.get();
        match (number, bound.outer, self.outer_ports) {
            (PortNumber::Inner, _, _) | (PortNumber::Outer, None, None) => inner,
            (PortNumber::Outer, Some(outer), _) => outer.get(),
            (PortNumber::Outer, None, Some(ports)) => ports.outer(inner),
        }
    }

    /// The network that makes this client a local one; the longest prefix wins. A router is never
    /// local, because others may be behind it.
    #[must_use]
    pub fn local_network(&self, peer: IpAddr) -> Option<IpNet> {
        // An IPv6 socket or a routing table may show a router's IPv4 address in IPv6 form.
        let mut gateways = self.gateways.iter().map(IpAddr::to_canonical);
        if gateways.any(|gateway| gateway == peer) {
            return None;
        }
        self.local_networks
            .iter()
            .filter(|network| network.contains(&peer))
            .max_by_key(|network| network.prefix_len())
            .copied()
    }

    fn client_rule(&self, peer: IpAddr) -> Option<(IpNet, ClientRule)> {
        self.clients
            .iter()
            .filter(|(network, _)| network.contains(&peer))
            .max_by_key(|(network, _)| network.prefix_len())
            .copied()
    }
}

impl Announcement {
    fn inner(address: IpAddr, reason: AnnounceReason) -> Self {
        Self {
            address,
            port: PortNumber::Inner,
            reason,
        }
    }

    fn public(address: PublicAddress, local: Ipv4Addr, reason: AnnounceReason) -> Self {
        match address {
            PublicAddress::Known(address) => Self::outer(address, reason),
            PublicAddress::Unknown => Self::inner(local.into(), AnnounceReason::Unknown),
        }
    }

    fn outer(address: Ipv4Addr, reason: AnnounceReason) -> Self {
        Self {
            address: IpAddr::V4(address),
            port: PortNumber::Outer,
            reason,
        }
    }
}
