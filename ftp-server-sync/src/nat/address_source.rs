//! Learns the public addresses that the settings do not contain themselves, again and again.
//!
//! No session waits for the system's resolver or a STUN server. Each lookup runs in a thread of its
//! own that ends by itself, there is at most one lookup for each source, and the last good answer
//! stays in use until there is a new one. Everything here is pure: times and answers are arguments,
//! log lines are results. Files are read when they change, by [`file`].

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use log::Level;

use super::retry::retry_pause;
use crate::net::order;
use crate::settings::{AddressSource, KnownAddresses, Settings};

pub(crate) mod answer;
pub(crate) mod choice;
pub(crate) mod file;
pub(crate) mod lookup;

use answer::LookupResult;
use choice::{Rejected, choose_address, stun_remedy, unreachable_reason, verb};

/// The addresses of the sources in the settings, and when to look each one up next.
#[derive(Debug, Default)]
pub(crate) struct AddressResolver {
    refresh: Duration,
    sources: BTreeMap<AddressSource, SourceState>,
    /// The lookups that have not returned, with their start. Some sources may not be in the
    /// settings any more; they can come back.
    pending: BTreeMap<AddressSource, Instant>,
}

/// One source.
#[derive(Debug)]
struct SourceState {
    /// The last good answer.
    address: Option<Ipv4Addr>,
    /// Clients on the Internet are given the address, not only those of certain networks.
    for_internet: bool,
    next_lookup: Instant,
    /// Answers without an address to use since the last good one.
    failures: u32,
    outage: Outage,
}

/// What the log says about the answers since the last good one.
#[derive(Debug, Default)]
struct Outage {
    /// The source has no address.
    no_address: bool,
    /// No client outside could reach its address.
    unreachable: bool,
    /// The last line.
    problem: String,
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogLine {
    pub(crate) level: Level,
    pub(crate) text: String,
}

impl AddressResolver {
    /// Takes the sources of new settings. Addresses of sources that stay remain known, others are
    /// forgotten, and all are to be looked up now.
    pub(crate) fn update_settings(&mut self, settings: &Settings, now: Instant) {
        self.refresh = settings.masquerade_refresh;
        let sources = settings.address_sources();
        self.sources.retain(|source, _| sources.contains(source));
        for source in sources {
            let state = self.sources.entry(source.clone());
            let state = state.or_insert_with(|| SourceState::new(now));
            state.next_lookup = now;
            state.for_internet = settings.is_for_internet(source);
        }
    }

    /// The sources to look up now. The lookup of each is pending until
    /// [`on_result`](Self::on_result).
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<AddressSource> {
        let is_due = |source: &AddressSource, state: &SourceState| {
            is_asked(source) && state.next_lookup <= now && !self.pending.contains_key(source)
        };
        let due: Vec<AddressSource> = self
            .sources
            .iter()
            .filter(|(source, state)| is_due(source, state))
            .map(|(source, _)| source.clone())
            .collect();
        for source in &due {
            self.pending.insert(source.clone(), now);
        }
        due
    }

    /// A lookup has returned, or a file has been read. A result for a source that is no longer in
    /// the settings is ignored.
    pub(crate) fn on_result(&mut self, result: LookupResult, now: Instant) -> Vec<LogLine> {
        let LookupResult { source, answer } = result;
        self.pending.remove(&source);
        let Some(state) = self.sources.get_mut(&source) else {
            return Vec::new();
        };
        let chosen = answer.map_err(Rejected::NoAddress).and_then(|answer| {
            let (current, for_internet) = (state.address, state.for_internet);
            let address = choose_address(&source, &answer.addresses, current, for_internet)?;
            Ok((address, answer.problem))
        });
        match chosen {
            Ok((address, problem)) => {
                state.next_lookup = now + self.refresh;
                state.failures = 0;
                let mut lines = state.on_success(&source, address);
                let problem = problem.map(|problem| format!("{source}: {problem}"));
                lines.extend(problem.map(|text| LogLine::new(Level::Warn, text)));
                lines
            }
            Err(rejected) => {
                state.next_lookup = now + self.refresh.min(retry_pause(state.failures, PAUSE_MAX));
                state.failures = state.failures.saturating_add(1);
                state.on_failure(&source, &rejected).into_iter().collect()
            }
        }
    }

    /// Log lines about pending lookups that take too long. They may still return an answer.
    pub(crate) fn check_pending(&mut self, now: Instant) -> Vec<LogLine> {
        let mut lines = Vec::new();
        for (source, since) in &self.pending {
            if now >= *since + LOOKUP_TIMEOUT
                && let Some(state) = self.sources.get_mut(source)
            {
                let silent = match source {
                    AddressSource::Stun { .. } => "there is no answer",
                    _ => "the resolver does not answer",
                };
                let silent = Rejected::NoAddress(silent.to_owned());
                lines.extend(state.on_failure(source, &silent));
            }
        }
        lines
    }

    /// When to call [`take_due`](Self::take_due) and [`check_pending`](Self::check_pending) next.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let wake = |(source, state): (&AddressSource, &SourceState)| match self.pending.get(source)
        {
            _ if !is_asked(source) => None,
            None => Some(state.next_lookup),
            Some(_) if state.outage.no_address => None,
            Some(since) => Some(*since + LOOKUP_TIMEOUT),
        };
        self.sources.iter().filter_map(wake).min()
    }

    /// The addresses that are known.
    pub(crate) fn known(&self) -> KnownAddresses {
        let known = |(source, state): (&AddressSource, &SourceState)| {
            Some((source.clone(), state.address?))
        };
        order::map_of(self.sources.iter().filter_map(known))
    }

    /// Whether each source has answered, or failed to.
    pub(crate) fn have_answered(&self) -> bool {
        let mut states = self.sources.values();
        states.all(|state| state.address.is_some() || state.failures > 0)
    }

    /// A line for each source and its address.
    pub(crate) fn report(&self) -> Vec<String> {
        let line = |(source, state): (&AddressSource, &SourceState)| {
            let problem = &state.outage.problem;
            let count = match state.failures {
                0 => String::new(),
                1 => " (one attempt)".to_owned(),
                failures => format!(" ({failures} attempts)"),
            };
            let subject = subject(source);
            let unknown = match source {
                AddressSource::Name(_) => format!("{source} is {}", source.unknown()),
                _ => format!("{source}: {}", source.unknown()),
            };
            match state.address {
                Some(address) if state.outage.is_logged() => {
                    format!(
                        "{subject} was {address} at the last good answer; since then{count}: {problem}"
                    )
                }
                Some(address) => format!("{subject} is {address}"),
                None if state.outage.is_logged() => format!("{unknown}{count}: {problem}"),
                None => unknown,
            }
        };
        self.sources.iter().map(line).collect()
    }
}

impl SourceState {
    fn new(now: Instant) -> Self {
        Self {
            address: None,
            for_internet: false,
            next_lookup: now,
            failures: 0,
            outage: Outage::default(),
        }
    }

    fn on_success(&mut self, source: &AddressSource, address: Ipv4Addr) -> Vec<LogLine> {
        let before = self.address.replace(address);
        let outage = std::mem::take(&mut self.outage);
        let subject = subject(source);
        let text = match before {
            None => format!("{subject} is {address}"),
            Some(before) if before != address => {
                format!("{subject} is now {address}, it was {before}")
            }
            Some(_) if outage.is_logged() => {
                let again = again(source);
                format!("{source} {again}, it is still {address}")
            }
            Some(_) => return Vec::new(),
        };
        let mut lines = vec![LogLine::new(Level::Info, text)];
        if before != Some(address)
            && self.for_internet
            && let Some(reason) = unreachable_reason(source, address)
        {
            let verb = verb(source);
            let text = format!("{source} {verb} {address}, {reason}");
            lines.push(LogLine::new(Level::Warn, text));
        }
        lines
    }

    /// A line for the first failure of each kind in an outage. A file is read when it has changed,
    /// so that each new problem of it has a line.
    fn on_failure(&mut self, source: &AddressSource, rejected: &Rejected) -> Option<LogLine> {
        let (problem, logged) = match rejected {
            Rejected::NoAddress(reason) => {
                let problem = format!(
                    "{} {source}: {reason}{}",
                    cannot(source),
                    remedy(source, reason)
                );
                (problem, &mut self.outage.no_address)
            }
            Rejected::Unreachable(address) => {
                let (verb, reason) = (verb(source), unreachable_reason(source, *address));
                let reason = reason.unwrap_or_default();
                let problem = format!("{source} {verb} {address}, {reason}");
                (problem, &mut self.outage.unreachable)
            }
        };
        let is_known = std::mem::replace(logged, true);
        let is_same = is_asked(source) || self.outage.problem == problem;
        if is_known && is_same {
            return None;
        }
        let meanwhile = match self.address {
            Some(address) => format!("clients are still given {address}"),
            None => format!(
                "until {}, clients are given the address that they connected to",
                until(source)
            ),
        };
        let text = format!("{problem}; {meanwhile}");
        self.outage.problem = problem;
        Some(LogLine::new(Level::Warn, text))
    }
}

impl Outage {
    fn is_logged(&self) -> bool {
        self.no_address || self.unreachable
    }
}

impl LogLine {
    fn new(level: Level, text: String) -> Self {
        Self { level, text }
    }
}

/// Whether the source is asked from time to time. A file is not: it is read when it changes.
fn is_asked(source: &AddressSource) -> bool {
    !matches!(source, AddressSource::File(_))
}

/// What is said to be an address.
fn subject(source: &AddressSource) -> String {
    match source {
        AddressSource::Address(_) | AddressSource::Name(_) => source.to_string(),
        AddressSource::File(_) => format!("the address in {source}"),
        AddressSource::Stun { .. } => format!("the address from {source}"),
    }
}

fn cannot(source: &AddressSource) -> &'static str {
    match source {
        AddressSource::Address(_) | AddressSource::Name(_) => "cannot resolve",
        AddressSource::File(_) => "cannot take an address from",
        AddressSource::Stun { .. } => "cannot learn an address from",
    }
}

/// Where the reason does not contain it.
fn remedy(source: &AddressSource, reason: &str) -> String {
    match source {
        AddressSource::Stun { .. } => format!("; {}", stun_remedy(reason)),
        _ => String::new(),
    }
}

fn again(source: &AddressSource) -> &'static str {
    match source {
        AddressSource::Address(_) | AddressSource::Name(_) => "can be resolved again",
        AddressSource::File(_) => "contains the address again",
        AddressSource::Stun { .. } => "answers again",
    }
}

fn until(source: &AddressSource) -> &'static str {
    match source {
        AddressSource::Address(_) | AddressSource::Name(_) => "it is resolved",
        AddressSource::File(_) => "it contains one",
        AddressSource::Stun { .. } => "it answers",
    }
}

/// After this time, a lookup that has not returned counts as an outage.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// Between lookups during an outage, unless `--masquerade-refresh` is shorter.
const PAUSE_MAX: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
