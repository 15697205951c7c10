//! The addresses that the operator gives for clients: literally, or by where they can be learned.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use ftp_proto::ClientRule;
use ftp_proto::text::printable;

/// Where a public IPv4 address comes from. As text, it is the value of a flag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressSource {
    /// The address itself.
    Address(Ipv4Addr),
    /// A host name, which is resolved again and again because its address may change.
    Name(String),
    /// A file that another program writes the address into.
    File(PathBuf),
    /// A STUN server (RFC 8489), which is asked again and again.
    Stun {
        /// Its name, or its IPv4 address.
        host: String,
        /// Its UDP port.
        port: u16,
    },
}

/// The last good address of each source that is not an address itself.
pub type KnownAddresses = BTreeMap<AddressSource, Ipv4Addr>;

/// The address that passive mode replies give to the clients of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAddress {
    /// This address.
    Public(AddressSource),
    /// The address that the client connected to.
    Local,
}

impl AddressSource {
    /// The address; `None` if it is not known yet.
    pub fn known(&self, known: &KnownAddresses) -> Option<Ipv4Addr> {
        match self {
            Self::Address(address) => Some(*address),
            source => known.get(source).copied(),
        }
    }

    pub(super) fn resolved(&self, known: &KnownAddresses) -> ftp_proto::PublicAddress {
        self.known(known)
            .map_or(ftp_proto::PublicAddress::Unknown, Into::into)
    }

    /// For the log: the address, or the source with its address.
    pub fn described(&self, known: &KnownAddresses) -> String {
        match (self, self.known(known)) {
            (Self::Address(address), _) => address.to_string(),
            (source, Some(address)) => format!("{source} ({address})"),
            (source, None) => format!("{source} ({})", source.unknown()),
        }
    }

    /// What is said instead of the address while it is not known.
    pub(crate) fn unknown(&self) -> &'static str {
        match self {
            Self::Address(_) | Self::Name(_) => "not resolved yet",
            Self::File(_) => "no address yet",
            Self::Stun { .. } => "no answer yet",
        }
    }
}

impl fmt::Display for AddressSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
            Self::File(file) => write!(f, "@{}", printable(file.as_os_str().as_bytes())),
            Self::Stun { host, port } if *port == STUN_PORT => write!(f, "stun:{host}"),
            Self::Stun { host, port } => write!(f, "stun:{host}:{port}"),
        }
    }
}

impl ClientAddress {
    pub(super) fn rule(&self, known: &KnownAddresses) -> ClientRule {
        match self {
            Self::Public(public) => ClientRule::Announce(public.resolved(known)),
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

/// Whether this is an IPv4 address with a slip, such as `192.168.1.1x`, rather than a name: three
/// of its four parts are numbers, and the last one is no top-level domain, which has letters only.
pub(crate) fn is_mistyped_address(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let is_number = |part: &&&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let last = parts.last().copied().unwrap_or_default();
    let has_letters = last.len() > 1 && last.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_domain = has_letters || last.starts_with("xn--");
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    parts.len() == 4
        && parts.iter().filter(is_number).count() >= 3
        && !is_domain
        && text.bytes().all(is_part)
}

/// The UDP port of STUN (RFC 8489, section 18.6).
pub(crate) const STUN_PORT: u16 = 3478;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_mistyped_addresses() {
        for text in [
            "192.168.1.1x",
            "192.168.1.x1",
            "192.168.1.l",
            "192.168.l.1",
            "192.168.1O.1",
            "192.168.1.256",
            "1x.2.3.4",
            "192.168.1.1_",
        ] {
            assert!(is_mistyped_address(text), "{text}");
        }
        for text in [
            "1.2.3.example",
            "1.2.3.xn--p1ai",
            "192.168.1.1.nip.example",
            "192-168-1-1.example",
            "4.3.2.1.in-addr.arpa",
            "a.b.3.4",
            "1.2.3",
            "3com",
            "192.168.1.1:21",
            "...",
            "",
        ] {
            assert!(!is_mistyped_address(text), "{text}");
        }
    }
}
