//! The addresses that the operator gives for clients: literally, or by a host name.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use ftp_proto::ClientRule;

/// Where a public IPv4 address comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressSource {
    /// The address itself.
    Address(Ipv4Addr),
    /// A host name, which is resolved again and again because its address may change.
    Name(String),
}

/// The addresses of the host names that have been resolved.
pub type Names = BTreeMap<String, Ipv4Addr>;

/// The address that passive mode replies give to the clients of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAddress {
    /// This address.
    Public(AddressSource),
    /// The address that the client connected to.
    Local,
}

impl AddressSource {
    /// The address; `None` if it is a name that is not resolved yet.
    pub fn known(&self, names: &Names) -> Option<Ipv4Addr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Name(name) => names.get(name).copied(),
        }
    }

    pub(super) fn resolved(&self, names: &Names) -> ftp_proto::PublicAddress {
        self.known(names)
            .map_or(ftp_proto::PublicAddress::Unknown, Into::into)
    }

    /// For the log: the address, or the name with its address.
    pub fn described(&self, names: &Names) -> String {
        match (self, self.known(names)) {
            (Self::Address(address), _) => address.to_string(),
            (Self::Name(name), Some(address)) => format!("{name} ({address})"),
            (Self::Name(name), None) => format!("{name} (not resolved yet)"),
        }
    }
}

impl fmt::Display for AddressSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl ClientAddress {
    pub(super) fn rule(&self, names: &Names) -> ClientRule {
        match self {
            Self::Public(public) => ClientRule::Announce(public.resolved(names)),
            Self::Local => ClientRule::Local,
        }
    }
}

/// Why no client can connect to this address; `None` if clients can.
pub(crate) fn unusable(address: Ipv4Addr) -> Option<&'static str> {
    match address {
        _ if address.octets()[0] == 0 => Some("not an address that a client can connect to"),
        Ipv4Addr::BROADCAST => Some("the broadcast address leads to no single machine"),
        _ if address.is_multicast() => Some("a multicast address leads to no single machine"),
        _ => None,
    }
}
