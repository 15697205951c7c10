//! From where an address can be reached.
//!
//! Judged by the address alone: no route is asked, and nothing is connected to.

use std::net::Ipv4Addr;

/// From where an address can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// From this machine.
    Host,
    /// From its networks.
    Site,
    /// From the provider's customers: RFC 6598.
    Provider,
    /// From everywhere. Documentation addresses count, so that the examples of manuals can be tried.
    Public,
}

impl Reach {
    pub(crate) fn of(address: Ipv4Addr) -> Self {
        match address.octets() {
            _ if address.is_loopback() => Self::Host,
            _ if address.is_private() || address.is_link_local() => Self::Site,
            [100, 64..=127, ..] => Self::Provider,
            _ => Self::Public,
        }
    }
}

/// Ends a sentence about an address in 100.64.0.0/10.
pub(crate) const BEHIND_CARRIER: &str = "an address behind the provider's own NAT (carrier NAT, 100.64.0.0/10): \
    no connection from the Internet arrives there, so forwarding ports on the router cannot work; \
    serve over IPv6, or ask the provider for a public IPv4 address";

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
        check("127.0.0.0 127.255.255.255", Reach::Host);
        check(
            "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255",
            Reach::Site,
        );
        check(
            "192.168.0.0 192.168.255.255 169.254.0.0 169.254.255.255",
            Reach::Site,
        );
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
            "126.255.255.255 128.0.0.0 203.0.113.1 198.51.100.7",
            Reach::Public,
        );
    }
}
