//! The addresses that count as one client.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address, or the /64 network of an IPv6 address: a household gets at least that much, and
/// its devices change their addresses in it as often as they like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClientNetwork(IpAddr);

impl ClientNetwork {
    /// The network of a client's address.
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & HIGH_64).into(),
            address => address,
        })
    }
}

/// As `--deny` takes it.
impl fmt::Display for ClientNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "{address}"),
            IpAddr::V6(address) => write!(f, "{address}/64"),
        }
    }
}

const HIGH_64: u128 = u128::MAX << 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> ClientNetwork {
        ClientNetwork::of(address.parse().expect("an address"))
    }

    #[test]
    fn an_ipv4_address_stands_alone() {
        assert_ne!(network("198.51.100.7"), network("198.51.100.8"));
        assert_eq!(network("198.51.100.7"), network("::ffff:198.51.100.7"));
    }

    #[test]
    fn it_is_shown_as_flags_take_it() {
        assert_eq!(network("::ffff:198.51.100.7").to_string(), "198.51.100.7");
        assert_eq!(network("2001:db8:1:2::9").to_string(), "2001:db8:1:2::/64");
    }

    #[test]
    fn addresses_in_one_64_are_one() {
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    }
}
