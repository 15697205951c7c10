//! UPnP IGD (versions 1 and 2), as far as it forwards TCP ports over IPv4.
//!
//! All that is asked and answered is at the router's own address; answers are bounded in bytes,
//! time and depth, and no redirect is followed.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

mod discovery;
mod http;
mod message;

use http::HttpUrl;
use message::{SoapAnswer, SoapCall};

use super::link::NoAnswer;
use super::outcome::{GrantedPort, MappingFailure};
use super::public_address::PublicSide;
use super::router::Router;

/// The service of a router that forwards ports.
#[derive(Clone, Debug)]
pub(super) struct UpnpService {
    control: HttpUrl,
    /// Its type, with the version at the end.
    kind: String,
    own: Ipv4Addr,
    /// The router forwards until it is asked for the end, not for a time.
    permanent: bool,
}

impl UpnpService {
    /// Looks for the service of this router.
    pub(super) fn discover(router: Router) -> Result<Self, MappingFailure> {
        let until = Instant::now() + DISCOVERY_MAX;
        let location = discovery::find(router, until)
            .map_err(NoAnswer::Failed)?
            .ok_or(NoAnswer::Silence)?;
        let (status, body) = http::get(&location, until).map_err(|_| NoAnswer::Silence)?;
        if status != 200 {
            let problem = format!("its description with the HTTP status {status}");
            return Err(MappingFailure::Unbelievable(problem));
        }
        let (kind, control) = message::service(&body, &location)
            .ok_or_else(|| MappingFailure::OtherProtocol("has no service for it".to_owned()))?;
        Ok(Self {
            control,
            kind,
            own: router.own,
            permanent: false,
        })
    }

    /// What the router says about its address.
    pub(super) fn public_address(&self) -> Result<Ipv4Addr, MappingFailure> {
        let answer = self.call("GetExternalIPAddress", &[])?;
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

    pub(super) fn map(
        &mut self,
        inner: u16,
        outer: u16,
        lease: Duration,
        public: &PublicSide,
    ) -> Result<GrantedPort, MappingFailure> {
        let granted = |outer| GrantedPort {
            outer,
            lease,
            public: public.clone(),
        };
        let mut answer = self.add("AddPortMapping", inner, outer, lease);
        if let Err(CallFailure::Code(ONLY_PERMANENT)) = answer {
            self.permanent = true;
            answer = self.add("AddPortMapping", inner, outer, lease);
        }
        match answer {
            Ok(_) => Ok(granted(outer)),
            Err(failure) => Err(failure.into()),
        }
    }

    pub(super) fn unmap(&self, outer: u16) -> Result<(), MappingFailure> {
        let outer = outer.to_string();
        let arguments = [
            ("NewRemoteHost", ""),
            ("NewExternalPort", &outer),
            ("NewProtocol", "TCP"),
        ];
        self.call("DeletePortMapping", &arguments)?;
        Ok(())
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
            ("NewPortMappingDescription", "ftp-server-sync"),
            ("NewLeaseDuration", &texts[2]),
        ];
        self.call(action, &arguments)
    }

    fn call(&self, action: &str, arguments: &[(&str, &str)]) -> Result<SoapAnswer, CallFailure> {
        let call = SoapCall {
            service: &self.kind,
            action,
            arguments,
        };
        let until = Instant::now() + CALL_MAX;
        let (status, body) = http::post(&self.control, &call.header(), &call.body(), until)
            .map_err(|_| CallFailure::Other(NoAnswer::Silence.into()))?;
        let answer = SoapAnswer::read(&body);
        match (status, answer.as_ref().and_then(SoapAnswer::error), answer) {
            (200, None, Some(answer)) => Ok(answer),
            (_, Some(code), _) => Err(CallFailure::Code(code)),
            _ => {
                let problem = format!("no message of UPnP, with the HTTP status {status}");
                Err(CallFailure::Other(MappingFailure::Unbelievable(problem)))
            }
        }
    }
}

/// Why a request has no good answer.
#[derive(Debug)]
enum CallFailure {
    /// The router's error code.
    Code(u16),
    Other(MappingFailure),
}

impl From<CallFailure> for MappingFailure {
    fn from(failure: CallFailure) -> Self {
        match failure {
            CallFailure::Code(CONFLICT) => Self::Taken,
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
        CONFLICT => "has given that number to another machine".to_owned(),
        724 => "forwards only between the same numbers".to_owned(),
        728 => "has no room for more mappings".to_owned(),
        code => format!("answers with the error {code}"),
    }
}

/// ConflictInMappingEntry.
const CONFLICT: u16 = 718;
/// OnlyPermanentLeasesSupported.
const ONLY_PERMANENT: u16 = 725;

/// For the search and the description.
const DISCOVERY_MAX: Duration = Duration::from_secs(2);
/// For one request.
const CALL_MAX: Duration = Duration::from_secs(2);
