//! A round of the thread, and what happens within it and after it.

use std::time::{Duration, Instant};

use super::Worker;
use crate::nat::port_mapping::client::RouterClient;
use crate::nat::port_mapping::job::MappingJob;
use crate::nat::port_mapping::lease_clock::now;
use crate::nat::port_mapping::ledger::Ledger;
use crate::nat::port_mapping::link::{Link, NoAnswer};
use crate::nat::port_mapping::outcome::MappingFailure;
use crate::nat::port_mapping::pass::map_all;
use crate::nat::port_mapping::record::{MadeMapping, RecordFile};
use crate::nat::port_mapping::retry::{renewal_pause, retry_pause};
use crate::nat::port_mapping::round_answers::{PassResult, RoundObserver};
use crate::nat::port_mapping::router::Router;
use crate::nat::port_mapping::trouble::Trouble;
use crate::nat::port_mapping::update::MapperEvent;
use crate::nat::port_mapping::worker::REMOVAL_MAX;
use crate::net::order;
use crate::settings::MappingProtocol;

/// Records what the router is asked for before it is, and reports the first answers.
pub(in crate::nat::port_mapping) struct RoundProgress<'a, F> {
    pub(in crate::nat::port_mapping) record: &'a mut RecordFile,
    /// What other clients may have left.
    pub(in crate::nat::port_mapping) others: Vec<MadeMapping>,
    pub(in crate::nat::port_mapping) ledger: &'a Ledger,
    pub(in crate::nat::port_mapping) job: &'a MappingJob,
    pub(in crate::nat::port_mapping) on_event: &'a F,
}

impl<F: Fn(MapperEvent)> RoundObserver for RoundProgress<'_, F> {
    fn before_request(&mut self, client: &RouterClient) {
        let others = self.others.iter().copied();
        self.record.update(others.chain(client.recorded()));
    }

    fn on_answers(&mut self, client: &RouterClient, result: PassResult) {
        let (protocol, router) = (client.protocol, client.router);
        let update = self.ledger.on_answers(protocol, router, self.job, result);
        if let Some(update) = update {
            (self.on_event)(MapperEvent::Changed(update));
        }
    }
}

impl<F: Fn(MapperEvent)> Worker<F> {
    /// Asks for every port, in the protocol that has worked last, else in each one.
    pub(super) fn pass(&mut self) {
        self.next_pass = None;
        self.next_look = None;
        let Some(job) = self.job.clone() else {
            return;
        };
        let start = now();
        let asked = self.ask(&job, start);
        self.last_pass = Some(now());
        match asked {
            Ok(Some(next)) => {
                self.next_pass = Some(next);
                let client = self.client.as_ref();
                let announces =
                    client.is_none_or(|client| client.protocol != MappingProtocol::Upnp);
                self.next_look = (!announces).then(|| now() + LOOK_PAUSE);
            }
            // The end comes next.
            Ok(None) => {}
            Err(trouble) => {
                self.next_pass = Some(now() + retry_pause(self.failures));
                self.failures = self.failures.saturating_add(1);
                self.ledger.on_trouble(trouble);
                self.removal.continue_after(now());
            }
        }
    }

    /// When the next round is due; `None`: the thread is to end.
    fn ask(&mut self, job: &MappingJob, start: Instant) -> Result<Option<Instant>, Trouble> {
        let router = Router::find(job.interface.as_deref(), &job.listen);
        let router = router.map_err(Trouble::NoRouter)?;
        let connected = self.link.connect(router.ends());
        connected.map_err(|error| Trouble::NoRouter(error.to_string()))?;
        let is_other = |last: &mut RouterClient| last.router != router;
        self.abandoned.extend(self.client.take_if(is_other));
        let last_protocol = self.client.as_ref().map(|client| client.protocol);
        self.abandoned.extend(self.client.take());
        let mut protocols = job.protocols.clone();
        order::sort_by_key(&mut protocols, |protocol| Some(*protocol) != last_protocol);
        let mut troubles = Vec::new();
        for protocol in protocols {
            let mut client = self.take_client(protocol, router);
            let result = self.map_with(&mut client, job);
            self.note_about(&client);
            match result {
                Ok(result) => {
                    let pause = self.pause_after(protocol, &result);
                    // The first mappings are as old as the round.
                    let lease_end = start + result.lease;
                    let until = now() + REMOVAL_MAX;
                    remove_replaced(&mut client, &mut self.link, job, &result, until);
                    let ends_at = (!client.is_permanent()).then_some(lease_end);
                    self.ledger
                        .on_result(protocol, router, job, result, ends_at);
                    self.abandoned.extend(self.client.replace(client));
                    self.forget_unheard(router);
                    self.remove_elsewhere(router, job, until);
                    return Ok(Some(renewal_time(protocol, start, now(), pause)));
                }
                Err(failure) => {
                    let is_ending = matches!(failure, MappingFailure::NoAnswer(NoAnswer::Ending));
                    if Some(protocol) == last_protocol {
                        self.client = Some(client);
                    } else {
                        self.abandoned.push(client);
                    }
                    if is_ending {
                        return Ok(None);
                    }
                    troubles.push(format!("{protocol}: it {failure}"));
                }
            }
        }
        self.ledger.forget_other(router);
        Err(Trouble::NoAnswer {
            router: router.address,
            reasons: troubles.join("; "),
        })
    }

    /// The time until the next round after a good one. A router that is not connected yet, or has
    /// not answered about all ports, is asked again sooner.
    fn pause_after(&mut self, protocol: MappingProtocol, result: &PassResult) -> Duration {
        let half = renewal_pause(protocol, result.lease);
        if result.public.address().is_some() && !result.is_partial {
            self.failures = 0;
            return half;
        }
        let pause = retry_pause(self.failures);
        self.failures = self.failures.saturating_add(1);
        pause.min(half)
    }

    /// A round in one protocol, which the record and the sessions follow.
    fn map_with(
        &mut self,
        client: &mut RouterClient,
        job: &MappingJob,
    ) -> Result<PassResult, MappingFailure> {
        let others = self.made();
        let mut progress = RoundProgress {
            record: &mut self.record,
            others,
            ledger: &self.ledger,
            job,
            on_event: &self.on_event,
        };
        let held = self.ledger.held_at(client.router, job);
        map_all(client, &mut self.link, job, &held, &mut progress)
    }

    /// This router has answered: in the protocols that it has never answered in, it has not read
    /// what it was asked for.
    fn forget_unheard(&mut self, router: Router) {
        let others = self.abandoned.iter_mut();
        for client in others.filter(|client| client.router == router) {
            client.left.forget_unheard();
        }
        self.abandoned.retain(RouterClient::has_mappings);
    }

    /// A router with UPnP announces neither a restart nor another address in a way that is heard
    /// here.
    pub(super) fn look_at_router(&mut self) {
        self.next_look = None;
        let Some(client) = &mut self.client else {
            return;
        };
        if client.is_unchanged(&self.link) {
            self.next_look = Some(now() + LOOK_PAUSE);
        } else if !self.link.is_ending() {
            self.ask_soon(now());
        }
    }

    /// A client that has asked this router before, or a new one. Those without mappings are
    /// forgotten, and so are the oldest ones if there are too many.
    fn take_client(&mut self, protocol: MappingProtocol, router: Router) -> RouterClient {
        let is_it = |client: &RouterClient| client.protocol == protocol && client.router == router;
        let found = self.abandoned.iter().position(is_it);
        let found = found.map(|index| self.abandoned.remove(index));
        self.abandoned.retain(RouterClient::has_mappings);
        let excess = self.abandoned.len().saturating_sub(ABANDONED_MAX);
        self.abandoned.drain(..excess);
        found.unwrap_or_else(|| RouterClient::new(protocol, router, &self.secret))
    }
}

/// When mappings of a round between these times are renewed: not at once after a long one.
fn renewal_time(
    protocol: MappingProtocol,
    start: Instant,
    end: Instant,
    pause: Duration,
) -> Instant {
    let least = renewal_pause(protocol, Duration::ZERO);
    (start + pause).max(end + least.min(pause))
}

/// Those of a round before: ports that are not wanted any more, and other numbers of the same
/// ports.
fn remove_replaced(
    client: &mut RouterClient,
    link: &mut Link,
    job: &MappingJob,
    result: &PassResult,
    until: Instant,
) {
    let is_unwanted = |inner, outer| {
        let is_replaced = result.granted.get(&inner).is_some_and(|now| *now != outer);
        is_replaced || !job.wants(inner)
    };
    client.unmap_made(link, is_unwanted, until);
}

/// Between two looks at a router that announces nothing.
const LOOK_PAUSE: Duration = Duration::from_secs(300);
/// Clients that may have left mappings.
const ABANDONED_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_mapping_of_a_long_round_is_renewed_in_time() {
        let check = |taken: u64, pause: u64, expected: u64| {
            let start = now();
            let after = |seconds| start + Duration::from_secs(seconds);
            let pause = Duration::from_secs(pause);
            let found = renewal_time(MappingProtocol::Pcp, start, after(taken), pause);
            assert_eq!(found, after(expected));
        };
        check(0, 1800, 1800);
        check(600, 1800, 1800);
        // The router needs some rest.
        check(1799, 1800, 1803);
        check(4000, 1800, 4004);
    }
}
