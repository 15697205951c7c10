//! UPnP IGD (versions 1 and 2), as far as it forwards TCP ports over IPv4, or lets clients in over
//! IPv6.
//!
//! All that is asked and answered is at the router's own address; answers are bounded in bytes,
//! time and depth, and no redirect is followed.

use std::net::Ipv4Addr;
use std::time::Duration;

mod discovery;
mod firewall;
mod http;
mod message;
mod response;
mod soap;
mod ssdp;
mod url;

use message::SoapAnswer;
use soap::{CallFailure, SoapService};

use super::link::NoAnswer;
use super::outcome::{GrantedPort, MappingFailure};
use super::public_address::PublicSide;
use super::router::Router;

pub(super) use firewall::{FirewallStatus, UpnpFirewall};

/// The service of a router that forwards ports.
#[derive(Clone, Debug)]
pub(super) struct UpnpService {
    service: SoapService,
    own: Ipv4Addr,
    /// The router forwards until it is asked for the end, not for a time.
    permanent: bool,
}

impl UpnpService {
    /// Looks for the service of this router that is connected to the Internet, and its address. A
    /// router for several kinds of lines has one for each.
    pub(super) fn discover(router: Router) -> Result<(Self, Ipv4Addr), MappingFailure> {
        let services = SoapService::discover(router.ends(), &TARGETS, &KINDS)?;
        let mut first = None;
        for service in services.into_iter().take(SERVICES_MAX) {
            let service = Self {
                service,
                own: router.own,
                permanent: false,
            };
            let answer = service.public_address();
            let is_connected = matches!(&answer, Ok(address) if !address.is_unspecified());
            let found = answer.map(|address| (service, address));
            if is_connected {
                return found;
            }
            first.get_or_insert(found);
        }
        first.unwrap_or_else(|| Err(NoAnswer::Silence.into()))
    }

    #[cfg(test)]
    pub(super) fn at(control: &str, router: Router) -> Self {
        Self {
            service: SoapService::at(control, KINDS[1], router.ends()),
            own: router.own,
            permanent: false,
        }
    }

    /// What the router says about its address.
    pub(super) fn public_address(&self) -> Result<Ipv4Addr, MappingFailure> {
        let answer = self.service.call("GetExternalIPAddress", &[])?;
        // A router that is not connected may have none.
        let address = answer.value("NewExternalIPAddress").unwrap_or_default();
        match address.as_str() {
            "" => Ok(Ipv4Addr::UNSPECIFIED),
            address => address.parse().map_err(|_| {
                MappingFailure::Unbelievable("something as its public address".to_owned())
            }),
        }
    }

    /// Whether mappings last until they are removed.
    pub(super) fn is_permanent(&self) -> bool {
        self.permanent
    }

    /// `is_made`: the router has granted this mapping to this server before.
    pub(super) fn map(
        &mut self,
        inner: u16,
        outer: u16,
        lease: Duration,
        public: &PublicSide,
        is_made: bool,
    ) -> Result<GrantedPort, MappingFailure> {
        let granted = |is_foreign| GrantedPort {
            outer,
            lease,
            public: public.clone(),
            is_foreign,
        };
        match self.owner(inner, outer)? {
            EntryOwner::Unmapped | EntryOwner::Own => {}
            // Some routers store another description.
            EntryOwner::SamePort if is_made => {}
            // Some routers give the number to the machine that asks last.
            EntryOwner::Other(_) => return Err(MappingFailure::Taken),
            EntryOwner::SamePort => return Ok(granted(true)),
        }
        let mut answer = self.add("AddPortMapping", inner, outer, lease);
        if let Err(CallFailure::Code(ONLY_PERMANENT | INVALID_ARGUMENT)) = answer
            && !self.permanent
        {
            self.permanent = true;
            answer = self.add("AddPortMapping", inner, outer, lease);
            self.permanent = answer.is_ok();
        }
        match answer {
            Ok(_) => Ok(granted(false)),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Ends a mapping of this server's own. Meanwhile another machine may have the number.
    pub(super) fn unmap(
        &self,
        inner: u16,
        outer: u16,
        is_made: bool,
    ) -> Result<(), MappingFailure> {
        match self.owner(inner, outer)? {
            EntryOwner::Unmapped | EntryOwner::Own => {}
            EntryOwner::SamePort if is_made => {}
            EntryOwner::Other(_) | EntryOwner::SamePort => return Ok(()),
        }
        let outer = outer.to_string();
        let arguments = [
            ("NewRemoteHost", ""),
            ("NewExternalPort", &outer),
            ("NewProtocol", "TCP"),
        ];
        self.service.call("DeletePortMapping", &arguments)?;
        Ok(())
    }

    /// Whose mapping has this number.
    pub(super) fn owner(&self, inner: u16, outer: u16) -> Result<EntryOwner, MappingFailure> {
        let outer = outer.to_string();
        let arguments = [
            ("NewRemoteHost", ""),
            ("NewExternalPort", &outer),
            ("NewProtocol", "TCP"),
        ];
        let entry = match self.service.call("GetSpecificPortMappingEntry", &arguments) {
            Ok(entry) => entry,
            // There is none, or the router does not say.
            Err(CallFailure::Code(_)) => return Ok(EntryOwner::Unmapped),
            Err(CallFailure::Other(failure)) => return Err(failure),
        };
        let is = |name: &str, expected: &str| entry.value(name).is_none_or(|own| own == expected);
        let machine = entry.value("NewInternalClient");
        let is_here = is("NewInternalClient", &self.own.to_string())
            && is("NewInternalPort", &inner.to_string());
        Ok(if !is_here {
            EntryOwner::Other(machine.and_then(|machine| machine.parse().ok()))
        } else if is("NewPortMappingDescription", DESCRIPTION) {
            EntryOwner::Own
        } else {
            EntryOwner::SamePort
        })
    }

    fn add(
        &self,
        action: &str,
        inner: u16,
        outer: u16,
        lease: Duration,
    ) -> Result<SoapAnswer, CallFailure> {
        let seconds = if self.permanent { 0 } else { lease.as_secs() };
        let texts = [u64::from(outer), u64::from(inner), seconds].map(|number| number.to_string());
        let own = self.own.to_string();
        let arguments = [
            ("NewRemoteHost", ""),
            ("NewExternalPort", &texts[0]),
            ("NewProtocol", "TCP"),
            ("NewInternalPort", &texts[1]),
            ("NewInternalClient", &own),
            ("NewEnabled", "1"),
            ("NewPortMappingDescription", DESCRIPTION),
            ("NewLeaseDuration", &texts[2]),
        ];
        self.service.call(action, &arguments)
    }
}

/// Whose mapping a number of the router has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryOwner {
    Unmapped,
    /// This server, perhaps before it crashed.
    Own,
    /// Another machine, or another port of this one; as far as the router says which one.
    Other(Option<Ipv4Addr>),
    /// Someone else, for the same port of this machine, such as the router's operator.
    SamePort,
}

impl From<CallFailure> for MappingFailure {
    fn from(failure: CallFailure) -> Self {
        match failure {
            CallFailure::Code(CONFLICT | CONFLICT_ELSEWHERE) => Self::Taken,
            CallFailure::Code(code) => Self::Refused(reason(code)),
            CallFailure::Other(failure) => failure,
        }
    }
}

/// Why a router does not do it, by its error code; it completes "the router …".
fn reason(code: u16) -> String {
    match code {
        401 | 602 => "does not support that request".to_owned(),
        606 => "does not permit it; permit UPnP in its settings".to_owned(),
        701 => "has no room for more openings".to_owned(),
        703 => "does not permit openings for IPv6; permit them in its settings".to_owned(),
        724 => "forwards only between the same numbers".to_owned(),
        728 => "has no room for more mappings".to_owned(),
        code => format!("answers with the error {code}"),
    }
}

/// Shown in the settings of the router.
const DESCRIPTION: &str = "ftp-server-sync";

/// ConflictInMappingEntry.
const CONFLICT: u16 = 718;
/// ConflictWithOtherMechanisms, of IGD 2.
const CONFLICT_ELSEWHERE: u16 = 729;
/// Some routers answer it to a lease that is not endless.
const INVALID_ARGUMENT: u16 = 402;
/// OnlyPermanentLeasesSupported.
const ONLY_PERMANENT: u16 = 725;

/// Services of one router that are asked.
const SERVICES_MAX: usize = 4;
/// Version 2 answers to a search for the first one too.
const TARGETS: [&str; 2] = [
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
];
/// The best one first.
const KINDS: [&str; 3] = [
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
];
