//! The routes of this machine to single networks, for the value of a flag.
//!
//! Only the main table of IPv4 is read: nothing but a suggestion depends on it.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use log::debug;

use super::interfaces::{hex_u32, is_usable, read_table};

/// The network of the route that leads to this address, unless that is a default route.
pub(crate) fn network_to(address: IpAddr) -> Option<IpNet> {
    let IpAddr::V4(address) = address.to_canonical() else {
        return None;
    };
    match read_table("/proc/net/route") {
        Ok(table) => network_in(&table, address).map(IpNet::V4),
        Err(error) => {
            debug!("cannot read the routes: {error}");
            None
        }
    }
}

/// The longest prefix in the text of `/proc/net/route` that contains the address.
fn network_in(table: &str, address: Ipv4Addr) -> Option<Ipv4Net> {
    table
        .lines()
        .filter_map(destination)
        .filter(|network| network.prefix_len() > 0 && network.contains(&address))
        .max_by_key(Ipv4Net::prefix_len)
}

/// Fields: interface, destination, gateway, flags, three counters, mask, and more.
fn destination(line: &str) -> Option<Ipv4Net> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let number = |index: usize| hex_u32(fields.get(index)?);
    let (destination, flags, mask) = (number(1)?, number(3)?, number(7)?);
    // The kernel prints the bytes as they lie in memory, as one number of the machine's own order.
    let [destination, mask] =
        [destination, mask].map(|number| Ipv4Addr::from(number.to_ne_bytes()));
    let network = Ipv4Net::with_netmask(destination, mask).ok()?;
    is_usable(flags).then(|| network.trunc())
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    const TABLE: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t014DA8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t004DA8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
eth0\t0000000A\t054DA8C0\t0003\t0\t0\t0\t000000FF\t0\t0\t0
eth0\t0003000A\t054DA8C0\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0
wg0\t0600080A\t00000000\t0001\t0\t0\t0\tFFFFFFFF\t0\t0\t0
*\t0004000A\t00000000\t0203\t0\t0\t0\t00FFFFFF\t0\t0\t0
";

    #[test]
    fn the_longest_route_counts() {
        for (address, expected) in [
            ("10.0.3.9", Some("10.0.3.0/24")),
            ("10.1.0.1", Some("10.0.0.0/8")),
            ("10.0.4.1", Some("10.0.0.0/8")),
            ("10.8.0.6", Some("10.8.0.6/32")),
            ("192.168.77.3", Some("192.168.77.0/24")),
            ("192.168.88.3", None),
        ] {
            let found = network_in(TABLE, address.parse().unwrap());
            let expected = expected.map(|network| network.parse().unwrap());
            assert_eq!(found, expected, "{address}");
        }
    }
}
