//! What the operator gives up by trusting a gateway.

use ipnet::IpNet;

use crate::nat::finding::{Finding, Severity};
use crate::settings::Settings;

pub(super) fn findings(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(every_address(settings));
    findings.extend(clear_text(settings));
    findings
}

/// A network that leaves no address to be compared.
fn every_address(settings: &Settings) -> Option<Finding> {
    let mut gateways = settings.trusted_gateways.iter();
    let all = gateways.find(|network| network.prefix_len() == 0)?;
    Some(Finding::new(
        Severity::Risk,
        format!(
            "--trust-gateway {all} trusts every address: no address proves whose data connection it \
             is, active mode is refused, and --max-cons-per-ip has no effect; give only the addresses \
             of gateways"
        ),
    ))
}

/// Only TLS can prove whose data connection comes through a gateway.
fn clear_text(settings: &Settings) -> Option<Finding> {
    if settings.trusted_gateways.is_empty() {
        return None;
    }
    let flag = format!("--trust-gateway {}", as_in_flag(&settings.trusted_gateways));
    match &settings.tls {
        None => Some(Finding::new(
            Severity::Risk,
            format!(
                "{flag} without TLS: a data connection through a gateway may be any client's, and in \
                 clear text nothing proves whose it is, so that one client can take the file of \
                 another; add --tls and --tls-data-required"
            ),
        )),
        Some(tls) if !tls.gateway_resumption && !tls.resumption_required => Some(Finding::new(
            Severity::Risk,
            format!(
                "{flag} and --gateway-resumption off: nothing proves whose data connection comes \
                 through a gateway, so that one client can take the file of another; leave out \
                 --gateway-resumption off"
            ),
        )),
        Some(tls) if !tls.data_required => Some(Finding::note(format!(
            "{flag}: clients that do not use TLS can take files from each other, because in clear \
             text nothing proves whose data connection comes through a gateway; add \
             --tls-data-required"
        ))),
        Some(_) => None,
    }
}

/// The networks as on the command line: one address stands alone.
pub(super) fn as_in_flag(networks: &[IpNet]) -> String {
    let shown = networks.iter().map(|network| {
        if network.prefix_len() == network.max_prefix_len() {
            network.addr().to_string()
        } else {
            network.to_string()
        }
    });
    shown.collect::<Vec<_>>().join(",")
}
