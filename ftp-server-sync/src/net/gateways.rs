//! The routers of this machine's default routes.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::order;
use super::routes::{Route, default_routes, read};

/// The router of a default route over IPv6, and the interface that leads to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GatewayV6 {
    pub(crate) address: Ipv6Addr,
    pub(crate) interface: String,
}

/// The IPv4 router of the best default route, or of the best one over this interface.
///
/// # Errors
///
/// What the system says when the routes cannot be read.
pub(crate) fn default_gateway(interface: Option<&str>) -> io::Result<Option<Ipv4Addr>> {
    Ok(best_gateway_v4(&read()?, interface))
}

/// The same for IPv6.
///
/// # Errors
///
/// What the system says when the routes cannot be read.
pub(crate) fn default_gateway_v6(interface: Option<&str>) -> io::Result<Option<GatewayV6>> {
    Ok(best_gateway_v6(&read()?, interface))
}

/// The interfaces with a default route over IPv4 to a router, the best one first.
///
/// # Errors
///
/// What the system says when the routes cannot be read.
pub(crate) fn gateway_interfaces_v4() -> io::Result<Vec<String>> {
    Ok(interfaces_v4(&read()?))
}

fn interfaces_v4(routes: &[Route]) -> Vec<String> {
    let gateways = gateways_v4(routes, None);
    gateways.map(|(route, _)| route.interface.clone()).collect()
}

fn best_gateway_v4(routes: &[Route], interface: Option<&str>) -> Option<Ipv4Addr> {
    let (_, gateway) = gateways_v4(routes, interface).next()?;
    Some(gateway)
}

fn gateways_v4<'a>(
    routes: &'a [Route],
    interface: Option<&str>,
) -> impl Iterator<Item = (&'a Route, Ipv4Addr)> {
    let gateways = gateways_by_metric(routes, interface).into_iter();
    gateways.filter_map(|(route, gateway)| match gateway {
        IpAddr::V4(gateway) => Some((route, gateway)),
        IpAddr::V6(_) => None,
    })
}

fn best_gateway_v6(routes: &[Route], interface: Option<&str>) -> Option<GatewayV6> {
    let mut gateways = gateways_by_metric(routes, interface).into_iter();
    gateways.find_map(|(route, gateway)| match gateway {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => Some(GatewayV6 {
            address,
            interface: route.interface.clone(),
        }),
    })
}

/// The routers of the default routes, the best first. The tables do not promise an order.
fn gateways_by_metric<'a>(
    routes: &'a [Route],
    interface: Option<&str>,
) -> Vec<(&'a Route, IpAddr)> {
    let over = |route: &&Route| interface.is_none_or(|name| name == route.interface);
    let gateways = default_routes(routes).filter(over);
    let gateways = gateways.filter_map(|route| Some((route, route.gateway?)));
    let mut gateways: Vec<(&Route, IpAddr)> = gateways.collect();
    order::sort_by_key(&mut gateways, |(route, _)| route.metric);
    gateways
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::routes::{routes_v4, routes_v6};

    // The numbers of this table are printed in the machine's own byte order.
    #[cfg(target_endian = "little")]
    #[test]
    fn the_gateway_with_the_lowest_metric_is_the_best() {
        let routes = routes_v4(
            "\
wlan0\t00000000\tFE01000A\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\t014DA8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth1\t00000000\t0202000A\t0003\t0\t0\t100\t00000000\t0\t0\t0
ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0
",
        );
        let check = |interface: Option<&str>, expected: Option<&str>| {
            let expected = expected.map(|address| address.parse().unwrap());
            assert_eq!(
                best_gateway_v4(&routes, interface),
                expected,
                "{interface:?}"
            );
        };
        check(None, Some("192.168.77.1"));
        check(Some("wlan0"), Some("10.0.1.254"));
        check(Some("ppp0"), None);
        check(Some("eth9"), None);
        assert_eq!(interfaces_v4(&routes), ["eth0", "eth1", "wlan0"]);
        assert_eq!(best_gateway_v6(&routes, None), None);
    }

    #[test]
    fn the_ipv6_gateway_with_the_lowest_metric_is_the_best() {
        let zero = "00000000000000000000000000000000";
        let line = |last: u8, metric: &str, interface: &str| {
            format!(
                "{zero} 00 {zero} 00 fe8000000000000000000000000000{last:02x} {metric} 00000001 00000000 \
                 00000003     {interface}\n"
            )
        };
        let table = [
            line(1, "00000400", "eth0"),
            line(2, "00000064", "wlan0"),
            line(3, "garbage", "eth1"),
        ];
        let routes = routes_v6(&table.concat());
        let check = |interface: Option<&str>, expected: Option<(&str, &str)>| {
            let found = best_gateway_v6(&routes, interface);
            let expected = expected.map(|(address, interface)| GatewayV6 {
                address: address.parse().unwrap(),
                interface: interface.to_owned(),
            });
            assert_eq!(found, expected, "{interface:?}");
        };
        check(None, Some(("fe80::2", "wlan0")));
        check(Some("eth0"), Some(("fe80::1", "eth0")));
        check(Some("eth1"), Some(("fe80::3", "eth1")));
        check(Some("lo"), None);
        assert_eq!(best_gateway_v4(&routes, None), None);
    }
}
