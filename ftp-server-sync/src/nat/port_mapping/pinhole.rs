//! IPv6: the router's firewall lets clients in, by PCP (RFC 6887) or UPnP IGD 2, for as long as the
//! server runs.
//!
//! Nothing is translated: clients connect to this machine's own address and ports. So a router that
//! opens no port changes nothing but what the log says.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::job::MappingJob;
use super::link::{Link, NoAnswer};
use super::nonce::NonceSecret;
use super::outcome::MappingFailure;
use super::record::MadeMapping;
use super::retry::{RENEWAL_PAUSE_MIN, retry_pause};
use crate::nat::address_source::LogLine;
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
    answers: Option<PinholeAnswers>,
    /// Rounds without a good answer since the last one.
    failures: u32,
    next_pass: Option<Instant>,
}

impl Pinholes {
    /// With what a former run of the server has recorded.
    pub(super) fn restored(made: &[MadeMapping], secret: &NonceSecret) -> Self {
        Self {
            client: PinholeClient::restored(made, secret),
            ..Self::default()
        }
    }

    /// For [`restored`](Self::restored).
    pub(super) fn recorded(&self) -> impl Iterator<Item = MadeMapping> {
        self.client.iter().flat_map(PinholeClient::recorded)
    }

    /// Asks at this time for what the job says.
    pub(super) fn start_at(&mut self, next: Instant) {
        self.next_pass = Some(next);
    }

    /// Forgets everything, and asks for nothing.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
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
    pub(super) fn pass(&mut self, link: &mut Link, job: &MappingJob, secret: &NonceSecret) {
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
        let last = self.client.take().filter(|client| client.router == router);
        let (client, asked) = ask(last, router, link, job, secret);
        self.client = client;
        match asked {
            Asked::Opened(result) => {
                self.failures = 0;
                let half = (result.lease / 2).max(RENEWAL_PAUSE_MIN);
                self.next_pass = Some(Instant::now() + half);
                if let Some(client) = &mut self.client {
                    // Those of a round before, which are not wanted any more.
                    let is_wanted = |inner| job.ports.iter().any(|port| port.inner == inner);
                    let until = Instant::now() + CLOSING_MAX;
                    client.close_made(link, |port| !is_wanted(port), until);
                    answers.on_result(client.protocol, job, result, Instant::now());
                }
            }
            Asked::Ending => self.next_pass = None,
            Asked::Nothing(trouble) => {
                answers.on_trouble(trouble, job);
                self.retry_later();
            }
        }
    }

    /// Has the router close all ports. It may be gone.
    pub(super) fn close_all(&mut self, link: &mut Link, until: Instant) {
        if let Some(client) = &mut self.client
            && client.has_openings()
            && link.connect(client.router.ends()).is_ok()
        {
            client.close_made(link, |_| true, until);
        }
    }

    fn retry_later(&mut self) {
        self.next_pass = Some(Instant::now() + retry_pause(self.failures));
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

/// Asks in each protocol. The client is the one that has an answer, else the last one, which still
/// knows what to close.
fn ask(
    mut last: Option<PinholeClient>,
    router: PinholeRouter,
    link: &mut Link,
    job: &MappingJob,
    secret: &NonceSecret,
) -> (Option<PinholeClient>, Asked) {
    if let Err(error) = link.connect(router.ends()) {
        return (last, Asked::Nothing(format!("it cannot be asked: {error}")));
    }
    let last_protocol = last.as_ref().map(|client| client.protocol);
    let mut protocols = job.protocols.clone();
    protocols.sort_by_key(|protocol| Some(*protocol) != last_protocol);
    let mut troubles = Vec::new();
    for protocol in protocols {
        if protocol == MappingProtocol::NatPmp {
            // It is for IPv4 only. The reader of the log need not know that with the others.
            if job.protocols.len() == 1 {
                troubles.push("NAT-PMP is for IPv4: give --port-mapping auto".to_owned());
            }
            continue;
        }
        let mut client = last
            .take_if(|last| last.protocol == protocol)
            .unwrap_or_else(|| PinholeClient::new(protocol, router, secret));
        match client.open_all(link, &job.ports, job.lease) {
            Ok(result) => return (Some(client), Asked::Opened(result)),
            Err(failure) => {
                if Some(protocol) == last_protocol || client.has_openings() {
                    last = Some(client);
                }
                if matches!(failure, MappingFailure::NoAnswer(NoAnswer::Ending)) {
                    return (last, Asked::Ending);
                }
                troubles.push(format!("{protocol}: it {failure}"));
            }
        }
    }
    (last, Asked::Nothing(troubles.join("; ")))
}

/// For ports that are not wanted any more.
const CLOSING_MAX: Duration = Duration::from_secs(2);
