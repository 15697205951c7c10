//! What the server shows of itself, and what clients of the status socket order.

use std::fs::DirBuilder;
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ftp_proto::PublicAddress;
use ftp_proto::text::printable_word;
use log::{info, warn};

use super::handle::{Handle, Message};
use super::{Server, Shutdown};
use crate::locks::lock;
use crate::logging::clock::unix_seconds;
use crate::logging::lost_lines;
use crate::logging::system_text::SystemText;
use crate::privileges;
use crate::session::{Current, ServerState};
use crate::settings::{Settings, StatusSocketPlace};
use crate::status::metrics::MetricsServer;
use crate::status::reply::StatusOrder;
use crate::status::service::{PendingAnswer, StatusOrders, StatusService};
use crate::status::snapshot::{
    PassivePortsStatus, ServerPhase, ServerStatus, Snapshot, SnapshotSource,
};
use crate::status::socket::{StatusSocket, is_directory_of_root};

/// The status socket, and the orders of its clients whose answers are due.
#[derive(Debug)]
pub(super) struct ServerShown {
    started: Instant,
    facts: Arc<Mutex<ServerFacts>>,
    /// The socket is to be made as the user that the server becomes.
    opens_as_user: bool,
    /// It is not served yet.
    socket: Option<StatusSocket>,
    service: Option<StatusService>,
    metrics: Option<MetricsServer>,
    reloads: Vec<PendingAnswer>,
    kicks: Vec<Kick>,
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
struct ServerFacts {
    phase: ServerPhase,
    listen: Vec<SocketAddr>,
    sessions_max: u64,
}

/// Makes snapshots on any thread.
struct Snapshots {
    state: Arc<ServerState>,
    started: Instant,
    facts: Arc<Mutex<ServerFacts>>,
}

/// Has the main thread perform orders.
struct Orders(Handle);

impl StatusOrders for Orders {
    fn order(&self, order: StatusOrder, answer: PendingAnswer) {
        self.0.send(Message::Ordered(order, answer));
    }
}

impl Server {
    /// Makes the status socket that the settings name. A server whose socket cannot be made serves
    /// all the same, and logs why. To be called before [`with_run_as`](Self::with_run_as): only
    /// root may make files in some directories.
    #[must_use]
    pub fn with_status_socket(mut self) -> Self {
        let current = self.state.current();
        let settings = &current.settings;
        let Some(path) = self.status_socket_path(settings) else {
            return self;
        };
        if let StatusSocketPlace::Directory(directory) = &settings.status_socket {
            match &settings.run_as {
                // If it fails, the server may still make a socket there, and not remove it.
                Some(run_as) => {
                    let _ = privileges::hand_over(directory, &settings.state_files(), run_as);
                }
                None => {
                    // If it fails, making the socket fails too.
                    let mut builder = DirBuilder::new();
                    let _ = builder.recursive(true).mode(0o700).create(directory);
                }
            }
        }
        self.shown.opens_as_user = settings.run_as.is_some() && !is_directory_of_root(&path);
        if !self.shown.opens_as_user {
            self.open_status_socket(settings, path);
        }
        self
    }

    /// The rights of root are given up.
    pub(super) fn open_socket_as_user(&mut self) {
        let current = self.state.current();
        if std::mem::take(&mut self.shown.opens_as_user)
            && let Some(path) = self.status_socket_path(&current.settings)
        {
            self.open_status_socket(&current.settings, path);
        }
    }

    fn status_socket_path(&self, settings: &Settings) -> Option<PathBuf> {
        let bound = self.listeners.bound();
        let mut control = bound.iter().filter(|(_, listen)| !listen.implicit_tls);
        let port = control.next().map_or(0, |(address, _)| address.port());
        settings.status_socket.file(port)
    }

    fn open_status_socket(&mut self, settings: &Settings, path: PathBuf) {
        let user = settings.run_as.as_ref();
        let opened = StatusSocket::bind(&path).and_then(|socket| {
            if let Some(user) = user {
                socket.give_to(user.user, user.group)?;
            }
            Ok(socket)
        });
        match opened {
            Ok(socket) => self.shown.socket = Some(socket),
            Err(error) => {
                let path = printable_word(path.as_os_str().as_bytes());
                let problem = format!(
                    "no status socket at {path}: {}; give another path with --status-socket, or off",
                    SystemText(&error)
                );
                match settings.status_socket {
                    StatusSocketPlace::File(_) => warn!("{problem}"),
                    _ => info!("note: {problem}"),
                }
            }
        }
    }

    /// Starts what shows the server's state to others.
    pub(super) fn start_showing(&mut self) {
        self.update_facts();
        let source: Arc<dyn SnapshotSource> = Arc::new(Snapshots {
            state: self.state.clone(),
            started: self.shown.started,
            facts: self.shown.facts.clone(),
        });
        self.start_metrics(source.clone());
        if let Some(socket) = self.shown.socket.take() {
            let orders = Box::new(Orders(self.handle.clone()));
            match StatusService::start(socket, source, orders) {
                Ok(service) => self.shown.service = Some(service),
                Err(error) => warn!("no status socket: {}", SystemText(&error)),
            }
        }
    }

    fn start_metrics(&mut self, source: Arc<dyn SnapshotSource>) {
        let Some(metrics) = &mut self.shown.metrics else {
            return;
        };
        let address = metrics.address();
        match metrics.start(source) {
            Ok(()) => info!("metrics at http://{address}/metrics"),
            Err(error) => warn!("no metrics: {}", SystemText(&error)),
        }
        if !address.ip().to_canonical().is_loopback() {
            info!(
                "note: --metrics {address}: everyone who reaches this address can read how much \
                 this server does, though no name; give a port alone for 127.0.0.1"
            );
        }
    }

    /// Something has changed that only the main thread knows.
    pub(super) fn update_facts(&self) {
        let facts = ServerFacts {
            phase: match self.shutdown {
                Shutdown::No => ServerPhase::Serving,
                Shutdown::Draining => ServerPhase::Draining,
                Shutdown::Grace(_) | Shutdown::Now(_) | Shutdown::Helpers => {
                    ServerPhase::ShuttingDown
                }
            },
            listen: self.addresses(),
            sessions_max: self.sessions_max().into(),
        };
        *lock(&self.shown.facts) = facts;
    }

    /// The sockets stay where they are.
    pub(super) fn with_current_sockets(&self, mut settings: Settings) -> Settings {
        let current = self.state.current();
        if settings.metrics != current.settings.metrics {
            warn!("--metrics has changed: restart the server, whose metrics stay until then");
            settings.metrics = current.settings.metrics;
        }
        let place = &current.settings.status_socket;
        if settings.status_socket != *place {
            warn!("--status-socket has changed: restart the server, whose socket stays until then");
            settings.status_socket.clone_from(place);
        }
        settings
    }

    /// A client of the status socket has ordered something.
    pub(super) fn on_order(&mut self, order: StatusOrder, answer: PendingAnswer) {
        match order {
            StatusOrder::Kick(number) => self.kick(number, answer),
            StatusOrder::Reload => {
                info!("reloading: {WHO} asks for it");
                self.shown.reloads.push(answer);
                self.reload_settings();
            }
            StatusOrder::Drain => match self.drain(WHO) {
                Ok(running) => answer.done(format!(
                    "the server ends after its last session; there are {running}"
                )),
                Err(problem) => answer.error(problem),
            },
            StatusOrder::Stop => {
                match self.shutdown {
                    Shutdown::No | Shutdown::Draining => {
                        info!("shutting down: {WHO} asks for it");
                        self.end_gracefully();
                    }
                    _ => {
                        info!("shutting down at once: {WHO} asks for it");
                        self.end_now();
                    }
                }
                answer.done("the server shuts down");
            }
        }
    }

    fn kick(&mut self, number: u64, answer: PendingAnswer) {
        let Some(client) = self.sessions.client(number) else {
            return answer.error(format!("no session has the number {number}"));
        };
        info!("ending session {number}, of {client}: {WHO} asks for it");
        self.sessions.kick(number);
        self.shown.kicks.push(Kick {
            number,
            deadline: Instant::now() + KICK_MAX,
            answer,
        });
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
            metrics,
            reloads: Vec::new(),
            kicks: Vec::new(),
        })
    }

    /// When an answer is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.kicks.iter().map(|kick| kick.deadline).min()
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
}

impl Snapshots {
    fn server(&self, current: &Current) -> ServerStatus {
        let settings = &current.settings;
        let now = Instant::now();
        let blocked = (self.state.login_throttle).blocked(settings.login_rules(), now);
        let demand = self.state.pool.demand();
        let directory = printable_word(settings.directory.as_os_str().as_bytes());
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
fn public_address(current: &Current) -> Option<std::net::IpAddr> {
    let rules = &current.config.masquerade;
    let address = match rules.address {
        Some(PublicAddress::Known(address)) => Some(address),
        Some(_) => None,
        None => rules.learned,
    };
    address.map(Into::into)
}

/// In the log.
const WHO: &str = "a client of the status socket";

/// Sessions end in milliseconds, unless their client does not read its last reply, or a disk does
/// not answer.
const KICK_MAX: Duration = Duration::from_secs(2);
