//! What clients cannot do because commands are denied.

use std::net::IpAddr;

use crate::nat::evidence::Evidence;
use crate::nat::finding::Finding;
use crate::settings::Settings;

pub(super) fn findings(settings: &Settings, evidence: &Evidence) -> Option<Finding> {
    let denied = &settings.denied_commands;
    let denies_all = |names: &[&str]| names.iter().all(|name| denied.denies(name));
    if denies_all(&["PASV", "EPSV", "PORT", "EPRT"]) {
        return Some(Finding::failure(
            "--deny-commands PASV,EPSV,PORT,EPRT leaves no way to open a data connection: no client \
             can list or transfer; leave PASV or EPSV out of it",
        ));
    }
    if denies_all(&["PASV", "EPSV"]) {
        return Some(Finding::note(
            "--deny-commands PASV,EPSV leaves active mode only, in which clients behind most NAT \
             routers fail",
        ));
    }
    let addresses = settings.local_addresses(&evidence.interfaces);
    let address = addresses.into_iter().find(is_reached_over_ipv6)?;
    denied.denies("EPSV").then(|| {
        Finding::note(format!(
            "--deny-commands EPSV: clients over IPv6, which connect to {address}, have no passive \
             mode; to serve over IPv4 alone, add --interface 0.0.0.0"
        ))
    })
}

fn is_reached_over_ipv6(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
    }
}
