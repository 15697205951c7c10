//! The public addresses that the operator gives: literally, or by a host name.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use ftp_proto::ClientRule;

/// A public IPv4 address, or the name that leads to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressSource {
    /// The address itself.
    Address(Ipv4Addr),
    /// A host name, looked up again and again because what it leads to may change.
    Name(String),
}

/// What the addresses of names are, as far as that is known.
pub type Names = BTreeMap<String, Ipv4Addr>;

/// The address that the clients of a network are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAddress {
    /// This address.
    Public(AddressSource),
    /// The address that they connected to.
    Local,
}

impl AddressSource {
    /// The address, unless it is not known yet.
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

    /// As it was given, and what it leads to.
    pub fn described(&self, names: &Names) -> String {
        match (self, self.known(names)) {
            (Self::Address(address), _) => address.to_string(),
            (Self::Name(name), Some(address)) => format!("{name} ({address})"),
            (Self::Name(name), None) => format!("{name} (not known yet)"),
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
            Self::Public(public) => public
                .known(names)
                .map_or(ClientRule::Local, ClientRule::Announce),
            Self::Local => ClientRule::Local,
        }
    }
}

/// Why no client can connect to this address, if that is so.
pub(crate) fn unusable(address: Ipv4Addr) -> Option<&'static str> {
    match address {
        _ if address.octets()[0] == 0 => Some("not an address that a client can connect to"),
        Ipv4Addr::BROADCAST => Some("the broadcast address leads to no single machine"),
        _ if address.is_multicast() => Some("a multicast address leads to no single machine"),
        _ => None,
    }
}
