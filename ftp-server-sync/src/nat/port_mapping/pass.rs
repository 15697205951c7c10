//! One round: every port is asked for, or for more time for it.
//!
//! The control port comes first, so that clients outside can log in before a long range is over.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::client::RouterClient;
use super::job::{MappingJob, PortPurpose, WantedPort};
use super::lease_clock::now;
use super::link::{Link, NoAnswer};
use super::outcome::{GrantedPort, MappingFailure, TAKEN};
use super::own_number;
use super::pcp_client::OuterNumber;
use super::public_address::PublicSide;
use super::round_answers::{PassResult, RoundObserver};
use crate::net::order;

/// Asks for every port of the job. `held` has the router's numbers of the last round, which are to
/// stay.
///
/// # Errors
///
/// If there is no answer, or none that is any use.
pub(super) fn map_all(
    client: &mut RouterClient,
    link: &mut Link,
    job: &MappingJob,
    held: &BTreeMap<u16, u16>,
    observer: &mut impl RoundObserver,
) -> Result<PassResult, MappingFailure> {
    let mut result = map_once(client, link, job, held, false, observer)?;
    result.restarted = client.take_restarted();
    if result.restarted {
        // Ports that were asked for before the restart are forgotten.
        result = map_once(client, link, job, held, true, observer)?;
        result.restarted = true;
        client.take_restarted();
    }
    Ok(result)
}

fn map_once(
    client: &mut RouterClient,
    link: &mut Link,
    job: &MappingJob,
    held: &BTreeMap<u16, u16>,
    restarted: bool,
    observer: &mut impl RoundObserver,
) -> Result<PassResult, MappingFailure> {
    client.begin(link)?;
    free_old_numbers(client, link, job, held);
    for port in &job.ports {
        client.intend(port.inner, wished(port, held));
    }
    observer.before_request(client);
    let mut round = Round {
        restarted,
        ..Round::default()
    };
    let asked = round.ask_all(client, link, job, held, observer);
    client.forget_intended();
    asked?;
    round.result(job).ok_or_else(|| {
        let reason = round.refused.into_values().next();
        MappingFailure::Refused(reason.unwrap_or("is asked for no port".to_owned()))
    })
}

/// The number that the router should have for a port: the same as before.
fn wished(port: &WantedPort, held: &BTreeMap<u16, u16>) -> u16 {
    held.get(&port.inner).copied().unwrap_or(port.outer)
}

/// Passive ports that are to have other numbers now: the old one may be what another port gets, and
/// a router with PCP or NAT-PMP gives a port no second one.
fn free_old_numbers(
    client: &mut RouterClient,
    link: &mut Link,
    job: &MappingJob,
    held: &BTreeMap<u16, u16>,
) {
    let passive = job.ports.iter();
    let passive = passive.filter(|port| port.purpose == PortPurpose::Passive);
    let wished = order::map_of(passive.map(|port| (port.inner, wished(port, held))));
    let is_old = |inner, outer| wished.get(&inner).is_some_and(|wished| *wished != outer);
    client.unmap_made(link, is_old, now() + FREEING_MAX);
}

/// The answers of a round, until it is over.
#[derive(Debug, Default)]
struct Round {
    public: Option<PublicSide>,
    granted: BTreeMap<u16, u16>,
    refused: BTreeMap<u16, String>,
    lease: Option<Duration>,
    /// Ports without an answer that is any use.
    faults: usize,
    /// The router has restarted since the round before.
    restarted: bool,
    /// The search for other numbers.
    search: NumberSearch,
}

/// Numbers that are tried in the place of those that are taken. A router that permits few ports
/// must not keep the others waiting.
#[derive(Debug, Default)]
struct NumberSearch {
    /// UPnP: those that were not tried yet.
    numbers: Option<RangeInclusive<u16>>,
    /// UPnP: those that were taken too.
    failed: usize,
    /// PCP: the router has found none for another port.
    is_over: bool,
}

impl Round {
    fn ask_all(
        &mut self,
        client: &mut RouterClient,
        link: &mut Link,
        job: &MappingJob,
        held: &BTreeMap<u16, u16>,
        observer: &mut impl RoundObserver,
    ) -> Result<(), MappingFailure> {
        let mut taken = Vec::new();
        let mut next_report = 0;
        for (index, port) in job.ports.iter().enumerate() {
            if index == next_report {
                next_report = self.report(client, job, index, observer);
            }
            match map_port(client, link, port, wished(port, held), job.lease, observer) {
                Err(MappingFailure::Taken) => taken.push(port.inner),
                answer => self.add(port.inner, answer)?,
            }
        }
        for inner in &taken {
            let answer = self.search(client, link, job, *inner, observer);
            self.add(*inner, answer)?;
        }
        for port in &job.ports {
            let is_passive = port.purpose == PortPurpose::Passive;
            let last = held.get(&port.inner).filter(|last| **last != port.outer);
            if let Some(last) = last
                && !is_passive
                && self.granted.get(&port.inner) == Some(last)
                && !self.granted.values().any(|outer| *outer == port.outer)
            {
                let outer = own_number::retake(client, link, port, *last, job.lease, observer);
                match outer {
                    Some(outer) => drop(self.granted.insert(port.inner, outer)),
                    None => {
                        self.granted.remove(&port.inner);
                        self.refused.insert(port.inner, TAKEN.to_owned());
                    }
                }
            }
        }
        Ok(())
    }

    /// Reports the answers up to this port, and returns the port before which that is done next:
    /// the first passive one, and then after twice as many each time.
    fn report(
        &self,
        client: &RouterClient,
        job: &MappingJob,
        index: usize,
        observer: &mut impl RoundObserver,
    ) -> usize {
        let is_passive = |port: &WantedPort| port.purpose == PortPurpose::Passive;
        let first = job.ports.iter().position(is_passive);
        let first = first.unwrap_or(usize::MAX);
        if index < first {
            return first;
        }
        if index > 0
            && let Some(mut result) = self.result(job)
        {
            result.restarted |= client.has_restarted();
            observer.on_answers(client, result);
        }
        first + (2 * (index - first)).max(PORTS_REPORTED_MIN)
    }

    /// The answers; `None`: none is any use.
    fn result(&self, job: &MappingJob) -> Option<PassResult> {
        Some(PassResult {
            public: self.public.clone()?,
            granted: self.granted.clone(),
            refused: self.refused.clone(),
            lease: self.lease.unwrap_or(job.lease).min(job.lease),
            restarted: self.restarted,
            is_partial: self.faults > 0,
        })
    }

    /// Asks for another number.
    fn search(
        &mut self,
        client: &mut RouterClient,
        link: &mut Link,
        job: &MappingJob,
        inner: u16,
        observer: &mut impl RoundObserver,
    ) -> Result<GrantedPort, MappingFailure> {
        if client.router_chooses() {
            return self.search_by_router(client, link, job, inner);
        }
        let mut numbers = match self.search.numbers.take() {
            Some(numbers) => numbers,
            None => self.other_numbers(job),
        };
        let mut answer = Err(MappingFailure::Taken);
        for _ in 0..NUMBERS_TRIED_MAX {
            if self.search.failed >= NUMBERS_FAILED_MAX {
                break;
            }
            let Some(outer) = numbers.next() else {
                break;
            };
            client.intend(inner, outer);
            observer.before_request(client);
            answer = client.map(link, inner, OuterNumber::Exact(outer), job.lease);
            if !matches!(answer, Err(MappingFailure::Taken)) {
                break;
            }
            self.search.failed += 1;
        }
        self.search.numbers = Some(numbers);
        answer.map_err(as_refusal)
    }

    fn search_by_router(
        &mut self,
        client: &mut RouterClient,
        link: &mut Link,
        job: &MappingJob,
        inner: u16,
    ) -> Result<GrantedPort, MappingFailure> {
        if self.search.is_over {
            return Err(as_refusal(MappingFailure::Taken));
        }
        let answer = client.map(link, inner, OuterNumber::Any(inner), job.lease);
        let found = match answer {
            // It may look at all numbers.
            Err(MappingFailure::NoAnswer(NoAnswer::Silence)) => Err(MappingFailure::Taken),
            answer => answer,
        };
        self.search.is_over = found.is_err();
        found.map_err(as_refusal)
    }

    /// Numbers for ports whose own are taken, above all that are in use. Routers with UPnP could
    /// choose one (AddAnyPortMapping), but miniupnpd then chooses numbers that lead to other ports
    /// of this machine already.
    fn other_numbers(&self, job: &MappingJob) -> RangeInclusive<u16> {
        let wanted = job.ports.iter().flat_map(|port| [port.inner, port.outer]);
        let highest = wanted.chain(self.granted.values().copied()).max();
        match highest.unwrap_or_default().checked_add(1) {
            Some(first) => first..=u16::MAX,
            // None is left.
            None => RangeInclusive::new(1, 0),
        }
    }

    /// Takes an answer about a port. One that gets lost does not end the round, if there were
    /// others.
    fn add(
        &mut self,
        inner: u16,
        answer: Result<GrantedPort, MappingFailure>,
    ) -> Result<(), MappingFailure> {
        let granted = match answer {
            Ok(granted) => granted,
            Err(MappingFailure::Refused(reason)) => {
                self.refused.insert(inner, reason);
                return Ok(());
            }
            Err(
                failure @ (MappingFailure::Unbelievable(_)
                | MappingFailure::NoAnswer(NoAnswer::Silence)),
            ) if self.public.is_some() && self.faults < FAULTS_MAX => {
                self.faults += 1;
                self.refused.insert(inner, failure.to_string());
                return Ok(());
            }
            Err(failure) => return Err(failure),
        };
        let GrantedPort {
            outer,
            lease,
            public,
            is_foreign: _,
        } = granted;
        let first = self.public.get_or_insert_with(|| public.clone());
        if *first != public {
            let problem = "forwards it from another address".to_owned();
            self.refused.insert(inner, problem);
        } else if self.granted.values().any(|other| *other == outer) {
            let problem = format!("forwards its port {outer} to two ports");
            self.refused.insert(inner, problem);
        } else {
            self.granted.insert(inner, outer);
            self.lease = Some(self.lease.unwrap_or(lease).min(lease));
        }
        Ok(())
    }
}

/// Another machine's number ends nothing but the wish for it.
fn as_refusal(failure: MappingFailure) -> MappingFailure {
    match failure {
        MappingFailure::Taken => MappingFailure::Refused(TAKEN.to_owned()),
        failure => failure,
    }
}

/// Routers often keep the ports below 1024 to themselves: then the control port has the number that
/// it has here, rather than any other one.
fn map_port(
    client: &mut RouterClient,
    link: &mut Link,
    port: &WantedPort,
    wished: u16,
    lease: Duration,
    observer: &mut impl RoundObserver,
) -> Result<GrantedPort, MappingFailure> {
    let answer = client.map(link, port.inner, OuterNumber::Exact(wished), lease);
    let is_other = match &answer {
        Ok(granted) => granted.outer != wished && granted.outer != port.inner,
        Err(MappingFailure::Refused(_) | MappingFailure::Taken) => true,
        Err(_) => false,
    };
    if !is_other || port.purpose == PortPurpose::Passive || wished == port.inner {
        return answer;
    }
    if let Ok(granted) = &answer {
        // A port that is forwarded keeps its number.
        client.unmap(link, port.inner, granted.outer)?;
    }
    client.intend(port.inner, port.inner);
    observer.before_request(client);
    client.map(link, port.inner, OuterNumber::Exact(port.inner), lease)
}

/// Passive ports after which answers are reported first: enough to begin with.
const PORTS_REPORTED_MIN: usize = 8;
/// Ports without a good answer in a round that goes on.
const FAULTS_MAX: usize = 2;
/// For numbers that are given back before others are asked for.
const FREEING_MAX: Duration = Duration::from_secs(8);
/// Numbers that are tried for one port.
const NUMBERS_TRIED_MAX: usize = 16;
/// Those that may be taken in one round.
const NUMBERS_FAILED_MAX: usize = 64;
