//! Which passive ports other programs use on this machine, found out by trying.
//!
//! Each port is bound in the same way as for a passive listener, and released at once. Probe before
//! any of the ports is leased: a port of this server would look like another program's.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

use super::port_range::PortRange;
use super::socket::listen;

/// The ports that could not be bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UnavailablePorts {
    /// For each address that was tried, the ports that another program uses.
    pub(crate) in_use: BTreeMap<IpAddr, BTreeSet<u16>>,
    /// The ports that this user may not bind.
    pub(crate) denied: BTreeSet<u16>,
}

impl UnavailablePorts {
    /// The sets of ports in use, each with the addresses where that is so. The list of addresses is
    /// empty if it is so on every address that was tried.
    pub(crate) fn in_use_by_ports(&self) -> Vec<(BTreeSet<u16>, Vec<String>)> {
        let mut groups: Vec<(BTreeSet<u16>, Vec<String>)> = Vec::new();
        for (address, ports) in &self.in_use {
            if ports.is_empty() {
                continue;
            }
            match groups.iter_mut().find(|(other, _)| other == ports) {
                Some((_, addresses)) => addresses.push(address.to_string()),
                None => groups.push((ports.clone(), vec![address.to_string()])),
            }
        }
        if let [(_, addresses)] = &mut groups[..]
            && addresses.len() == self.in_use.len()
        {
            addresses.clear();
        }
        groups
    }
}

/// Tries each port on each address. An address that cannot be bound at all is not reported here. A
/// very long range is not tried: that would take seconds, and enough of its ports are free.
pub(crate) fn probe_ports(range: PortRange, addresses: &[IpAddr]) -> UnavailablePorts {
    let mut unavailable = UnavailablePorts::default();
    if range.count() > PORTS_TRIED_MAX {
        return unavailable;
    }
    for &address in addresses.iter().filter(|address| !needs_scope(address)) {
        let mut in_use = BTreeSet::new();
        for port in range.ports() {
            match listen(SocketAddr::new(address, port), false).map_err(|error| error.kind()) {
                Err(ErrorKind::AddrInUse) => drop(in_use.insert(port)),
                Err(ErrorKind::PermissionDenied) => drop(unavailable.denied.insert(port)),
                Ok(_) | Err(_) => {}
            }
        }
        unavailable.in_use.insert(address, in_use);
    }
    unavailable
}

/// A link-local address can be bound only together with its interface, which is not known here.
fn needs_scope(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// The ports as text, such as `60003, 60007-60009`; after the first few runs, only how many more
/// there are.
pub(crate) fn describe_ports(ports: &BTreeSet<u16>) -> String {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for &port in ports {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == port => *last = port,
            _ => runs.push((port, port)),
        }
    }
    let shown = runs.iter().take(RUNS_SHOWN);
    let mut texts: Vec<String> = shown
        .map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        })
        .collect();
    let rest = runs.iter().skip(RUNS_SHOWN);
    let rest: usize = rest
        .map(|(first, last)| usize::from(last - first) + 1)
        .sum();
    if rest > 0 {
        texts.push(format!("and {rest} more"));
    }
    texts.join(", ")
}

const RUNS_SHOWN: usize = 8;
const PORTS_TRIED_MAX: u16 = 4096;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn lists_are_compact() {
        let text = |ports: &[u16]| describe_ports(&ports.iter().copied().collect());
        assert_eq!(text(&[60003]), "60003");
        assert_eq!(text(&[60009, 60003, 60007, 60008]), "60003, 60007-60009");
        assert_eq!(text(&[65534, 65535]), "65534-65535");
        let odd: Vec<u16> = (0..10).map(|number| 1001 + 2 * number).collect();
        assert_eq!(
            text(&odd),
            "1001, 1003, 1005, 1007, 1009, 1011, 1013, 1015, and 2 more"
        );
    }

    #[test]
    fn addresses_are_named_where_they_differ() {
        let described = |pairs: &[(&str, &[u16])]| {
            let address = |&(address, ports): &(&str, &[u16])| {
                (address.parse().unwrap(), ports.iter().copied().collect())
            };
            let unavailable = UnavailablePorts {
                in_use: pairs.iter().map(address).collect(),
                denied: BTreeSet::new(),
            };
            let text = |(ports, addresses): &(BTreeSet<u16>, Vec<String>)| {
                format!("{} {}", describe_ports(ports), addresses.join(" "))
            };
            unavailable
                .in_use_by_ports()
                .iter()
                .map(text)
                .collect::<Vec<_>>()
        };
        assert_eq!(described(&[]), <[String; 0]>::default());
        assert_eq!(described(&[("10.0.0.1", &[])]), <[String; 0]>::default());
        assert_eq!(described(&[("10.0.0.1", &[7]), ("::1", &[7])]), ["7 "]);
        assert_eq!(
            described(&[("10.0.0.1", &[7]), ("::1", &[])]),
            ["7 10.0.0.1"]
        );
        assert_eq!(
            described(&[
                ("10.0.0.1", &[7]),
                ("10.0.0.2", &[8, 9]),
                ("10.0.0.3", &[7])
            ]),
            ["7 10.0.0.1 10.0.0.3", "8-9 10.0.0.2"]
        );
    }

    /// On a loopback address that no other test uses.
    #[test]
    fn ports_of_other_programs_are_found_and_none_stays_bound() {
        let (address, other) = ([127, 77, 3, 1].into(), [127, 77, 3, 2].into());
        let listener = TcpListener::bind((Ipv4Addr::new(127, 77, 3, 1), 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let range = PortRange::new(port, port.saturating_add(1)).unwrap();
        for _ in 0..2 {
            let found = probe_ports(range, &[address, other]);
            assert!(found.in_use[&address].contains(&port), "{found:?}");
            assert!(!found.in_use[&other].contains(&port), "{found:?}");
        }
        drop(listener);
        let found = probe_ports(PortRange::new(port, port).unwrap(), &[address, other]);
        assert_eq!(found.in_use_by_ports(), []);
        TcpListener::bind((Ipv4Addr::new(127, 77, 3, 1), port)).unwrap();
    }
}
