//! The host names among the public addresses: what each of them leads to, kept current.
//!
//! Nobody ever waits for a resolver. Each lookup is a thread of its own that ends by itself, there is
//! never more than one for a name, and the last good answer stands until there is a better one. All but
//! [`look_up`] is pure: time and answers come as arguments, lines for the log come back.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

use ftp_proto::Reach;
use log::Level;

use super::diagnose::BEHIND_CARRIER;
use crate::settings::{AddressSource, Names, Settings, unusable};

/// What is known of the names that the settings hold.
#[derive(Debug, Default)]
pub(crate) struct PublicAddresses {
    refresh: Duration,
    kept: BTreeMap<String, Kept>,
    /// Lookups that have not returned, and since when; also those of names that are gone, which may
    /// come back.
    under_way: BTreeMap<String, Instant>,
}

/// One name.
#[derive(Debug)]
struct Kept {
    /// The last good answer.
    address: Option<Ipv4Addr>,
    /// It is told to clients on the Internet, not to those of some network only.
    for_everybody: bool,
    /// When to look it up next.
    due: Instant,
    /// Lookups in vain since the last good one.
    failures: u32,
    /// The log says already that it cannot be resolved.
    outage: bool,
}

/// What a lookup came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) name: String,
    /// The IPv4 addresses in the resolver's order, or why there are none.
    pub(crate) found: Result<Vec<Ipv4Addr>, String>,
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) text: String,
}

impl PublicAddresses {
    /// Takes the names of these settings: answers for names that stay are kept, other names are
    /// forgotten, and all are to be looked up now.
    pub(crate) fn follow(&mut self, settings: &Settings, now: Instant) {
        self.refresh = settings.masquerade_refresh;
        let names = settings.names();
        self.kept.retain(|name, _| names.contains(name.as_str()));
        for name in names {
            let kept = self.kept.entry(name.to_owned()).or_insert(Kept {
                address: None,
                for_everybody: false,
                due: now,
                failures: 0,
                outage: false,
            });
            kept.due = now;
            kept.for_everybody = settings
                .masquerade_address
                .iter()
                .chain(settings.masquerade_map.values())
                .any(|public| matches!(public, AddressSource::Name(other) if other == name));
        }
    }

    /// The names to look up now. Each counts as under way until its answer is [taken](Self::take).
    pub(crate) fn due(&mut self, now: Instant) -> Vec<String> {
        let is_due = |name: &String, kept: &Kept| {
            kept.due <= now && !self.under_way.contains_key(name.as_str())
        };
        let due: Vec<String> = self
            .kept
            .iter()
            .filter(|(name, kept)| is_due(name, kept))
            .map(|(name, _)| name.clone())
            .collect();
        for name in &due {
            self.under_way.insert(name.clone(), now);
        }
        due
    }

    /// Takes what a lookup came to. A name that the settings no longer hold is none of our business.
    pub(crate) fn take(&mut self, answer: Answer, now: Instant) -> Vec<Line> {
        let Answer { name, found } = answer;
        self.under_way.remove(&name);
        let Some(kept) = self.kept.get_mut(&name) else {
            return Vec::new();
        };
        match found.and_then(|found| choose(&found, kept.address)) {
            Ok(address) => {
                kept.due = now + self.refresh;
                kept.failures = 0;
                kept.learn(&name, address)
            }
            Err(why) => {
                kept.due = now + self.refresh.min(pause_after(kept.failures));
                kept.failures = kept.failures.saturating_add(1);
                kept.fail(&name, &why).into_iter().collect()
            }
        }
    }

    /// What to say about lookups that take too long. They may still come to something.
    pub(crate) fn overdue(&mut self, now: Instant) -> Vec<Line> {
        let mut lines = Vec::new();
        for (name, since) in &self.under_way {
            if now >= *since + PATIENCE
                && let Some(kept) = self.kept.get_mut(name)
            {
                lines.extend(kept.fail(name, "the resolver does not answer"));
            }
        }
        lines
    }

    /// When [`due`](Self::due) or [`overdue`](Self::overdue) will next have something.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let wake = |(name, kept): (&String, &Kept)| match self.under_way.get(name) {
            None => Some(kept.due),
            Some(_) if kept.outage => None,
            Some(since) => Some(*since + PATIENCE),
        };
        self.kept.iter().filter_map(wake).min()
    }

    /// What each name leads to, as far as that is known.
    pub(crate) fn known(&self) -> Names {
        let known = |(name, kept): (&String, &Kept)| Some((name.clone(), kept.address?));
        self.kept.iter().filter_map(known).collect()
    }

    /// A line for each name: what it leads to now.
    pub(crate) fn report(&self) -> Vec<String> {
        let line = |(name, kept): (&String, &Kept)| match kept.address {
            Some(address) if kept.outage => {
                format!("{name} is {address} by the last answer, and cannot be resolved now")
            }
            Some(address) => format!("{name} is {address}"),
            None => format!("{name} is not known yet"),
        };
        self.kept.iter().map(line).collect()
    }
}

impl Kept {
    fn learn(&mut self, name: &str, address: Ipv4Addr) -> Vec<Line> {
        let before = self.address.replace(address);
        let was_out = std::mem::take(&mut self.outage);
        let text = match before {
            None => format!("{name} is {address}"),
            Some(before) if before != address => {
                format!("{name} is now {address}, it was {before}")
            }
            Some(_) if was_out => format!("{name} can be resolved again, it is still {address}"),
            Some(_) => return Vec::new(),
        };
        let mut lines = vec![Line::new(Level::Info, text)];
        if before != Some(address)
            && self.for_everybody
            && let Some(problem) = problem(address)
        {
            let text = format!("{name} leads to {address}, {problem}");
            lines.push(Line::new(Level::Warn, text));
        }
        lines
    }

    /// A line for the first failure of an outage.
    fn fail(&mut self, name: &str, why: &str) -> Option<Line> {
        if std::mem::replace(&mut self.outage, true) {
            return None;
        }
        let meanwhile = match self.address {
            Some(address) => format!("clients are still told {address}"),
            None => "until it is known, clients are told the address that they connected to".into(),
        };
        let text = format!("cannot resolve {name}: {why}; {meanwhile}");
        Some(Line::new(Level::Warn, text))
    }
}

impl Line {
    fn new(level: Level, text: String) -> Self {
        Self { level, text }
    }
}

/// The address to tell: the one told already if it is still an answer, for resolvers shuffle.
pub(crate) fn choose(found: &[Ipv4Addr], current: Option<Ipv4Addr>) -> Result<Ipv4Addr, String> {
    let good = |address: &&Ipv4Addr| unusable(**address).is_none();
    let still = current.filter(|current| found.contains(current));
    let first = || found.iter().find(good).copied();
    still.or_else(first).ok_or_else(|| match found.first() {
        None => "it has no IPv4 address".to_owned(),
        Some(address) => {
            let problem = unusable(*address).unwrap_or_default();
            format!("it leads to {address}: {problem}")
        }
    })
}

/// Why clients on the Internet cannot be served at this address.
fn problem(address: Ipv4Addr) -> Option<&'static str> {
    match Reach::of(address.into()) {
        Reach::Public => None,
        Reach::Host => Some(
            "a loopback address: each client will connect to itself; look into /etc/hosts, the name \
             should lead to the router's public address",
        ),
        Reach::Site | Reach::Link => Some(
            "a private address: clients outside the local network cannot reach it; the name should \
             lead to the router's public address",
        ),
        Reach::Provider => Some(BEHIND_CARRIER),
    }
}

/// Until the next try: an outage is often short, and a name that does not exist is no reason to
/// bother the resolver for ever.
fn pause_after(failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures);
    PAUSE_FIRST.saturating_mul(doubled).min(PAUSE_MAX)
}

/// Looks a name up in a thread of its own, which is never waited for: the system's resolver cannot be
/// interrupted.
///
/// # Errors
///
/// When there can be no thread; then nothing is told.
pub(crate) fn look_up(name: String, tell: impl FnOnce(Answer) + Send + 'static) -> io::Result<()> {
    let work = move || {
        let found = match (name.as_str(), 0).to_socket_addrs() {
            Ok(addresses) => Ok(addresses.filter_map(ipv4).collect()),
            Err(error) => Err(reason(&error)),
        };
        tell(Answer { name, found });
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

/// What the resolver says, without what the standard library puts before it.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let reason = text.strip_prefix("failed to lookup address information: ");
    reason.unwrap_or(&text).to_owned()
}

/// After so long a lookup that has not returned is an outage.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between tries during an outage, unless names are refreshed more often anyway.
const PAUSE_FIRST: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// What `ps` and `top` show.
const THREAD: &str = "lookup";
/// Modules of the system's resolver keep answers on the stack. Only the pages that are used cost memory.
const STACK_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests;
