//! Which router's firewall lets clients in over IPv6, and to which address.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};

use crate::nat::port_mapping::router::{LinkEnds, ROUTER_PORT};
use crate::net::gateways::{GatewayV6, default_gateway_v6};
use crate::net::stable_addresses::{StableAddress, stable_addresses};

/// A router, and this machine's address that clients outside connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PinholeRouter {
    /// Often its link-local one.
    pub(super) address: Ipv6Addr,
    /// The number of the interface where that address is.
    pub(super) scope: u32,
    pub(super) own: Ipv6Addr,
}

impl PinholeRouter {
    /// The default gateway, or that of one interface; `None` if no client from outside comes over
    /// IPv6: there is no router, no address that stays, or the server does not listen there.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(super) fn find(
        interface: Option<&str>,
        listen: &BTreeSet<Ipv6Addr>,
    ) -> io::Result<Option<Self>> {
        if listen.is_empty() {
            return Ok(None);
        }
        let Some(gateway) = default_gateway_v6(interface)? else {
            return Ok(None);
        };
        Ok(Self::with(&gateway, &stable_addresses()?, listen))
    }

    fn with(
        gateway: &GatewayV6,
        stable: &[StableAddress],
        listen: &BTreeSet<Ipv6Addr>,
    ) -> Option<Self> {
        let is_listened_on = |address: &Ipv6Addr| {
            listen.contains(&Ipv6Addr::UNSPECIFIED) || listen.contains(address)
        };
        let is_own_gateway = stable.iter().any(|own| own.address == gateway.address);
        let mut found = stable
            .iter()
            .filter(|own| own.interface == gateway.interface);
        let found = found.find(|own| is_listened_on(&own.address))?;
        (!is_own_gateway).then(|| Self {
            address: gateway.address,
            scope: if gateway.address.is_unicast_link_local() {
                found.index
            } else {
                0
            },
            own: found.address,
        })
    }

    /// Where it answers PCP, and from where it is asked.
    pub(super) fn ends(self) -> LinkEnds {
        let router = SocketAddrV6::new(self.address, ROUTER_PORT, 0, self.scope);
        LinkEnds {
            own: (self.own, 0).into(),
            router: router.into(),
        }
    }
}

#[cfg(test)]
impl PinholeRouter {
    pub(super) fn new_for_test(address: &str, own: &str) -> Self {
        Self {
            address: address.parse().unwrap(),
            scope: 7,
            own: own.parse().unwrap(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(gateway: &str, listen: &str, expected: Option<&str>) {
        let stable = |address: &str, interface: &str| StableAddress {
            address: address.parse().unwrap(),
            interface: interface.to_owned(),
            index: 7,
        };
        let stable = [
            stable("2001:db8:9::2", "wlan0"),
            stable("2001:db8:77::2", "eth0"),
            stable("2001:db8:77::3", "eth0"),
        ];
        let gateway = GatewayV6 {
            address: gateway.parse().unwrap(),
            interface: "eth0".to_owned(),
        };
        let listen = listen.split_whitespace();
        let listen = listen.map(|address| address.parse().unwrap()).collect();
        let found = PinholeRouter::with(&gateway, &stable, &listen);
        let found = found.map(|found| {
            let LinkEnds { own, router } = found.ends();
            format!("{own} {router}")
        });
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn clients_come_to_an_address_beside_the_router() {
        let first = Some("[2001:db8:77::2]:0 [fe80::1%7]:5351");
        check("fe80::1", "::", first);
        check("fe80::1", "2001:db8:77::2", first);
        let second = Some("[2001:db8:77::3]:0 [fe80::1%7]:5351");
        check("fe80::1", "2001:db8:77::3", second);
        check("fe80::1", "2001:db8:9::2 fd00::1", None);
        let global = Some("[2001:db8:77::2]:0 [2001:db8:77::1]:5351");
        check("2001:db8:77::1", "::", global);
        check("2001:db8:77::2", "::", None);
    }
}
