//! The server's main thread: control sockets, the table of sessions, signals, and the shutdown.

mod accept_failures;
mod admission;
mod certificate;
mod fd_limit;
mod fresh_settings;
mod handle;
mod hooks;
mod listeners;
mod mapper;
mod port_mapping;
mod reading;
mod refusals;
mod reload;
mod report;
mod rights;
mod sandbox;
mod sessions;
mod shares;
mod shutdown;
mod signals;
mod users;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use ftp_proto::{Reply, canonical};
use log::{Level, error, info};
use mio::net::TcpStream;
use mio::{Events, Poll, Token, Waker};

use crate::accounts::login_throttle::whole_seconds;
use crate::fs::attributes::ProcessUmask;
use crate::fs::quota::keeper::QuotaKeeper;
use crate::logging::repeated::{Event, RepeatedEvents};
use crate::logging::session_name::SessionName;
use crate::logging::system_text::SystemText;
use crate::nat::address_source::AddressResolver;
use crate::nat::address_source::file::AddressFiles;
use crate::net::client_network::ClientNetwork;
use crate::net::interfaces::Interfaces;
use crate::net::watch::{Debounce, InterfaceWatch};
use crate::passive::PassivePool;
use crate::privileges;
use crate::session::{Current, ServerState, Start, poll_and_waker};
use crate::settings::watched_files::WatchedFiles;
use crate::settings::{Limits, Settings};
use crate::tls::Identity;

pub use handle::Handle;
pub use hooks::{HookHelpers, is_hook_helper, run_hook_helper, start_hook_helpers};
pub use sandbox::enter_sandbox;

use accept_failures::AcceptFailures;
use admission::{Admission, LoginDelays, decide};
use fd_limit::DescriptorLimit;
use handle::Message;
use hooks::ServerHooks;
use listeners::Listeners;
use mapper::ServerMapper;
use reading::{Reload, SettingsReader};
use refusals::{Crowding, refuse};
use sessions::Sessions;
use signals::{Request, Signals};

/// A server that listens already, and serves once it [`run`](Self::run)s.
///
/// ```no_run
/// use ftp_server_sync::Server;
/// use ftp_server_sync::cli::{self, Invocation};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let arguments = ["--directory", "/srv/ftp"].map(Into::into);
/// if let Invocation::Serve(settings) = cli::parse(arguments, |_| None)? {
///     Server::bind(*settings)?.with_signals()?.run()?;
/// }
/// # Ok(())
/// # }
/// ```
pub struct Server {
    poll: Poll,
    events: Events,
    listeners: Listeners,
    state: Arc<ServerState>,
    sessions: Sessions,
    messages: Receiver<Message>,
    handle: Handle,
    addresses: AddressResolver,
    address_files: AddressFiles,
    /// `None` where the kernel reports no changes: networks are then read at a reload only.
    watch: Option<InterfaceWatch>,
    debounce: Debounce,
    certificate: WatchedFiles,
    users_file: WatchedFiles,
    umask: ProcessUmask,
    descriptors: DescriptorLimit,
    signals: Signals,
    reader: SettingsReader,
    delays: LoginDelays,
    accept_failures: AcceptFailures,
    mapper: ServerMapper,
    hooks: ServerHooks,
    quotas: QuotaKeeper,
    shutdown: Shutdown,
}

/// How far the shutdown has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shutdown {
    No,
    /// Transfers may go on until then.
    Grace(Instant),
    /// Every session has been asked to end; those that have not by then are left behind.
    Now(Instant),
    /// The time of the sessions is over: hooks, and the thread that has the router forward the
    /// ports, are waited for. They have deadlines of their own.
    Helpers,
}

impl Server {
    /// Opens the shared directory and the control sockets.
    ///
    /// # Errors
    ///
    /// What the system says, with the directory or the address, or what is wrong with the
    /// certificate. Or that the settings ask for a sandbox that this process is not in.
    pub fn bind(settings: Settings) -> io::Result<Self> {
        privileges::check_start(&settings)?;
        sandbox::check_entered(&settings)?;
        let share = shares::open_share(&settings)?;
        let now = Instant::now();
        let certificate = WatchedFiles::new(settings.certificate_files(), now);
        let users_file = shares::watch(&settings, now);
        let poll = Poll::new()?;
        // Before the interfaces are read, so that no change is missed.
        let watch = InterfaceWatch::open(poll.registry(), INTERFACES);
        let interfaces = Interfaces::read()?;
        // Otherwise a finding says why.
        if !interfaces.without_netlink {
            let _ = watch
                .as_ref()
                .inspect_err(|error| Self::log_unwatched(error));
        }
        let identity = match Self::certificate_of_user(&settings) {
            Some(_) => None,
            None => Identity::load(&settings, &interfaces).map_err(io::Error::other)?,
        };
        let mut listeners = Listeners::default();
        listeners.update(&settings.listen, settings.passive_ports, poll.registry())?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let events = RepeatedEvents::new(Some(waker.clone()));
        let (sender, messages) = unbounded();
        let pool = PassivePool::new(settings.passive_ports);
        let mut addresses = AddressResolver::default();
        addresses.update_settings(&settings, now);
        let mut address_files = AddressFiles::default();
        for result in address_files.update_settings(&settings, now) {
            Self::log_lines(addresses.on_result(result, now));
        }
        let mut umask = ProcessUmask::default();
        umask.set(settings.umask);
        let descriptors = DescriptorLimit::raise(settings.limits.connections_max);
        let current = Current::new(settings, share, interfaces, addresses.known(), identity);
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            listeners,
            state: ServerState::new(pool, current, events.into()).into(),
            sessions: Sessions::default(),
            messages,
            handle: Handle::new(sender, waker),
            addresses,
            address_files,
            watch: watch.ok(),
            debounce: Debounce::default(),
            certificate,
            users_file,
            umask,
            descriptors,
            signals: Signals::default(),
            reader: SettingsReader::default(),
            delays: LoginDelays::default(),
            accept_failures: AcceptFailures::default(),
            mapper: ServerMapper::default(),
            hooks: ServerHooks::default(),
            quotas: QuotaKeeper::default(),
            shutdown: Shutdown::No,
        })
    }

    /// Makes SIGTERM and SIGINT shut this server down, SIGHUP reload its settings, and SIGUSR1 log
    /// its sessions. Signals are a matter of the whole process: a library should not call it.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn with_signals(mut self) -> io::Result<Self> {
        self.signals = Signals::register(self.poll.registry(), SIGNALS)?;
        Ok(self)
    }

    /// Makes SIGHUP and [`Handle::reload`] take the settings that `read` returns. Its error is a
    /// text for the log; the old settings then stay in force.
    #[must_use]
    pub fn with_reload(
        mut self,
        read: impl FnMut() -> Result<Settings, String> + Send + 'static,
    ) -> Self {
        let read: Reload = Box::new(read);
        self.reader.reload = Some(Arc::new(read.into()));
        self
    }

    /// Lets these processes start the hooks, where this one enters a sandbox: see
    /// [`start_hook_helpers`].
    #[must_use]
    pub fn with_hook_helpers(mut self, helpers: HookHelpers) -> Self {
        self.hooks.helpers = helpers;
        self
    }

    /// The addresses that it listens on. A port that was given as 0 is the real one here.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let bound = self.listeners.bound().into_iter();
        bound.map(|(address, _)| address).collect()
    }

    /// Shuts the server down, or reloads its settings, from another thread.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Logs what is served, then serves until the server is shut down and its last session has
    /// ended.
    ///
    /// # Errors
    ///
    /// If the poll itself fails. The sessions have then been asked to end.
    pub fn run(mut self) -> io::Result<()> {
        self.log_start();
        self.update_port_mapping();
        self.hooks.start(&self.state, &self.handle);
        self.update_quotas();
        loop {
            self.read_messages();
            if self.is_over() {
                return Ok(());
            }
            self.update();
            self.accept_all();
            self.state.events.write_due(Instant::now());
            let timeout = self.next_timeout();
            match self.poll.poll(&mut self.events, timeout) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.end_now();
                    return Err(error);
                }
                Ok(()) => self.on_events(),
            }
        }
    }

    fn next_timeout(&self) -> Option<Duration> {
        let shutdown = match self.shutdown {
            Shutdown::No | Shutdown::Helpers => None,
            Shutdown::Grace(deadline) | Shutdown::Now(deadline) => Some(deadline),
        };
        let due = [
            shutdown,
            self.accept_failures.pause_end(),
            self.state.events.due(),
            self.addresses.next_wake(),
            self.address_files.next_check(),
            self.debounce.next_look(),
            self.certificate.next_check(),
            self.users_file.next_check(),
            self.mapper.removal_deadline(),
            self.hooks.deadline(),
            self.reading_due(),
        ];
        let due = due.into_iter().flatten().min();
        due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    fn on_events(&mut self) {
        let (mut signalled, mut interfaces_changed) = (false, false);
        for event in &self.events {
            match event.token() {
                WAKER => {}
                SIGNALS => signalled = true,
                INTERFACES => interfaces_changed = true,
                token => self.listeners.on_event(token),
            }
        }
        if interfaces_changed {
            self.on_interfaces_changed();
        }
        if signalled {
            for request in self.signals.take() {
                self.on_signal(request);
            }
        }
    }

    fn on_signal(&mut self, request: Request) {
        match (request, self.shutdown) {
            (Request::End, Shutdown::No) => {
                info!("shutting down: a signal asks for it");
                self.end_gracefully();
            }
            (Request::End, _) => {
                info!("shutting down at once: a second signal asks for it");
                self.end_now();
            }
            (Request::Reload, _) => self.reload_settings(),
            (Request::Report, _) => self.log_report(),
        }
    }

    fn read_messages(&mut self) {
        while let Ok(message) = self.messages.try_recv() {
            match message {
                Message::ShutDown => self.end_now(),
                Message::Reload => self.reload_settings(),
                Message::Resolved(answer) => self.on_resolved(answer),
                Message::PortMapping(event) => self.on_port_mapping(event),
                Message::SettingsRead => self.take_fresh_settings(Duration::ZERO),
                Message::HookThreadEnded => self.hooks.on_thread_ended(),
                Message::Ended(number) => {
                    if let Err(client) = self.sessions.remove(number) {
                        let name = SessionName::new(number, client);
                        error!("{name} the session ended by a fault of the server");
                    }
                }
            }
        }
    }

    fn accept_all(&mut self) {
        let now = Instant::now();
        if self.accept_failures.is_pause(now) {
            return;
        }
        loop {
            match self.listeners.accept() {
                Ok(accepted) => {
                    self.accept_failures.on_success(&self.state.events, now);
                    let Some((stream, peer, listen)) = accepted else {
                        return;
                    };
                    self.admit(stream, peer, listen.implicit_tls);
                }
                Err(error) => {
                    return (self.accept_failures).on_failure(&error, &self.state.events, now);
                }
            }
        }
    }

    /// Starts a session for a new client unless it is refused.
    fn admit(&mut self, stream: TcpStream, peer: SocketAddr, implicit_tls: bool) {
        let peer = canonical(peer);
        // Sessions that have ended make room.
        self.read_messages();
        if self.shutdown != Shutdown::No {
            // The sessions have been asked to end already: a new one would not get that message.
            return;
        }
        if let Some(reason) = self.refusal(peer) {
            reason.log(peer, &self.state.events, Instant::now());
            return refuse(stream, implicit_tls, &reason.reply());
        }
        let number = self.sessions.next_number();
        let (poll, waker) = match poll_and_waker() {
            Ok(both) => both,
            // Usually no descriptor is left.
            Err(error) => {
                self.log_not_served(number, peer, &error);
                return refuse(stream, implicit_tls, &Reply::too_many_connections());
            }
        };
        let server = self.state.clone();
        let start = |commands, login_state| Start {
            number,
            server,
            stream,
            implicit_tls,
            poll,
            waker,
            commands,
            login_state,
        };
        if let Err((error, start)) = self.sessions.start(peer.ip(), self.handle.clone(), start) {
            self.log_not_served(number, peer, &error);
            refuse(start.stream, implicit_tls, &Reply::too_many_connections());
        }
    }

    fn log_not_served(&self, number: u64, peer: SocketAddr, error: &io::Error) {
        let event = Event::new(NOT_SERVED, Level::Error).by(peer.ip());
        let name = SessionName::new(number, peer.ip());
        let reason = SystemText(error);
        let line = format_args!("{name} cannot serve the client: {reason}");
        self.state.events.on_event(event, Instant::now(), line);
    }

    /// Why a client is refused. If it gets the place of another session, that one ends now.
    fn refusal(&mut self, peer: SocketAddr) -> Option<Crowding> {
        let current = self.state.current();
        let settings = &current.settings;
        if let Err(reason) = settings.access.check(peer.ip()) {
            return Some(Crowding::NotServed(reason));
        }
        let now = Instant::now();
        let is_gateway = current.config.is_trusted_gateway(peer.ip());
        let network = (!is_gateway).then(|| ClientNetwork::of(peer.ip()));
        if let (Some(network), Some(block)) = (network, settings.login_block) {
            let (throttle, rules) = (&self.state.login_throttle, settings.login_rules());
            if let Some(time) = throttle.blocked_for(network, rules, now) {
                let (after, seconds) = (block.after, whole_seconds(time));
                return Some(Crowding::Blocked { after, seconds });
            }
        }
        let delays = network.map_or(0, |network| self.delays.count(network, now));
        // Each session has its descriptors reserved.
        let limit = (settings.limits.connections_max).min(self.descriptors.sessions_max());
        let limits = Limits {
            connections_max: limit,
            ..settings.limits.clone()
        };
        match decide(&limits, &self.sessions.places(), network, delays) {
            Admission::Admitted => None,
            Admission::InPlaceOf(place) => {
                let number = place.number;
                if let Some(client) = self.sessions.client(number) {
                    let reason = Crowding::GivesWay {
                        number,
                        client,
                        limit,
                    };
                    reason.log(peer, &self.state.events, now);
                }
                if place.state.is_delayed() {
                    self.delays.add(place.network, now + settings.login_delay);
                }
                self.sessions.evict(number);
                None
            }
            Admission::ServerFull => Some(Crowding::ServerFull(limit)),
            Admission::AddressFull => {
                let limit = limits.connections_per_address_max.unwrap_or_default();
                Some(Crowding::AddressFull(limit))
            }
        }
    }
}

const WAKER: Token = Token(usize::MAX);
const SIGNALS: Token = Token(usize::MAX - 1);
const INTERFACES: Token = Token(usize::MAX - 2);

const EVENTS_MAX: usize = 64;

/// The kind of clients for which the system has no thread or no descriptor.
const NOT_SERVED: &str = "clients that cannot be served";
