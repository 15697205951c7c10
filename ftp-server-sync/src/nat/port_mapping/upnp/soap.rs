//! A service of a router, and requests to it.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::discovery;
use super::http;
use super::message::{SoapAnswer, SoapCall, services};
use super::url::HttpUrl;
use crate::nat::port_mapping::link::NoAnswer;
use crate::nat::port_mapping::outcome::MappingFailure;
use crate::nat::port_mapping::router::LinkEnds;

/// A service, and this machine's address, from which it is asked.
#[derive(Clone, Debug)]
pub(super) struct SoapService {
    control: HttpUrl,
    /// Its type, with the version at the end.
    kind: String,
    own: IpAddr,
}

/// Why a request has no good answer.
#[derive(Debug)]
pub(super) enum CallFailure {
    /// The router's error code.
    Code(u16),
    Other(MappingFailure),
}

impl SoapService {
    /// Looks for services of these types, the best one first; there is one at least. `targets` are
    /// searched for.
    pub(super) fn discover(
        ends: LinkEnds,
        targets: &[&str],
        kinds: &[&str],
    ) -> Result<Vec<Self>, MappingFailure> {
        let until = Instant::now() + DISCOVERY_MAX;
        let own = ends.own.ip();
        let location = discovery::find(ends, targets, until)
            .map_err(NoAnswer::Failed)?
            .ok_or(NoAnswer::Silence)?;
        let (status, body) = http::get(&location, own, until).map_err(|_| NoAnswer::Silence)?;
        if status != 200 {
            let problem = format!("its description with the HTTP status {status}");
            return Err(MappingFailure::Unbelievable(problem));
        }
        let found = services(&body, &location, kinds);
        if found.is_empty() {
            let problem = "has no service for it".to_owned();
            return Err(MappingFailure::OtherProtocol(problem));
        }
        let found = found.into_iter();
        let found = found.map(|(kind, control)| Self { control, kind, own });
        Ok(found.collect())
    }

    /// Without the search.
    #[cfg(test)]
    pub(super) fn at(control: &str, kind: &str, ends: LinkEnds) -> Self {
        Self {
            control: HttpUrl::read(control, ends.router).unwrap(),
            kind: kind.to_owned(),
            own: ends.own.ip(),
        }
    }

    pub(super) fn call(
        &self,
        action: &str,
        arguments: &[(&str, &str)],
    ) -> Result<SoapAnswer, CallFailure> {
        let call = SoapCall {
            service: &self.kind,
            action,
            arguments,
        };
        let until = Instant::now() + CALL_MAX;
        let (header, body) = (call.header(), call.body());
        let (status, body) = http::post(&self.control, self.own, &header, &body, until)
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

/// For the search and the description.
const DISCOVERY_MAX: Duration = Duration::from_secs(2);
/// For one request.
const CALL_MAX: Duration = Duration::from_secs(2);
