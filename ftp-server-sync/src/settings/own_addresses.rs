//! The addresses of this machine: those that clients connect to, and those that they are given.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::{ClientAddress, KnownAddresses, Settings};
use crate::net::interfaces::Interfaces;
use crate::net::order;

impl Settings {
    /// The addresses of this machine that clients can connect to; sorted, without duplicates.
    pub(crate) fn local_addresses(&self, interfaces: &Interfaces) -> Vec<IpAddr> {
        let mut reachable = BTreeSet::new();
        for listen in &self.listen {
            let address = listen.address.ip();
            if !address.is_unspecified() {
                reachable.insert(address.to_canonical());
                continue;
            }
            let all = interfaces.addresses.iter().map(IpAddr::to_canonical);
            let same_family = |own: &IpAddr| own.is_ipv4() == address.is_ipv4();
            reachable.extend(all.filter(|own| listen.dual_stack || same_family(own)));
        }
        reachable.into_iter().collect()
    }

    /// The addresses of this machine that some clients are given although they connect to another
    /// one: passive ports are open there too. Sorted, without duplicates.
    pub(crate) fn announced_own_addresses(
        &self,
        interfaces: &Interfaces,
        known: &KnownAddresses,
    ) -> Vec<Ipv4Addr> {
        let local = self.local_addresses(interfaces);
        let is_own = |announced: &Ipv4Addr| {
            let mut own = interfaces.addresses.iter().map(IpAddr::to_canonical);
            !announced.is_loopback() && own.any(|own| own == IpAddr::V4(*announced))
        };
        let is_other = |announced: &Ipv4Addr| {
            let mut local = local.iter().filter(|local| local.is_ipv4());
            local.any(|local| *local != IpAddr::V4(*announced))
        };
        let of_clients = self.masquerade_clients.iter();
        let of_clients = of_clients.filter_map(|(_, address)| match address {
            ClientAddress::Public(public) => Some(public),
            ClientAddress::Local => None,
        });
        let sources = self.masquerade_address.iter();
        let sources = sources
            .chain(self.masquerade_map.values())
            .chain(of_clients);
        let announced = sources.filter_map(|source| source.known(known));
        let mut announced: Vec<Ipv4Addr> = announced.filter(is_own).filter(is_other).collect();
        order::sort(&mut announced);
        announced.dedup();
        announced
    }

    /// The addresses that passive ports may be open on; sorted, without duplicates.
    pub(crate) fn passive_addresses(
        &self,
        interfaces: &Interfaces,
        known: &KnownAddresses,
    ) -> Vec<IpAddr> {
        let announced = self.announced_own_addresses(interfaces, known);
        let mut all = self.local_addresses(interfaces);
        all.extend(announced.into_iter().map(IpAddr::V4));
        order::sort(&mut all);
        all.dedup();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_can_connect_to_the_addresses_of_the_listeners() {
        let addresses = |texts: &[&str]| -> Vec<IpAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let interfaces = Interfaces {
            addresses: addresses(&[
                "127.0.0.1",
                "::1",
                "::ffff:10.0.0.2",
                "10.0.0.2",
                "2001:db8::2",
            ]),
            ..Interfaces::default()
        };
        let v4 = ["10.0.0.2", "127.0.0.1"];
        let v6 = ["::1", "2001:db8::2"];
        for (listen, expected) in [
            (&[][..], [v4, v6].concat()),
            (&["::"], [v4, v6].concat()),
            (&["0.0.0.0"], v4.to_vec()),
            (
                &["::", "10.0.0.2"],
                ["10.0.0.2"].iter().chain(&v6).copied().collect(),
            ),
            (&["10.0.0.9"], vec!["10.0.0.9"]),
        ] {
            let line = listen.iter().flat_map(|address| ["-i", address]);
            let parsed = crate::cli::parse(line.map(Into::into), |_| None);
            let Ok(crate::cli::Invocation::Serve(settings)) = parsed else {
                panic!("{listen:?}: {parsed:?}");
            };
            assert_eq!(
                settings.local_addresses(&interfaces),
                addresses(&expected),
                "{listen:?}"
            );
        }
    }

    #[test]
    fn own_addresses_that_other_clients_are_given() {
        let interfaces = Interfaces {
            addresses: ["127.0.0.1", "192.168.77.2", "203.0.113.3", "::1"]
                .map(|text| text.parse().unwrap())
                .into(),
            ..Interfaces::default()
        };
        for (line, expected) in [
            ("", &[][..]),
            ("-n 203.0.113.1", &[]),
            ("-n 203.0.113.3", &["203.0.113.3"]),
            ("-n 203.0.113.3 -i 192.168.77.2", &["203.0.113.3"]),
            ("-n 203.0.113.3 -i 203.0.113.3", &[]),
            ("-n 203.0.113.3 -i ::1", &[]),
            (
                "--masquerade-address-map 192.168.77.2=203.0.113.3",
                &["203.0.113.3"],
            ),
            (
                "--masquerade-client 10.8.0.0/24=192.168.77.2,127.0.0.0/8=127.0.0.1 -n 203.0.113.3",
                &["192.168.77.2", "203.0.113.3"],
            ),
        ] {
            let settings = crate::cli::golden::settings(line);
            let none = KnownAddresses::new();
            let found = settings.announced_own_addresses(&interfaces, &none);
            let expected: Vec<Ipv4Addr> =
                expected.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(found, expected, "{line}");
            for address in found {
                let passive = settings.passive_addresses(&interfaces, &none);
                assert!(passive.contains(&address.into()), "{line}");
            }
        }
    }
}
