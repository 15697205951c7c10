//! The router's last answers about all ports, and what is said about them.
//!
//! Pure: nothing here is sent or logged.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;
use std::time::Instant;

use log::Level;

use super::job::{MappingJob, PortPurpose, RANGE_LARGE, WantedPort};
use super::round_answers::PassResult;
use super::router::Router;
use super::trouble::Trouble;
use super::update::{MappingUpdate, PortMappings};
use crate::nat::address_source::LogLine;
use crate::net::order;
use crate::net::port_probe::describe_ports;
use crate::settings::MappingProtocol;

/// The answers, the last problem, and what the log says by now.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    answers: Option<Answers>,
    /// When the mappings end; `None`: they do not end by themselves.
    ends_at: Option<Instant>,
    /// They have ended.
    ended: bool,
    /// Why there is no newer answer.
    trouble: Option<Trouble>,
    /// About IPv6.
    pinholes: Vec<LogLine>,
    /// The lines that describe the last state.
    logged: Vec<LogLine>,
    /// What was noticed once, such as a restart.
    events: Vec<LogLine>,
}

/// The answers of one round.
#[derive(Clone, Debug)]
struct Answers {
    protocol: MappingProtocol,
    router: Router,
    wanted: Vec<WantedPort>,
    result: PassResult,
}

impl Ledger {
    /// The router's number for each port that it forwards.
    pub(super) fn held(&self) -> BTreeMap<u16, u16> {
        let answers = self.answers.as_ref();
        answers.map_or(BTreeMap::new(), |answers| answers.result.granted.clone())
    }

    pub(super) fn on_result(
        &mut self,
        protocol: MappingProtocol,
        router: Router,
        job: &MappingJob,
        result: PassResult,
        ends_at: Option<Instant>,
    ) {
        if result.restarted && self.trouble.is_none() {
            self.note(format!(
                "the router {router} has forgotten its mappings, and is asked for all of them again",
                router = router.address
            ));
        }
        let answers = Answers::new(protocol, router, job, result);
        let last = self.answers.as_ref().filter(|last| last.router == router);
        if let Some(last) = last {
            let returned = answers.returned_since(last);
            for text in returned {
                self.inform(text);
            }
        }
        self.trouble = None;
        self.ends_at = ends_at;
        self.ended = false;
        self.answers = Some(answers);
    }

    /// What sessions and the log get of a round that is not over; `None`: the answers of a round
    /// before are still right, as far as the router says.
    pub(super) fn on_answers(
        &self,
        protocol: MappingProtocol,
        router: Router,
        job: &MappingJob,
        result: PassResult,
    ) -> Option<MappingUpdate> {
        let is_same = |last: &Answers| {
            last.router == router
                && last.protocol == protocol
                && last.result.public == result.public
                && !result.restarted
        };
        if self.answers.as_ref().is_some_and(is_same) {
            return None;
        }
        let answers = Answers::new(protocol, router, job, result);
        let text = format!(
            "{}; it is being asked for the other ports",
            answers.forwarded()
        );
        let passive = answers.inner(PortPurpose::Passive).count();
        // The log of others has it soon.
        let is_first = answers.granted(PortPurpose::Passive).next().is_none();
        let line = LogLine {
            level: Level::Info,
            text: text.clone(),
        };
        let is_logged = is_first && passive > RANGE_LARGE;
        Some(MappingUpdate {
            mappings: answers.mappings(),
            lines: is_logged.then_some(line).into_iter().collect(),
            report: vec![text],
        })
    }

    /// There is no new answer. The last ones stay in use: nothing else would be better for clients
    /// outside.
    pub(super) fn on_trouble(&mut self, trouble: Trouble) {
        self.trouble = Some(trouble);
    }

    /// The same at this router; another one has other numbers. A passive port that is to have
    /// another number than before keeps none.
    pub(super) fn held_at(&self, router: Router, job: &MappingJob) -> BTreeMap<u16, u16> {
        let answers = self.answers.as_ref();
        let Some(answers) = answers.filter(|answers| answers.router == router) else {
            return BTreeMap::new();
        };
        let is_new = |inner: u16| {
            let mut passive = job.ports.iter();
            passive.any(|port| {
                port.inner == inner
                    && port.purpose == PortPurpose::Passive
                    && !answers.wanted.contains(port)
            })
        };
        let mut held = self.held();
        held.retain(|inner, _| !is_new(*inner));
        held
    }

    /// This is the router now, and it has not answered: the answers of another one, or those to
    /// another address of this machine, are of no use.
    pub(super) fn forget_other(&mut self, router: Router) {
        self.answers.take_if(|answers| answers.router != router);
    }

    /// When the mappings end that are not renewed.
    pub(super) fn next_end(&self) -> Option<Instant> {
        let is_open = self.trouble.is_some() && self.answers.is_some() && !self.ended;
        self.ends_at.filter(|_| is_open)
    }

    /// Whether the mappings have just ended.
    pub(super) fn take_ended(&mut self, now: Instant) -> bool {
        let has_ended = self.next_end().is_some_and(|end| end <= now);
        self.ended |= has_ended;
        has_ended
    }

    /// The state over IPv6.
    pub(super) fn set_pinholes(&mut self, lines: Vec<LogLine>) {
        self.pinholes = lines;
    }

    /// Something that is logged once.
    pub(super) fn note(&mut self, text: String) {
        let level = Level::Warn;
        self.events.push(LogLine { level, text });
    }

    /// The same about something that is as it should be.
    pub(super) fn inform(&mut self, text: String) {
        let level = Level::Info;
        self.events.push(LogLine { level, text });
    }

    /// The state, with the lines that are new since the last call.
    pub(super) fn update(&mut self) -> MappingUpdate {
        let mut state = self.state();
        state.extend(self.pinholes.iter().cloned());
        let mut lines = std::mem::take(&mut self.events);
        let is_new = |line: &&LogLine| !self.logged.contains(line);
        lines.extend(state.iter().filter(is_new).cloned());
        let mut report: Vec<String> = state.iter().map(|line| line.text.clone()).collect();
        // The log has it already.
        report.extend(self.in_use().map(Answers::last));
        self.logged = state;
        MappingUpdate {
            mappings: self.mappings(),
            lines,
            report,
        }
    }

    /// The last answers, if there are no newer ones.
    fn in_use(&self) -> Option<&Answers> {
        let is_in_use = self.trouble.is_some() && !self.ended;
        self.answers.as_ref().filter(|_| is_in_use)
    }

    fn mappings(&self) -> PortMappings {
        let answers = self.answers.as_ref();
        answers.map_or(PortMappings::default(), Answers::mappings)
    }

    /// The lines that describe the state.
    fn state(&self) -> Vec<LogLine> {
        let mut lines = Vec::new();
        let mut push = |level, text| lines.push(LogLine { level, text });
        if let Some(trouble) = &self.trouble {
            let text = match &self.answers {
                Some(answers) if self.ended => format!("{trouble}; {}", answers.ended()),
                Some(answers) => {
                    let lease = self.ends_at.map(|_| answers.result.lease);
                    trouble.with_answers(lease)
                }
                None => trouble.without_answers(),
            };
            push(Level::Warn, format!("--port-mapping: {text}"));
        }
        let Some(answers) = &self.answers else {
            return lines;
        };
        if self.trouble.is_none() {
            push(Level::Info, answers.forwarded());
        }
        if self.ended {
            return lines;
        }
        let (router, result) = (answers.router.address, &answers.result);
        if let Some(problem) = result.public.problem() {
            push(Level::Warn, format!("the router {router} {problem}"));
        }
        for port in &answers.wanted {
            let Some(subject) = subject(port.purpose) else {
                continue;
            };
            if let Some(reason) = result.refused.get(&port.inner) {
                let text = format!("clients outside cannot reach {subject}: the router {reason}");
                push(Level::Warn, text);
            }
            if let Some(outer) = result.granted.get(&port.inner)
                && *outer != port.outer
            {
                let wanted = port.outer;
                let text = format!(
                    "the router does not forward its port {wanted}: clients outside reach {subject} \
                     at port {outer}, until {wanted} is free"
                );
                push(Level::Warn, text);
            }
        }
        for (reason, ports) in answers.refused_passive() {
            let is_all = ports.len() == answers.inner(PortPurpose::Passive).count();
            let ports = describe_ports(&ports);
            let text = if is_all {
                format!(
                    "the router forwards none of the passive ports {ports}: it {reason}; clients \
                     outside can log in, and every transfer fails; permit these ports in its settings, \
                     or give others with --passive-ports"
                )
            } else {
                format!(
                    "passive ports that the router does not forward are left out: {ports}; the router \
                     {reason}"
                )
            };
            push(Level::Warn, text);
        }
        lines
    }
}

/// A port that clients know the number of.
fn subject(purpose: PortPurpose) -> Option<&'static str> {
    match purpose {
        PortPurpose::Control => Some("the control port"),
        PortPurpose::ImplicitTls => Some("the port of implicit TLS"),
        PortPurpose::Passive => None,
    }
}

impl Answers {
    fn new(
        protocol: MappingProtocol,
        router: Router,
        job: &MappingJob,
        result: PassResult,
    ) -> Self {
        Self {
            protocol,
            router,
            wanted: job.ports.clone(),
            result,
        }
    }

    fn mappings(&self) -> PortMappings {
        let result = &self.result;
        let passive = order::set_of(self.inner(PortPurpose::Passive));
        let outer = self.granted(PortPurpose::Passive);
        let outer = outer.filter_map(|(inner, outer)| Some((inner, NonZeroU16::new(outer)?)));
        let outer = order::map_of(outer);
        let not_granted = passive.iter().copied();
        let not_granted = not_granted.filter(|inner| !result.granted.contains_key(inner));
        PortMappings {
            public: result.public.address(),
            // Without any port, no client could be served, not even in the local network.
            left_out: if outer.is_empty() {
                BTreeSet::new()
            } else {
                order::set_of(not_granted)
            },
            outer,
        }
    }

    /// Lines about ports that have their own number again.
    fn returned_since(&self, last: &Self) -> Vec<String> {
        let is_same = |port: &&WantedPort| last.wanted.contains(port);
        let returned = self.wanted.iter().filter(is_same).filter_map(|port| {
            let subject = subject(port.purpose)?;
            let now = self.result.granted.get(&port.inner)?;
            let before = last.result.granted.get(&port.inner)?;
            (now == &port.outer && before != now).then(|| {
                format!(
                    "the router's port {now} is free again: clients outside reach {subject} there, and \
                     no longer at port {before}"
                )
            })
        });
        returned.collect()
    }

    fn granted(&self, purpose: PortPurpose) -> impl Iterator<Item = (u16, u16)> {
        let inner = self.inner(purpose);
        inner.filter_map(|inner| Some((inner, *self.result.granted.get(&inner)?)))
    }

    fn inner(&self, purpose: PortPurpose) -> impl Iterator<Item = u16> {
        let wanted = self.wanted.iter();
        let wanted = wanted.filter(move |port| port.purpose == purpose);
        wanted.map(|port| port.inner)
    }

    /// That nothing is forwarded any more, and what clients are given all the same.
    fn ended(&self) -> String {
        let announced = match self.result.public.address() {
            Some(address) => format!("; clients outside are still given its address {address}"),
            None => String::new(),
        };
        format!(
            "the mappings are lost, and clients outside cannot connect until it answers again\
             {announced}; look at the router"
        )
    }

    /// The same during an outage.
    fn last(&self) -> String {
        format!("the last answer is in use: {}", self.forwarded())
    }

    /// What is forwarded where, in one line.
    fn forwarded(&self) -> String {
        let mut parts = Vec::new();
        for (inner, outer) in self.granted(PortPurpose::Control) {
            parts.push(format!("port {outer} to the control port {inner}"));
        }
        for (inner, outer) in self.granted(PortPurpose::ImplicitTls) {
            parts.push(format!("port {outer} to {inner} (implicit TLS)"));
        }
        let (same, other): (Vec<_>, Vec<_>) = self
            .granted(PortPurpose::Passive)
            .partition(|(inner, outer)| inner == outer);
        if !same.is_empty() {
            let same = order::set_of(same.into_iter().map(|(inner, _)| inner));
            parts.push(format!("the passive ports {}", describe_ports(&same)));
        }
        let shown = other.iter().take(OTHERS_SHOWN);
        parts.extend(shown.map(|(inner, outer)| format!("port {outer} to passive port {inner}")));
        let more = other.len().saturating_sub(OTHERS_SHOWN);
        if more > 0 {
            parts.push(format!("{more} further passive ports with other numbers"));
        }
        let from = match self.result.public.address() {
            Some(address) => format!("from {address} "),
            None => String::new(),
        };
        format!(
            "the router {} ({}) forwards {from}to {}: {}",
            self.router.address,
            self.protocol,
            self.router.own,
            parts.join(", ")
        )
    }

    /// The passive ports that are not forwarded, by the reason.
    fn refused_passive(&self) -> BTreeMap<&str, BTreeSet<u16>> {
        let mut reasons: BTreeMap<&str, BTreeSet<u16>> = BTreeMap::new();
        for inner in self.inner(PortPurpose::Passive) {
            if let Some(reason) = self.result.refused.get(&inner) {
                reasons.entry(reason).or_default().insert(inner);
            }
        }
        reasons
    }
}

/// Ports with other numbers that a line lists.
const OTHERS_SHOWN: usize = 8;

#[cfg(test)]
mod tests;
