//! The addresses that count as one client.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 address, or the /64 network of an IPv6 address: a household gets at least that much, and
/// its devices change their addresses in it as often as they like.
///
/// In two networks each address stands alone, as many clients share them: that of NAT64 (RFC 6052),
/// and the link-local one, whose addresses are not routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClientNetwork(IpAddr);

impl ClientNetwork {
    /// The network of a client's address.
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) if address.is_unicast_link_local() => address.into(),
            IpAddr::V6(address) => match behind_nat64(address) {
                Some(ipv4) => ipv4.into(),
                None => Ipv6Addr::from_bits(address.to_bits() & HIGH_64).into(),
            },
            address => address,
        })
    }
}

/// As `--deny` takes it.
impl fmt::Display for ClientNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "{address}"),
            IpAddr::V6(address) if address.is_unicast_link_local() => write!(f, "{address}"),
            IpAddr::V6(address) => write!(f, "{address}/64"),
        }
    }
}

/// The IPv4 address in one of the well-known prefix 64:ff9b::/96.
fn behind_nat64(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = address.segments() else {
        return None;
    };
    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
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
    fn clients_behind_nat64_and_on_the_link_stand_alone() {
        assert_eq!(network("64:ff9b::198.51.100.7"), network("198.51.100.7"));
        assert_ne!(
            network("64:ff9b::198.51.100.7"),
            network("64:ff9b::198.51.100.8")
        );
        assert_eq!(network("64:ff9b:0:1::9").to_string(), "64:ff9b:0:1::/64");
        assert_ne!(network("fe80::1"), network("fe80::2"));
        assert_eq!(network("fe80::1").to_string(), "fe80::1");
    }

    #[test]
    fn addresses_in_one_64_are_one() {
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    }
}
