//! Ports that the router is asked to forward: what it does not do, and what is not asked for.

use std::net::IpAddr;

use ftp_proto::Reach;

use crate::nat::evidence::Evidence;
use crate::nat::finding::Finding;
use crate::nat::port_mapping::job::may_map_control_port;
use crate::settings::{AddressSource, Settings};

pub(super) fn findings(settings: &Settings, evidence: &Evidence) -> Vec<Finding> {
    if !settings.port_mapping.is_on() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    findings.extend(control_port(settings));
    findings.extend(router(settings, evidence));
    findings.extend(double_nat(settings, evidence));
    findings.extend(ipv6(settings, evidence));
    findings
}

fn control_port(settings: &Settings) -> Option<Finding> {
    (!may_map_control_port(settings)).then(|| {
        Finding::failure(
            "anonymous may log in, so that the router is not asked to forward the control port: \
             everyone on the Internet could log in; give --username and a password without \
             --anonymous, or --port-mapping-anonymous if that is wanted",
        )
    })
}

/// Only `--check` asks it for this.
fn router(settings: &Settings, evidence: &Evidence) -> Option<Finding> {
    match evidence.router.as_ref()? {
        Err(problem) => Some(Finding::failure(format!(
            "--port-mapping: {problem}; switch port mapping (UPnP, PCP or NAT-PMP) on in its settings, or \
             forward the ports by hand and give --masquerade-address instead"
        ))),
        Ok(report) => {
            let problem = report.public.problem()?;
            // With an address of the operator, the numbers of the ports are of use all the same.
            let finding = match settings.masquerade_address {
                None => Finding::failure,
                Some(_) => Finding::note,
            };
            Some(finding(format!("--port-mapping: the router {problem}")))
        }
    }
}

/// A STUN server on the Internet sees another address than the router calls its own.
fn double_nat(settings: &Settings, evidence: &Evidence) -> Option<Finding> {
    let router = evidence.router.as_ref()?.as_ref().ok()?.public.address()?;
    let source = settings.masquerade_address.as_ref();
    let stun = source.filter(|source| matches!(source, AddressSource::Stun { .. }))?;
    let seen = stun.known(&evidence.known)?;
    (seen != router).then(|| {
        Finding::failure(format!(
            "{stun} answers {seen}, and the router says that its public address is {router}: another \
             router is in between, which has to forward the same ports to {router}; without one, leave \
             out --masquerade-address"
        ))
    })
}

/// IPv6 needs no translation, but most routers let nothing in.
fn ipv6(settings: &Settings, evidence: &Evidence) -> Option<Finding> {
    let addresses = settings.local_addresses(&evidence.interfaces).into_iter();
    let mut addresses = addresses.filter(IpAddr::is_ipv6);
    let is_open = addresses.any(|address| Reach::of(address) == Reach::Public);
    is_open.then(|| {
        Finding::note(
            "--port-mapping is for IPv4: IPv6 is not opened; open these ports for this machine in \
             the router's firewall, for clients that connect over IPv6",
        )
    })
}
