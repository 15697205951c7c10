//! Addresses that clients are given although they cannot connect to them, and rules that have no
//! effect.

use std::net::{IpAddr, Ipv4Addr};

use ftp_proto::Reach;
use ipnet::IpNet;

use crate::nat::address_source::choice::{BEHIND_CARRIER, public_addresses, stun_remedy, verb};
use crate::nat::evidence::Evidence;
use crate::nat::finding::Finding;
use crate::net::interfaces::Interfaces;
use crate::settings::{AddressSource, ClientAddress, Settings};

pub(super) fn findings(settings: &Settings, evidence: &Evidence) -> Vec<Finding> {
    let local = local_addresses(settings, &evidence.interfaces);
    let forwarded = forwarded(settings, &evidence.interfaces);
    let mut findings = Vec::new();
    findings.extend(private_address_announced(settings, &forwarded));
    findings.extend(unusable_public_addresses(settings, evidence));
    findings.extend(broken_lines(evidence));
    findings.extend(unused_rules(settings, &local));
    findings.extend(rule_for_all_clients(settings));
    findings.extend(control_port_of_kernel(settings, &local));
    findings
}

/// Those of them that a router forwards to. The address of a bridge for containers is none.
pub(super) fn forwarded(settings: &Settings, interfaces: &Interfaces) -> Vec<Ipv4Addr> {
    interfaces.reachable_by_router(&local_addresses(settings, interfaces))
}

/// The local IPv4 addresses that clients on other machines can connect to.
fn local_addresses(settings: &Settings, interfaces: &Interfaces) -> Vec<Ipv4Addr> {
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

/// Among `local`, addresses that the Internet cannot reach and that no rule replaces.
fn private_address_announced(settings: &Settings, local: &[Ipv4Addr]) -> Option<Finding> {
    // With a rule for all clients, the operator has decided which address every client is given.
    let all_clients = |prefix_length: u8| prefix_length == 0;
    let by_rule = settings
        .masquerade_clients
        .iter()
        .any(|(network, _)| all_clients(network.prefix_len()));
    let mut local_networks = settings.local_networks.named().iter();
    let all_local =
        local_networks.any(|network| network.addr().is_ipv4() && all_clients(network.prefix_len()));
    // What the router answers is not known before it is asked.
    let by_router = settings.port_mapping.is_on();
    // Clients are given the address that they have dialled.
    let by_balancer = !settings.proxy_protocol.is_empty();
    let is_decided =
        settings.masquerade_address.is_some() || by_rule || all_local || by_router || by_balancer;
    if is_decided || admits_only_private_addresses(settings) {
        return None;
    }
    let private: Vec<Ipv4Addr> = local
        .iter()
        .filter(|address| !settings.masquerade_map.contains_key(address))
        .filter(|&&address| Reach::of(address.into()) != Reach::Public)
        .copied()
        .collect();
    let list: Vec<String> = private.iter().map(Ipv4Addr::to_string).collect();
    let list = list.join(" or ");
    // Beside a private address, an address of this range may also be a tunnel's.
    let of_provider = |address: &Ipv4Addr| Reach::of((*address).into()) == Reach::Provider;
    if !private.is_empty() && private.iter().all(of_provider) {
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

/// Whether `--allow` keeps out all clients to whom a private address is of no use. PASV is a matter
/// of IPv4. Clients outside may come through a gateway, whose own address is private.
pub(crate) fn admits_only_private_addresses(settings: &Settings) -> bool {
    let allowed = &settings.access.allowed;
    let is_private = |network: &IpNet| {
        let reach = Reach::of(network.network());
        reach != Reach::Public && reach == Reach::of(network.broadcast())
    };
    let mut allowed = allowed.iter().filter(|network| network.addr().is_ipv4());
    let is_let_in = |gateway: &IpNet| {
        let mut networks = allowed.clone();
        networks.any(|network| network.contains(gateway) || gateway.contains(network))
    };
    let has_gateway = settings.trusted_gateways.iter().any(is_let_in);
    !settings.access.allowed.is_empty() && !has_gateway && allowed.all(is_private)
}

/// Public addresses that no client outside can reach, and sources that have no address or several.
fn unusable_public_addresses(settings: &Settings, evidence: &Evidence) -> Vec<Finding> {
    let for_all = settings
        .masquerade_address
        .iter()
        .map(|public| (format!("--masquerade-address {public}"), public));
    let map = settings.masquerade_map.iter().map(|(private, public)| {
        let flag = format!("--masquerade-address-map {private}={public}");
        (flag, public)
    });
    let outside = for_all.chain(map).filter_map(|(flag, public)| {
        without_address(&flag, public, evidence)
            .or_else(|| unreachable_address(&flag, public, evidence))
            .or_else(|| several_addresses(&flag, public, evidence))
    });
    // A private address may be right here: which addresses a network of clients can reach is not
    // known.
    let for_networks = settings
        .masquerade_clients
        .iter()
        .filter_map(|(network, address)| {
            let ClientAddress::Public(public) = address else {
                return None;
            };
            let flag = format!("--masquerade-client {network}={public}");
            without_address(&flag, public, evidence)
                .or_else(|| loopback_address(&flag, public, evidence))
        });
    outside.chain(for_networks).collect()
}

fn without_address(flag: &str, public: &AddressSource, evidence: &Evidence) -> Option<Finding> {
    let reason = evidence.unresolved.get(public)?;
    let (problem, until, remedy) = match public {
        AddressSource::Address(_) | AddressSource::Name(_) => (
            "cannot be resolved",
            "it is resolved",
            "give a name that has an IPv4 address, or the address itself",
        ),
        // The reason contains the remedy.
        AddressSource::File(_) => ("has no address", "it has one", ""),
        AddressSource::Stun { .. } => ("has no answer", "it answers", stun_remedy(reason)),
    };
    let remedy = match remedy {
        "" => String::new(),
        remedy => format!("; {remedy}"),
    };
    Some(Finding::failure(format!(
        "{flag} {problem}: {reason}; until {until}, its clients are given the address that they \
         connected to{remedy}"
    )))
}

/// Lines of files that are no addresses, beside others that are.
fn broken_lines(evidence: &Evidence) -> impl Iterator<Item = Finding> {
    let answers = evidence.answers.iter();
    answers.filter_map(|(source, answer)| {
        let problem = answer.problem.as_ref()?;
        Some(Finding::note(format!("{source}: {problem}")))
    })
}

/// Public addresses of which the router may have only one.
fn several_addresses(flag: &str, public: &AddressSource, evidence: &Evidence) -> Option<Finding> {
    let answer = evidence.answers.get(public)?;
    let address = public.known(&evidence.known)?;
    let several = public_addresses(&answer.addresses);
    if several.len() < 2 {
        return None;
    }
    let list: Vec<String> = several.iter().map(Ipv4Addr::to_string).collect();
    let (verb, list) = (verb(public), list.join(", "));
    Some(Finding::note(format!(
        "{flag} {verb} several public addresses ({list}): all clients outside are given one of them, \
         {address} now, and fail if the router forwards another; leave one, or give each local address \
         its own with --masquerade-address-map"
    )))
}

fn unreachable_address(flag: &str, public: &AddressSource, evidence: &Evidence) -> Option<Finding> {
    let address = public.known(&evidence.known)?;
    let subject = subject(flag, public, address);
    let mut gateways = evidence
        .interfaces
        .gateways
        .iter()
        .copied()
        .filter_map(ipv4);
    if gateways.any(|gateway| gateway == address) {
        return Some(Finding::failure(format!(
            "{subject} is the router's address in the local network: clients outside cannot reach it; \
             give the router's public address"
        )));
    }
    match Reach::of(address.into()) {
        Reach::Public => None,
        Reach::Host => loopback_address(flag, public, evidence),
        Reach::Site | Reach::Link => Some(Finding::failure(format!(
            "{subject} is a private address: clients outside the local network cannot reach it; \
             give the router's public address"
        ))),
        Reach::Provider => Some(Finding::failure(format!("{subject} is {BEHIND_CARRIER}"))),
    }
}

fn loopback_address(flag: &str, public: &AddressSource, evidence: &Evidence) -> Option<Finding> {
    let address = public.known(&evidence.known)?;
    let subject = subject(flag, public, address);
    (Reach::of(address.into()) == Reach::Host).then(|| {
        Finding::failure(format!(
            "{subject} is a loopback address: each client will connect to itself; give the \
             router's public address"
        ))
    })
}

/// The flag, and for a name its address.
fn subject(flag: &str, public: &AddressSource, address: Ipv4Addr) -> String {
    match public {
        AddressSource::Address(_) => flag.to_owned(),
        source => format!("{flag} {} {address}, which", verb(source)),
    }
}

/// A router that cannot know what to forward to.
fn control_port_of_kernel(settings: &Settings, local: &[Ipv4Addr]) -> Option<Finding> {
    let is_public = settings.masquerade_address.is_some() || !settings.masquerade_map.is_empty();
    (settings.control_port() == 0 && is_public && !local.is_empty()).then(|| {
        Finding::failure(format!(
            "--port 0: the kernel chooses the control port, and no router can forward its port {} to \
             it; give a number with --port",
            settings.outer_port
        ))
    })
}

/// Addresses of manuals, which were meant to be replaced. Not among the findings of every start:
/// laboratories use them as public addresses.
pub(crate) fn example_addresses(settings: &Settings, interfaces: &Interfaces) -> Vec<Finding> {
    let mut own = interfaces.addresses.iter().copied().filter_map(ipv4);
    if own.any(|address| address.is_documentation()) {
        return Vec::new();
    }
    let all = settings.masquerade_address.iter().map(|public| {
        let flag = format!("--masquerade-address {public}");
        (flag, public)
    });
    let map = settings.masquerade_map.iter().map(|(private, public)| {
        let flag = format!("--masquerade-address-map {private}={public}");
        (flag, public)
    });
    let examples = all.chain(map).filter_map(|(flag, public)| match public {
        AddressSource::Address(address) if address.is_documentation() => Some(flag),
        _ => None,
    });
    examples
        .map(|flag| {
            Finding::note(format!(
                "{flag} is an address for examples in manuals (RFC 5737), which no router on the \
                 Internet has; give the router's public address"
            ))
        })
        .collect()
}

/// Rules that no client outside can ever meet.
fn unused_rules(settings: &Settings, local: &[Ipv4Addr]) -> Vec<Finding> {
    if local.is_empty() && settings.masquerades() {
        return vec![Finding::note(
            "masquerading is for IPv4 only, and the server listens on no IPv4 address that other \
             machines could reach; add one with --interface",
        )];
    }
    settings
        .masquerade_map
        .iter()
        .filter(|(private, _)| !local.contains(private))
        .map(|(private, public)| {
            let flag = format!("--masquerade-address-map {private}={public}");
            if private.is_loopback() {
                Finding::note(format!(
                    "{flag} is used only by clients on this machine, and no router translates their \
                     connections"
                ))
            } else {
                Finding::failure(format!(
                    "{flag} is never used: {private} is not an address that this server listens on; \
                     give one of this machine's addresses"
                ))
            }
        })
        .collect()
}

/// A rule for all clients that takes precedence over the public address.
fn rule_for_all_clients(settings: &Settings) -> Option<Finding> {
    if settings.masquerade_address.is_none() && settings.masquerade_map.is_empty() {
        return None;
    }
    let all_clients = |network: &IpNet| network.addr().is_ipv4() && network.prefix_len() == 0;
    let all_local = settings.local_networks.named().iter().any(all_clients);
    let rule = settings
        .masquerade_clients
        .iter()
        .find(|(network, _)| all_clients(network));
    let rule = match rule {
        Some((network, ClientAddress::Local)) => format!("--masquerade-client {network}=local"),
        None if all_local => "--local-networks 0.0.0.0/0".to_owned(),
        _ => return None,
    };
    Some(Finding::failure(format!(
        "{rule} applies to all clients: those outside are given the address that they connected to, \
         never the router's; give only the networks that need this rule"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::golden;

    /// Who lets only a local network in has no clients outside.
    #[test]
    fn private_addresses_are_right_for_the_clients_that_are_let_in() {
        let is_found = |line: &str| {
            let local = [Ipv4Addr::new(192, 168, 77, 2)];
            private_address_announced(&golden::settings(line), &local).is_some()
        };
        for line in [
            "--allow 192.168.77.0/24",
            "--allow 192.168.77.7",
            "--allow 10.0.0.0/8,172.16.0.0/12 --allow 192.168.0.0/16",
            "--allow 192.168.0.0/16 --deny 0.0.0.0/0",
            "--allow 100.64.0.0/10,127.0.0.1",
            // Over IPv6, clients use EPSV.
            "--allow 192.168.0.0/16,2001:db8::/32",
            "--allow 2001:db8::/32",
            "--trust-gateway 172.17.0.1 --allow 192.168.77.0/24",
        ] {
            assert!(!is_found(line), "{line}");
        }
        for line in [
            "",
            "--allow 192.168.0.0/16,203.0.113.7",
            "--allow 192.0.0.0/8",
            "--allow 172.0.0.0/8",
            "--allow 0.0.0.0/0",
            "--deny 192.168.77.0/24",
            // Behind a gateway, all clients have its address.
            "--trust-gateway 172.17.0.1 --allow 172.17.0.0/16",
            "--trust-gateway 172.17.0.0/16 --allow 172.17.0.1",
        ] {
            assert!(is_found(line), "{line}");
        }
    }

    #[test]
    fn addresses_of_manuals() {
        let found = |line: &str, own: &str| {
            let found =
                example_addresses(&golden::settings(line), &golden::interfaces(own, "", ""));
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let note = |flag: &str| {
            format!(
                "note: {flag} is an address for examples in manuals (RFC 5737), which no router on the \
                 Internet has; give the router's public address"
            )
        };
        let line =
            "-n 203.0.113.1 -r 60000-60009 --masquerade-address-map 192.168.77.2=198.51.100.1";
        let expected = [
            note("--masquerade-address 203.0.113.1"),
            note("--masquerade-address-map 192.168.77.2=198.51.100.1"),
        ];
        assert_eq!(found(line, "127.0.0.1 192.168.77.2"), expected);
        assert_eq!(
            found("-n 203.0.114.1 -r 60000-60009", "127.0.0.1 192.168.77.2"),
            [""; 0]
        );
        assert_eq!(
            found("-n name.example -r 60000-60009", "127.0.0.1 192.168.77.2"),
            [""; 0]
        );
        // A laboratory has such addresses itself.
        assert_eq!(found(line, "192.168.77.2 192.0.2.9"), [""; 0]);
    }
}
