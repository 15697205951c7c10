//! This machine's addresses from the kernel's tables in `/proc`, where netlink is not permitted.
//!
//! Pure: the texts of the tables come as arguments. Lines that are not understood are left out.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// An address of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TableAddress {
    pub(super) address: IpAddr,
    /// The mask of its network.
    pub(super) mask: Option<IpAddr>,
    /// Its interface, where that is known.
    pub(super) interface: Option<String>,
}

/// The addresses in the texts of `/proc/net/fib_trie`, which names no interfaces,
/// `/proc/net/route`, which does, and `/proc/net/if_inet6`.
pub(super) fn addresses(fib_trie: &str, route: &str, if_inet6: &str) -> Vec<TableAddress> {
    let mut addresses = ipv4_addresses(fib_trie, route);
    addresses.extend(if_inet6.lines().filter_map(ipv6_address));
    addresses
}

fn ipv4_addresses(fib_trie: &str, route: &str) -> Vec<TableAddress> {
    let (mut own, mut networks) = (BTreeSet::new(), BTreeSet::new());
    let mut leaf = None;
    for line in fib_trie.lines().map(str::trim_start) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.trim_end().parse::<Ipv4Addr>().ok();
            continue;
        }
        // What is known of the address of the leaf: a prefix length, a scope and a type.
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match (leaf, &words[..]) {
            (Some(address), ["/32", "host", "LOCAL"]) => drop(own.insert(address)),
            (Some(address), [length, "link", "UNICAST"]) => {
                let length = length.strip_prefix('/');
                let length = length.and_then(|length| length.parse().ok());
                let network = length.and_then(|length| Ipv4Net::new(address, length).ok());
                networks.extend(network.filter(|network| network.prefix_len() > 0));
            }
            _ => {}
        }
    }
    let names: Vec<(Ipv4Net, String)> = route.lines().filter_map(named_network).collect();
    own.into_iter()
        .map(|address| {
            let around = networks.iter().filter(|network| network.contains(&address));
            let network = around.max_by_key(|network| network.prefix_len()).copied();
            let network = network.unwrap_or(Ipv4Net::new_assert(address, 32));
            let name = names.iter().find(|(named, _)| *named == network);
            let loopback = address.is_loopback().then(|| "lo".to_owned());
            TableAddress {
                address: address.into(),
                // The loopback network needs none.
                mask: (!address.is_loopback()).then(|| network.netmask().into()),
                interface: name.map(|(_, name)| name.clone()).or(loopback),
            }
        })
        .collect()
}

/// A network that is reached without a gateway, and its interface. Fields: interface, destination,
/// gateway, flags, three counters, mask, and more.
fn named_network(line: &str) -> Option<(Ipv4Net, String)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let address = |index: usize| {
        let number = u32::from_str_radix(fields.get(index)?, 16).ok()?;
        // The kernel prints the bytes as they lie in memory.
        Some(Ipv4Addr::from(number.to_ne_bytes()))
    };
    let (network, gateway, mask) = (address(1)?, address(2)?, address(7)?);
    let network = Ipv4Net::with_netmask(network, mask).ok()?;
    gateway
        .is_unspecified()
        .then(|| (network, fields[0].to_owned()))
}

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
        let addresses = addresses(fib_trie, route, if_inet6).into_iter();
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

    #[test]
    fn without_tables_there_are_no_addresses() {
        assert_eq!(described("", "", ""), <[String; 0]>::default());
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_panic(
            table in "((\\|-- |/)?[0-9A-Fa-f.é]{0,34}[ \t\n]{1,2}){0,40}",
        ) {
            addresses(&table, &table, &table);
        }
    }
}
