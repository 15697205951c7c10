//! The flags about ports that the router is asked to forward.

use crate::cli::environment::Environment;
use crate::cli::error::FlagError;
use crate::cli::flags::Flags;
use crate::cli::given::GivenFlags;
use crate::settings::{PortMapping, PortRange};

/// How the router is asked. Ports that it can forward have to be known: without a range, one is
/// chosen.
pub(super) fn settings(
    flags: &mut Flags,
    given: &GivenFlags,
    environment: &Environment,
) -> Result<PortMapping, FlagError> {
    let needing = ["--port-mapping-interface", "--port-mapping-anonymous"];
    let unused = needing.into_iter().find(|flag| given.find(flag).is_some());
    if let Some(flag) = unused.filter(|_| flags.port_mapping.is_empty()) {
        let problem = "the router is not asked to forward ports; add --port-mapping auto";
        return Err(given.refuse(flag, problem));
    }
    let is_on = !flags.port_mapping.is_empty();
    if is_on && flags.passive_ports.is_none() {
        flags.passive_ports = default_passive_ports(flags);
    }
    Ok(PortMapping {
        protocols: flags.port_mapping.to_vec(),
        interface: flags.port_mapping_interface.clone(),
        anonymous: flags.port_mapping_anonymous,
        lease: PortMapping::LEASE_DEFAULT,
        state_directory: environment.state_directory(flags.run_as.is_some()),
    })
}

/// A range without the ports of control connections, here and outside.
fn default_passive_ports(flags: &Flags) -> Option<PortRange> {
    let control = [
        flags.port,
        flags.outer_port,
        flags.tls_implicit.unwrap_or(0),
    ];
    let is_free = |range: &PortRange| !control.iter().any(|port| range.contains(*port));
    let ranges = DEFAULT_PASSIVE_PORTS.into_iter();
    let mut ranges = ranges.filter_map(|(first, last)| PortRange::new(first, last).ok());
    ranges.find(is_free)
}

/// With `--port-mapping`. Three ports of control connections cannot be in all of them.
const DEFAULT_PASSIVE_PORTS: [(u16, u16); 4] = [
    (60_000, 60_009),
    (60_010, 60_019),
    (60_020, 60_029),
    (60_030, 60_039),
];
