//! What is wrong with the settings on this machine, and what is served: lines for the log.
//!
//! Pure: the machine's addresses and routers come as arguments. Each line says what will happen and
//! names the flag to set.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ftp_proto::Permissions;

use crate::arguments::printable;
use crate::machine::Machine;
use crate::settings::{Listen, LocalNetworks, Names, PublicAddress, Settings, Told};

/// The findings at start, the gravest first; those that begin with `note:` hinder nobody.
pub fn warnings(settings: &Settings, machine: &Machine) -> Vec<String> {
    let announced = listening_ipv4(settings, &machine.addresses);
    let mut lines = Vec::new();
    lines.extend(private_announcement(settings, &announced));
    lines.extend(masquerade_addresses(settings, &machine.gateways));
    lines.extend(useless_masquerade(settings, &announced));
    lines.extend(passive_ports(settings));
    if settings.users.anonymous() == Some(Permissions::READ_WRITE) {
        lines.push(
            "anonymous may change and delete files: anybody who reaches the port can do so; \
             add --username and a password, or leave --write out"
                .to_owned(),
        );
    }
    lines
}

/// What is served, to whom, where, and what passive clients are told.
pub fn summary(settings: &Settings, names: &Names, bound: &[SocketAddr]) -> Vec<String> {
    let directory = printable(settings.directory.as_os_str());
    let mut lines = vec![format!("serving {directory} {}", audience(settings))];
    for address in bound {
        let dual_stack = |listen: &Listen| listen.dual_stack && listen.address.ip() == address.ip();
        let families = if settings.listen.iter().any(dual_stack) {
            " (IPv6 and IPv4)"
        } else {
            ""
        };
        lines.push(format!("listening on {address}{families}"));
    }
    let ports = match &settings.passive_ports {
        Some(range) if range.start() == range.end() => format!("passive port {}", range.start()),
        Some(range) => format!("passive ports {}-{}", range.start(), range.end()),
        None => "passive ports of the kernel's choice".to_owned(),
    };
    let mut told: Vec<String> = settings
        .masquerade_map
        .iter()
        .map(|(private, public)| format!("{} for {private}", public.described(names)))
        .collect();
    let address = settings.masquerade_address.iter();
    told.extend(address.map(|public| public.described(names)));
    lines.push(match told.is_empty() {
        true => ports,
        false => format!("{ports}, announced as {}", told.join(", else ")),
    });
    lines
}

fn audience(settings: &Settings) -> String {
    let verb = |permissions: Permissions| match permissions.store {
        false => "read-only",
        true => "with write access",
    };
    let mut audience = Vec::new();
    if let Some((name, access)) = settings.users.account() {
        audience.push(format!("{} to {}", verb(access), printable(name.as_ref())));
    }
    if let Some(access) = settings.users.anonymous() {
        audience.push(format!("{} to anonymous", verb(access)));
    }
    audience.join(", ")
}

/// The IPv4 addresses that clients from elsewhere can be connected to; loopback is not one.
fn listening_ipv4(settings: &Settings, local_addresses: &[IpAddr]) -> Vec<Ipv4Addr> {
    let mut addresses = Vec::new();
    for listen in &settings.listen {
        match listen.address.ip() {
            IpAddr::V4(address) if !address.is_unspecified() => addresses.push(address),
            IpAddr::V6(_) if !listen.dual_stack => {}
            _ => addresses.extend(local_addresses.iter().filter_map(ipv4)),
        }
    }
    addresses.retain(|address| !address.is_loopback());
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

fn ipv4(address: &IpAddr) -> Option<Ipv4Addr> {
    match address.to_canonical() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// The addresses that the Internet cannot reach and that no rule replaces.
fn private_announcement(settings: &Settings, announced: &[Ipv4Addr]) -> Option<String> {
    // Who writes a rule for everybody has decided what everybody is told.
    let everybody = |prefix_length: u8| prefix_length == 0;
    let by_rule = settings
        .masquerade_clients
        .iter()
        .any(|(network, _)| everybody(network.prefix_len()));
    let all_local = match &settings.local_networks {
        LocalNetworks::Networks(networks) => networks
            .iter()
            .any(|network| network.addr().is_ipv4() && everybody(network.prefix_len())),
        LocalNetworks::Auto | LocalNetworks::None => false,
    };
    if settings.masquerade_address.is_some() || by_rule || all_local {
        return None;
    }
    let private: Vec<String> = announced
        .iter()
        .filter(|address| !settings.masquerade_map.contains_key(address))
        .filter(|&&address| Reach::of(address) != Reach::Public)
        .map(Ipv4Addr::to_string)
        .collect();
    let kind = match private.len() {
        0 => return None,
        1 => "a private address",
        _ => "private addresses",
    };
    let advice = if settings.masquerade_map.is_empty() {
        "behind a router, give its public address with --masquerade-address"
    } else {
        "give --masquerade-address, or a public address for each in --masquerade-address-map"
    };
    Some(format!(
        "PASV replies will carry {}, {kind}: clients outside the local network will fail; {advice}",
        private.join(" or ")
    ))
}

/// Addresses that clients are sent to although nobody outside can reach them.
fn masquerade_addresses(settings: &Settings, gateways: &[IpAddr]) -> Vec<String> {
    let address = settings
        .masquerade_address
        .iter()
        .map(|public| (format!("--masquerade-address {public}"), public));
    let map = settings.masquerade_map.iter().map(|(private, public)| {
        (
            format!("--masquerade-address-map {private}={public}"),
            public,
        )
    });
    address
        .chain(map)
        .filter_map(|(flag, public)| {
            let PublicAddress::Address(address) = *public else {
                return None;
            };
            if gateways
                .iter()
                .filter_map(ipv4)
                .any(|gateway| gateway == address)
            {
                return Some(format!(
                    "{flag} is the router's address on this side: clients outside cannot reach \
                     it; give its public address"
                ));
            }
            let problem = match Reach::of(address) {
                Reach::Public => return None,
                Reach::Host => {
                    "is a loopback address: each client will connect to itself; give the router's \
                     public address"
                }
                Reach::Site => {
                    "is a private address: clients outside the local network cannot reach it; \
                     give the router's public address"
                }
                Reach::Provider => {
                    "lies in 100.64.0.0/10, behind a provider's own NAT: clients on the Internet \
                     cannot reach it; ask the provider for a public address"
                }
            };
            Some(format!("{flag} {problem}"))
        })
        .collect()
}

/// Rules that never apply.
fn useless_masquerade(settings: &Settings, announced: &[Ipv4Addr]) -> Vec<String> {
    let ipv6_only = settings
        .listen
        .iter()
        .all(|listen| listen.address.is_ipv6() && !listen.dual_stack);
    if ipv6_only && masquerades(settings) {
        return vec![
            "masquerade concerns IPv4 only, and no IPv4 address is listened on; \
             add one with --interface"
                .to_owned(),
        ];
    }
    settings
        .masquerade_map
        .iter()
        .filter(|(private, _)| !private.is_loopback() && !announced.contains(private))
        .map(|(private, public)| {
            format!(
                "--masquerade-address-map {private}={public} is never used: {private} is not an \
                 address that this server listens on; give one of this machine's"
            )
        })
        .collect()
}

fn passive_ports(settings: &Settings) -> Option<String> {
    let Some(range) = &settings.passive_ports else {
        return masquerades(settings).then(|| {
            "masquerade without --passive-ports: data ports are the kernel's choice, usually \
             32768-60999, and the router cannot forward them; give a small range such as \
             --passive-ports 60000-60009 and forward it"
                .to_owned()
        });
    };
    let count = range.len();
    if count >= PORTS_ENOUGH {
        return None;
    }
    let (ports, transfers) = match count {
        1 => ("1 port".to_owned(), "1 transfer".to_owned()),
        _ => (format!("{count} ports"), format!("{count} transfers")),
    };
    Some(format!(
        "note: --passive-ports has {ports}: {transfers} can be about to start at a time, others \
         wait a moment; {PORTS_ENOUGH} are enough for most"
    ))
}

/// Whether any client is told another address than the one it connected to.
fn masquerades(settings: &Settings) -> bool {
    let announces = |told: &Told| matches!(told, Told::Public(_));
    settings.masquerade_address.is_some()
        || !settings.masquerade_map.is_empty()
        || settings
            .masquerade_clients
            .iter()
            .any(|(_, told)| announces(told))
}

/// From where an address can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// From this machine.
    Host,
    /// From its networks.
    Site,
    /// From the provider's customers: RFC 6598.
    Provider,
    /// From everywhere. Documentation addresses count, so that the examples of manuals can be tried.
    Public,
}

impl Reach {
    pub(crate) fn of(address: Ipv4Addr) -> Self {
        match address.octets() {
            _ if address.is_loopback() => Self::Host,
            _ if address.is_private() || address.is_link_local() => Self::Site,
            [100, 64..=127, ..] => Self::Provider,
            _ => Self::Public,
        }
    }
}

/// A small range is a note, not a fault: N ports limit the transfers that begin, not those that run.
const PORTS_ENOUGH: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::{self, Invocation};

    const LOCAL: &str = "127.0.0.1 ::1 192.168.77.2 2001:db8::2";
    const ROUTER: &str = "192.168.77.1";
    const PRIVATE: &str = "PASV replies will carry 192.168.77.2, a private address: clients outside \
                           the local network will fail; behind a router, give its public address \
                           with --masquerade-address";
    const NO_RANGE: &str = "masquerade without --passive-ports: data ports are the kernel's choice, \
                            usually 32768-60999, and the router cannot forward them; give a small \
                            range such as --passive-ports 60000-60009 and forward it";
    const OPEN: &str = "anonymous may change and delete files: anybody who reaches the port can do \
                        so; add --username and a password, or leave --write out";
    const ROUTED: &str = "-n 203.0.113.1 -r 60000-60009";

    fn settings(line: &str) -> Settings {
        let arguments = line.split_whitespace().map(Into::into);
        match flags::parse(arguments, |_| None).unwrap() {
            Invocation::Serve(settings) => *settings,
            other => panic!("{other:?}"),
        }
    }

    fn addresses(text: &str) -> Vec<IpAddr> {
        text.split_whitespace()
            .map(|address| address.parse().unwrap())
            .collect()
    }

    #[track_caller]
    fn check(line: &str, local: &str, expected: &[&str]) {
        let machine = Machine {
            addresses: addresses(local),
            networks: Vec::new(),
            gateways: addresses(ROUTER),
        };
        let found = warnings(&settings(line), &machine);
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn a_private_address_is_announced() {
        for line in [
            "",
            "-r 60000-60009",
            "-i 0.0.0.0",
            "-i ::",
            "-i 192.168.77.2",
            "-i :: -i 192.168.77.2",
            "--local-networks none",
            "--local-networks 192.168.77.0/24",
            "--masquerade-client 10.8.0.0/24=local",
        ] {
            check(line, LOCAL, &[PRIVATE]);
        }
        check("-i 0.0.0.0", "::ffff:192.168.77.2", &[PRIVATE]);
    }

    #[test]
    fn no_private_address_is_announced() {
        for line in [
            "-i 127.0.0.1",
            "-i 2001:db8::2",
            "-i 198.51.100.7",
            "--local-networks 0.0.0.0/0",
            "--masquerade-client 0.0.0.0/0=local",
            "--masquerade-client 0.0.0.0/0=203.0.113.1 -r 60000-60009",
            "--masquerade-address-map 192.168.77.2=203.0.113.1 -r 60000-60009",
            ROUTED,
        ] {
            check(line, LOCAL, &[]);
        }
        check("", "127.0.0.1 ::1 198.51.100.7", &[]);
        check("", "127.0.0.1 ::1 100.63.0.1 172.32.0.1 11.0.0.1", &[]);
    }

    #[test]
    fn every_kind_of_private_address_counts() {
        for address in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.0.1",
            "100.64.0.1",
            "100.127.0.1",
            "169.254.0.1",
        ] {
            let expected = PRIVATE.replace("192.168.77.2", address);
            check("", address, &[&expected]);
        }
        let two = "PASV replies will carry 172.17.0.1 or 192.168.77.2, private addresses: clients \
                   outside the local network will fail; behind a router, give its public address \
                   with --masquerade-address";
        check("", "192.168.77.2 172.17.0.1", &[two]);
        let one_of_two = "PASV replies will carry 192.168.77.3, a private address: clients outside \
                          the local network will fail; give --masquerade-address, or a public \
                          address for each in --masquerade-address-map";
        check(
            "--masquerade-address-map 192.168.77.2=203.0.113.1 -r 60000-60009",
            "192.168.77.2 192.168.77.3",
            &[one_of_two],
        );
    }

    #[test]
    fn addresses_that_nobody_reaches() {
        let range = "-r 60000-60009";
        check(
            &format!("-n 192.168.77.1 {range}"),
            LOCAL,
            &[
                "--masquerade-address 192.168.77.1 is the router's address on this side: clients \
               outside cannot reach it; give its public address",
            ],
        );
        check(
            &format!("-n 192.168.1.5 {range}"),
            LOCAL,
            &[
                "--masquerade-address 192.168.1.5 is a private address: clients outside the local \
               network cannot reach it; give the router's public address",
            ],
        );
        check(
            &format!("-n 100.64.3.4 {range}"),
            LOCAL,
            &[
                "--masquerade-address 100.64.3.4 lies in 100.64.0.0/10, behind a provider's own NAT: \
               clients on the Internet cannot reach it; ask the provider for a public address",
            ],
        );
        check(
            &format!("--masquerade-address-map 192.168.77.2=127.0.0.1 {range}"),
            LOCAL,
            &[
                "--masquerade-address-map 192.168.77.2=127.0.0.1 is a loopback address: each client \
               will connect to itself; give the router's public address",
            ],
        );
        check(
            &format!("--masquerade-address-map 192.168.77.9=203.0.113.9 {ROUTED}"),
            LOCAL,
            &[
                "--masquerade-address-map 192.168.77.9=203.0.113.9 is never used: 192.168.77.9 is \
               not an address that this server listens on; give one of this machine's",
            ],
        );
        check(
            &format!("-i 2001:db8::2 {ROUTED}"),
            LOCAL,
            &[
                "masquerade concerns IPv4 only, and no IPv4 address is listened on; add one with \
               --interface",
            ],
        );
    }

    #[test]
    fn passive_ports_and_writing() {
        check("-n 203.0.113.1", LOCAL, &[NO_RANGE]);
        check(
            "--masquerade-client 10.8.0.0/24=10.8.0.1",
            LOCAL,
            &[PRIVATE, NO_RANGE],
        );
        check(
            "-n 203.0.113.1 -r 60000-60008",
            LOCAL,
            &[
                "note: --passive-ports has 9 ports: 9 transfers can be about to start at a time, \
               others wait a moment; 10 are enough for most",
            ],
        );
        check(
            "-n 203.0.113.1 -r 60000",
            LOCAL,
            &[
                "note: --passive-ports has 1 port: 1 transfer can be about to start at a time, \
               others wait a moment; 10 are enough for most",
            ],
        );
        check(&format!("{ROUTED} -w"), LOCAL, &[OPEN]);
        check(&format!("{ROUTED} -w -u bob -P x --anonymous"), LOCAL, &[]);
        check(
            "-n 127.0.0.2 -w",
            LOCAL,
            &[
                "--masquerade-address 127.0.0.2 is a loopback address: each client will connect to \
             itself; give the router's public address",
                NO_RANGE,
                OPEN,
            ],
        );
    }

    #[test]
    fn what_is_served() {
        let cases: [(&str, &str, &[&str]); 5] = [
            (
                "-d /",
                "[::]:2121",
                &[
                    "serving / read-only to anonymous",
                    "listening on [::]:2121 (IPv6 and IPv4)",
                    "passive ports of the kernel's choice",
                ],
            ),
            (
                "-d / -w",
                "0.0.0.0:2121",
                &[
                    "serving / with write access to anonymous",
                    "listening on 0.0.0.0:2121",
                    "passive ports of the kernel's choice",
                ],
            ),
            (
                "-d / -w -u bob -P x --anonymous -n 203.0.113.1 -r 60000-60009 -i :: -i 10.0.0.1",
                "[::]:21 10.0.0.1:21",
                &[
                    "serving / with write access to bob, read-only to anonymous",
                    "listening on [::]:21",
                    "listening on 10.0.0.1:21",
                    "passive ports 60000-60009, announced as 203.0.113.1",
                ],
            ),
            (
                "-d / -u bob -P x -n 203.0.113.1 -r 60000 -i 10.0.0.1 \
                 --masquerade-address-map 10.0.0.1=203.0.113.2",
                "10.0.0.1:21",
                &[
                    "serving / read-only to bob",
                    "listening on 10.0.0.1:21",
                    "passive port 60000, announced as 203.0.113.2 for 10.0.0.1, else 203.0.113.1",
                ],
            ),
            (
                "-d / -n known.example -r 60000-60009 -i 10.0.0.1 \
                 --masquerade-address-map 10.0.0.1=unknown.example",
                "10.0.0.1:21",
                &[
                    "serving / read-only to anonymous",
                    "listening on 10.0.0.1:21",
                    "passive ports 60000-60009, announced as unknown.example (not known yet) for \
                     10.0.0.1, else known.example (203.0.113.1)",
                ],
            ),
        ];
        for (line, bound, expected) in cases {
            let bound: Vec<SocketAddr> = bound
                .split_whitespace()
                .map(|address| address.parse().unwrap())
                .collect();
            let names = Names::from([("known.example".to_owned(), Ipv4Addr::new(203, 0, 113, 1))]);
            let found = summary(&settings(line), &names, &bound);
            assert_eq!(found, expected, "{line}");
        }
    }
}
