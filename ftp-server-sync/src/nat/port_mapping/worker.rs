//! The thread that has the router forward the ports, and what reaches it.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
use mio::Waker;

use super::client::RouterClient;
use super::job::MappingJob;
use super::lease_clock::now;
use super::ledger::Ledger;
use super::link::Link;
use super::nat_pmp::NatPmpRequest;
use super::nonce::NonceSecret;
use super::pcp;
use super::pinhole::Pinholes;
use super::record::{MadeMapping, RecordFile};
use super::removal_plan::RemovalPlan;
use super::state_lock::StateLock;
use super::update::MapperEvent;
use crate::net::order;
use crate::net::port_probe::describe_ports;
use crate::settings::PortMapping;

mod removal;
pub(super) mod round;

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
    /// Starts the thread. `on_event` is called there. Without a job it removes what an earlier run
    /// of the server has left.
    ///
    /// # Errors
    ///
    /// If the thread cannot be started.
    pub(crate) fn start(
        settings: &PortMapping,
        job: Option<MappingJob>,
        on_event: impl Fn(MapperEvent) + Send + 'static,
    ) -> io::Result<Self> {
        let (commands, received) = unbounded();
        let ending = Arc::new(AtomicBool::new(false));
        let (link, waker) = Link::new(ending.clone())?;
        // The first one of two servers that start at the same time makes the secret.
        let lock = StateLock::take(&settings.lock_file());
        let secret = NonceSecret::load(&settings.nonce_file())?;
        let record = match &lock {
            Some(lock) => RecordFile::read(settings.record_file(), lock.inode()),
            None => RecordFile::of_another_server(),
        };
        let mut worker = Worker {
            link,
            commands: received,
            abandoned: RouterClient::restored(record.written(), &secret),
            pinholes: Pinholes::restored(record.written(), &secret),
            removal: RemovalPlan::at_start(record.written(), now()),
            record,
            secret,
            job,
            client: None,
            ledger: Ledger::default(),
            failures: 0,
            next_pass: None,
            last_pass: None,
            next_look: None,
            noted: BTreeSet::new(),
            on_event,
            next_lock: lock.is_none().then(|| now() + LOCK_PAUSE),
            lock,
            settings: settings.clone(),
        };
        worker.note_other_server();
        worker.ask_at(now());
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
    /// When a router that announces nothing is looked at.
    next_look: Option<Instant>,
    /// What no round wants.
    removal: RemovalPlan,
    /// The file of the state directory.
    record: RecordFile,
    /// What the log has said once.
    noted: BTreeSet<String>,
    on_event: F,
    /// `None`: another server has the state directory.
    lock: Option<StateLock>,
    /// When it is tried again.
    next_lock: Option<Instant>,
    /// Where the files are.
    settings: PortMapping,
}

impl<F: Fn(MapperEvent)> Worker<F> {
    fn run(mut self) {
        loop {
            let now = now();
            if !self.read_commands(now) {
                break;
            }
            if self.next_lock.is_some_and(|next| next <= now) {
                self.retry_lock(now);
                continue;
            }
            if self.removal.is_due(now) {
                self.remove_unwanted();
                self.record();
                self.report();
                continue;
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
            if self.next_look.is_some_and(|next| next <= now) {
                self.look_at_router();
                continue;
            }
            let next = [
                self.next_pass,
                self.next_look,
                self.next_lock,
                self.removal.next(),
                self.ledger.next_end(),
                self.pinholes.next(),
            ];
            let next = next.into_iter().flatten().min();
            let left = next.map(|next| next.saturating_duration_since(now));
            let announced = self.link.wait(left);
            if announced.iter().any(|datagram| is_announcement(datagram)) {
                self.on_announced();
            }
        }
        self.link.begin_removal();
        self.remove_all(now() + REMOVAL_MAX);
        let clients = self.client.iter().chain(&self.abandoned);
        let heard = clients.filter(|client| client.left.has_answered);
        let left = heard.flat_map(RouterClient::recorded);
        let left = left.chain(self.pinholes.heard());
        let left = order::set_of(left.map(|made| made.outer));
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

    /// Ports that are not wanted any more are removed before the round that comes now. If the
    /// router is to be asked in another way, all of them are.
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
            self.pinholes.reset();
            self.next_look = None;
            self.next_pass = None;
        }
        // What is not wanted any more is removed first, whatever comes of the round.
        self.removal.start(now);
        self.job = job;
        self.ask_at(now);
        self.report();
    }

    /// The router has restarted, as it seems. Such datagrams, of any sender, cause no more than a
    /// round from time to time.
    fn on_announced(&mut self) {
        self.failures = 0;
        self.ask_soon(now());
    }

    fn pass_pinholes(&mut self) {
        match &self.job {
            Some(job) => {
                let clients = self.client.iter().chain(&self.abandoned);
                let others: Vec<MadeMapping> = clients.flat_map(RouterClient::recorded).collect();
                let record = &mut self.record;
                let before_request = |made: &[MadeMapping]| {
                    record.update(others.iter().chain(made).copied());
                };
                self.pinholes
                    .pass(&mut self.link, job, &self.secret, before_request);
            }
            None => self.pinholes.reset(),
        }
        let ignored = self.link.take_ignored();
        if let Some(router) = self.pinholes.router() {
            for ignored in ignored {
                self.note_ignored(router, &ignored);
            }
        }
    }

    /// Both would take the mappings of the other one for their own.
    fn note_other_server(&mut self) {
        if self.lock.is_none() && self.job.is_some() {
            let directory = self.settings.state_directory.display();
            self.ledger.note(format!(
                "another server uses the state directory {directory}: after a crash of this one, its ports \
                 stay open until their lease is over; give it a directory of its own with the variable \
                 STATE_DIRECTORY"
            ));
        }
    }

    /// The other server has ended perhaps: what it has left is this one's then.
    fn retry_lock(&mut self, now: Instant) {
        let Some(lock) = StateLock::take(&self.settings.lock_file()) else {
            self.next_lock = Some(now + LOCK_PAUSE);
            return;
        };
        self.next_lock = None;
        self.record = RecordFile::read(self.settings.record_file(), lock.inode());
        self.lock = Some(lock);
        let left = self.record.written();
        self.removal = RemovalPlan::at_start(left, now);
        self.pinholes.absorb(Pinholes::restored(left, &self.secret));
        for other in RouterClient::restored(left, &self.secret) {
            let mut clients = self.client.iter_mut().chain(&mut self.abandoned);
            let is_it = |client: &&mut RouterClient| {
                client.protocol == other.protocol && client.router == other.router
            };
            match clients.find(is_it) {
                Some(client) => client.left.absorb(other.left),
                None => self.abandoned.push(other),
            }
        }
        self.record();
        self.ask_soon(now);
    }

    /// The log says once what is special about a router.
    fn note_about(&mut self, client: &RouterClient) {
        let router = client.router.address;
        for ignored in self.link.take_ignored() {
            self.note_ignored(router.into(), &ignored);
        }
        if client.is_epoch_stuck() {
            self.note(format!(
                "the router {router} does not count the seconds since its start, so that a restart is not \
                 noticed: what it forgets is asked for again after half of the lease"
            ));
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

    /// Everything that routers may have for this server.
    fn made(&self) -> Vec<MadeMapping> {
        let clients = self.client.iter().chain(&self.abandoned);
        let made = clients.flat_map(RouterClient::recorded);
        made.chain(self.pinholes.recorded()).collect()
    }

    /// For the next start, in case of a crash.
    fn record(&mut self) {
        self.record.update(self.made().into_iter());
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

/// Between a round and what an announcement causes (RFC 6887, section 11.2.1).
const ANNOUNCED_PAUSE: Duration = Duration::from_secs(4);
/// The server waits for the removal when it ends. A router takes up to half a second for each port.
pub(crate) const REMOVAL_MAX: Duration = Duration::from_secs(8);
/// Between two attempts to get the state directory of another server.
const LOCK_PAUSE: Duration = Duration::from_secs(4);
/// Lines about what is no answer.
const NOTED_MAX: usize = 16;

/// The thread's name in `ps` and `top`.
const THREAD: &str = "port-mapping";
/// Only pages that are used cost memory.
const STACK_BYTES: usize = 256 * 1024;
