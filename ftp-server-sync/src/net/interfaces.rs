//! The addresses, networks and gateways of this machine.
//!
//! Local networks come from the netmasks of the interfaces, never from the private address ranges
//! of RFC 1918: behind two routers, a private address can be as far away as any other.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use log::debug;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;

/// The interfaces and default routes of this machine, as they were when they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interfaces {
    /// The addresses of all interfaces that are up, in the system's order.
    pub(crate) addresses: Vec<IpAddr>,
    /// The networks of these interfaces, and the loopback networks; sorted, without duplicates.
    pub(crate) networks: Vec<IpNet>,
    /// The routers of the default routes; sorted, without duplicates.
    pub(crate) gateways: Vec<IpAddr>,
    /// The addresses of the interfaces that default routes use.
    pub(crate) default_route_addresses: Vec<IpAddr>,
}

impl Interfaces {
    /// Reads them from the system.
    ///
    /// # Errors
    ///
    /// What the system says. Routes that this process may not read count as none.
    pub(crate) fn read() -> io::Result<Self> {
        let routes = default_routes()?;
        let mut interfaces = Self::default();
        let mut with_netmask = Vec::new();
        for interface in getifaddrs()? {
            let Some(address) = interface.address.as_ref().and_then(ip) else {
                continue;
            };
            if !interface.flags.contains(InterfaceFlags::IFF_UP) {
                continue;
            }
            interfaces.addresses.push(address);
            let mask = interface.netmask.as_ref().and_then(ip);
            with_netmask.extend(mask.map(|mask| (address, mask)));
            if routes
                .iter()
                .any(|route| route.interface == interface.interface_name)
            {
                interfaces.default_route_addresses.push(address);
            }
        }
        interfaces.networks = networks(with_netmask);
        let gateways = routes.iter().filter_map(|route| route.gateway);
        interfaces.gateways = gateways.collect::<BTreeSet<IpAddr>>().into_iter().collect();
        Ok(interfaces)
    }

    /// The addresses among `addresses` that a router can forward to, or that the Internet can
    /// reach: those of interfaces that default routes use, and those in a network with a
    /// default gateway. If there is no such address, all of them.
    pub(crate) fn reachable_by_router(&self, addresses: &[Ipv4Addr]) -> Vec<Ipv4Addr> {
        let has_gateway = |network: &&IpNet| {
            let mut gateways = self.gateways.iter().map(IpAddr::to_canonical);
            gateways.any(|gateway| gateway.is_ipv4() && network.contains(&gateway))
        };
        let networks: Vec<&IpNet> = self.networks.iter().filter(has_gateway).collect();
        let is_reachable = |address: &Ipv4Addr| {
            let address = IpAddr::V4(*address);
            let mut of_routes = self
                .default_route_addresses
                .iter()
                .map(IpAddr::to_canonical);
            of_routes.any(|other| other == address)
                || networks.iter().any(|network| network.contains(&address))
        };
        if addresses.iter().any(is_reachable) {
            addresses.iter().copied().filter(is_reachable).collect()
        } else {
            addresses.to_vec()
        }
    }
}

/// The IPv4 router of the best default route, or of the best one over this interface.
///
/// # Errors
///
/// What the system says when the routes cannot be read.
pub(crate) fn default_gateway(interface: Option<&str>) -> io::Result<Option<Ipv4Addr>> {
    // The kernel lists those with a lower metric first.
    let routes = routes_v4(&read_table("/proc/net/route")?).into_iter();
    let over = |route: &DefaultRoute| interface.is_none_or(|name| name == route.interface);
    let mut gateways = routes.filter(over).filter_map(|route| route.gateway);
    Ok(gateways.find_map(|gateway| match gateway {
        IpAddr::V4(gateway) => Some(gateway),
        IpAddr::V6(_) => None,
    }))
}

/// A default route.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DefaultRoute {
    interface: String,
    /// `None`: the other end of the interface, as with PPP.
    gateway: Option<IpAddr>,
}

fn default_routes() -> io::Result<Vec<DefaultRoute>> {
    let mut routes = routes_v4(&read_table("/proc/net/route")?);
    routes.extend(routes_v6(&read_table("/proc/net/ipv6_route")?));
    Ok(routes)
}

/// A table that does not exist or may not be read is empty. Every other error is returned: a
/// process that is out of descriptors must not conclude that all routers are gone.
fn read_table(path: &str) -> io::Result<String> {
    fs::read_to_string(path).or_else(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied => {
            debug!("cannot read {path}: {error}");
            Ok(String::new())
        }
        _ => Err(error),
    })
}

/// The networks of these pairs of address and netmask, and the loopback networks.
fn networks(addresses: impl IntoIterator<Item = (IpAddr, IpAddr)>) -> Vec<IpNet> {
    let loopback = [
        IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::LOCALHOST, 8)),
        IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
    ];
    let interfaces = addresses
        .into_iter()
        // `with_netmask` would take an IPv6 address with an IPv4 mask.
        .filter(|(address, mask)| address.is_ipv4() == mask.is_ipv4())
        .filter_map(|(address, mask)| IpNet::with_netmask(address, mask).ok())
        // An empty mask means that none was set. As a network it would make every client local.
        .filter(|network| network.prefix_len() > 0);
    let all: BTreeSet<IpNet> = loopback
        .into_iter()
        .chain(interfaces)
        .map(|network| network.trunc())
        .collect();
    all.into_iter().collect()
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

/// The default routes in the text of `/proc/net/route`.
fn routes_v4(table: &str) -> Vec<DefaultRoute> {
    table.lines().filter_map(route_v4).collect()
}

/// The default routes in the text of `/proc/net/ipv6_route`.
fn routes_v6(table: &str) -> Vec<DefaultRoute> {
    table.lines().filter_map(route_v6).collect()
}

/// Fields: interface, destination, gateway, flags, three counters, mask, and more.
fn route_v4(line: &str) -> Option<DefaultRoute> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let number = |index: usize| hex_u32(fields.get(index)?);
    let (destination, gateway, flags, mask) = (number(1)?, number(2)?, number(3)?, number(7)?);
    // The kernel prints the bytes as they lie in memory, as one number of the machine's own order.
    let gateway = Ipv4Addr::from(gateway.to_ne_bytes());
    let is_default = destination == 0 && mask == 0;
    (is_default && is_usable(flags)).then(|| DefaultRoute {
        interface: fields[0].to_owned(),
        gateway: known_gateway(gateway.into(), flags),
    })
}

/// Fields: destination and its length, source and its length, next hop, three counters, flags,
/// interface.
fn route_v6(line: &str) -> Option<DefaultRoute> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let destination = hex_u128(fields.first()?)?;
    let destination_length = hex_u32(fields.get(1)?)?;
    let gateway = Ipv6Addr::from(hex_u128(fields.get(4)?)?);
    let flags = hex_u32(fields.get(8)?)?;
    let interface = *fields.get(9)?;
    let is_default = destination == 0 && destination_length == 0;
    (is_default && is_usable(flags)).then(|| DefaultRoute {
        interface: interface.to_owned(),
        gateway: known_gateway(gateway.into(), flags),
    })
}

fn is_usable(flags: u32) -> bool {
    flags & (ROUTE_UP | ROUTE_REJECT) == ROUTE_UP
}

fn known_gateway(gateway: IpAddr, flags: u32) -> Option<IpAddr> {
    (flags & ROUTE_GATEWAY != 0 && !gateway.is_unspecified()).then_some(gateway)
}

fn hex_u32(field: &str) -> Option<u32> {
    is_hex(field).then(|| u32::from_str_radix(field, 16).ok())?
}

/// Exactly 32 digits: a shorter field would be another address.
fn hex_u128(field: &str) -> Option<u128> {
    (field.len() == 32 && is_hex(field)).then(|| u128::from_str_radix(field, 16).ok())?
}

/// Digits only: `from_str_radix` alone would also take a plus sign.
fn is_hex(field: &str) -> bool {
    field.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Linux, `include/uapi/linux/route.h`: `RTF_UP`, `RTF_GATEWAY`, `RTF_REJECT`.
const ROUTE_UP: u32 = 0x1;
const ROUTE_GATEWAY: u32 = 0x2;
const ROUTE_REJECT: u32 = 0x200;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check_networks(addresses: &[(&str, &str)], expected: &[&str]) {
        let addresses = addresses
            .iter()
            .map(|(address, mask)| (address.parse().unwrap(), mask.parse().unwrap()));
        let found: Vec<String> = networks(addresses).iter().map(IpNet::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn netmasks_make_networks() {
        check_networks(&[], &["127.0.0.0/8", "::1/128"]);
        check_networks(
            &[
                ("192.168.77.2", "255.255.255.0"),
                ("127.0.0.1", "255.0.0.0"),
                ("192.168.77.3", "255.255.255.0"),
                ("10.8.0.6", "255.255.255.255"),
                ("fe80::5", "ffff:ffff:ffff:ffff::"),
                ("2001:db8:1:2::9", "ffff:ffff:ffff:ffff::"),
                ("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ],
            &[
                "10.8.0.6/32",
                "127.0.0.0/8",
                "192.168.77.0/24",
                "::1/128",
                "2001:db8:1:2::/64",
                "fe80::/64",
            ],
        );
    }

    #[test]
    fn unusable_netmasks_are_left_out() {
        check_networks(
            &[
                ("192.0.2.1", "0.0.0.0"),
                ("192.0.2.1", "255.0.255.0"),
                ("2001:db8::1", "::"),
                ("2001:db8::1", "255.255.255.0"),
            ],
            &["127.0.0.0/8", "::1/128"],
        );
    }

    #[test]
    fn this_machine_has_loopback() {
        let interfaces = Interfaces::read().unwrap();
        for loopback in ["127.0.0.0/8", "::1/128"] {
            assert!(interfaces.networks.contains(&loopback.parse().unwrap()));
        }
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert!(interfaces.addresses.contains(&address));
        assert!(interfaces.networks.is_sorted() && interfaces.gateways.is_sorted());
    }

    #[test]
    fn a_table_that_cannot_be_read_is_not_empty() {
        assert_eq!(read_table("/proc/net/no-such-table").unwrap(), "");
        assert!(read_table("/proc/net").is_err());
    }

    #[test]
    fn a_router_reaches_addresses_in_its_network() {
        let interfaces = Interfaces {
            networks: vec![
                "172.17.0.0/16".parse().unwrap(),
                "192.168.77.0/24".parse().unwrap(),
            ],
            gateways: vec![
                "::ffff:192.168.77.1".parse().unwrap(),
                "fe80::1".parse().unwrap(),
            ],
            ..Interfaces::default()
        };
        let [bridge, home, other] = [[172, 17, 0, 1], [192, 168, 77, 2], [10, 8, 0, 6]];
        let [bridge, home, other] = [bridge, home, other].map(Ipv4Addr::from);
        assert_eq!(
            interfaces.reachable_by_router(&[bridge, home, other]),
            [home]
        );
        assert_eq!(
            interfaces.reachable_by_router(&[bridge, other]),
            [bridge, other]
        );
        assert_eq!(
            Interfaces::default().reachable_by_router(&[bridge, home]),
            [bridge, home]
        );
    }

    // The numbers of these tables are printed in the machine's own byte order.
    #[cfg(target_endian = "little")]
    #[test]
    fn ipv4_default_routes() {
        let table = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t014DA8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
wlan0\t00000000\tFE01000A\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t004DA8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
tun0\t00000000\t0100080A\t0003\t0\t0\t0\t00000080\t0\t0\t0
ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0
eth1\t00000000\t0202000A\t0002\t0\t0\t0\t00000000\t0\t0\t0
*\t00000000\t0302000A\t0203\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0000000A\t044DA8C0\t0003\t0\t0\t0\t000000FF\t0\t0\t0

eth0\t00000000\t014DA8
eth0\t00000000\tGATEWAY!\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t00000000\t014DA8C000\t0003\t0\t0\t0\t00000000\t0\t0\t0
";
        let expected = [
            route("eth0", Some("192.168.77.1")),
            route("wlan0", Some("10.0.1.254")),
            route("ppp0", None),
        ];
        assert_eq!(routes_v4(table), expected);
    }

    fn route(interface: &str, gateway: Option<&str>) -> DefaultRoute {
        DefaultRoute {
            interface: interface.to_owned(),
            gateway: gateway.map(|gateway| gateway.parse().unwrap()),
        }
    }

    #[test]
    fn ipv6_default_routes() {
        let zero = "00000000000000000000000000000000";
        let router = "fe80000000000000020c29fffe000001";
        let line = |destination: &str, length: &str, hop: &str, flags: &str| {
            format!(
                "{destination} {length} {zero} 00 {hop} 00000400 00000001 00000000 {flags}     eth0\n"
            )
        };
        let table = [
            line("20010db8000000000000000000000000", "40", zero, "00000001"),
            line(zero, "00", router, "00450003"),
            line(zero, "00", zero, "00200200"),
            line(zero, "00", zero, "00000001"),
            line(zero, "00", "fe80", "00000003"),
            line(zero, "00", router, "flags"),
            line(zero, "01", router, "00000003"),
            "00000000 00\n\n".to_owned(),
        ];
        let expected = [
            route("eth0", Some("fe80::20c:29ff:fe00:1")),
            route("eth0", None),
        ];
        assert_eq!(routes_v6(&table.concat()), expected);
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_panic(table in "([0-9A-Fa-f+é]{0,34}[ \t\n]{1,2}){0,40}") {
            routes_v4(&table);
            routes_v6(&table);
        }
    }
}
