//! Resolves the host names among the public addresses again and again.
//!
//! No session waits for the system's resolver. Each lookup runs in a thread of its own that ends by
//! itself, there is at most one lookup for each name, and the last good answer stays in use until
//! there is a new one. Everything but [`look_up`] is pure: times and answers are arguments, log
//! lines are results.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

use ftp_proto::Reach;
use log::Level;

use super::diagnose::addresses::BEHIND_CARRIER;
use crate::sandbox::log_replaced;
use crate::settings::{AddressSource, Names, Settings, unusable};

/// The addresses of the host names in the settings, and when to resolve each name next.
#[derive(Debug, Default)]
pub(crate) struct AddressResolver {
    refresh: Duration,
    names: BTreeMap<String, NameState>,
    /// The lookups that have not returned, with their start. Some names may not be in the settings
    /// any more; they can come back.
    pending: BTreeMap<String, Instant>,
}

/// One name.
#[derive(Debug)]
struct NameState {
    /// The last good answer.
    address: Option<Ipv4Addr>,
    /// Clients on the Internet are given the address, not only those of certain networks.
    for_internet: bool,
    next_lookup: Instant,
    /// Failed lookups since the last good answer.
    failures: u32,
    /// The log says that the name cannot be resolved.
    outage_logged: bool,
}

/// The result of one lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LookupResult {
    pub(crate) name: String,
    /// The IPv4 addresses in the resolver's order, or why there are none.
    pub(crate) addresses: Result<Vec<Ipv4Addr>, String>,
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogLine {
    pub(crate) level: Level,
    pub(crate) text: String,
}

impl AddressResolver {
    /// Takes the names of new settings. Addresses of names that stay remain known, other names are
    /// forgotten, and all names are to be resolved now.
    pub(crate) fn update_settings(&mut self, settings: &Settings, now: Instant) {
        self.refresh = settings.masquerade_refresh;
        let names = settings.names();
        self.names.retain(|name, _| names.contains(name.as_str()));
        for name in names {
            let state = self.names.entry(name.to_owned()).or_insert(NameState {
                address: None,
                for_internet: false,
                next_lookup: now,
                failures: 0,
                outage_logged: false,
            });
            state.next_lookup = now;
            state.for_internet = settings
                .masquerade_address
                .iter()
                .chain(settings.masquerade_map.values())
                .any(|public| matches!(public, AddressSource::Name(other) if other == name));
        }
    }

    /// The names to look up now. The lookup of each is pending until
    /// [`on_result`](Self::on_result).
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<String> {
        let is_due = |name: &String, state: &NameState| {
            state.next_lookup <= now && !self.pending.contains_key(name.as_str())
        };
        let due: Vec<String> = self
            .names
            .iter()
            .filter(|(name, state)| is_due(name, state))
            .map(|(name, _)| name.clone())
            .collect();
        for name in &due {
            self.pending.insert(name.clone(), now);
        }
        due
    }

    /// A lookup has returned. A result for a name that is no longer in the settings is ignored.
    pub(crate) fn on_result(&mut self, result: LookupResult, now: Instant) -> Vec<LogLine> {
        let LookupResult { name, addresses } = result;
        self.pending.remove(&name);
        let Some(state) = self.names.get_mut(&name) else {
            return Vec::new();
        };
        match addresses.and_then(|addresses| choose_address(&addresses, state.address)) {
            Ok(address) => {
                state.next_lookup = now + self.refresh;
                state.failures = 0;
                state.on_success(&name, address)
            }
            Err(reason) => {
                state.next_lookup = now + self.refresh.min(retry_pause(state.failures));
                state.failures = state.failures.saturating_add(1);
                state.on_failure(&name, &reason).into_iter().collect()
            }
        }
    }

    /// Log lines about pending lookups that take too long. They may still return an answer.
    pub(crate) fn check_pending(&mut self, now: Instant) -> Vec<LogLine> {
        let mut lines = Vec::new();
        for (name, since) in &self.pending {
            if now >= *since + LOOKUP_TIMEOUT
                && let Some(state) = self.names.get_mut(name)
            {
                lines.extend(state.on_failure(name, "the resolver does not answer"));
            }
        }
        lines
    }

    /// When to call [`take_due`](Self::take_due) and [`check_pending`](Self::check_pending) next.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let wake = |(name, state): (&String, &NameState)| match self.pending.get(name) {
            None => Some(state.next_lookup),
            Some(_) if state.outage_logged => None,
            Some(since) => Some(*since + LOOKUP_TIMEOUT),
        };
        self.names.iter().filter_map(wake).min()
    }

    /// The addresses of the names that have been resolved.
    pub(crate) fn names(&self) -> Names {
        let known = |(name, state): (&String, &NameState)| Some((name.clone(), state.address?));
        self.names.iter().filter_map(known).collect()
    }

    /// A line for each name and its address.
    pub(crate) fn report(&self) -> Vec<String> {
        let line = |(name, state): (&String, &NameState)| match state.address {
            Some(address) if state.outage_logged => {
                format!("{name} was {address} at the last answer, and cannot be resolved now")
            }
            Some(address) => format!("{name} is {address}"),
            None => format!("{name} is not resolved yet"),
        };
        self.names.iter().map(line).collect()
    }
}

impl NameState {
    fn on_success(&mut self, name: &str, address: Ipv4Addr) -> Vec<LogLine> {
        let before = self.address.replace(address);
        let had_outage = std::mem::take(&mut self.outage_logged);
        let text = match before {
            None => format!("{name} is {address}"),
            Some(before) if before != address => {
                format!("{name} is now {address}, it was {before}")
            }
            Some(_) if had_outage => format!("{name} can be resolved again, it is still {address}"),
            Some(_) => return Vec::new(),
        };
        let mut lines = vec![LogLine::new(Level::Info, text)];
        if before != Some(address)
            && self.for_internet
            && let Some(reason) = unreachable_reason(address)
        {
            let text = format!("{name} resolves to {address}, {reason}");
            lines.push(LogLine::new(Level::Warn, text));
        }
        lines
    }

    /// A line for the first failure of an outage.
    fn on_failure(&mut self, name: &str, reason: &str) -> Option<LogLine> {
        if std::mem::replace(&mut self.outage_logged, true) {
            return None;
        }
        let meanwhile = match self.address {
            Some(address) => format!("clients are still given {address}"),
            None => {
                "until it is resolved, clients are given the address that they connected to".into()
            }
        };
        let text = format!("cannot resolve {name}: {reason}; {meanwhile}");
        Some(LogLine::new(Level::Warn, text))
    }
}

impl LogLine {
    fn new(level: Level, text: String) -> Self {
        Self { level, text }
    }
}

/// The address in use, among those of an answer: the current one if the answer contains it, because
/// resolvers change the order; else the first one that clients can connect to.
pub(crate) fn choose_address(
    answer: &[Ipv4Addr],
    current: Option<Ipv4Addr>,
) -> Result<Ipv4Addr, String> {
    let is_usable = |address: &&Ipv4Addr| unusable(**address).is_none();
    let unchanged = current.filter(|current| answer.contains(current));
    let first = || answer.iter().find(is_usable).copied();
    unchanged
        .or_else(first)
        .ok_or_else(|| match answer.first() {
            None => "it has no IPv4 address".to_owned(),
            Some(address) => {
                let problem = unusable(*address).unwrap_or_default();
                format!("it resolves to {address}: {problem}")
            }
        })
}

/// Why clients on the Internet cannot connect to this address; `None` if they can.
fn unreachable_reason(address: Ipv4Addr) -> Option<&'static str> {
    match Reach::of(address.into()) {
        Reach::Public => None,
        Reach::Host => Some(
            "a loopback address: each client will connect to itself; check /etc/hosts: the name must \
             resolve to the router's public address",
        ),
        Reach::Site | Reach::Link => Some(
            "a private address: clients outside the local network cannot reach it; the name must \
             resolve to the router's public address",
        ),
        Reach::Provider => Some(BEHIND_CARRIER),
    }
}

/// The time until the next lookup. An outage is often short, so the first retry comes soon. A name
/// that does not exist must not cause many lookups, so the pauses grow.
fn retry_pause(failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures);
    PAUSE_FIRST.saturating_mul(doubled).min(PAUSE_MAX)
}

/// Looks a name up in a thread of its own, and passes the result to `on_result` there. No thread
/// waits for it, because the system's resolver cannot be interrupted.
///
/// # Errors
///
/// If the thread cannot be started. Then `on_result` is never called.
pub(crate) fn look_up(
    name: String,
    on_result: impl FnOnce(LookupResult) + Send + 'static,
) -> io::Result<()> {
    let work = move || {
        let addresses = match (name.as_str(), 0).to_socket_addrs() {
            Ok(addresses) => Ok(addresses.filter_map(ipv4).collect()),
            Err(error) => {
                log_replaced();
                Err(reason(&error))
            }
        };
        on_result(LookupResult { name, addresses });
    };
    thread::Builder::new()
        .name(THREAD.to_owned())
        .stack_size(STACK_BYTES)
        .spawn(work)
        .map(drop)
}

fn ipv4(address: SocketAddr) -> Option<Ipv4Addr> {
    match address.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// The resolver's text, without the prefix of the standard library.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let reason = text.strip_prefix("failed to lookup address information: ");
    reason.unwrap_or(&text).to_owned()
}

/// After this time, a lookup that has not returned counts as an outage.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// Between lookups during an outage, unless `--masquerade-refresh` is shorter.
const PAUSE_FIRST: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The thread's name in `ps` and `top`.
const THREAD: &str = "lookup";
/// Modules of the system's resolver put answers on the stack. Only pages that are used cost memory.
const STACK_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests;
