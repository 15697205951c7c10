//! What is wrong with the settings on this machine, for the log at start and for `--check`.
//!
//! Pure: what was seen of the machine comes as an argument. Each finding says what will happen and
//! names the flag to set.

pub(crate) mod certificate;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use ftp_proto::{Permissions, Reach};
use ipnet::IpNet;

use crate::net::interfaces::Interfaces;
use crate::net::port_probe::{HeldPorts, ports_text};
use crate::settings::{AddressSource, ClientAddress, LocalNetworks, Names, Settings};

/// One thing that somebody should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) text: String,
}

/// The gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Some kind of client would fail.
    Failure,
    /// Every client is served, and perhaps more than that.
    Risk,
    /// It hinders nobody.
    Note,
}

/// What the findings are judged by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) interfaces: Interfaces,
    /// The addresses of the names that have been looked up.
    pub(crate) names: Names,
    /// The names that lead nowhere, and what the resolver said.
    pub(crate) unresolved: BTreeMap<String, String>,
    pub(crate) held: HeldPorts,
}

/// The findings, the gravest first.
pub(crate) fn findings(settings: &Settings, seen: &Seen) -> Vec<Finding> {
    let announced = announced_addresses(settings, &seen.interfaces);
    let mut found = Vec::new();
    // A bridge for containers is none of the router's addresses.
    let reached = seen.interfaces.beside_gateway(&announced);
    found.extend(private_announcement(settings, &reached));
    found.extend(public_addresses(settings, seen));
    found.extend(useless_masquerade(settings, &announced));
    found.extend(useless_outer_ports(settings));
    found.extend(overruled_masquerade(settings));
    found.extend(missing_range(settings));
    found.extend(control_port_in_range(settings));
    found.extend(held_ports(settings, &seen.held));
    found.extend(small_range(settings));
    if settings.users.anonymous() == Some(Permissions::READ_WRITE) {
        found.push(Finding::new(
            Severity::Risk,
            "anonymous may change and delete files: anybody who reaches the port can do so; \
             add --username and a password, or leave --write out",
        ));
    }
    found.sort_by_key(|finding| finding.severity);
    found
}

/// Whether any client is told another address than the one it connected to.
pub(crate) fn masquerades(settings: &Settings) -> bool {
    let announces = |told: &ClientAddress| matches!(told, ClientAddress::Public(_));
    settings.masquerade_address.is_some()
        || !settings.masquerade_map.is_empty()
        || settings
            .masquerade_clients
            .iter()
            .any(|(_, told)| announces(told))
}

impl Finding {
    pub(crate) fn new(severity: Severity, text: impl Into<String>) -> Self {
        Self {
            severity,
            text: text.into(),
        }
    }

    fn failure(text: impl Into<String>) -> Self {
        Self::new(Severity::Failure, text)
    }
}

/// As in the log, whose level says the rest.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.severity == Severity::Note {
            f.write_str("note: ")?;
        }
        f.write_str(&self.text)
    }
}

/// The IPv4 addresses that clients from elsewhere can be connected to; loopback is not one.
fn announced_addresses(settings: &Settings, interfaces: &Interfaces) -> Vec<Ipv4Addr> {
    let addresses = settings.local_addresses(interfaces).into_iter();
    addresses
        .filter_map(ipv4)
        .filter(|address| !address.is_loopback())
        .collect()
}

fn ipv4(address: IpAddr) -> Option<Ipv4Addr> {
    match address.to_canonical() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// The addresses that the Internet cannot reach and that no rule replaces.
fn private_announcement(settings: &Settings, announced: &[Ipv4Addr]) -> Option<Finding> {
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
    let private: Vec<Ipv4Addr> = announced
        .iter()
        .filter(|address| !settings.masquerade_map.contains_key(address))
        .filter(|&&address| Reach::of(address.into()) != Reach::Public)
        .copied()
        .collect();
    let list: Vec<String> = private.iter().map(Ipv4Addr::to_string).collect();
    let list = list.join(" or ");
    // Beside a private address this may as well be a tunnel's.
    let carrier = |address: &Ipv4Addr| Reach::of((*address).into()) == Reach::Provider;
    if !private.is_empty() && private.iter().all(carrier) {
        return Some(Finding::failure(format!(
            "PASV replies will carry {list}, {BEHIND_CARRIER}"
        )));
    }
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
    Some(Finding::failure(format!(
        "PASV replies will carry {list}, {kind}: clients outside the local network will fail; {advice}"
    )))
}

/// Addresses that clients are sent to although nobody outside can reach them, and names without one.
fn public_addresses(settings: &Settings, seen: &Seen) -> Vec<Finding> {
    let for_everybody = settings
        .masquerade_address
        .iter()
        .map(|public| (format!("--masquerade-address {public}"), public));
    let map = settings.masquerade_map.iter().map(|(private, public)| {
        let flag = format!("--masquerade-address-map {private}={public}");
        (flag, public)
    });
    let outside = for_everybody.chain(map).filter_map(|(flag, public)| {
        unresolved(&flag, public, seen).or_else(|| unreachable(&flag, public, seen))
    });
    // What a network of clients can reach is not known here; a private address may be right.
    let for_clients = settings
        .masquerade_clients
        .iter()
        .filter_map(|(network, told)| {
            let ClientAddress::Public(public) = told else {
                return None;
            };
            let flag = format!("--masquerade-client {network}={public}");
            unresolved(&flag, public, seen).or_else(|| loopback(&flag, public, seen))
        });
    outside.chain(for_clients).collect()
}

fn unresolved(flag: &str, public: &AddressSource, seen: &Seen) -> Option<Finding> {
    let AddressSource::Name(name) = public else {
        return None;
    };
    let reason = seen.unresolved.get(name)?;
    Some(Finding::failure(format!(
        "{flag} cannot be resolved: {reason}; until it can, its clients are told the address that \
         they connected to; give a name that leads to an IPv4 address, or the address itself"
    )))
}

fn unreachable(flag: &str, public: &AddressSource, seen: &Seen) -> Option<Finding> {
    let address = public.known(&seen.names)?;
    let subject = subject(flag, public, address);
    let mut gateways = seen.interfaces.gateways.iter().copied().filter_map(ipv4);
    if gateways.any(|gateway| gateway == address) {
        return Some(Finding::failure(format!(
            "{subject} is the router's address on this side: clients outside cannot reach it; give \
             its public address"
        )));
    }
    match Reach::of(address.into()) {
        Reach::Public => None,
        Reach::Host => loopback(flag, public, seen),
        Reach::Site | Reach::Link => Some(Finding::failure(format!(
            "{subject} is a private address: clients outside the local network cannot reach it; \
             give the router's public address"
        ))),
        Reach::Provider => Some(Finding::failure(format!("{subject} is {BEHIND_CARRIER}"))),
    }
}

fn loopback(flag: &str, public: &AddressSource, seen: &Seen) -> Option<Finding> {
    let address = public.known(&seen.names)?;
    let subject = subject(flag, public, address);
    (Reach::of(address.into()) == Reach::Host).then(|| {
        Finding::failure(format!(
            "{subject} is a loopback address: each client will connect to itself; give the \
             router's public address"
        ))
    })
}

/// The flag, and what its name leads to now.
fn subject(flag: &str, public: &AddressSource, address: Ipv4Addr) -> String {
    match public {
        AddressSource::Address(_) => flag.to_owned(),
        AddressSource::Name(_) => format!("{flag} leads to {address}, which"),
    }
}

/// Rules that never apply.
fn useless_masquerade(settings: &Settings, announced: &[Ipv4Addr]) -> Vec<Finding> {
    if announced.is_empty() && masquerades(settings) {
        return vec![Finding::new(
            Severity::Note,
            "masquerade concerns IPv4 only, and no IPv4 address that others could reach is \
             listened on; add one with --interface",
        )];
    }
    settings
        .masquerade_map
        .iter()
        .filter(|(private, _)| !announced.contains(private))
        .map(|(private, public)| {
            let flag = format!("--masquerade-address-map {private}={public}");
            match private.is_loopback() {
                true => Finding::new(
                    Severity::Note,
                    format!(
                        "{flag} is for clients on this machine only, whom no router translates"
                    ),
                ),
                false => Finding::failure(format!(
                    "{flag} is never used: {private} is not an address that this server listens \
                     on; give one of this machine's"
                )),
            }
        })
        .collect()
}

/// A rule for everybody that comes before the public address.
fn overruled_masquerade(settings: &Settings) -> Option<Finding> {
    if settings.masquerade_address.is_none() && settings.masquerade_map.is_empty() {
        return None;
    }
    let everybody = |network: &IpNet| network.addr().is_ipv4() && network.prefix_len() == 0;
    let local = match &settings.local_networks {
        LocalNetworks::Networks(networks) => networks.iter().any(everybody),
        LocalNetworks::Auto | LocalNetworks::None => false,
    };
    let rule = settings
        .masquerade_clients
        .iter()
        .find(|(network, _)| everybody(network));
    let rule = match rule {
        Some((network, ClientAddress::Local)) => format!("--masquerade-client {network}=local"),
        None if local => "--local-networks 0.0.0.0/0".to_owned(),
        _ => return None,
    };
    Some(Finding::failure(format!(
        "{rule} is for all clients: those outside are told the address that they connected to, never \
         the router's; name the networks that it is meant for"
    )))
}

fn useless_outer_ports(settings: &Settings) -> Option<Finding> {
    let range = settings.outer_ports?;
    (!masquerades(settings)).then(|| {
        Finding::failure(format!(
            "--outer-ports {range} are told to nobody: only clients that are told the \
             router's address are told its ports; give that with --masquerade-address"
        ))
    })
}

fn missing_range(settings: &Settings) -> Option<Finding> {
    (settings.passive_ports.is_none() && masquerades(settings)).then(|| {
        Finding::failure(
            "masquerade without --passive-ports: data ports are the kernel's choice, usually \
             32768-60999, and the router cannot forward them; give a small range such as \
             --passive-ports 60000-60009 and forward it",
        )
    })
}

/// As seen from outside; what this machine itself has twice is refused with the flags.
fn control_port_in_range(settings: &Settings) -> Option<Finding> {
    let control = settings.outer_port;
    let range = settings.outer_ports.or(settings.passive_ports)?;
    (masquerades(settings) && range.contains(control)).then(|| {
        Finding::failure(format!(
            "seen from outside, the passive ports {range} hold the router's control port \
             {control}: a client that is sent there reaches the control port instead; give \
             --passive-ports without it, or say with --outer-port which port the router forwards"
        ))
    })
}

fn held_ports(settings: &Settings, held: &HeldPorts) -> Vec<Finding> {
    let Some(range) = settings.passive_ports else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if !held.denied.is_empty() {
        let denied = ports_text(&held.denied);
        let severity = match held.denied.len() == usize::from(range.count()) {
            true => Severity::Failure,
            false => Severity::Note,
        };
        found.push(Finding::new(
            severity,
            format!(
                "passive ports {denied} may not be opened by this user: ports below 1024 need root \
                 or CAP_NET_BIND_SERVICE; give a range above with --passive-ports"
            ),
        ));
    }
    for (ports, addresses) in held.in_use() {
        let list = ports_text(&ports);
        let place = match addresses.is_empty() {
            true => String::new(),
            false => format!(" of {}", addresses.join(" and ")),
        };
        let left = usize::from(range.count()) - ports.len();
        found.push(match left {
            0 => Finding::failure(format!(
                "passive ports {list}{place}, the whole range, are in use by other programs: no \
                 client can be sent to any; give other ports with --passive-ports"
            )),
            _ => Finding::new(
                Severity::Note,
                format!(
                    "passive ports {list}{place} are in use by other programs: they are passed \
                     over, which leaves {left} of {}; --passive-ports can give others",
                    range.count()
                ),
            ),
        });
    }
    found
}

fn small_range(settings: &Settings) -> Option<Finding> {
    let count = settings.passive_ports?.count();
    if count >= PORTS_ENOUGH {
        return None;
    }
    let (ports, transfers) = match count {
        1 => ("1 port".to_owned(), "1 transfer".to_owned()),
        _ => (format!("{count} ports"), format!("{count} transfers")),
    };
    // Whose connection it is can only be told where everybody comes from his own address.
    let shared = !settings.permit_foreign_addresses && settings.trusted_gateways.is_empty();
    let clients = match shared {
        true => "clients from one address can begin",
        false => "all clients together, as sessions cannot share a port here, can begin",
    };
    Some(Finding::new(
        Severity::Note,
        format!(
            "--passive-ports has {ports}: {clients} {transfers} at a time, others of theirs wait a \
             moment; {PORTS_ENOUGH} are enough for most"
        ),
    ))
}

/// Ends a sentence about an address in 100.64.0.0/10.
pub(crate) const BEHIND_CARRIER: &str = "an address behind the provider's own NAT (carrier NAT, 100.64.0.0/10): \
    no connection from the Internet arrives there, so forwarding ports on the router cannot work; \
    serve over IPv6, or ask the provider for a public IPv4 address";

/// A small range is a note, not a fault: N ports limit the transfers that begin at one client address,
/// not those that run.
const PORTS_ENOUGH: u16 = 10;

#[cfg(test)]
mod tests;
