//! Which address of an answer clients are given, and what is said about it.

use std::net::{IpAddr, Ipv4Addr};

use ftp_proto::Reach;

use crate::net::reach::is_public;
use crate::settings::{AddressSource, unusable};

/// Why an answer changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// There is no address in it that a client can connect to.
    NoAddress(String),
    /// No client outside could reach its address, and the one in use can be reached.
    Unreachable(Ipv4Addr),
}

/// The address in use, among those of an answer.
///
/// The current one stays if the resolver still knows it, because resolvers change the order; a file
/// has an order of its own. For clients on the Internet, a public address comes before others, and
/// others never replace a public one.
pub(crate) fn choose_address(
    source: &AddressSource,
    answer: &[IpAddr],
    current: Option<Ipv4Addr>,
    for_internet: bool,
) -> Result<Ipv4Addr, Rejected> {
    let is_good = |address: &Ipv4Addr| !for_internet || is_public(*address);
    let usable: Vec<Ipv4Addr> = ipv4(answer)
        .filter(|address| unusable(*address).is_none())
        .collect();
    let good = usable.iter().copied().find(is_good);
    let Some(best) = good.or(usable.first().copied()) else {
        let problem = no_address(source, answer);
        return Err(Rejected::NoAddress(problem));
    };
    let has_order = matches!(source, AddressSource::File(_));
    match current {
        Some(current) if for_internet && is_public(current) && good.is_none() => {
            debug_assert!(!is_public(best));
            Err(Rejected::Unreachable(best))
        }
        Some(current)
            if !has_order && usable.contains(&current) && is_good(&current) == good.is_some() =>
        {
            Ok(current)
        }
        _ => Ok(best),
    }
}

/// The public IPv4 addresses of an answer.
pub(crate) fn public_addresses(answer: &[IpAddr]) -> Vec<Ipv4Addr> {
    let usable = ipv4(answer).filter(|address| unusable(*address).is_none());
    usable.filter(|address| is_public(*address)).collect()
}

fn ipv4(answer: &[IpAddr]) -> impl Iterator<Item = Ipv4Addr> {
    answer.iter().filter_map(|address| match address {
        IpAddr::V4(address) => Some(*address),
        IpAddr::V6(_) => None,
    })
}

fn no_address(source: &AddressSource, answer: &[IpAddr]) -> String {
    let verb = verb(source);
    match ipv4(answer).next() {
        None if matches!(source, AddressSource::Name(_)) => "it has no IPv4 address".to_owned(),
        None => format!("it {verb} no IPv4 address"),
        Some(address) => {
            let problem = unusable(address).unwrap_or_default();
            format!("it {verb} {address}: {problem}")
        }
    }
}

/// What a source does with its address.
pub(crate) fn verb(source: &AddressSource) -> &'static str {
    match source {
        AddressSource::Address(_) | AddressSource::Name(_) => "resolves to",
        AddressSource::File(_) => "contains",
        AddressSource::Stun { .. } => "answers",
    }
}

/// What to do if a STUN server gives no address for this reason.
pub(crate) fn stun_remedy(reason: &str) -> &'static str {
    if reason.contains(UNRESOLVED) || reason.contains(WITHOUT_IPV4) {
        "give the name of a server that exists, or its IPv4 address"
    } else {
        "let UDP to its port out of this network, or give another server"
    }
}

/// Why clients on the Internet cannot connect to this address, with a remedy; `None` if they can.
pub(super) fn unreachable_reason(source: &AddressSource, address: Ipv4Addr) -> Option<String> {
    let remedy = match source {
        AddressSource::Address(_) | AddressSource::Name(_) => {
            "the name must resolve to the router's public address"
        }
        AddressSource::File(_) => "write the router's public address into it",
        AddressSource::Stun { .. } => "give a STUN server on the Internet",
    };
    let hosts = match source {
        AddressSource::Name(_) => "check /etc/hosts: ",
        _ => "",
    };
    Some(match Reach::of(address.into()) {
        Reach::Public => return None,
        Reach::Host => {
            format!("a loopback address: each client will connect to itself; {hosts}{remedy}")
        }
        Reach::Site | Reach::Link => format!(
            "a private address: clients outside the local network cannot reach it; {remedy}"
        ),
        Reach::Provider => BEHIND_CARRIER.to_owned(),
    })
}

/// The middle of sentences about a STUN server's name.
pub(super) const UNRESOLVED: &str = " cannot be resolved: ";
pub(super) const WITHOUT_IPV4: &str = " has no IPv4 address";

/// The end of a sentence about an address in 100.64.0.0/10.
pub(crate) const BEHIND_CARRIER: &str = "an address behind the provider's own NAT (carrier NAT, 100.64.0.0/10): \
    no connection from the Internet arrives there, so forwarding ports on the router cannot work; \
    serve over IPv6, or ask the provider for a public IPv4 address";
