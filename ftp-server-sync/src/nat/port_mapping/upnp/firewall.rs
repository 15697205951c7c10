//! The router's firewall for IPv6: the service WANIPv6FirewallControl:1 of UPnP IGD 2, as far as it
//! lets TCP in to a port of this machine.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::soap::{CallFailure, SoapService};
use crate::nat::port_mapping::link::NoAnswer;
use crate::nat::port_mapping::outcome::MappingFailure;
use crate::nat::port_mapping::router::LinkEnds;

/// The service of one router.
#[derive(Clone, Debug)]
pub(in crate::nat::port_mapping) struct UpnpFirewall {
    service: SoapService,
    own: IpAddr,
    /// The router's number for the opening to each port.
    openings: BTreeMap<u16, u16>,
}

/// What the router says about its firewall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nat::port_mapping) enum FirewallStatus {
    /// It lets everything in.
    Off,
    /// It opens ports when it is asked.
    Asks,
    /// It opens none.
    Closed,
}

impl UpnpFirewall {
    /// Looks for the service of this router.
    pub(in crate::nat::port_mapping) fn discover(ends: LinkEnds) -> Result<Self, MappingFailure> {
        let services = SoapService::discover(ends, &TARGETS, &KINDS)?;
        let service = services.into_iter().next().ok_or(NoAnswer::Silence)?;
        Ok(Self {
            service,
            own: ends.own.ip(),
            openings: BTreeMap::new(),
        })
    }

    #[cfg(test)]
    pub(in crate::nat::port_mapping) fn at(control: &str, ends: LinkEnds) -> Self {
        Self {
            service: SoapService::at(control, KINDS[0], ends),
            own: ends.own.ip(),
            openings: BTreeMap::new(),
        }
    }

    pub(in crate::nat::port_mapping) fn status(&self) -> Result<FirewallStatus, MappingFailure> {
        let answer = self.service.call("GetFirewallStatus", &[])?;
        // Routers write a boolean in several ways.
        let is = |name: &str, words: [&str; 3]| {
            let value = answer.value(name).unwrap_or_default();
            words.iter().any(|word| value.eq_ignore_ascii_case(word))
        };
        let (no, yes) = (["0", "false", "no"], ["1", "true", "yes"]);
        if is("FirewallEnabled", no) {
            Ok(FirewallStatus::Off)
        } else if is("InboundPinholeAllowed", yes) {
            Ok(FirewallStatus::Asks)
        } else if is("InboundPinholeAllowed", no) {
            Ok(FirewallStatus::Closed)
        } else {
            let problem = "something as the state of its firewall".to_owned();
            Err(MappingFailure::Unbelievable(problem))
        }
    }

    /// Opens a port, or gives it more time.
    pub(in crate::nat::port_mapping) fn open(
        &mut self,
        port: u16,
        lease: Duration,
    ) -> Result<(), MappingFailure> {
        let seconds = lease.as_secs().clamp(1, LEASE_SECONDS_MAX).to_string();
        if let Some(opening) = self.openings.get(&port) {
            let opening = opening.to_string();
            let arguments = [("UniqueID", &*opening), ("NewLeaseTime", &seconds)];
            match self.service.call("UpdatePinhole", &arguments) {
                Ok(_) => return Ok(()),
                // The router has forgotten it.
                Err(CallFailure::Code(NO_SUCH_ENTRY)) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        self.openings.remove(&port);
        let (own, inner) = (self.own.to_string(), port.to_string());
        let arguments = [
            ("RemoteHost", ""),
            ("RemotePort", "0"),
            ("InternalClient", &own),
            ("InternalPort", &inner),
            ("Protocol", TCP),
            ("LeaseTime", &seconds),
        ];
        let answer = self.service.call("AddPinhole", &arguments)?;
        let opening = answer.value("UniqueID").and_then(|id| id.parse().ok());
        let opening = opening.ok_or_else(|| {
            MappingFailure::Unbelievable("no number for what it has opened".to_owned())
        })?;
        self.openings.insert(port, opening);
        Ok(())
    }

    /// Closes a port.
    pub(in crate::nat::port_mapping) fn close(&mut self, port: u16) -> Result<(), MappingFailure> {
        if !self.openings.contains_key(&port) {
            // The router says again which number it has.
            self.open(port, Duration::from_secs(1))?;
        }
        let Some(opening) = self.openings.remove(&port) else {
            return Ok(());
        };
        self.service
            .call("DeletePinhole", &[("UniqueID", &opening.to_string())])?;
        Ok(())
    }
}

const KINDS: [&str; 1] = ["urn:schemas-upnp-org:service:WANIPv6FirewallControl:1"];
const TARGETS: [&str; 2] = [
    "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
];

/// NoSuchEntry.
const NO_SUCH_ENTRY: u16 = 704;
/// The number of the protocol.
const TCP: &str = "6";
/// The longest time that the service knows.
const LEASE_SECONDS_MAX: u64 = 86_400;
