//! The thread that has the router forward the ports, and what reaches it.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
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
use super::pass::{PassResult, map_all};
use super::pcp;
use super::pinhole::Pinholes;
use super::record::{self, MadeMapping};
use super::retry::{RENEWAL_PAUSE_MIN, retry_pause};
use super::router::Router;
use super::trouble::Trouble;
use super::update::MapperEvent;
use crate::net::port_probe::describe_ports;
use crate::settings::MappingProtocol;

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
        let secret = NonceSecret::load(&job.nonce_file)?;
        let recorded = record::read(&job.record_file);
        let mut worker = Worker {
            link,
            commands: received,
            abandoned: RouterClient::restored(&recorded, &secret),
            pinholes: Pinholes::restored(&recorded, &secret),
            record_file: job.record_file.clone(),
            recorded,
            secret,
            job: Some(job),
            client: None,
            ledger: Ledger::default(),
            failures: 0,
            next_pass: Some(Instant::now()),
            last_pass: None,
            noted: BTreeSet::new(),
            on_event,
        };
        worker.pinholes.start_at(Instant::now());
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
    /// Others, which may have left mappings at a router.
    abandoned: Vec<RouterClient>,
    pinholes: Pinholes,
    ledger: Ledger,
    /// Rounds without an answer since the last good one.
    failures: u32,
    next_pass: Option<Instant>,
    last_pass: Option<Instant>,
    /// What the file of the state directory contains.
    recorded: Vec<MadeMapping>,
    record_file: PathBuf,
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
                self.record();
                self.report();
                continue;
            }
            if self.pinholes.is_due(now) {
                self.pass_pinholes();
                self.record();
                self.report();
                continue;
            }
            if self.ledger.take_ended(now) || self.pinholes.take_ended(now) {
                self.report();
                continue;
            }
            let next = [self.next_pass, self.ledger.next_end(), self.pinholes.next()];
            let next = next.into_iter().flatten().min();
            let left = next.map(|next| next.saturating_duration_since(now));
            let announced = self.link.wait(left);
            if announced.iter().any(|datagram| is_announcement(datagram)) {
                self.on_announced(Instant::now());
            }
        }
        self.link.begin_removal();
        self.remove_all(Instant::now() + REMOVAL_MAX);
        let left: BTreeSet<u16> = self.made().iter().map(|made| made.outer).collect();
        if !left.is_empty() {
            let left = describe_ports(&left);
            self.ledger.note(format!(
                "the router does not confirm that it forwards no port any more: these of its ports may \
                 stay open until their lease is over: {left}"
            ));
            self.report();
        }
        self.record();
        (self.on_event)(MapperEvent::Ended);
    }

    /// False at the end.
    fn read_commands(&mut self, now: Instant) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Job(job)) => self.on_job(job, now),
                Ok(Command::Retry) => {
                    self.failures = 0;
                    self.ask_soon(now);
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Asks for everything at this time.
    fn ask_at(&mut self, time: Instant) {
        if self.job.is_some() {
            self.next_pass = Some(time);
            self.pinholes.start_at(time);
        }
    }

    /// The same, but not twice within a moment.
    fn ask_soon(&mut self, now: Instant) {
        let due = self.last_pass.map_or(now, |last| last + ANNOUNCED_PAUSE);
        let due = due.max(now);
        if self.next_pass.is_none_or(|next| next > due) {
            self.ask_at(due);
        }
    }

    /// Ports that are not wanted any more are removed by the round that comes now. If the router is
    /// to be asked in another way, all of them are, before that.
    fn on_job(&mut self, job: Option<MappingJob>, now: Instant) {
        if job == self.job {
            return;
        }
        let is_same_way = match (&job, &self.job) {
            (Some(new), Some(old)) => {
                new.interface == old.interface && new.protocols == old.protocols
            }
            _ => false,
        };
        if !is_same_way {
            self.remove_all(now + REMOVAL_MAX);
            self.abandoned.extend(self.client.take());
            self.ledger = Ledger::default();
            self.pinholes = Pinholes::default();
        }
        self.job = job;
        self.next_pass = Some(now);
        self.ask_at(now);
        self.report();
    }

    /// The router has restarted, as it seems. Such datagrams, of any sender, cause no more than a
    /// round from time to time.
    fn on_announced(&mut self, now: Instant) {
        self.failures = 0;
        self.ask_soon(now);
    }

    fn pass_pinholes(&mut self) {
        match &self.job {
            Some(job) => self.pinholes.pass(&mut self.link, job, &self.secret),
            None => self.pinholes.reset(),
        }
        let ignored = self.link.take_ignored();
        if let Some(router) = self.pinholes.router() {
            for ignored in ignored {
                self.note_ignored(router, &ignored);
            }
        }
    }

    /// Asks for every port, in the protocol that has worked last, else in each one.
    fn pass(&mut self) {
        let Some(job) = self.job.clone() else {
            return self.remove_again();
        };
        self.last_pass = Some(Instant::now());
        match self.ask(&job) {
            Ok(Some(pause)) => self.next_pass = Some(Instant::now() + pause),
            // The end comes next.
            Ok(None) => self.next_pass = None,
            Err(trouble) => {
                self.next_pass = Some(Instant::now() + retry_pause(self.failures));
                self.failures = self.failures.saturating_add(1);
                self.ledger.on_trouble(trouble);
            }
        }
    }

    /// The time until the next round; `None`: the thread is to end.
    fn ask(&mut self, job: &MappingJob) -> Result<Option<Duration>, Trouble> {
        let router = Router::find(job.interface.as_deref(), &job.listen);
        let router = router.map_err(Trouble::NoRouter)?;
        let connected = self.link.connect(router.ends());
        connected.map_err(|error| Trouble::NoRouter(error.to_string()))?;
        let is_other = |last: &mut RouterClient| last.router != router;
        self.abandoned.extend(self.client.take_if(is_other));
        let last_protocol = self.client.as_ref().map(|client| client.protocol);
        self.abandoned.extend(self.client.take());
        let mut protocols = job.protocols.clone();
        protocols.sort_by_key(|protocol| Some(*protocol) != last_protocol);
        let mut troubles = Vec::new();
        for protocol in protocols {
            let mut client = self.take_client(protocol, router);
            let result = map_all(
                &mut client,
                &mut self.link,
                job,
                &self.ledger.held_at(router),
            );
            self.note_about(&client);
            match result {
                Ok(result) => {
                    let pause = self.pause_after(&result);
                    let lease_end = Instant::now() + result.lease;
                    // Those of a round before, which are not wanted any more.
                    let is_wanted = |inner| job.ports.iter().any(|port| port.inner == inner);
                    let until = Instant::now() + REMOVAL_MAX;
                    client.unmap_made(&mut self.link, |inner| !is_wanted(inner), until);
                    let ends_at = (!client.is_permanent()).then_some(lease_end);
                    self.ledger
                        .on_result(protocol, router, job, result, ends_at);
                    self.abandoned.extend(self.client.replace(client));
                    self.remove_elsewhere(router, until);
                    return Ok(Some(pause));
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
    fn pause_after(&mut self, result: &PassResult) -> Duration {
        let half = (result.lease / 2).max(RENEWAL_PAUSE_MIN);
        if result.public.address().is_some() && !result.is_partial {
            self.failures = 0;
            return half;
        }
        let pause = retry_pause(self.failures);
        self.failures = self.failures.saturating_add(1);
        pause.min(half)
    }

    /// What another router forwards, or this one to another address of this machine, if it can
    /// still be asked.
    fn remove_elsewhere(&mut self, router: Router, until: Instant) {
        for client in &mut self.abandoned {
            let is_elsewhere = client.router != router && client.has_mappings();
            if is_elsewhere && self.link.connect(client.router.ends()).is_ok() {
                client.unmap_made(&mut self.link, |_| true, until);
            }
        }
        // Its announcements arrive again.
        let _ = self.link.connect(router.ends());
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

    /// The log says once what is special about a router.
    fn note_about(&mut self, client: &RouterClient) {
        let router = client.router.address;
        for ignored in self.link.take_ignored() {
            self.note_ignored(router.into(), &ignored);
        }
        if client.is_permanent() {
            self.note(format!(
                "the router {router} forwards ports until it is asked for the end: after a crash they \
                 stay open until the next start has ended"
            ));
        }
    }

    /// The log says once what a router sends that is no answer.
    fn note_ignored(&mut self, router: IpAddr, ignored: &str) {
        let text = format!(
            "the router {router} sends something that is no answer, which is ignored: {ignored}"
        );
        self.note(text);
    }

    /// Something that is logged once.
    fn note(&mut self, text: String) {
        if self.noted.len() < NOTED_MAX && self.noted.insert(text.clone()) {
            self.ledger.note(text);
        }
    }

    /// Has the routers forward nothing any more. They may be gone.
    fn remove_all(&mut self, until: Instant) {
        for client in self.client.iter_mut().chain(&mut self.abandoned) {
            if client.has_mappings() && self.link.connect(client.router.ends()).is_ok() {
                client.unmap_made(&mut self.link, |_| true, until);
            }
        }
        self.pinholes.close_all(&mut self.link, until);
    }

    /// Nothing is to be forwarded, and a router was silent when it was asked for the end.
    fn remove_again(&mut self) {
        self.remove_all(Instant::now() + REMOVAL_MAX);
        self.abandoned.retain(RouterClient::has_mappings);
        let is_left = !self.abandoned.is_empty() && self.failures < REMOVALS_MAX;
        self.next_pass = is_left.then(|| Instant::now() + retry_pause(self.failures));
        self.failures = if is_left { self.failures + 1 } else { 0 };
    }

    /// Everything that routers may have for this server.
    fn made(&self) -> Vec<MadeMapping> {
        let clients = self.client.iter().chain(&self.abandoned);
        let made = clients.flat_map(RouterClient::recorded);
        made.chain(self.pinholes.recorded()).collect()
    }

    /// For the next start, in case of a crash.
    fn record(&mut self) {
        let made = self.made();
        if made != self.recorded {
            record::write(&self.record_file, &made);
            self.recorded = made;
        }
    }

    fn report(&mut self) {
        self.ledger.set_pinholes(self.pinholes.lines());
        (self.on_event)(MapperEvent::Changed(self.ledger.update()));
    }
}

/// Whether it is what a router sends to all hosts after a restart, or when its address changes.
fn is_announcement(datagram: &[u8]) -> bool {
    pcp::announcement(datagram).is_ok() || NatPmpRequest::PublicAddress.response(datagram).is_ok()
}

/// Between a round and what an announcement causes.
const ANNOUNCED_PAUSE: Duration = Duration::from_secs(2);
/// The server waits for the removal when it ends. A router takes up to half a second for each port.
pub(crate) const REMOVAL_MAX: Duration = Duration::from_secs(8);
/// Clients that may have left mappings.
const ABANDONED_MAX: usize = 4;
/// Attempts to remove what is not wanted any more. Then it ends by itself.
const REMOVALS_MAX: u32 = 10;
/// Lines about what is no answer.
const NOTED_MAX: usize = 16;

/// The thread's name in `ps` and `top`.
const THREAD: &str = "port-mapping";
/// Only pages that are used cost memory.
const STACK_BYTES: usize = 256 * 1024;
