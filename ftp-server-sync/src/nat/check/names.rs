//! Resolves host names once, for a check.
//!
//! However slow the resolver is, the result is there after [`TIMEOUT`].

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use crate::nat::address_source::{self, LookupResult, choose_address};
use crate::settings::Names;

/// The addresses of the names, and for each name without an address the problem.
pub(super) fn resolve(names: &BTreeSet<&str>) -> (Names, BTreeMap<String, String>) {
    let start = |name, results: Sender<LookupResult>| {
        // A late result has no receiver any more.
        address_source::look_up(name, move |result| drop(results.send(result)))
    };
    resolve_with(names, TIMEOUT, start)
}

/// Looks all names up at the same time: a lookup that never returns delays no other.
fn resolve_with(
    names: &BTreeSet<&str>,
    timeout: Duration,
    start: impl Fn(String, Sender<LookupResult>) -> io::Result<()>,
) -> (Names, BTreeMap<String, String>) {
    let (sender, results) = mpsc::channel();
    let (mut resolved, mut unresolved) = (Names::new(), BTreeMap::new());
    for &name in names {
        let problem = match start(name.to_owned(), sender.clone()) {
            Ok(()) => format!("no answer within {} s", timeout.as_secs()),
            Err(error) => error.to_string(),
        };
        unresolved.insert(name.to_owned(), problem);
    }
    drop(sender);
    let deadline = Instant::now() + timeout;
    let left = || deadline.saturating_duration_since(Instant::now());
    // Also ends when every lookup has returned: then there is no sender any more.
    while let Ok(LookupResult { name, addresses }) = results.recv_timeout(left()) {
        match addresses.and_then(|addresses| choose_address(&addresses, None)) {
            Ok(address) => {
                unresolved.remove(&name);
                resolved.insert(name, address);
            }
            Err(problem) => drop(unresolved.insert(name, problem)),
        }
    }
    (resolved, unresolved)
}

/// Longer than a resolver needs to try its second server.
const TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn fake_lookup(name: String, results: Sender<LookupResult>) -> io::Result<()> {
        let addresses = match name.as_str() {
            "slow.example" => {
                // The channel stays open, and no result is sent.
                std::mem::forget(results);
                return Ok(());
            }
            "good.example" => Ok(vec![[203, 0, 113, 1].into()]),
            "empty.example" => Ok(Vec::new()),
            _ => return Err(io::Error::other("no thread")),
        };
        results
            .send(LookupResult { name, addresses })
            .map_err(io::Error::other)
    }

    #[test]
    fn a_resolver_that_does_not_answer_delays_nothing() {
        let names = [
            "bad.example",
            "empty.example",
            "good.example",
            "slow.example",
        ];
        // The other results are there already.
        let (resolved, unresolved) = resolve_with(&names.into(), Duration::ZERO, fake_lookup);
        let good = ("good.example".to_owned(), [203, 0, 113, 1].into());
        assert_eq!(resolved, Names::from([good]));
        let pair = |name: &str, problem: &str| (name.to_owned(), problem.to_owned());
        assert_eq!(
            unresolved,
            BTreeMap::from([
                pair("bad.example", "no thread"),
                pair("empty.example", "it has no IPv4 address"),
                pair("slow.example", "no answer within 0 s"),
            ])
        );
    }

    #[test]
    fn the_system_resolves_a_name() {
        let (resolved, unresolved) = resolve(&BTreeSet::from(["localhost"]));
        assert!(resolved["localhost"].is_loopback(), "{unresolved:?}");
    }
}
