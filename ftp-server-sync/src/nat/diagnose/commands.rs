//! What clients cannot do because commands are denied, and where EPSV may have to be.

use std::net::{IpAddr, Ipv4Addr};

use crate::nat::evidence::Evidence;
use crate::nat::finding::Finding;
use crate::settings::Settings;

pub(super) fn findings(
    settings: &Settings,
    evidence: &Evidence,
    forwarded: &[Ipv4Addr],
) -> Vec<Finding> {
    let mut findings = data_elsewhere(settings, evidence, forwarded);
    findings.extend(without_data_connections(settings, evidence));
    findings
}

/// Local addresses whose clients outside are given another address of this machine. A balancer or
/// a router passes their control connections on, and perhaps nothing else.
fn data_elsewhere(
    settings: &Settings,
    evidence: &Evidence,
    forwarded: &[Ipv4Addr],
) -> Vec<Finding> {
    let own = settings.announced_own_addresses(&evidence.interfaces, &evidence.known);
    let announced = |local: &Ipv4Addr| {
        let source = settings.masquerade_map.get(local);
        let source = source.or(settings.masquerade_address.as_ref())?;
        let announced = source.known(&evidence.known)?;
        (announced != *local && own.contains(&announced)).then_some(announced)
    };
    let pairs = forwarded
        .iter()
        .filter_map(|local| Some((local, announced(local)?)));
    let advice = if settings.denied_commands.denies("EPSV") {
        ""
    } else {
        "; EPSV leads clients to the address that they connected to: if only control connections \
         arrive there, add --deny-commands EPSV"
    };
    pairs
        .map(|(local, announced)| {
            Finding::note(format!(
                "clients outside that connect to {local} are given {announced}, another address of \
                 this machine: passive ports are open there too{advice}"
            ))
        })
        .collect()
}

/// What no client can do, or none over IPv6, because commands are denied.
fn without_data_connections(settings: &Settings, evidence: &Evidence) -> Vec<Finding> {
    let denied = &settings.denied_commands;
    let denies_all = |names: &[&str]| names.iter().all(|name| denied.denies(name));
    if denies_all(&["PASV", "EPSV", "PORT", "EPRT"]) {
        return vec![Finding::failure(
            "--deny-commands PASV,EPSV,PORT,EPRT leaves no way to open a data connection: no client \
             can list or transfer; leave PASV or EPSV out of it",
        )];
    }
    let only_active = denies_all(&["PASV", "EPSV"]).then(|| {
        Finding::note(
            "--deny-commands PASV,EPSV leaves active mode only, in which clients behind most NAT \
             routers fail",
        )
    });
    let addresses = settings.local_addresses(&evidence.interfaces);
    let over_ipv6 = addresses.into_iter().find(is_reached_over_ipv6);
    let over_ipv6 = over_ipv6.and_then(|address| {
        if denies_all(&["EPSV", "EPRT"]) {
            Some(Finding::failure(format!(
                "--deny-commands EPSV,EPRT: clients over IPv6, which connect to {address}, have no \
                 way to open a data connection, because PASV and PORT are for IPv4 only; leave EPRT \
                 out of it, or add --interface 0.0.0.0 to serve over IPv4 alone"
            )))
        } else if denied.denies("EPSV") && only_active.is_none() {
            Some(Finding::note(format!(
                "--deny-commands EPSV: clients over IPv6, which connect to {address}, have no \
                 passive mode; to serve over IPv4 alone, add --interface 0.0.0.0"
            )))
        } else {
            None
        }
    });
    over_ipv6.into_iter().chain(only_active).collect()
}

fn is_reached_over_ipv6(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
    }
}
