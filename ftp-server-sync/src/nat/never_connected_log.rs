//! Which clients were told a port and never came, counted per cause over all sessions, for the log.
//!
//! No cause can fill the log, and memory is bounded. While nothing is missed, a data connection costs
//! one look at an atomic here, and no lock; the lock is never held while something is written.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use ftp_proto::{AnnounceReason, ClientOrigin, Diagnosis, NeverConnected, PassiveOffer};
use log::warn;

use crate::sync::lock;

/// What all sessions have missed.
#[derive(Debug, Default)]
pub(crate) struct NeverConnectedLog {
    /// Whether any cause counts anything now. Written under the lock.
    counting: AtomicBool,
    causes: Mutex<Causes>,
}

/// What may stand in a line beside what was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    /// Passive ports are limited to a range, which is what a router can forward.
    pub(crate) has_range: bool,
}

#[derive(Debug, Default)]
struct Causes {
    /// Few, so a search through all is the simplest; the one that was missed last is at the end.
    tallies: Vec<Tally>,
}

/// Clients that fail alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FailureKind {
    address: IpAddr,
    origin: ClientOrigin,
    diagnosis: Diagnosis,
}

/// What a cause has come to since a client last got through.
#[derive(Debug)]
struct Tally {
    cause: FailureKind,
    /// What was told last.
    announced: PassiveOffer,
    connections: u64,
    /// Each once; of more than so many only the number of connections is counted.
    clients: Vec<IpAddr>,
    port_min: u16,
    port_max: u16,
    /// None of them has had its whole time.
    all_early: bool,
    said: Said,
    said_at: Option<Instant>,
}

/// How much of a tally the log has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Nothing,
    TheFirst,
    Several,
}

impl NeverConnectedLog {
    /// Counts, and says so in the log where that is due.
    pub(crate) fn note(&self, peer: IpAddr, missed: &NeverConnected, advice: Advice, now: Instant) {
        let line = {
            let mut causes = self.causes();
            let line = causes.note(peer, missed, advice, now);
            self.counting.store(true, Ordering::Relaxed);
            line
        };
        if let Some(line) = line {
            warn!("{line}");
        }
    }

    /// A client has come: its cause counts anew.
    pub(crate) fn connected(&self, announced: &PassiveOffer) {
        if !self.counting.load(Ordering::Relaxed) {
            return;
        }
        let mut causes = self.causes();
        causes.connected(announced);
        self.counting.store(causes.is_counting(), Ordering::Relaxed);
    }

    /// The operator has changed the settings: what was missed before says nothing about the new ones.
    /// Another public address, on the other hand, is another cause by itself.
    pub(crate) fn forget(&self) {
        let mut causes = self.causes();
        *causes = Causes::default();
        self.counting.store(false, Ordering::Relaxed);
    }

    /// A line for each cause that counts something.
    pub(crate) fn report(&self, advice: Advice) -> Vec<String> {
        let causes = self.causes();
        let counting = causes.tallies.iter().filter(|tally| tally.connections > 0);
        counting.map(|tally| tally.line(advice)).collect()
    }

    fn causes(&self) -> MutexGuard<'_, Causes> {
        lock(&self.causes)
    }
}

impl Causes {
    /// The line that is due now: for the first of a cause, and once more when there are several.
    fn note(
        &mut self,
        peer: IpAddr,
        missed: &NeverConnected,
        advice: Advice,
        now: Instant,
    ) -> Option<String> {
        let cause = FailureKind::of(&missed.offer);
        let mut tally = match self.position(&cause) {
            Some(index) => self.tallies.remove(index),
            None => Tally::new(cause, &missed.offer),
        };
        if self.tallies.len() >= CAUSES_MAX {
            self.tallies.remove(0);
        }
        tally.count(peer, missed);
        let line = tally.is_due(now).then(|| tally.line(advice));
        self.tallies.push(tally);
        line
    }

    fn connected(&mut self, announced: &PassiveOffer) {
        if let Some(index) = self.position(&FailureKind::of(announced)) {
            self.tallies[index].begin_anew();
        }
    }

    fn is_counting(&self) -> bool {
        self.tallies.iter().any(|tally| tally.connections > 0)
    }

    fn position(&self, cause: &FailureKind) -> Option<usize> {
        self.tallies.iter().position(|tally| tally.cause == *cause)
    }
}

impl FailureKind {
    fn of(announced: &PassiveOffer) -> Self {
        Self {
            address: announced.announcement.address,
            origin: announced.origin,
            diagnosis: announced.diagnosis,
        }
    }
}

impl Tally {
    fn new(cause: FailureKind, announced: &PassiveOffer) -> Self {
        Self {
            cause,
            announced: *announced,
            connections: 0,
            clients: Vec::new(),
            port_min: u16::MAX,
            port_max: 0,
            all_early: true,
            said: Said::Nothing,
            said_at: None,
        }
    }

    /// Forgets all but when the log last spoke of it.
    fn begin_anew(&mut self) {
        *self = Self {
            said_at: self.said_at,
            ..Self::new(self.cause, &self.announced)
        };
    }

    fn count(&mut self, peer: IpAddr, missed: &NeverConnected) {
        let port = missed.offer.port;
        self.announced = missed.offer;
        self.connections = self.connections.saturating_add(1);
        if self.clients.len() < CLIENTS_MAX && !self.clients.contains(&peer) {
            self.clients.push(peer);
        }
        self.port_min = self.port_min.min(port);
        self.port_max = self.port_max.max(port);
        self.all_early &= missed.withdrawn;
    }

    /// Whether the log is to speak of it now; if so, that is noted.
    fn is_due(&mut self, now: Instant) -> bool {
        let to_say = match self.connections >= SEVERAL {
            true => Said::Several,
            false => Said::TheFirst,
        };
        // Some get through and others do not: such a cause begins anew again and again.
        let recent = |said_at: Instant| now.saturating_duration_since(said_at) < SILENCE;
        let is_repetition = self.said == Said::Nothing && self.said_at.is_some_and(recent);
        if to_say <= self.said || is_repetition {
            return false;
        }
        self.said = to_say;
        self.said_at = Some(now);
        true
    }

    fn line(&self, advice: Advice) -> String {
        let mut line = self.subject();
        let announced = &self.announced;
        // Infallible for a String.
        let _ = match (self.cause.diagnosis, announced.private_kind()) {
            // No port would help there.
            (Diagnosis::PrivateAddress, Some(kind)) => {
                write!(line, " told {}, {kind},", self.cause.address)
            }
            _ => write!(line, " told {}", self.places()),
        };
        line.push_str(" and never connected");
        if self.all_early {
            line.push_str(" before others needed the port");
        }
        if self.connections > self.clients.len() as u64 {
            let _ = write!(line, ", {} times", self.connections);
        }
        let _ = write!(line, ": {}", question(announced, advice));
        line
    }

    /// Who, up to the verb.
    fn subject(&self) -> String {
        let (before, after) = match self.cause.origin {
            ClientOrigin::Local => ("local ", ""),
            ClientOrigin::Private => ("", " in a private network"),
            ClientOrigin::Outside => ("", " from outside"),
        };
        match &self.clients[..] {
            [client] => format!("{before}client {client}{after} was"),
            clients => {
                let more = match clients.len() {
                    CLIENTS_MAX => " or more",
                    _ => "",
                };
                format!("{}{more} {before}clients{after} were", clients.len())
            }
        }
    }

    /// What was told, of whatever port.
    fn places(&self) -> String {
        if self.port_min == self.port_max {
            return self.announced.to_string();
        }
        let ports = format!("ports {}-{}", self.port_min, self.port_max);
        match self.announced.with_address {
            true => format!("{ports} of {}", self.cause.address),
            false => ports,
        }
    }
}

/// What to look at, with the flag where it is clear which one helps.
fn question(announced: &PassiveOffer, advice: Advice) -> String {
    let diagnosis = announced.diagnosis;
    match (diagnosis, announced.announcement.reason) {
        (Diagnosis::PrivateAddress, AnnounceReason::ClientRule(network)) => {
            format!("change the rule for {network} in --masquerade-client")
        }
        (Diagnosis::PrivateAddress, AnnounceReason::Map(_)) => {
            "give the router's public address in --masquerade-address-map".to_owned()
        }
        (Diagnosis::PrivateAddress, AnnounceReason::MasqueradeAddress) => {
            "give the router's public address with --masquerade-address".to_owned()
        }
        (Diagnosis::PrivateAddress, AnnounceReason::Unknown) => {
            "its name cannot be resolved, so the public address is not known".to_owned()
        }
        (Diagnosis::PrivateAddress, AnnounceReason::PortMapping) => {
            "the router is itself behind NAT; ask the provider for a public address".to_owned()
        }
        (Diagnosis::PrivateAddress, _) => "set --masquerade-address".to_owned(),
        (Diagnosis::NotForwarded, _) if !advice.has_range => {
            format!("{diagnosis}; give a range that it forwards with --passive-ports")
        }
        (Diagnosis::OtherNetwork, _) => {
            format!("{diagnosis}; if it cannot, give another one with --masquerade-client")
        }
        (Diagnosis::NotForwarded | Diagnosis::Blocked, _) => diagnosis.to_string(),
    }
}

/// Announced addresses are few; clients cannot choose them.
const CAUSES_MAX: usize = 16;

/// Of one cause, told apart.
const CLIENTS_MAX: usize = 64;

/// So many are worth a second line.
const SEVERAL: u64 = 3;

/// After a line, for a cause that has begun anew since.
const SILENCE: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests;
