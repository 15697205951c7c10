//! Looks up the addresses that the settings do not contain themselves once, for a check.
//!
//! However slow the resolver is, the result is there after [`TIMEOUT`].

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use crate::nat::address_source::answer::{Answer, LookupResult};
use crate::nat::address_source::choice::{Rejected, choose_address};
use crate::nat::address_source::lookup::look_up;
use crate::settings::{AddressSource, KnownAddresses, Settings};

/// What the sources of the settings say.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// The address of each that has one.
    pub(super) known: KnownAddresses,
    /// All that these say.
    pub(super) answers: BTreeMap<AddressSource, Answer>,
    /// The others, and why they have none.
    pub(super) unresolved: BTreeMap<AddressSource, String>,
}

pub(super) fn look_up_all(settings: &Settings) -> Sources {
    let start = |source, results: Sender<LookupResult>| {
        // A late result has no receiver any more.
        look_up(source, move |result| drop(results.send(result)))
    };
    let is_for_internet = |source: &AddressSource| settings.is_for_internet(source);
    look_up_with(&settings.address_sources(), is_for_internet, TIMEOUT, start)
}

/// Looks all sources up at the same time: a lookup that never returns delays no other.
fn look_up_with(
    sources: &BTreeSet<&AddressSource>,
    is_for_internet: impl Fn(&AddressSource) -> bool,
    timeout: Duration,
    start: impl Fn(AddressSource, Sender<LookupResult>) -> io::Result<()>,
) -> Sources {
    let (sender, results) = mpsc::channel();
    let mut found = Sources::default();
    for &source in sources {
        let problem = match start(source.clone(), sender.clone()) {
            Ok(()) => format!("no answer within {} s", timeout.as_secs()),
            Err(error) => error.to_string(),
        };
        found.unresolved.insert(source.clone(), problem);
    }
    drop(sender);
    let deadline = Instant::now() + timeout;
    let left = || deadline.saturating_duration_since(Instant::now());
    // Also ends when every lookup has returned: then there is no sender any more.
    while let Ok(result) = results.recv_timeout(left()) {
        let for_internet = is_for_internet(&result.source);
        found.add(result, for_internet);
    }
    found
}

impl Sources {
    fn add(&mut self, result: LookupResult, for_internet: bool) {
        let LookupResult { source, answer } = result;
        let problem = match answer {
            Ok(answer) => match choose_address(&source, &answer.addresses, None, for_internet) {
                Ok(address) => {
                    self.unresolved.remove(&source);
                    self.known.insert(source.clone(), address);
                    self.answers.insert(source, answer);
                    return;
                }
                Err(Rejected::NoAddress(problem)) => problem,
                Err(Rejected::Unreachable(address)) => address.to_string(),
            },
            Err(problem) => problem,
        };
        self.unresolved.insert(source, problem);
    }
}

/// Longer than a resolver needs to try its second server, and than a STUN server is waited for.
const TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> AddressSource {
        AddressSource::Name(name.to_owned())
    }

    fn fake_lookup(source: AddressSource, results: Sender<LookupResult>) -> io::Result<()> {
        let addresses = match source.to_string().as_str() {
            "slow.example" => {
                // The channel stays open, and no result is sent.
                std::mem::forget(results);
                return Ok(());
            }
            "good.example" => vec![[203, 0, 113, 1].into()],
            "empty.example" => Vec::new(),
            _ => return Err(io::Error::other("no thread")),
        };
        let answer = Answer {
            addresses,
            ..Answer::default()
        };
        let answer = Ok(answer);
        results
            .send(LookupResult { source, answer })
            .map_err(io::Error::other)
    }

    #[test]
    fn a_resolver_that_does_not_answer_delays_nothing() {
        let names = [
            "bad.example",
            "empty.example",
            "good.example",
            "slow.example",
        ]
        .map(name);
        // The other results are there already.
        let sources = names.iter().collect();
        let found = look_up_with(&sources, |_| true, Duration::ZERO, fake_lookup);
        let good = (name("good.example"), [203, 0, 113, 1].into());
        assert_eq!(found.known, KnownAddresses::from([good]));
        assert!(found.answers.keys().eq([&name("good.example")]));
        let pair = |text: &str, problem: &str| (name(text), problem.to_owned());
        assert_eq!(
            found.unresolved,
            BTreeMap::from([
                pair("bad.example", "no thread"),
                pair("empty.example", "it has no IPv4 address"),
                pair("slow.example", "no answer within 0 s"),
            ])
        );
    }

    #[test]
    fn the_system_resolves_a_name() {
        let settings = crate::cli::golden::settings("-n localhost");
        let found = look_up_all(&settings);
        let address = found.known.get(&name("localhost"));
        assert!(
            address.is_some_and(|address| address.is_loopback()),
            "{found:?}"
        );
    }
}
