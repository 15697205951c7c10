//! Which passive ports other programs hold on this machine, found out by trying.
//!
//! Each port is bound as a passive listener is, and let go at once. Whoever asks must not have leased
//! any of them: a port of one's own would count as another program's.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

use super::port_range::PortRange;
use super::socket::listen;

/// The ports that could not be had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeldPorts {
    /// For each address that was tried, those that another program holds.
    pub(crate) by_address: BTreeMap<IpAddr, BTreeSet<u16>>,
    /// Those that this user may not bind.
    pub(crate) denied: BTreeSet<u16>,
}

impl HeldPorts {
    /// The ports in use, and on which addresses; no address is named if it is so on all of them.
    pub(crate) fn in_use(&self) -> Vec<(BTreeSet<u16>, Vec<String>)> {
        let mut groups: Vec<(BTreeSet<u16>, Vec<String>)> = Vec::new();
        for (address, ports) in &self.by_address {
            if ports.is_empty() {
                continue;
            }
            match groups.iter_mut().find(|(other, _)| other == ports) {
                Some((_, addresses)) => addresses.push(address.to_string()),
                None => groups.push((ports.clone(), vec![address.to_string()])),
            }
        }
        if let [(_, addresses)] = &mut groups[..]
            && addresses.len() == self.by_address.len()
        {
            addresses.clear();
        }
        groups
    }
}

/// Tries each port on each address. What is wrong with an address itself is not told here, and of a
/// very long range nothing: it would take seconds, and enough of it is free.
pub(crate) fn held_ports(range: PortRange, addresses: &[IpAddr]) -> HeldPorts {
    let mut held = HeldPorts::default();
    if range.count() > PORTS_TRIED_MAX {
        return held;
    }
    for &address in addresses.iter().filter(|address| !needs_scope(address)) {
        let mut in_use = BTreeSet::new();
        for port in range.ports() {
            match listen(SocketAddr::new(address, port), false).map_err(|error| error.kind()) {
                Err(ErrorKind::AddrInUse) => drop(in_use.insert(port)),
                Err(ErrorKind::PermissionDenied) => drop(held.denied.insert(port)),
                Ok(_) | Err(_) => {}
            }
        }
        held.by_address.insert(address, in_use);
    }
    held
}

/// Link-local addresses cannot be bound without the interface, which is not known here.
fn needs_scope(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// Such as "60003, 60007-60009"; of many pieces the first few.
pub(crate) fn ports_text(ports: &BTreeSet<u16>) -> String {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for &port in ports {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == port => *last = port,
            _ => runs.push((port, port)),
        }
    }
    let shown = runs.iter().take(RUNS_SHOWN);
    let mut texts: Vec<String> = shown
        .map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
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
        let text = |ports: &[u16]| ports_text(&ports.iter().copied().collect());
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
        let held = |pairs: &[(&str, &[u16])]| {
            let address = |&(address, ports): &(&str, &[u16])| {
                (address.parse().unwrap(), ports.iter().copied().collect())
            };
            let held = HeldPorts {
                by_address: pairs.iter().map(address).collect(),
                denied: BTreeSet::new(),
            };
            let text = |(ports, addresses): &(BTreeSet<u16>, Vec<String>)| {
                format!("{} {}", ports_text(ports), addresses.join(" "))
            };
            held.in_use().iter().map(text).collect::<Vec<_>>()
        };
        assert_eq!(held(&[]), <[String; 0]>::default());
        assert_eq!(held(&[("10.0.0.1", &[])]), <[String; 0]>::default());
        assert_eq!(held(&[("10.0.0.1", &[7]), ("::1", &[7])]), ["7 "]);
        assert_eq!(held(&[("10.0.0.1", &[7]), ("::1", &[])]), ["7 10.0.0.1"]);
        assert_eq!(
            held(&[
                ("10.0.0.1", &[7]),
                ("10.0.0.2", &[8, 9]),
                ("10.0.0.3", &[7])
            ]),
            ["7 10.0.0.1 10.0.0.3", "8-9 10.0.0.2"]
        );
    }

    /// On a loopback address of its own: no other test is in the way.
    #[test]
    fn ports_of_others_are_found_and_none_is_kept() {
        let (address, other) = ([127, 77, 3, 1].into(), [127, 77, 3, 2].into());
        let listener = TcpListener::bind((Ipv4Addr::new(127, 77, 3, 1), 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let range = PortRange::new(port, port.saturating_add(1)).unwrap();
        for _ in 0..2 {
            let held = held_ports(range, &[address, other]);
            assert!(held.by_address[&address].contains(&port), "{held:?}");
            assert!(!held.by_address[&other].contains(&port), "{held:?}");
        }
        drop(listener);
        let held = held_ports(PortRange::new(port, port).unwrap(), &[address, other]);
        assert_eq!(held.in_use(), []);
        TcpListener::bind((Ipv4Addr::new(127, 77, 3, 1), port)).unwrap();
    }
}
