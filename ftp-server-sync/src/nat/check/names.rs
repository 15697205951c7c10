//! One look at what host names lead to.
//!
//! However slow the resolver is, the answer comes within `PATIENCE`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use crate::nat::address_source::{self, Answer, choose};
use crate::settings::Names;

/// The addresses of the names that have one, and for the others what is wrong.
pub(super) fn look_up(names: &BTreeSet<&str>) -> (Names, BTreeMap<String, String>) {
    let start = |name, answers: Sender<Answer>| {
        // Nobody hears an answer that is late.
        address_source::look_up(name, move |answer| drop(answers.send(answer)))
    };
    look_up_with(names, PATIENCE, start)
}

/// All at once: one lookup that never ends keeps nobody.
fn look_up_with(
    names: &BTreeSet<&str>,
    patience: Duration,
    start: impl Fn(String, Sender<Answer>) -> io::Result<()>,
) -> (Names, BTreeMap<String, String>) {
    let (sender, answers) = mpsc::channel();
    let (mut found, mut missing) = (Names::new(), BTreeMap::new());
    for &name in names {
        let problem = match start(name.to_owned(), sender.clone()) {
            Ok(()) => format!("no answer within {} s", patience.as_secs()),
            Err(error) => error.to_string(),
        };
        missing.insert(name.to_owned(), problem);
    }
    drop(sender);
    let deadline = Instant::now() + patience;
    let left = || deadline.saturating_duration_since(Instant::now());
    // Ends when all have answered, too.
    while let Ok(answer) = answers.recv_timeout(left()) {
        match answer.found.and_then(|found| choose(&found, None)) {
            Ok(address) => {
                missing.remove(&answer.name);
                found.insert(answer.name, address);
            }
            Err(problem) => drop(missing.insert(answer.name, problem)),
        }
    }
    (found, missing)
}

/// Longer than a resolver needs to try its second server.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn fake(name: String, answers: Sender<Answer>) -> io::Result<()> {
        let found = match name.as_str() {
            "slow.example" => {
                // The channel stays open, and no answer comes.
                std::mem::forget(answers);
                return Ok(());
            }
            "good.example" => Ok(vec![[203, 0, 113, 1].into()]),
            "empty.example" => Ok(Vec::new()),
            _ => return Err(io::Error::other("no thread")),
        };
        answers
            .send(Answer { name, found })
            .map_err(io::Error::other)
    }

    #[test]
    fn a_silent_resolver_is_not_waited_for() {
        let names = [
            "bad.example",
            "empty.example",
            "good.example",
            "slow.example",
        ];
        // The other answers are there already.
        let (found, missing) = look_up_with(&names.into(), Duration::ZERO, fake);
        let good = ("good.example".to_owned(), [203, 0, 113, 1].into());
        assert_eq!(found, Names::from([good]));
        let pair = |name: &str, problem: &str| (name.to_owned(), problem.to_owned());
        assert_eq!(
            missing,
            BTreeMap::from([
                pair("bad.example", "no thread"),
                pair("empty.example", "it has no IPv4 address"),
                pair("slow.example", "no answer within 0 s"),
            ])
        );
    }

    #[test]
    fn the_system_is_asked() {
        let (found, missing) = look_up(&BTreeSet::from(["localhost"]));
        assert!(found["localhost"].is_loopback(), "{missing:?}");
    }
}
