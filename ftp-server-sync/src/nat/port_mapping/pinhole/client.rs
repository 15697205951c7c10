//! One protocol with one router's firewall: a port is opened, or closed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::router::PinholeRouter;
use crate::nat::port_mapping::job::WantedPort;
use crate::nat::port_mapping::lease_clock::now;
use crate::nat::port_mapping::left_at_router::LeftAtRouter;
use crate::nat::port_mapping::link::{Link, NoAnswer, REMOVAL_INTERVALS};
use crate::nat::port_mapping::nonce::NonceSecret;
use crate::nat::port_mapping::outcome::{MappingFailure, TAKEN};
use crate::nat::port_mapping::pcp_client::{OuterNumber, PcpClient};
use crate::nat::port_mapping::record::MadeMapping;
use crate::nat::port_mapping::upnp::{FirewallStatus, UpnpFirewall};
use crate::settings::MappingProtocol;

/// Asks a router's firewall in one protocol.
#[derive(Debug)]
pub(super) struct PinholeClient {
    pub(super) protocol: MappingProtocol,
    pub(super) router: PinholeRouter,
    pcp: PcpClient,
    /// UPnP: where the router is asked.
    firewall: Option<UpnpFirewall>,
    pub(super) left: LeftAtRouter<u16>,
}

/// What the router has answered about all ports.
#[derive(Clone, Debug, Default)]
pub(super) struct PinholeResult {
    /// The firewall lets in what comes to these ports.
    pub(super) opened: BTreeSet<u16>,
    /// Why it does not for the others.
    pub(super) refused: BTreeMap<u16, String>,
    /// The shortest time for one of them.
    pub(super) lease: Duration,
    /// The router has no firewall that is switched on.
    pub(super) is_off: bool,
}

impl PinholeClient {
    pub(super) fn new(
        protocol: MappingProtocol,
        router: PinholeRouter,
        secret: &NonceSecret,
    ) -> Self {
        Self {
            protocol,
            router,
            pcp: PcpClient::new(router.ends(), secret),
            firewall: None,
            left: LeftAtRouter::nothing(),
        }
    }

    /// What it may have left open, as a former run of the server has recorded it.
    pub(super) fn restored(made: &[MadeMapping], secret: &NonceSecret) -> Vec<Self> {
        let mut clients: Vec<Self> = Vec::new();
        for mapping in made {
            let (IpAddr::V6(address), IpAddr::V6(own)) = (mapping.router, mapping.own) else {
                continue;
            };
            let router = PinholeRouter {
                address,
                scope: mapping.scope,
                own,
            };
            let mut known = clients.iter_mut();
            let is_it =
                |client: &&mut Self| client.protocol == mapping.protocol && client.router == router;
            match known.find(is_it) {
                Some(client) => client.left.restore(mapping.inner),
                None => {
                    let mut client = Self::new(mapping.protocol, router, secret);
                    client.left.restore(mapping.inner);
                    clients.push(client);
                }
            }
        }
        clients
    }

    /// For [`restored`](Self::restored).
    pub(super) fn recorded(&self) -> impl Iterator<Item = MadeMapping> {
        self.left.recorded().map(|port| MadeMapping {
            protocol: self.protocol,
            router: self.router.address.into(),
            scope: self.router.scope,
            own: self.router.own.into(),
            inner: port,
            outer: port,
        })
    }

    /// Asks for every port, or for more time for it.
    ///
    /// # Errors
    ///
    /// If there is no answer, or none that is any use.
    pub(super) fn open_all(
        &mut self,
        link: &mut Link,
        ports: &[WantedPort],
        lease: Duration,
        mut before_request: impl FnMut(&Self),
    ) -> Result<PinholeResult, MappingFailure> {
        let result = self.open_once(link, ports, lease, &mut before_request)?;
        if self.pcp.take_restarted() {
            // Ports that were asked for before the restart are forgotten.
            let again = self.open_once(link, ports, lease, &mut before_request);
            self.pcp.take_restarted();
            return again;
        }
        Ok(result)
    }

    fn open_once(
        &mut self,
        link: &mut Link,
        ports: &[WantedPort],
        lease: Duration,
        before_request: &mut impl FnMut(&Self),
    ) -> Result<PinholeResult, MappingFailure> {
        if self.begin(link)? {
            return Ok(PinholeResult {
                lease,
                is_off: true,
                ..PinholeResult::default()
            });
        }
        self.left
            .intended
            .extend(ports.iter().map(|port| port.inner));
        before_request(self);
        let result = self.open_each(link, ports, lease);
        self.left.intended.clear();
        result
    }

    fn open_each(
        &mut self,
        link: &mut Link,
        ports: &[WantedPort],
        lease: Duration,
    ) -> Result<PinholeResult, MappingFailure> {
        let mut result = PinholeResult {
            lease,
            ..PinholeResult::default()
        };
        for port in ports {
            match self.open(link, port.inner, lease) {
                Ok(granted) => {
                    result.opened.insert(port.inner);
                    result.lease = result.lease.min(granted);
                }
                Err(MappingFailure::Refused(reason)) => {
                    result.refused.insert(port.inner, reason);
                }
                Err(MappingFailure::Taken) => {
                    result.refused.insert(port.inner, TAKEN.to_owned());
                }
                Err(failure) => return Err(failure),
            }
        }
        if result.opened.is_empty() {
            let reason = result.refused.into_values().next();
            let reason = reason.unwrap_or("is asked for no port".to_owned());
            return Err(MappingFailure::Refused(reason));
        }
        Ok(result)
    }

    /// True if the router lets everything in.
    pub(super) fn begin(&mut self, link: &Link) -> Result<bool, MappingFailure> {
        if self.protocol != MappingProtocol::Upnp {
            return Ok(false);
        }
        let firewall = match self.firewall.take() {
            Some(firewall) => firewall,
            None => {
                not_at_the_end(link)?;
                UpnpFirewall::discover(self.router.ends())?
            }
        };
        not_at_the_end(link)?;
        // If it fails, the router may have restarted, and is looked for again next time.
        let status = firewall.status()?;
        self.left.has_answered = true;
        self.firewall = Some(firewall);
        match status {
            FirewallStatus::Off => Ok(true),
            FirewallStatus::Asks => Ok(false),
            FirewallStatus::Closed => Err(MappingFailure::Refused(
                "does not permit openings for IPv6; permit them in its settings".to_owned(),
            )),
        }
    }

    /// Asks for a port; returns the time that it is open for.
    pub(super) fn open(
        &mut self,
        link: &mut Link,
        port: u16,
        lease: Duration,
    ) -> Result<Duration, MappingFailure> {
        let answer = self.ask_for(link, port, lease);
        self.left.has_answered |= !matches!(answer, Err(MappingFailure::NoAnswer(_)));
        // Without an answer, the request has arrived perhaps.
        if let Ok(_) | Err(MappingFailure::NoAnswer(_)) = &answer {
            self.left.made.insert(port);
        }
        answer
    }

    fn ask_for(
        &mut self,
        link: &mut Link,
        port: u16,
        lease: Duration,
    ) -> Result<Duration, MappingFailure> {
        if let Some(firewall) = &mut self.firewall {
            not_at_the_end(link)?;
            firewall.open(port, lease)?;
            return Ok(lease);
        }
        let lifetime = u32::try_from(lease.as_secs()).unwrap_or(u32::MAX).max(1);
        let outer = OuterNumber::Exact(port);
        let mapping = self.pcp.map(link, port, outer, lifetime)?;
        let own = IpAddr::V6(self.router.own);
        if mapping.outer != port || mapping.address != own {
            self.close(link, port)?;
            let text = format!(
                "translates over IPv6, to {} port {}, which clients do not know",
                mapping.address, mapping.outer
            );
            return Err(MappingFailure::Refused(text));
        }
        Ok(Duration::from_secs(mapping.lifetime.into()))
    }

    /// Closes a port.
    pub(super) fn close(&mut self, link: &mut Link, port: u16) -> Result<(), MappingFailure> {
        let answer = match &mut self.firewall {
            Some(firewall) => not_at_the_end(link).and_then(|()| firewall.close(port)),
            None if self.protocol == MappingProtocol::Upnp => Err(NoAnswer::Silence.into()),
            None => self.pcp.unmap(link, port, &REMOVAL_INTERVALS),
        };
        if !matches!(answer, Err(MappingFailure::NoAnswer(_))) {
            self.left.made.remove(&port);
        }
        answer
    }

    /// Whether the router may have opened a port for this server.
    pub(super) fn has_openings(&self) -> bool {
        !self.left.made.is_empty()
    }

    /// Closes those ports. The router may be gone: then there is no answer.
    pub(super) fn close_made(
        &mut self,
        link: &mut Link,
        is_unwanted: impl Fn(u16) -> bool,
        until: Instant,
    ) {
        let is_any = self.left.made.iter().any(|port| is_unwanted(*port));
        // A client of an earlier run has to look for the router first.
        let is_known = self.protocol != MappingProtocol::Upnp || self.firewall.is_some();
        if is_any && !is_known && self.begin(link).is_err() {
            return;
        }
        let mut unanswered = 0;
        for port in self.left.made.clone() {
            if !is_unwanted(port) {
                continue;
            }
            if let Err(MappingFailure::NoAnswer(_)) = self.close(link, port) {
                unanswered += 1;
            }
            // One answer may get lost.
            if unanswered >= 2 || now() > until {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;

/// Requests of UPnP are not interrupted, so that none begins when the thread is to end.
fn not_at_the_end(link: &Link) -> Result<(), MappingFailure> {
    if link.is_ending() {
        Err(NoAnswer::Ending.into())
    } else {
        Ok(())
    }
}
