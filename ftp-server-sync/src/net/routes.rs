//! The routes of this machine, as the kernel's tables show them.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ftp_proto::Reach;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use log::debug;

use super::order;

/// A route over an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) interface: String,
    pub(super) destination: IpNet,
    /// `None`: the other end of the interface, as with PPP, or one that is not an address.
    pub(super) gateway: Option<IpAddr>,
    pub(super) has_gateway: bool,
    /// The kernel prefers the lower one of two routes to the same destination.
    pub(super) metric: u32,
}

/// Reads all routes.
///
/// # Errors
///
/// What the system says. Routes that this process may not read count as none.
pub(super) fn read() -> io::Result<Vec<Route>> {
    let mut routes = routes_v4(&read_table("/proc/net/route")?);
    routes.extend(routes_v6(&read_table("/proc/net/ipv6_route")?));
    Ok(routes)
}

/// The network of the route that leads to this address, unless that is a default route.
pub(crate) fn network_to(address: IpAddr) -> Option<IpNet> {
    match read() {
        Ok(routes) => longest_route(&routes, address.to_canonical()),
        Err(error) => {
            debug!("cannot read the routes: {error}");
            None
        }
    }
}

fn longest_route(routes: &[Route], address: IpAddr) -> Option<IpNet> {
    let destinations = routes.iter().map(|route| route.destination);
    destinations
        .filter(|network| network.prefix_len() > 0 && network.contains(&address))
        .max_by_key(IpNet::prefix_len)
        .map(|network| network.trunc())
}

/// The default routes among these.
pub(super) fn default_routes(routes: &[Route]) -> impl Iterator<Item = &Route> {
    let is_default = |route: &&Route| route.destination.prefix_len() == 0;
    routes.iter().filter(is_default)
}

/// The private networks that routes without a gateway lead to, such as those of a VPN whose
/// interface has an address without a network; sorted, and without those that are in another one or
/// in `known`.
///
/// What lies behind a longer route with a gateway is left out: the kernel sends it to that router.
/// Public networks are left out: a VPN may carry the whole Internet, as one default route or in
/// two halves. So is the single address at the other end of an interface with a default route,
/// which is the router's.
pub(super) fn networks_behind(routes: &[Route], known: &[IpNet]) -> Vec<IpNet> {
    let leads_everywhere = |interface: &str| {
        let mut routes = routes.iter();
        routes.any(|route| route.destination.prefix_len() <= 1 && route.interface == interface)
    };
    let is_router = |route: &Route| {
        let network = route.destination;
        network.prefix_len() == network.max_prefix_len() && leads_everywhere(&route.interface)
    };
    // A host that is its own gateway is not behind another router.
    let with_gateway = routes.iter().filter(|route| {
        route.has_gateway && route.gateway.map(IpNet::from) != Some(route.destination)
    });
    let elsewhere: Vec<IpNet> = with_gateway
        .map(|route| route.destination.trunc())
        .collect();
    let mut networks: Vec<IpNet> = routes
        .iter()
        .filter(|route| !route.has_gateway && is_private(route.destination) && !is_router(route))
        .flat_map(|route| without(route.destination.trunc(), &elsewhere))
        .filter(|network| !known.iter().any(|other| other.contains(network)))
        .collect();
    // The wider one first: what it contains says nothing new.
    order::sort_by_key(&mut networks, |network| {
        (network.network(), network.prefix_len())
    });
    let mut last: Option<IpNet> = None;
    networks.retain(|network| {
        let is_new = !last.is_some_and(|last| last.contains(network));
        last = if is_new { Some(*network) } else { last };
        is_new
    });
    networks
}

/// The parts of the network that are in none of the longer networks among `elsewhere`; none if they
/// are too many to be of use in a list.
fn without(network: IpNet, elsewhere: &[IpNet]) -> Vec<IpNet> {
    let inside = |network: IpNet, elsewhere: &[IpNet]| -> Vec<IpNet> {
        let elsewhere = elsewhere.iter().copied();
        elsewhere.filter(|other| network.contains(other)).collect()
    };
    let mut longer = inside(network, elsewhere);
    longer.retain(|other| *other != network);
    let mut parts = Vec::new();
    let mut open = vec![(network, longer)];
    while let Some((network, longer)) = open.pop() {
        if longer.is_empty() {
            parts.push(network);
        } else if !longer.contains(&network) {
            // Halves: one prefix bit more always fits, because a longer network is inside.
            let halves = network
                .subnets(network.prefix_len() + 1)
                .into_iter()
                .flatten();
            open.extend(halves.map(|half| (half, inside(half, &longer))));
        }
        if parts.len() > PARTS_MAX {
            debug!("{network}: too many routes with a gateway are in its network");
            return Vec::new();
        }
    }
    parts
}

/// Whether all addresses of the network are private ones. Both ends suffice: a network that is
/// wider than a private range has a public address at one of its ends.
pub(super) fn is_private(network: IpNet) -> bool {
    [network.network(), network.broadcast()].map(Reach::of) == [Reach::Site; 2]
}

/// A table that does not exist or may not be read is empty. Every other error is returned: a
/// process that is out of descriptors must not conclude that all routers are gone.
pub(super) fn read_table(path: &str) -> io::Result<String> {
    fs::read_to_string(path).or_else(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied => {
            debug!("cannot read {path}: {error}");
            Ok(String::new())
        }
        _ => Err(error),
    })
}

/// The routes in the text of `/proc/net/route`.
pub(super) fn routes_v4(table: &str) -> Vec<Route> {
    table.lines().filter_map(route_v4).collect()
}

/// The routes in the text of `/proc/net/ipv6_route`.
pub(super) fn routes_v6(table: &str) -> Vec<Route> {
    table.lines().filter_map(route_v6).collect()
}

/// Fields: interface, destination, gateway, flags, two counters, metric, mask, and more.
fn route_v4(line: &str) -> Option<Route> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let number = |index: usize| hex_u32(fields.get(index)?);
    let (destination, gateway, flags, mask) = (number(1)?, number(2)?, number(3)?, number(7)?);
    // The kernel prints the bytes as they lie in memory, as one number of the machine's own order.
    let [destination, gateway, mask] =
        [destination, gateway, mask].map(|number| Ipv4Addr::from(number.to_ne_bytes()));
    let destination = Ipv4Net::with_netmask(destination, mask).ok()?;
    let metric = fields[6].parse().unwrap_or(u32::MAX);
    is_usable(flags).then(|| Route {
        interface: fields[0].to_owned(),
        destination: destination.into(),
        gateway: known_gateway(gateway.into(), flags),
        has_gateway: flags & ROUTE_GATEWAY != 0,
        metric,
    })
}

/// Fields: destination and its length, source and its length, next hop, metric, two counters,
/// flags, interface.
fn route_v6(line: &str) -> Option<Route> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let destination = hex_u128(fields.first()?)?;
    let destination_length = hex_u32(fields.get(1)?)?;
    let gateway = Ipv6Addr::from(hex_u128(fields.get(4)?)?);
    let metric = hex_u32(fields.get(5)?).unwrap_or(u32::MAX);
    let flags = hex_u32(fields.get(8)?)?;
    let interface = *fields.get(9)?;
    let destination_length = u8::try_from(destination_length).ok()?;
    let destination = Ipv6Net::new(destination.into(), destination_length).ok()?;
    is_usable(flags).then(|| Route {
        interface: interface.to_owned(),
        destination: destination.into(),
        gateway: known_gateway(gateway.into(), flags),
        has_gateway: flags & ROUTE_GATEWAY != 0,
        metric,
    })
}

fn is_usable(flags: u32) -> bool {
    flags & (ROUTE_UP | ROUTE_REJECT | ROUTE_LOCAL) == ROUTE_UP
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

/// Enough for one single address to be left out of any network.
const PARTS_MAX: usize = 128;

/// Linux, `include/uapi/linux/route.h` and `ipv6_route.h`: `RTF_UP`, `RTF_GATEWAY`, `RTF_REJECT`,
/// `RTF_LOCAL`.
const ROUTE_UP: u32 = 0x1;
const ROUTE_GATEWAY: u32 = 0x2;
const ROUTE_REJECT: u32 = 0x200;
const ROUTE_LOCAL: u32 = 0x8000_0000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_table_that_cannot_be_read_is_not_empty() {
        assert_eq!(read_table("/proc/net/no-such-table").unwrap(), "");
        assert!(read_table("/proc/net").is_err());
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
            ("eth0", Some("192.168.77.1")),
            ("wlan0", Some("10.0.1.254")),
            ("ppp0", None),
        ];
        check_default_routes(&routes_v4(table), &expected);
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn the_longest_route_counts() {
        let routes = routes_v4(
            "\
eth0\t00000000\t014DA8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t004DA8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
eth0\t0000000A\t054DA8C0\t0003\t0\t0\t0\t000000FF\t0\t0\t0
eth0\t0003000A\t054DA8C0\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0
wg0\t0600080A\t00000000\t0001\t0\t0\t0\tFFFFFFFF\t0\t0\t0
*\t0004000A\t00000000\t0203\t0\t0\t0\t00FFFFFF\t0\t0\t0
",
        );
        for (address, expected) in [
            ("10.0.3.9", Some("10.0.3.0/24")),
            ("10.1.0.1", Some("10.0.0.0/8")),
            ("10.0.4.1", Some("10.0.0.0/8")),
            ("10.8.0.6", Some("10.8.0.6/32")),
            ("192.168.77.3", Some("192.168.77.0/24")),
            ("192.168.88.3", None),
        ] {
            let found = longest_route(&routes, address.parse().unwrap());
            let expected = expected.map(|network| network.parse().unwrap());
            assert_eq!(found, expected, "{address}");
        }
    }

    #[track_caller]
    fn check_default_routes(routes: &[Route], expected: &[(&str, Option<&str>)]) {
        let found: Vec<(&str, Option<IpAddr>)> = default_routes(routes)
            .map(|route| (route.interface.as_str(), route.gateway))
            .collect();
        let gateway = |text: &&str| text.parse().unwrap();
        let expected: Vec<(&str, Option<IpAddr>)> = expected
            .iter()
            .map(|(interface, text)| (*interface, text.as_ref().map(gateway)))
            .collect();
        assert_eq!(found, expected);
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
        let expected = [("eth0", Some("fe80::20c:29ff:fe00:1")), ("eth0", None)];
        check_default_routes(&routes_v6(&table.concat()), &expected);
    }

    /// A table of `ip route`: each line has a destination, the gateway or "-", and an interface.
    #[track_caller]
    fn check_behind(known: &str, table: &str, expected: &str) {
        let routes: Vec<Route> = table
            .lines()
            .map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                Route {
                    interface: words[2].to_owned(),
                    destination: words[0].parse().unwrap(),
                    gateway: words[1].parse().ok(),
                    has_gateway: words[1] != "-",
                    metric: 0,
                }
            })
            .collect();
        let known: Vec<IpNet> = known
            .split_whitespace()
            .map(|network| network.parse().unwrap())
            .collect();
        let found: Vec<String> = networks_behind(&routes, &known)
            .iter()
            .map(IpNet::to_string)
            .collect();
        assert_eq!(found.join(" "), expected);
    }

    #[test]
    fn routes_over_a_tunnel_lead_to_its_networks() {
        let home = "192.168.77.0/24 10.8.0.1/32 127.0.0.0/8";
        check_behind(
            home,
            "0.0.0.0/0 192.168.77.1 eth0
             192.168.77.0/24 - eth0
             10.8.0.0/24 - wg0
             10.8.0.7/32 - wg0
             10.9.0.0/16 10.8.0.7 wg0
             fd00:8::/64 - wg0
             fe80::/64 - wg0
             ff00::/8 - wg0",
            "10.8.0.0/24 fd00:8::/64",
        );
        // A network that an interface has already is not new.
        check_behind("10.0.0.0/8", "10.8.0.0/24 - wg0", "");
    }

    #[test]
    fn the_internet_is_never_behind_a_tunnel() {
        for whole in [
            "0.0.0.0/0 - wg0",
            "0.0.0.0/1 - wg0\n128.0.0.0/1 - wg0",
            "::/0 - wg0",
            "203.0.113.0/24 - wg0",
            "100.64.0.0/10 - ppp0",
            "10.0.0.0/7 - wg0",
            "172.0.0.0/8 - wg0",
            "192.0.0.0/3 - wg0",
            "192.168.0.0/15 - wg0",
            "2000::/3 - wg0",
            "fc00::/6 - wg0",
            "169.254.0.0/16 - wg0",
        ] {
            check_behind("", whole, "");
        }
        for private in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"] {
            check_behind("", &format!("{private} - wg0"), private);
        }
    }

    #[test]
    fn a_network_behind_a_longer_route_with_a_gateway_is_elsewhere() {
        let wide = "10.0.0.0/8 - wg0\n10.20.0.0/16 192.168.77.5 eth0\n";
        let without = "10.0.0.0/12 10.16.0.0/14 10.21.0.0/16 10.22.0.0/15 10.24.0.0/13 \
                       10.32.0.0/11 10.64.0.0/10 10.128.0.0/9";
        check_behind("192.168.77.0/24", wide, without);
        // A route within it leads back into the tunnel.
        let back = without.replace("10.21", "10.20.3.0/24 10.21");
        check_behind("", &format!("{wide}10.20.3.0/24 - wg0"), &back);
        // Neither a wider route nor one for the same network.
        let same = "10.8.0.0/16 - wg0\n10.8.0.0/16 192.168.77.5 eth0\n";
        check_behind(
            "",
            &format!("{same}10.0.0.0/8 192.168.77.5 eth0"),
            "10.8.0.0/16",
        );
        check_behind(
            "",
            "10.8.0.0/23 - wg0\n10.8.0.0/24 10.8.1.1 wg0\n10.8.0.7/32 10.8.1.1 wg0",
            "10.8.1.0/24",
        );
        let itself = "10.8.0.0/24 - wg0\n10.8.0.6/32 10.8.0.6 wg0";
        check_behind("", itself, "10.8.0.0/24");
        let halves = "10.8.0.0/23 - wg0\n10.8.0.0/24 10.7.0.1 eth0\n10.8.1.0/24 10.7.0.1 eth0";
        check_behind("", halves, "");
    }

    #[test]
    fn many_routes_with_a_gateway_leave_no_network() {
        let gateways = |count: u16| -> String {
            let gateway = |n: u16| {
                let [high, low] = (2 * n).to_be_bytes();
                format!("10.{high}.{low}.0/24 192.168.77.5 eth0\n")
            };
            (0..count).map(gateway).collect()
        };
        check_behind("", &("10.0.0.0/8 - wg0\n".to_owned() + &gateways(2000)), "");
        // The most that one address can leave.
        let network: IpNet = "fc00::/7".parse().unwrap();
        let parts = without(network, &["fd00::5/128".parse().unwrap()]);
        assert_eq!(parts.len(), 121);
    }

    #[test]
    fn the_other_end_of_a_default_route_is_the_router() {
        let peer = "10.64.64.64/32 - ppp0\n10.8.0.0/24 - ppp0\n10.7.0.1/32 - wg0\n";
        check_behind("", peer, "10.7.0.1/32 10.8.0.0/24 10.64.64.64/32");
        for default in ["0.0.0.0/0 - ppp0", "0.0.0.0/1 - ppp0"] {
            check_behind("", &(peer.to_owned() + default), "10.7.0.1/32 10.8.0.0/24");
        }
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn routes_without_a_gateway_are_read() {
        let v4 = routes_v4(
            "wg0\t0000080A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
             wg0\t0000090A\t0700080A\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0\n",
        );
        let zero = "00000000000000000000000000000000";
        let line = |length: &str, flags: &str| {
            let destination = "fd000008000000000000000000000001";
            format!("{destination} {length} {zero} 00 {zero} 400 1 0 {flags} wg0\n")
        };
        let v6 = routes_v6(&(line("40", "00000001") + &line("80", "80200001")));
        let all = [v4, v6].concat();
        let found = networks_behind(&all, &[]);
        let expected = ["10.8.0.0/24", "fd00:8::/64"].map(|text| text.parse::<IpNet>().unwrap());
        assert_eq!(found, expected);
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_panic(table in "([0-9A-Fa-f+é]{0,34}[ \t\n]{1,2}){0,40}") {
            routes_v4(&table);
            routes_v6(&table);
        }
    }
}
