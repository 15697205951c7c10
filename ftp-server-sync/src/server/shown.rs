//! What shows the server's state on other threads, and the answers that clients of the status
//! socket wait for.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ftp_proto::PublicAddress;
use ftp_proto::text::printable;

use super::handle::{Handle, Message};
use crate::locks::lock;
use crate::logging::clock::unix_seconds;
use crate::logging::lost_lines;
use crate::session::{Current, ServerState};
use crate::settings::Settings;
use crate::status::metrics::MetricsServer;
use crate::status::reply::StatusOrder;
use crate::status::service::{PendingAnswer, StatusOrders, StatusService};
use crate::status::snapshot::{
    Overview, PassivePortsStatus, ServerPhase, ServerStatus, Snapshot, SnapshotSource,
};
use crate::status::socket::StatusSocket;

/// The status socket, and the orders of its clients whose answers are due.
#[derive(Debug)]
pub(super) struct ServerShown {
    started: Instant,
    facts: Arc<Mutex<ServerFacts>>,
    /// The socket is to be made as the user that the server becomes.
    pub(super) opens_as_user: bool,
    /// It is not served yet.
    pub(super) socket: Option<StatusSocket>,
    pub(super) service: Option<StatusService>,
    /// Another server has the socket.
    socket_retry: Option<SocketRetry>,
    pub(super) metrics: Option<MetricsServer>,
    reloads: Vec<PendingAnswer>,
    kicks: Vec<Kick>,
}

/// When the socket is tried again. The pauses grow: the other server may run for ever.
#[derive(Debug)]
struct SocketRetry {
    at: Option<Instant>,
    pause: Duration,
}

/// A session that was asked to end.
#[derive(Debug)]
struct Kick {
    number: u64,
    /// When the answer says that it has not ended.
    deadline: Instant,
    answer: PendingAnswer,
}

/// What only the main thread knows, for others.
#[derive(Debug)]
pub(super) struct ServerFacts {
    pub(super) phase: ServerPhase,
    pub(super) listen: Vec<SocketAddr>,
    pub(super) sessions_max: u64,
}

/// Makes snapshots on any thread.
struct Snapshots {
    state: Arc<ServerState>,
    started: Instant,
    facts: Arc<Mutex<ServerFacts>>,
}

/// Has the main thread perform orders.
pub(super) struct Orders(pub(super) Handle);

impl StatusOrders for Orders {
    fn order(&self, order: StatusOrder, answer: PendingAnswer) {
        self.0.send(Message::Ordered(order, answer));
    }
}

impl ServerShown {
    /// Opens the socket for readers of metrics, if there is to be one.
    pub(super) fn new(settings: &Settings, now: Instant) -> io::Result<Self> {
        let metrics = settings.metrics.map(MetricsServer::bind).transpose()?;
        let facts = ServerFacts {
            phase: ServerPhase::Serving,
            listen: Vec::new(),
            sessions_max: 0,
        };
        Ok(Self {
            started: now,
            facts: Arc::new(facts.into()),
            opens_as_user: false,
            socket: None,
            service: None,
            socket_retry: None,
            metrics,
            reloads: Vec::new(),
            kicks: Vec::new(),
        })
    }

    /// Where snapshots of this server come from.
    pub(super) fn source(&self, state: Arc<ServerState>) -> Arc<dyn SnapshotSource> {
        Arc::new(Snapshots {
            state,
            started: self.started,
            facts: self.facts.clone(),
        })
    }

    pub(super) fn set_facts(&self, facts: ServerFacts) {
        *lock(&self.facts) = facts;
    }

    /// Another server has the socket by now.
    pub(super) fn try_socket_again(&mut self, now: Instant) {
        let last = self.socket_retry.take();
        let pause = last.map_or(RETRY_MIN, |last| (last.pause * 2).min(RETRY_MAX));
        self.socket_retry = Some(SocketRetry {
            at: Some(now + pause),
            pause,
        });
    }

    /// Whether the socket is to be tried now. Only once for each call of
    /// [`try_socket_again`](Self::try_socket_again).
    pub(super) fn is_socket_due(&mut self, now: Instant) -> bool {
        let retry = self.socket_retry.as_mut();
        retry.is_some_and(|retry| retry.at.take_if(|at| *at <= now).is_some())
    }

    /// The answer comes when the settings are read.
    pub(super) fn await_reload(&mut self, answer: PendingAnswer) {
        self.reloads.push(answer);
    }

    /// The answer comes when the session has ended, or has had time to.
    pub(super) fn await_end(&mut self, number: u64, answer: PendingAnswer) {
        self.kicks.push(Kick {
            number,
            deadline: Instant::now() + KICK_MAX,
            answer,
        });
    }

    /// Whether an answer waits for the end of a session.
    pub(super) fn awaits_ends(&self) -> bool {
        !self.kicks.is_empty()
    }

    /// When an answer is due, or another try.
    pub(super) fn due(&self) -> Option<Instant> {
        let retry = self.socket_retry.as_ref().and_then(|retry| retry.at);
        let kicks = self.kicks.iter().map(|kick| kick.deadline);
        kicks.chain(retry).min()
    }

    /// Answers orders to end sessions that have not ended.
    pub(super) fn answer_due(&mut self, now: Instant) {
        for kick in self.kicks.extract_if(.., |kick| kick.deadline <= now) {
            let number = kick.number;
            kick.answer.done(format!(
                "session {number} was asked to end, and has not ended yet: perhaps it waits for a \
                 disk or for its client"
            ));
        }
    }

    pub(super) fn on_session_ended(&mut self, number: u64) {
        for kick in self.kicks.extract_if(.., |kick| kick.number == number) {
            kick.answer.done(format!("session {number} ends"));
        }
    }

    /// The settings were read again, or not.
    pub(super) fn on_reloaded(&mut self, result: Result<(), &str>) {
        for answer in self.reloads.drain(..) {
            match result {
                Ok(()) => answer.done("reloaded"),
                Err(problem) => answer.error(problem),
            }
        }
    }
}

impl SnapshotSource for Snapshots {
    fn snapshot(&self) -> Snapshot {
        let current = self.state.current();
        Snapshot {
            server: self.server(&current),
            totals: self.state.counts.totals(lost_lines()),
            sessions: self.state.records.read(),
        }
    }

    fn overview(&self) -> Overview {
        Overview {
            server: self.server(&self.state.current()),
            totals: self.state.counts.totals(lost_lines()),
            activities: self.state.records.activities(),
        }
    }

    fn phase(&self) -> ServerPhase {
        lock(&self.facts).phase
    }
}

impl Snapshots {
    fn server(&self, current: &Current) -> ServerStatus {
        let settings = &current.settings;
        let now = Instant::now();
        let blocked = (self.state.login_throttle).blocked(settings.login_rules(), now);
        let demand = self.state.pool.demand();
        let directory = printable(settings.directory.as_os_str().as_bytes());
        let count = |number: usize| number as u64;
        let facts = lock(&self.facts);
        ServerStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            unix_seconds: unix_seconds(),
            uptime_seconds: self.started.elapsed().as_secs(),
            phase: facts.phase,
            listen: facts.listen.clone(),
            directory: directory.to_string(),
            sessions_max: facts.sessions_max,
            passive_ports: settings.passive_ports.map(|range| PassivePortsStatus {
                from: range.first(),
                to: range.last(),
                in_use: count(demand.in_use),
                waiting: count(demand.waiting),
            }),
            masquerade_address: public_address(current),
            blocked_addresses: count(blocked.len()),
        }
    }
}

/// The public address in PASV replies to clients outside.
fn public_address(current: &Current) -> Option<IpAddr> {
    let rules = &current.config.masquerade;
    let address = match rules.address {
        Some(PublicAddress::Known(address)) => Some(address),
        Some(_) => None,
        None => rules.learned,
    };
    address.map(Into::into)
}

/// A server that ends soon has few sessions left.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Sessions end in milliseconds, unless their client does not read its last reply, or a disk does
/// not answer.
const KICK_MAX: Duration = Duration::from_secs(2);
