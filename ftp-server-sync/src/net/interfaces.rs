//! The addresses, networks and gateways of this machine.
//!
//! Local networks come from the netmasks of the interfaces and from routes without a gateway, never
//! from the private address ranges of RFC 1918 alone: behind two routers, a private address can be
//! as far away as any other.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;

use super::interface_tables::{self, TableAddress};
use super::order;
use super::routes::{self, Route, default_routes, networks_behind, read_table};

/// The interfaces and default routes of this machine, as they were when they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interfaces {
    /// The addresses of all interfaces that are up, in the system's order.
    pub(crate) addresses: Vec<IpAddr>,
    /// The networks of these interfaces, and the loopback networks; sorted, without duplicates.
    pub(crate) networks: Vec<IpNet>,
    /// The private networks that routes reach through these interfaces without a gateway, and that
    /// are not in `networks`; sorted, without duplicates.
    pub(crate) routed_networks: Vec<IpNet>,
    /// The routers of the default routes; sorted, without duplicates.
    pub(crate) gateways: Vec<IpAddr>,
    /// The addresses of the interfaces that default routes use.
    pub(crate) default_route_addresses: Vec<IpAddr>,
    /// The name of the interface of each address, such as `eth0`.
    pub(crate) names: BTreeMap<IpAddr, String>,
    /// They come from tables in `/proc`, because this process may not open netlink sockets.
    pub(crate) without_netlink: bool,
}

impl Interfaces {
    /// Reads them from the system.
    ///
    /// # Errors
    ///
    /// What the system says. Routes that this process may not read count as none.
    pub(crate) fn read() -> io::Result<Self> {
        let routes = routes::read()?;
        let (found, without_netlink) = match from_netlink() {
            Ok(found) => (found, false),
            Err(error) if is_not_permitted(error) => (from_tables(&routes)?, true),
            Err(error) => return Err(error.into()),
        };
        Ok(Self::with(&routes, found, without_netlink))
    }

    fn with(all_routes: &[Route], found: Vec<TableAddress>, without_netlink: bool) -> Self {
        let routes: Vec<&Route> = default_routes(all_routes).collect();
        let mut interfaces = Self {
            without_netlink,
            ..Self::default()
        };
        let mut with_netmask = Vec::new();
        for TableAddress {
            address,
            mask,
            interface,
        } in found
        {
            interfaces.addresses.push(address);
            with_netmask.extend(mask.map(|mask| (address, mask)));
            if routes
                .iter()
                .any(|route| Some(&route.interface) == interface.as_ref())
            {
                interfaces.default_route_addresses.push(address);
            }
            let address = address.to_canonical();
            interfaces
                .names
                .extend(interface.map(|name| (address, name)));
        }
        interfaces.networks = networks(with_netmask);
        interfaces.routed_networks = networks_behind(all_routes, &interfaces.networks);
        let gateways = routes.iter().filter_map(|route| route.gateway);
        interfaces.gateways = gateways.collect();
        order::sort(&mut interfaces.gateways);
        interfaces.gateways.dedup();
        interfaces
    }

    /// Whether it is an address of this machine.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        let mut own = self.addresses.iter().map(IpAddr::to_canonical);
        own.any(|own| own == address)
    }

    /// The networks whose clients are local unless the operator says otherwise; sorted.
    pub(crate) fn local_networks(&self) -> Vec<IpNet> {
        let mut all = [&self.networks[..], &self.routed_networks].concat();
        order::sort(&mut all);
        all
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

/// The addresses of the interfaces that are up.
fn from_netlink() -> Result<Vec<TableAddress>, Errno> {
    let interfaces = getifaddrs()?.filter(|one| one.flags.contains(InterfaceFlags::IFF_UP));
    let found = interfaces.filter_map(|interface| {
        Some(TableAddress {
            address: interface.address.as_ref().and_then(ip)?,
            mask: interface.netmask.as_ref().and_then(ip),
            interface: Some(interface.interface_name),
        })
    });
    Ok(found.collect())
}

/// A service manager restricts the families of sockets so, or system calls.
fn is_not_permitted(error: Errno) -> bool {
    use Errno::{EACCES, EAFNOSUPPORT, ENOSYS, EPERM, EPROTONOSUPPORT};
    [EACCES, EAFNOSUPPORT, ENOSYS, EPERM, EPROTONOSUPPORT].contains(&error)
}

fn from_tables(routes: &[Route]) -> io::Result<Vec<TableAddress>> {
    Ok(interface_tables::addresses(
        &read_table("/proc/net/fib_trie")?,
        routes,
        &read_table("/proc/net/if_inet6")?,
    ))
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
    let mut all: Vec<IpNet> = loopback
        .into_iter()
        .chain(interfaces)
        .map(|network| network.trunc())
        .collect();
    order::sort(&mut all);
    all.dedup();
    all
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

#[cfg(test)]
mod tests {
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
}
