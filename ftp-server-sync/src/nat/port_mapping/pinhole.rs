//! IPv6: the router's firewall lets clients in, by PCP (RFC 6887) or UPnP IGD 2, for as long as the
//! server runs.
//!
//! Nothing is translated: clients connect to this machine's own address and ports. So a router that
//! opens no port changes nothing but what the log says.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::job::MappingJob;
use super::lease_clock::now;
use super::link::{Link, NoAnswer};
use super::nonce::NonceSecret;
use super::outcome::MappingFailure;
use super::record::MadeMapping;
use super::retry::{renewal_pause, retry_pause};
use crate::nat::address_source::LogLine;
use crate::net::order;
use crate::settings::MappingProtocol;

mod answers;
mod client;
pub(crate) mod probe;
mod router;

use answers::PinholeAnswers;
use client::{PinholeClient, PinholeResult};
use router::PinholeRouter;

/// The openings in the router's firewall, and when to ask for them again.
#[derive(Debug, Default)]
pub(super) struct Pinholes {
    /// What has answered last.
    client: Option<PinholeClient>,
    /// Others, which may have left openings.
    abandoned: Vec<PinholeClient>,
    answers: Option<PinholeAnswers>,
    /// Rounds without a good answer since the last one.
    failures: u32,
    next_pass: Option<Instant>,
}

impl Pinholes {
    /// With what a former run of the server has recorded.
    pub(super) fn restored(made: &[MadeMapping], secret: &NonceSecret) -> Self {
        Self {
            abandoned: PinholeClient::restored(made, secret),
            ..Self::default()
        }
    }

    /// For [`restored`](Self::restored).
    pub(super) fn recorded(&self) -> impl Iterator<Item = MadeMapping> {
        let clients = self.client.iter().chain(&self.abandoned);
        clients.flat_map(PinholeClient::recorded)
    }

    /// Asks at this time for what the job says.
    pub(super) fn start_at(&mut self, next: Instant) {
        self.next_pass = Some(next);
    }

    /// Forgets everything but what may be open, and asks for nothing.
    pub(super) fn reset(&mut self) {
        let abandoned = std::mem::take(&mut self.abandoned);
        let clients = self.client.take().into_iter().chain(abandoned);
        *self = Self {
            abandoned: clients.filter(PinholeClient::has_openings).collect(),
            ..Self::default()
        };
    }

    /// What this job does not want.
    pub(super) fn unwanted(&self, job: Option<&MappingJob>) -> Vec<MadeMapping> {
        let list = |client: &PinholeClient| -> Vec<MadeMapping> {
            let recorded = client.recorded();
            recorded
                .filter(|made| is_unwanted(client.protocol, made.inner, job))
                .collect()
        };
        let clients = self.client.iter().chain(&self.abandoned);
        clients.flat_map(list).collect()
    }

    /// Takes what an earlier run has left, as far as it is known only now.
    pub(super) fn absorb(&mut self, earlier: Self) {
        for other in earlier.abandoned {
            let mut clients = self.client.iter_mut().chain(&mut self.abandoned);
            let is_it = |client: &&mut PinholeClient| {
                client.protocol == other.protocol && client.router == other.router
            };
            match clients.find(is_it) {
                Some(client) => client.left.absorb(other.left),
                None => self.abandoned.push(other),
            }
        }
    }

    /// What routers may have read and opened.
    pub(super) fn heard(&self) -> impl Iterator<Item = MadeMapping> {
        let clients = self.client.iter().chain(&self.abandoned);
        let heard = clients.filter(|client| client.left.has_answered);
        heard.flat_map(PinholeClient::recorded)
    }

    /// Has it closed.
    pub(super) fn close_unwanted(
        &mut self,
        link: &mut Link,
        job: Option<&MappingJob>,
        until: Instant,
    ) {
        for client in self.client.iter_mut().chain(&mut self.abandoned) {
            let protocol = client.protocol;
            let is_any = |made: MadeMapping| is_unwanted(protocol, made.inner, job);
            if client.recorded().any(is_any) && link.connect(client.router.ends()).is_ok() {
                client.close_made(link, |port| is_unwanted(protocol, port, job), until);
            }
        }
        self.abandoned.retain(PinholeClient::has_openings);
    }

    /// Whether it is time for [`pass`](Self::pass).
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next_pass.is_some_and(|next| next <= now)
    }

    /// When something is to be done or said next.
    pub(super) fn next(&self) -> Option<Instant> {
        let end = self.answers.as_ref().and_then(PinholeAnswers::next_end);
        [self.next_pass, end].into_iter().flatten().min()
    }

    /// Whether what was opened has just ended.
    pub(super) fn take_ended(&mut self, now: Instant) -> bool {
        let answers = self.answers.as_mut();
        answers.is_some_and(|answers| answers.take_ended(now))
    }

    /// The router that is asked.
    pub(super) fn router(&self) -> Option<IpAddr> {
        let answers = self.answers.as_ref();
        answers.map(|answers| answers.router.address.into())
    }

    /// The lines that describe the state.
    pub(super) fn lines(&self) -> Vec<LogLine> {
        let answers = self.answers.as_ref();
        answers.map_or(Vec::new(), PinholeAnswers::lines)
    }

    /// Asks for every port, in the protocol that has worked last, else in each one.
    /// `before_request` gets what the router may have open after that.
    pub(super) fn pass(
        &mut self,
        link: &mut Link,
        job: &MappingJob,
        secret: &NonceSecret,
        before_request: impl FnMut(&[MadeMapping]),
    ) {
        let found = PinholeRouter::find(job.interface.as_deref(), &job.listen_v6);
        let router = match found {
            Ok(Some(router)) => router,
            // No client comes over IPv6. Changes of this machine's networks are noticed.
            Ok(None) => return self.reset(),
            Err(error) => {
                log::debug!("the way over IPv6 cannot be read: {error}");
                return self.retry_later();
            }
        };
        let is_same = |answers: &PinholeAnswers| answers.router == router;
        let answers = self.answers.take().filter(is_same);
        let answers = answers.unwrap_or_else(|| PinholeAnswers::new(router, job));
        let answers = self.answers.insert(answers);
        let last = self.client.take();
        let last_protocol = last.as_ref().map(|client| client.protocol);
        self.abandoned.extend(last);
        let start = now();
        let mut inquiry = Inquiry {
            router,
            link,
            job,
            secret,
            last_protocol,
        };
        let (client, asked) = inquiry.ask(&mut self.abandoned, before_request);
        self.client = client;
        match asked {
            Asked::Opened(result) => {
                self.failures = 0;
                if let Some(client) = &mut self.client {
                    let protocol = client.protocol;
                    let least = renewal_pause(protocol, Duration::ZERO);
                    let next = start + renewal_pause(protocol, result.lease);
                    self.next_pass = Some(next.max(now() + least));
                    // Those of a round before, which are not wanted any more.
                    let until = now() + CLOSING_MAX;
                    client.close_made(link, |port| !job.wants(port), until);
                    for client in &mut self.abandoned {
                        let is_elsewhere = client.router != router;
                        if !is_elsewhere {
                            client.left.forget_unheard();
                        }
                        if client.has_openings() && link.connect(client.router.ends()).is_ok() {
                            let is_unwanted = |port| is_elsewhere || !job.wants(port);
                            client.close_made(link, is_unwanted, until);
                        }
                    }
                    // Its announcements arrive again.
                    let _ = link.connect(router.ends());
                    answers.on_result(protocol, job, result, start);
                }
            }
            Asked::Ending => self.next_pass = None,
            Asked::Nothing(trouble) => {
                answers.on_trouble(trouble, job);
                self.retry_later();
            }
        }
    }

    /// Has the routers close all ports. They may be gone.
    pub(super) fn close_all(&mut self, link: &mut Link, until: Instant) {
        for client in self.client.iter_mut().chain(&mut self.abandoned) {
            if client.has_openings() && link.connect(client.router.ends()).is_ok() {
                client.close_made(link, |_| true, until);
            }
        }
    }

    fn retry_later(&mut self) {
        self.next_pass = Some(now() + retry_pause(self.failures));
        self.failures = self.failures.saturating_add(1);
    }
}

/// What comes of a round.
#[derive(Debug)]
enum Asked {
    Opened(PinholeResult),
    /// Why no protocol is of use.
    Nothing(String),
    /// The thread is to end.
    Ending,
}

/// A round of questions to one router.
struct Inquiry<'a> {
    router: PinholeRouter,
    link: &'a mut Link,
    job: &'a MappingJob,
    secret: &'a NonceSecret,
    /// What has answered last.
    last_protocol: Option<MappingProtocol>,
}

impl Inquiry<'_> {
    /// Asks in each protocol. The client is the one that has an answer, else the last one.
    fn ask(
        &mut self,
        abandoned: &mut Vec<PinholeClient>,
        mut before_request: impl FnMut(&[MadeMapping]),
    ) -> (Option<PinholeClient>, Asked) {
        if let Err(error) = self.link.connect(self.router.ends()) {
            return (None, Asked::Nothing(format!("it cannot be asked: {error}")));
        }
        let (job, last_protocol) = (self.job, self.last_protocol);
        let mut protocols = job.protocols.clone();
        order::sort_by_key(&mut protocols, |protocol| Some(*protocol) != last_protocol);
        let mut troubles = Vec::new();
        let mut last = None;
        for protocol in protocols {
            if protocol == MappingProtocol::NatPmp {
                // It is for IPv4 only. The reader of the log need not know that with the others.
                if job.protocols.len() == 1 {
                    troubles.push("NAT-PMP is for IPv4: give --port-mapping auto".to_owned());
                }
                continue;
            }
            let mut client = self.take_client(abandoned, protocol);
            let others = abandoned.iter().chain(&last);
            let others: Vec<MadeMapping> = others.flat_map(PinholeClient::recorded).collect();
            let opened = client.open_all(self.link, &job.ports, job.lease, |client| {
                let all = others.iter().copied().chain(client.recorded());
                before_request(&all.collect::<Vec<MadeMapping>>());
            });
            let failure = match opened {
                Ok(result) => {
                    abandoned.extend(last);
                    return (Some(client), Asked::Opened(result));
                }
                Err(failure) => failure,
            };
            if Some(protocol) == last_protocol {
                last = Some(client);
            } else {
                abandoned.push(client);
            }
            if matches!(failure, MappingFailure::NoAnswer(NoAnswer::Ending)) {
                return (last, Asked::Ending);
            }
            troubles.push(format!("{protocol}: it {failure}"));
        }
        (last, Asked::Nothing(troubles.join("; ")))
    }

    /// A client that has asked this router before, or a new one. Those without openings are
    /// forgotten, and so are the oldest ones if there are too many.
    fn take_client(
        &self,
        abandoned: &mut Vec<PinholeClient>,
        protocol: MappingProtocol,
    ) -> PinholeClient {
        let router = self.router;
        let is_it = |client: &PinholeClient| client.protocol == protocol && client.router == router;
        let found = abandoned.iter().position(is_it);
        let found = found.map(|index| abandoned.remove(index));
        abandoned.retain(PinholeClient::has_openings);
        let excess = abandoned.len().saturating_sub(ABANDONED_MAX);
        abandoned.drain(..excess);
        found.unwrap_or_else(|| PinholeClient::new(protocol, router, self.secret))
    }
}

/// Whether this job does not want the port, or not in this protocol.
fn is_unwanted(protocol: MappingProtocol, port: u16, job: Option<&MappingJob>) -> bool {
    let is_wanted = |job: &MappingJob| job.protocols.contains(&protocol) && job.wants(port);
    !job.is_some_and(is_wanted)
}

/// Clients that may have left openings.
const ABANDONED_MAX: usize = 4;
/// For ports that are not wanted any more.
const CLOSING_MAX: Duration = Duration::from_secs(2);
