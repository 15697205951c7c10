//! From where an address can be reached.
//!
//! The address alone decides: no route is looked up, and no connection is opened.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// From where an address can be reached. Every address has one of these, so that this enum stays
/// exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reach {
    /// From this machine: loopback.
    Host,
    /// From the same link: link-local addresses.
    Link,
    /// From the networks of one site: private addresses (RFC 1918, RFC 4193).
    Site,
    /// From the network of an Internet provider that uses NAT (RFC 6598).
    Provider,
    /// From everywhere. Documentation addresses count as public, so that examples of manuals work.
    Public,
}

impl Reach {
    /// Classifies an address in canonical form.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    /// The name of such an address, if it cannot be reached from the Internet.
    #[must_use]
    pub fn kind(self) -> Option<&'static str> {
        match self {
            Self::Host => Some("a loopback address"),
            Self::Link => Some("a link-local address"),
            Self::Site => Some("a private address"),
            Self::Provider => Some("an address behind a provider's NAT"),
            Self::Public => None,
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        match address.octets() {
            _ if address.is_loopback() => Self::Host,
            _ if address.is_link_local() => Self::Link,
            _ if address.is_private() => Self::Site,
            [100, 64..=127, ..] => Self::Provider,
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        match address {
            _ if address.is_loopback() => Self::Host,
            _ if address.is_unicast_link_local() => Self::Link,
            _ if address.is_unique_local() => Self::Site,
            _ => Self::Public,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(addresses: &str, expected: Reach) {
        for address in addresses.split_whitespace() {
            assert_eq!(Reach::of(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn edges() {
        check("127.0.0.0 127.255.255.255 ::1", Reach::Host);
        check("169.254.0.0 169.254.255.255 fe80::1 febf::1", Reach::Link);
        check(
            "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255",
            Reach::Site,
        );
        check("192.168.0.0 192.168.255.255 fc00::1 fdff::1", Reach::Site);
        check("100.64.0.0 100.127.255.255", Reach::Provider);
        check(
            "9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0",
            Reach::Public,
        );
        check(
            "172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0",
            Reach::Public,
        );
        check(
            "126.255.255.255 128.0.0.0 203.0.113.1 198.51.100.7 2001:db8::1",
            Reach::Public,
        );
    }
}
