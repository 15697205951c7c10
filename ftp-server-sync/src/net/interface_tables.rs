//! This machine's addresses from the kernel's tables in `/proc`, where netlink is not permitted.
//!
//! Pure: the texts of the tables come as arguments. Lines that are not understood are left out.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::routes::{Route, is_private};

/// An address of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TableAddress {
    pub(super) address: IpAddr,
    /// The mask of its network.
    pub(super) mask: Option<IpAddr>,
    /// Its interface, where that is known.
    pub(super) interface: Option<String>,
}

/// The addresses in the texts of `/proc/net/fib_trie`, which names no interfaces, and of
/// `/proc/net/if_inet6`. The routes name the interfaces of IPv4 networks.
pub(super) fn addresses(fib_trie: &str, routes: &[Route], if_inet6: &str) -> Vec<TableAddress> {
    let mut addresses = ipv4_addresses(fib_trie, routes);
    addresses.extend(if_inet6.lines().filter_map(ipv6_address));
    addresses
}

fn ipv4_addresses(fib_trie: &str, routes: &[Route]) -> Vec<TableAddress> {
    let table = FibTrie::parse(fib_trie);
    let with_network = table.own.iter().map(|address| {
        let network = table.network_of(*address);
        let is_its_route =
            |route: &&Route| !route.has_gateway && route.destination == IpNet::V4(network);
        let name = routes.iter().find(is_its_route);
        let loopback = address.is_loopback().then(|| "lo".to_owned());
        TableAddress {
            address: (*address).into(),
            // The loopback network needs none.
            mask: (!address.is_loopback()).then(|| network.netmask().into()),
            interface: name.map(|route| route.interface.clone()).or(loopback),
        }
    });
    with_network.collect()
}

/// What the kernel's IPv4 table shows.
#[derive(Default)]
struct FibTrie {
    own: BTreeSet<Ipv4Addr>,
    /// The networks that are reached without a gateway: those of interfaces and others, such as
    /// those behind a tunnel.
    on_link: BTreeSet<Ipv4Net>,
    broadcast: BTreeSet<Ipv4Addr>,
}

impl FibTrie {
    fn parse(text: &str) -> Self {
        let mut table = Self::default();
        let mut leaf = None;
        for line in text.lines().map(str::trim_start) {
            if let Some(address) = line.strip_prefix("|-- ") {
                leaf = address.trim_end().parse::<Ipv4Addr>().ok();
                continue;
            }
            // What is known of the address of the leaf: a prefix length, a scope and a type.
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            match (leaf, &words[..]) {
                (Some(address), ["/32", "host", "LOCAL"]) => drop(table.own.insert(address)),
                (Some(address), ["/32", "link", "BROADCAST"]) => {
                    table.broadcast.insert(address);
                }
                (Some(address), [length, "link", "UNICAST"]) => {
                    let length = length.strip_prefix('/');
                    let length = length.and_then(|length| length.parse().ok());
                    let network = length.and_then(|length| Ipv4Net::new(address, length).ok());
                    table.on_link.extend(network);
                }
                _ => {}
            }
        }
        table
    }

    /// The network of the interface with this address; the address alone if no network is certain
    /// to be the interface's.
    fn network_of(&self, address: Ipv4Addr) -> Ipv4Net {
        let around = self.on_link.iter().filter(|network| {
            network.contains(&address) && self.is_of_interface(**network, address)
        });
        let narrowest = around.max_by_key(|network| network.prefix_len()).copied();
        narrowest.unwrap_or(Ipv4Net::new_assert(address, 32))
    }

    /// Whether the route to this network may come from the netmask of an interface with this
    /// address. A route into a tunnel must not count: half of the Internet would be local.
    ///
    /// With the network of an interface, the kernel adds its broadcast address, but for the
    /// smallest networks. The last address of a tunnel's network may be another interface's
    /// broadcast address, as 127.255.255.255 is in `0.0.0.0/1`; therefore the width counts too.
    fn is_of_interface(&self, network: Ipv4Net, address: Ipv4Addr) -> bool {
        let is_plausible = if is_private(Ipv4Net::new_assert(address, 32).into()) {
            is_private(network.into())
        } else {
            network.prefix_len() >= WIDEST
        };
        let has_broadcast = network.prefix_len() >= WITHOUT_BROADCAST
            || self.broadcast.contains(&network.broadcast());
        is_plausible && has_broadcast
    }
}

/// The length of the prefix of 10.0.0.0/8, the widest private range. No interface has a network
/// that is wider.
const WIDEST: u8 = 8;

/// Networks with a prefix of this length or a greater one have no broadcast address.
const WITHOUT_BROADCAST: u8 = 31;

/// Fields: address, number of the interface, prefix length, scope, flags, interface.
fn ipv6_address(line: &str) -> Option<TableAddress> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [address, _, length, _, _, interface] = fields[..] else {
        return None;
    };
    let number = u128::from_str_radix(address, 16).ok();
    let address = Ipv6Addr::from(number.filter(|_| address.len() == 32)?);
    let length = u8::from_str_radix(length, 16).ok()?;
    let network = IpNet::V6(Ipv6Net::new(address, length).ok()?);
    Some(TableAddress {
        address: address.into(),
        mask: Some(network.netmask()),
        interface: Some(interface.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::net::routes::routes_v4;

    const FIB_TRIE: &str = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.8.0.0/24 2 0 2
        |-- 10.8.0.0
           /24 link UNICAST
        |-- 10.8.0.6
           /32 host LOCAL
        |-- 10.8.0.255
           /32 link BROADCAST
     |-- 10.64.0.1
        /32 host LOCAL
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     +-- 192.168.77.0/24 2 0 2
        |-- 192.168.77.0
           /24 link UNICAST
           /16 universe UNICAST
        |-- 192.168.77.2
           /32 host LOCAL
        |-- not an address
           /32 host LOCAL
        |-- 192.168.77.255
           /32 link BROADCAST
Local:
     |-- 192.168.77.2
        /32 host LOCAL
";
    const IF_INET6: &str = "\
20010db8007700000000000000000002 04 40 00 82     eth0
00000000000000000000000000000001 01 80 10 80       lo
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
fe80 04 40 20 80     eth0
";

    fn described(fib_trie: &str, route: &str, if_inet6: &str) -> Vec<String> {
        let addresses = addresses(fib_trie, &routes_v4(route), if_inet6).into_iter();
        let text = |found: TableAddress| {
            let name = found.interface.unwrap_or("?".to_owned());
            let mask = found.mask.map_or("-".to_owned(), |mask| mask.to_string());
            format!("{} {mask} {name}", found.address)
        };
        addresses.map(text).collect()
    }

    // The numbers of this table are printed in the machine's own byte order.
    #[cfg(target_endian = "little")]
    #[test]
    fn addresses_have_the_interface_of_their_network() {
        let route = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t014DA8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t004DA8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
wg0\t0000080A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
wg0\t0000000A
";
        let expected = [
            "10.8.0.6 255.255.255.0 wg0",
            "10.64.0.1 255.255.255.255 ?",
            "127.0.0.1 - lo",
            "192.168.77.2 255.255.255.0 eth0",
            "2001:db8:77::2 ffff:ffff:ffff:ffff:: eth0",
            "::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff lo",
            "fe80::fc:ff:fe00:1 ffff:ffff:ffff:ffff:: eth0",
        ];
        assert_eq!(described(FIB_TRIE, route, IF_INET6), expected);
    }

    /// Each line has an address and what the table says of it.
    fn fib_trie(lines: &str) -> String {
        let leaf = |line: &str| {
            let (address, what) = line.trim().split_once(' ').unwrap();
            format!("   |-- {address}\n      {what}\n")
        };
        lines.lines().map(leaf).collect()
    }

    #[track_caller]
    fn check_networks(lines: &str, expected: &[&str]) {
        let found = described(&fib_trie(lines), "", "");
        let expected: Vec<String> = expected.iter().map(|text| format!("{text} ?")).collect();
        assert_eq!(found, expected, "{lines}");
    }

    #[test]
    fn a_route_into_a_tunnel_is_no_network_of_an_interface() {
        let loopback = "127.255.255.255 /32 link BROADCAST\n10.66.66.2 /32 host LOCAL\n";
        for routes in [
            "0.0.0.0 /1 link UNICAST\n128.0.0.0 /1 link UNICAST",
            "0.0.0.0 /0 link UNICAST",
            "0.0.0.0 /2 link UNICAST",
            "8.0.0.0 /6 link UNICAST\n11.255.255.255 /32 link BROADCAST",
            "10.0.0.0 /7 link UNICAST\n11.255.255.255 /32 link BROADCAST",
            "10.0.0.0 /8 link UNICAST",
            "10.66.66.0 /24 link UNICAST",
        ] {
            let alone = ["10.66.66.2 255.255.255.255"];
            check_networks(&(loopback.to_owned() + routes), &alone);
        }
        // All but the private networks, beside a public address without a network.
        check_networks(
            "126.0.0.0 /7 link UNICAST
             127.255.255.255 /32 link BROADCAST
             126.0.0.5 /32 host LOCAL
             200.0.0.0 /5 link UNICAST
             203.0.113.5 /32 host LOCAL",
            &["126.0.0.5 255.255.255.255", "203.0.113.5 255.255.255.255"],
        );
    }

    #[test]
    fn an_interface_has_a_broadcast_address_beside_a_tunnel() {
        check_networks(
            "0.0.0.0 /1 link UNICAST
             10.0.0.0 /8 link UNICAST
             10.1.0.0 /16 link UNICAST
             10.1.2.3 /32 host LOCAL
             10.1.255.255 /32 link BROADCAST
             172.16.0.0 /31 link UNICAST
             172.16.0.1 /32 host LOCAL
             203.0.113.0 /24 link UNICAST
             203.0.113.5 /32 host LOCAL
             203.0.113.255 /32 link BROADCAST",
            &[
                "10.1.2.3 255.255.0.0",
                "172.16.0.1 255.255.255.254",
                "203.0.113.5 255.255.255.0",
            ],
        );
    }

    #[test]
    fn without_tables_there_are_no_addresses() {
        assert_eq!(described("", "", ""), <[String; 0]>::default());
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_panic(
            table in "((\\|-- |/)?[0-9A-Fa-f.é]{0,34}[ \t\n]{1,2}){0,40}",
        ) {
            addresses(&table, &routes_v4(&table), &table);
        }
    }
}
