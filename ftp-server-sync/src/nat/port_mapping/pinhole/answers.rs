//! The last answers of a router's firewall, and what is said about them.
//!
//! Pure: nothing here is sent or logged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use log::Level;

use super::client::PinholeResult;
use super::router::PinholeRouter;
use crate::nat::address_source::LogLine;
use crate::nat::port_mapping::job::{MappingJob, WantedPort, describe_wanted};
use crate::net::order;
use crate::net::port_probe::describe_ports;
use crate::settings::MappingProtocol;

/// The answers, and the last problem.
#[derive(Debug)]
pub(super) struct PinholeAnswers {
    pub(super) router: PinholeRouter,
    wanted: Vec<WantedPort>,
    last: Option<(MappingProtocol, PinholeResult)>,
    /// When what was opened ends.
    ends_at: Option<Instant>,
    /// It has ended.
    ended: bool,
    /// Why there is no newer answer.
    trouble: Option<String>,
}

impl PinholeAnswers {
    pub(super) fn new(router: PinholeRouter, job: &MappingJob) -> Self {
        Self {
            router,
            wanted: job.ports.clone(),
            last: None,
            ends_at: None,
            ended: false,
            trouble: None,
        }
    }

    /// The round has begun at `start`: the first openings are as old.
    pub(super) fn on_result(
        &mut self,
        protocol: MappingProtocol,
        job: &MappingJob,
        result: PinholeResult,
        start: Instant,
    ) {
        self.wanted.clone_from(&job.ports);
        self.ends_at = (!result.is_off).then(|| start + result.lease);
        self.last = Some((protocol, result));
        self.ended = false;
        self.trouble = None;
    }

    pub(super) fn on_trouble(&mut self, trouble: String, job: &MappingJob) {
        self.wanted.clone_from(&job.ports);
        self.trouble = Some(trouble);
    }

    /// When something ends that is not renewed.
    pub(super) fn next_end(&self) -> Option<Instant> {
        let is_open = self.trouble.is_some() && !self.ended;
        self.ends_at.filter(|_| is_open)
    }

    /// Whether it has just ended.
    pub(super) fn take_ended(&mut self, now: Instant) -> bool {
        let has_ended = self.next_end().is_some_and(|end| end <= now);
        self.ended |= has_ended;
        has_ended
    }

    /// The lines that describe the state.
    pub(super) fn lines(&self) -> Vec<LogLine> {
        let (router, own) = (self.router.address, self.router.own);
        let line = |level, text| LogLine { level, text };
        match (&self.trouble, &self.last) {
            (None, None) => Vec::new(),
            (Some(trouble), last) if last.is_none() || self.ended => {
                let text = by_hand(&self.router, &self.wanted, trouble);
                vec![line(Level::Warn, text)]
            }
            (Some(trouble), _) => vec![line(
                Level::Warn,
                format!(
                    "--port-mapping: the router {router} opens nothing over IPv6 any more ({trouble}); \
                     what it has opened may end; it is asked again"
                ),
            )],
            (None, Some((protocol, result))) if result.is_off => vec![line(
                Level::Info,
                format!(
                    "the router {router} ({protocol}) has its firewall for IPv6 switched off: clients \
                     outside reach {own}"
                ),
            )],
            (None, Some((protocol, result))) => {
                let is_open = |port: &&WantedPort| result.opened.contains(&port.inner);
                let ports = describe_wanted(self.wanted.iter().filter(is_open));
                let text = format!(
                    "the router {router} ({protocol}) lets clients in over IPv6, to {own}: {ports}"
                );
                let mut lines = vec![line(Level::Info, text)];
                lines.extend(refused(result).into_iter().map(|(reason, ports)| {
                    let ports = describe_ports(&ports);
                    let text = format!(
                        "the router {router} does not let clients in over IPv6 to these ports: {ports}; \
                         the router {reason}"
                    );
                    line(Level::Warn, text)
                }));
                lines
            }
        }
    }
}

/// What to do by hand with the router's firewall.
pub(super) fn by_hand(router: &PinholeRouter, ports: &[WantedPort], trouble: &str) -> String {
    let (router, own) = (router.address, router.own);
    let numbers = order::set_of(ports.iter().map(|port| port.inner));
    let numbers = describe_ports(&numbers);
    format!(
        "clients outside reach this server over IPv6 only if the firewall of the router {router} lets \
         them in, and it opens no port when it is asked ({trouble}): in its settings for IPv6, allow \
         TCP to {own}, ports {numbers}"
    )
}

/// The ports that are not opened, by the reason.
fn refused(result: &PinholeResult) -> BTreeMap<&str, BTreeSet<u16>> {
    let mut reasons: BTreeMap<&str, BTreeSet<u16>> = BTreeMap::new();
    for (port, reason) in &result.refused {
        reasons.entry(reason).or_default().insert(*port);
    }
    reasons
}

#[cfg(test)]
mod tests;
