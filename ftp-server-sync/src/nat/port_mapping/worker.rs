//! The thread that has the router forward the ports, and what reaches it.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
use mio::Waker;

use super::client::RouterClient;
use super::job::MappingJob;
use super::ledger::Ledger;
use super::link::{Link, NoAnswer};
use super::nat_pmp::NatPmpRequest;
use super::nonce::NonceSecret;
use super::outcome::MappingFailure;
use super::pass::map_all;
use super::pcp;
use super::router::Router;
use super::update::MapperEvent;

/// The thread, for the server. When it is dropped, the thread ends by itself.
#[derive(Debug)]
pub(crate) struct PortMapper {
    commands: Sender<Command>,
    ending: Arc<AtomicBool>,
    waker: Arc<Waker>,
}

/// A message to the thread.
#[derive(Debug)]
enum Command {
    /// What is to be forwarded from now on; `None`: nothing.
    Job(Option<MappingJob>),
    /// This machine's networks have changed.
    Retry,
}

impl PortMapper {
    /// Starts the thread. `on_event` is called there.
    ///
    /// # Errors
    ///
    /// If the thread cannot be started.
    pub(crate) fn start(
        job: MappingJob,
        on_event: impl Fn(MapperEvent) + Send + 'static,
    ) -> io::Result<Self> {
        let (commands, received) = unbounded();
        let ending = Arc::new(AtomicBool::new(false));
        let (link, waker) = Link::new(ending.clone())?;
        let worker = Worker {
            link,
            commands: received,
            secret: NonceSecret::load(&job.nonce_file)?,
            job: Some(job),
            client: None,
            ledger: Ledger::default(),
            failures: 0,
            next_pass: Some(Instant::now()),
            last_pass: None,
            noted: BTreeSet::new(),
            on_event,
        };
        thread::Builder::new()
            .name(THREAD.to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || worker.run())?;
        Ok(Self {
            commands,
            ending,
            waker,
        })
    }

    /// What the router is to forward from now on; `None`: nothing.
    pub(crate) fn set_job(&self, job: Option<MappingJob>) {
        self.send(Command::Job(job));
    }

    /// This machine's networks have changed: perhaps there is another router.
    pub(crate) fn retry(&self) {
        self.send(Command::Retry);
    }

    fn send(&self, command: Command) {
        // Both fail only when the thread has ended.
        let _ = self.commands.send(command);
        let _ = self.waker.wake();
    }
}

/// The thread removes the mappings, and reports its end.
impl Drop for PortMapper {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Release);
        // The thread sees that there is no sender any more.
        let (none, _) = unbounded();
        self.commands = none;
        let _ = self.waker.wake();
    }
}

/// The state of the thread.
struct Worker<F> {
    link: Link,
    commands: Receiver<Command>,
    secret: NonceSecret,
    job: Option<MappingJob>,
    /// The protocol and the router that have answered last.
    client: Option<RouterClient>,
    ledger: Ledger,
    /// Rounds without an answer since the last good one.
    failures: u32,
    next_pass: Option<Instant>,
    last_pass: Option<Instant>,
    /// What the log has said once.
    noted: BTreeSet<String>,
    on_event: F,
}

impl<F: Fn(MapperEvent)> Worker<F> {
    fn run(mut self) {
        loop {
            let now = Instant::now();
            if !self.read_commands(now) {
                break;
            }
            if self.next_pass.is_some_and(|next| next <= now) {
                self.pass();
                self.report();
                continue;
            }
            let left = self
                .next_pass
                .map(|next| next.saturating_duration_since(now));
            let announced = self.link.wait(left);
            if announced.iter().any(|datagram| is_announcement(datagram)) {
                self.on_announced(Instant::now());
            }
        }
        self.link.begin_removal();
        self.remove(|_| true);
        (self.on_event)(MapperEvent::Ended);
    }

    /// False at the end.
    fn read_commands(&mut self, now: Instant) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Job(job)) => self.on_job(job, now),
                Ok(Command::Retry) => self.next_pass = self.job.is_some().then_some(now),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Ports that are not wanted any more are removed at once, the others asked for.
    fn on_job(&mut self, job: Option<MappingJob>, now: Instant) {
        if job == self.job {
            return;
        }
        let stays = match (&job, &self.job) {
            (Some(new), Some(old)) if new.interface == old.interface => new.ports.clone(),
            _ => Vec::new(),
        };
        self.remove(|inner| !stays.iter().any(|port| port.inner == inner));
        self.next_pass = job.is_some().then_some(now);
        if job.is_none() || stays.is_empty() {
            self.client = None;
            self.ledger = Ledger::default();
        }
        self.job = job;
        self.report();
    }

    /// The router has restarted, as it seems. Such datagrams, of any sender, cause no more than a
    /// round from time to time.
    fn on_announced(&mut self, now: Instant) {
        let due = self.last_pass.map_or(now, |last| last + ANNOUNCED_PAUSE);
        let due = due.max(now);
        if self.job.is_some() && self.next_pass.is_none_or(|next| next > due) {
            self.next_pass = Some(due);
        }
    }

    /// Asks for every port, in the protocol that has worked last, else in each one.
    fn pass(&mut self) {
        let Some(job) = self.job.clone() else {
            return;
        };
        self.last_pass = Some(Instant::now());
        match self.ask(&job) {
            Ok(Some(lease)) => {
                self.failures = 0;
                let half = (lease / 2).max(RENEWAL_PAUSE_MIN);
                self.next_pass = Some(Instant::now() + half);
            }
            // The end comes next.
            Ok(None) => self.next_pass = None,
            Err(trouble) => {
                self.next_pass = Some(Instant::now() + retry_pause(self.failures));
                self.failures = self.failures.saturating_add(1);
                self.ledger.on_trouble(trouble);
            }
        }
    }

    /// The time that the ports are forwarded for; `None`: the thread is to end.
    fn ask(&mut self, job: &MappingJob) -> Result<Option<Duration>, String> {
        let router = Router::find(job.interface.as_deref(), &job.listen)?;
        self.link
            .connect(router)
            .map_err(|error| error.to_string())?;
        let mut last = self.client.take().filter(|client| client.router == router);
        let last_protocol = last.as_ref().map(|client| client.protocol);
        let mut protocols = job.protocols.clone();
        protocols.sort_by_key(|protocol| Some(*protocol) != last_protocol);
        let mut troubles = Vec::new();
        for protocol in protocols {
            let mut client = last
                .take_if(|last| last.protocol == protocol)
                .unwrap_or_else(|| RouterClient::new(protocol, router, self.secret.clone()));
            let result = map_all(&mut client, &mut self.link, job, &self.ledger.held());
            for ignored in self.link.take_ignored() {
                self.note_ignored(router, &ignored);
            }
            if client.is_permanent() {
                self.note(format!(
                    "the router {} forwards ports until it is asked for the end: after a crash they \
                     stay open until the next start has ended",
                    router.address
                ));
            }
            if result.is_ok() || Some(protocol) == last_protocol {
                self.client = Some(client);
            }
            match result {
                Ok(result) => {
                    let lease = result.lease;
                    self.ledger.on_result(protocol, router, job, result);
                    return Ok(Some(lease));
                }
                Err(MappingFailure::NoAnswer(NoAnswer::Ending)) => return Ok(None),
                Err(failure) => troubles.push(format!("{protocol}: it {failure}")),
            }
        }
        let router = router.address;
        Err(format!(
            "the router {router} forwards nothing ({})",
            troubles.join("; ")
        ))
    }

    /// The log says once what a router sends that is no answer.
    fn note_ignored(&mut self, router: Router, ignored: &str) {
        let text = format!(
            "the router {} sends something that is no answer, which is ignored: {ignored}",
            router.address
        );
        self.note(text);
    }

    /// Something that is logged once.
    fn note(&mut self, text: String) {
        if self.noted.len() < NOTED_MAX && self.noted.insert(text.clone()) {
            self.ledger.note(text);
        }
    }

    /// Has the router forward some of the ports no longer. It may be gone.
    fn remove(&mut self, is_unwanted: impl Fn(u16) -> bool) {
        let Some(client) = &mut self.client else {
            return;
        };
        let until = Instant::now() + REMOVAL_MAX;
        let held = self.ledger.held().into_iter();
        for (inner, outer) in held.filter(|(inner, _)| is_unwanted(*inner)) {
            if let Err(MappingFailure::NoAnswer(_)) = client.unmap(&mut self.link, inner, outer) {
                return;
            }
            self.ledger.forget(inner);
            if Instant::now() > until {
                return;
            }
        }
    }

    fn report(&mut self) {
        (self.on_event)(MapperEvent::Changed(self.ledger.update()));
    }
}

/// Whether it is what a router sends to all hosts after a restart, or when its address changes.
fn is_announcement(datagram: &[u8]) -> bool {
    pcp::announcement(datagram).is_ok() || NatPmpRequest::PublicAddress.response(datagram).is_ok()
}

/// The time until the next round. An outage is often short, so the first retry comes soon.
fn retry_pause(failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures);
    PAUSE_FIRST.saturating_mul(doubled).min(PAUSE_MAX)
}

/// Between two rounds without an answer.
const PAUSE_FIRST: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// Between a round and what an announcement causes.
const ANNOUNCED_PAUSE: Duration = Duration::from_secs(2);
/// A router that forwards for no time must not be asked all the time.
const RENEWAL_PAUSE_MIN: Duration = Duration::from_secs(1);
/// The server waits for the removal when it ends.
pub(crate) const REMOVAL_MAX: Duration = Duration::from_secs(3);
/// Lines about what is no answer.
const NOTED_MAX: usize = 16;

/// The thread's name in `ps` and `top`.
const THREAD: &str = "port-mapping";
/// Only pages that are used cost memory.
const STACK_BYTES: usize = 256 * 1024;
