//! `--rules`: the rules that a router, docker or the machine's own firewall needs for these
//! settings.
//!
//! They forward or open exactly the control port, the port of implicit TLS and the passive ports.
//! Rules are printed and never loaded. Where the settings are ambiguous, no rules are printed, so
//! that printed rules can be loaded without changes.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::net::interfaces::Interfaces;
use crate::net::order;
use crate::settings::{AddressSource, Listen, Settings};
use forward::{ForwardedAddress, ForwardedPorts};

mod forward;
mod text;

/// What the rules are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RulesKind {
    /// A file for `nft -f -` on the router.
    Nft,
    /// Commands for the router.
    Iptables,
    /// Arguments of `docker run`.
    Docker,
    /// Commands that open this machine's own firewall.
    Ufw,
    /// What to enter in a form of the router.
    Text,
}

/// Why no rules can be printed. Its `Display` says what is missing or ambiguous, and what to
/// change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesError {
    problem: String,
}

impl RulesKind {
    /// The word of the command line.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == word)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Nft => "nft",
            Self::Iptables => "iptables",
            Self::Docker => "docker",
            Self::Ufw => "ufw",
            Self::Text => "text",
        }
    }

    const ALL: [Self; 5] = [
        Self::Nft,
        Self::Iptables,
        Self::Docker,
        Self::Ufw,
        Self::Text,
    ];
}

/// The word of the command line.
impl fmt::Display for RulesKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl RulesError {
    fn new(problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self { problem }
    }
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl Error for RulesError {}

/// The rules as text, each line with its line end.
///
/// # Errors
///
/// If the settings, or this machine's addresses, leave open what to print.
pub fn rules(settings: &Settings, kind: RulesKind) -> Result<String, RulesError> {
    let interfaces = Interfaces::read().map_err(|error| {
        RulesError::new(format!(
            "cannot read the interfaces of this machine: {error}"
        ))
    })?;
    rules_with(settings, &interfaces, kind)
}

fn rules_with(
    settings: &Settings,
    interfaces: &Interfaces,
    kind: RulesKind,
) -> Result<String, RulesError> {
    let ports = ports(settings, kind)?;
    Ok(match kind {
        RulesKind::Nft => text::nft(&forwarded_addresses(settings, interfaces)?, &ports),
        RulesKind::Iptables => text::iptables(&forwarded_addresses(settings, interfaces)?, &ports),
        RulesKind::Docker => match destinations(settings) {
            addresses if addresses.is_empty() => return Err(RulesError::new(LOOPBACK_ONLY)),
            _ => text::docker(&ports),
        },
        RulesKind::Ufw => match destinations(settings) {
            addresses if addresses.is_empty() => return Err(RulesError::new(UNREACHABLE)),
            addresses => text::ufw(&addresses, &ports),
        },
        RulesKind::Text => {
            let addresses = if masquerades(settings) {
                forwarded_addresses(settings, interfaces)?
            } else {
                vec![any_address(settings, interfaces)?]
            };
            let form = text::form(&addresses, &ports, masquerades(settings));
            if settings.port_mapping.is_on() {
                format!("{}{form}", text::NOT_NEEDED)
            } else {
                form
            }
        }
    })
}

/// Refuses settings for which there are no rules on any machine.
pub(crate) fn check(settings: &Settings, kind: RulesKind) -> Result<(), RulesError> {
    ports(settings, kind)?;
    let translates = matches!(kind, RulesKind::Nft | RulesKind::Iptables);
    if translates && settings.port_mapping.is_on() {
        return Err(RulesError::new(
            "the router needs no rules: the server asks it to forward the ports; leave out \
             --port-mapping if it does not",
        ));
    }
    if translates && !masquerades(settings) {
        return Err(RulesError::new(
            "the router's public address is missing; add --masquerade-address ADDR or \
             --masquerade-address-map PRIVATE=PUBLIC",
        ));
    }
    Ok(())
}

/// Whether the router's address is given, for all clients or for those at one local address.
fn masquerades(settings: &Settings) -> bool {
    settings.masquerade_address.is_some() || !settings.masquerade_map.is_empty()
}

/// The private address that a router forwards to, whatever its own address.
fn any_address(
    settings: &Settings,
    interfaces: &Interfaces,
) -> Result<ForwardedAddress, RulesError> {
    let private = private_address(settings, interfaces)?;
    let private = private.ok_or_else(|| RulesError::new(UNREACHABLE))?;
    let public = None;
    Ok(ForwardedAddress { public, private })
}

fn ports(settings: &Settings, kind: RulesKind) -> Result<ForwardedPorts, RulesError> {
    let inner = settings.passive_ports.ok_or_else(|| {
        RulesError::new(
            "the kernel chooses the ports of data connections; add --passive-ports FROM-TO, such as \
             60000-60009",
        )
    })?;
    let control = settings.control_port();
    if control == 0 {
        return Err(RulesError::new(
            "the kernel chooses the control port; give it with --port N",
        ));
    }
    let implicit = settings.implicit_port();
    if implicit == Some(0) {
        return Err(RulesError::new(
            "the kernel chooses the port of implicit TLS; give it with --tls-implicit N, usually 990",
        ));
    }
    let outer = settings.outer_ports.unwrap_or(inner);
    // The firewall of this machine sees the numbers on this side only.
    if let Some(port) = implicit
        && kind != RulesKind::Ufw
        && (port == settings.outer_port || outer.contains(port))
    {
        return Err(RulesError::new(format!(
            "the router's port {port} would lead to the port of implicit TLS and to another port; give \
             another number with --tls-implicit, --outer-port or --outer-ports"
        )));
    }
    Ok(ForwardedPorts {
        control_outer: settings.outer_port,
        control_inner: control,
        implicit_tls: implicit,
        outer,
        inner,
    })
}

/// The private address of each public one. The router's own addresses come last, because they
/// include the others.
fn forwarded_addresses(
    settings: &Settings,
    interfaces: &Interfaces,
) -> Result<Vec<ForwardedAddress>, RulesError> {
    let public = |public: &AddressSource| match public {
        AddressSource::Address(address) => Some(*address),
        AddressSource::Name(_) | AddressSource::File(_) | AddressSource::Stun { .. } => None,
    };
    // No router translates connections from this machine itself.
    let by_map = settings.masquerade_map.iter();
    let by_map = by_map.filter(|(private, _)| !private.is_loopback());
    let mut addresses: Vec<ForwardedAddress> = by_map
        .map(|(&private, address)| ForwardedAddress {
            public: public(address),
            private,
        })
        .collect();
    if let Some(address) = &settings.masquerade_address {
        let private = private_address(settings, interfaces)?;
        addresses.extend(private.map(|private| ForwardedAddress {
            public: public(address),
            private,
        }));
    }
    if addresses.is_empty() {
        return Err(RulesError::new(UNREACHABLE));
    }
    order::sort_by_key(&mut addresses, |address| {
        (address.public.is_none(), address.public, address.private)
    });
    for pair in addresses.windows(2) {
        if let [one, other] = pair
            && one.public == other.public
        {
            let (first, second) = (one.private, other.private);
            return Err(RulesError::new(match one.public {
                Some(public) => format!(
                    "{public} would lead to both {first} and {second}, but a router forwards a \
                     port to one address; give each a public address with --masquerade-address-map"
                ),
                None => format!(
                    "host names, files and STUN servers do not show which of the router's addresses \
                     lead to {first} and which to {second}; give addresses in \
                     --masquerade-address-map"
                ),
            }));
        }
    }
    Ok(addresses)
}

/// The private address of `--masquerade-address`; `None` if the map covers every address of the
/// server.
fn private_address(
    settings: &Settings,
    interfaces: &Interfaces,
) -> Result<Option<Ipv4Addr>, RulesError> {
    let listening: Vec<Ipv4Addr> = settings
        .local_addresses(interfaces)
        .into_iter()
        .filter_map(|address| match address {
            IpAddr::V4(address) if !address.is_loopback() => Some(address),
            _ => None,
        })
        .collect();
    let in_map = |address: &Ipv4Addr| settings.masquerade_map.contains_key(address);
    let mut left: Vec<Ipv4Addr> = listening
        .iter()
        .copied()
        .filter(|own| !in_map(own))
        .collect();
    // If the server listens on all addresses, the router may reach only some of them.
    let is_everywhere =
        |listen: &Listen| listen.dual_stack || listen.address.ip() == Ipv4Addr::UNSPECIFIED;
    if settings.listen.iter().any(is_everywhere) {
        let reachable = interfaces.reachable_by_router(&listening);
        left.retain(|own| reachable.contains(own));
    }
    match left[..] {
        [only] => Ok(Some(only)),
        [] if !listening.is_empty() => Ok(None),
        [] => Err(RulesError::new(UNREACHABLE)),
        _ if are_in_one_network(&left, interfaces) => Ok(first_of(&left, interfaces)),
        _ => {
            let list: Vec<String> = left.iter().map(Ipv4Addr::to_string).collect();
            Err(RulesError::new(format!(
                "the router could forward to {}; give one of them with --interface, or a public \
                 address for each with --masquerade-address-map",
                list.join(" or ")
            )))
        }
    }
}

/// Whether all these addresses are in one network. Then a router there can forward to any of them.
fn are_in_one_network(addresses: &[Ipv4Addr], interfaces: &Interfaces) -> bool {
    let contains_all = |network: &IpNet| {
        let mut addresses = addresses.iter();
        addresses.all(|&address| network.contains(&IpAddr::V4(address)))
    };
    interfaces.networks.iter().any(contains_all)
}

/// The address that the machine has had for the longest time: later ones may be removed again.
fn first_of(addresses: &[Ipv4Addr], interfaces: &Interfaces) -> Option<Ipv4Addr> {
    let position = |address: &Ipv4Addr| {
        let mut own = interfaces.addresses.iter().map(IpAddr::to_canonical);
        own.position(|own| own == IpAddr::V4(*address))
    };
    addresses
        .iter()
        .min_by_key(|address| position(address))
        .copied()
}

/// The destinations that the firewall of this machine must accept: addresses, or a network where
/// the server listens on all addresses.
fn destinations(settings: &Settings) -> Vec<String> {
    // The sockets of implicit TLS have the same addresses.
    let reachable = settings
        .listen
        .iter()
        .filter(|listen| !listen.implicit_tls && !listen.address.ip().is_loopback());
    reachable
        .map(|listen| match listen.address.ip() {
            address if !address.is_unspecified() => address.to_string(),
            _ if listen.dual_stack => "any".to_owned(),
            IpAddr::V4(_) => "0.0.0.0/0".to_owned(),
            IpAddr::V6(_) => "::/0".to_owned(),
        })
        .collect()
}

const LOOPBACK_ONLY: &str = "the server listens on loopback addresses only, which docker's network \
    cannot reach; leave --interface out";
const UNREACHABLE: &str = "the server listens on no address that other machines can reach; give one \
    of this machine's IPv4 addresses with --interface";

#[cfg(test)]
mod tests;
